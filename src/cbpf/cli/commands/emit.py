"""cbpf emit: write a program for another target: C, LLVM, eBPF, CUDA or WebAssembly."""

from __future__ import annotations

import cbpf

from ..._typing import Any, Final, Iterator, get_args
from ..declarations import argument, option, subcommand
from ..failures import CommandError, UsageError
from ..options import (
    dialect_option,
    expression_option,
    link_type_option,
    program_source,
    target_option,
    write_bytes,
)
from ..streams import echo
from ..values import FILE, Choice

_LINES_OF_LOG: Final = 20


@subcommand("emit", "Write a program as C, eBPF, LLVM IR, CUDA or WebAssembly.")
@argument("program", required=False, kind=FILE)
@expression_option
@link_type_option
@dialect_option
@option(
    "--target",
    "target_name",
    kind=Choice(lambda: (*get_args(cbpf.TextTarget), *get_args(cbpf.BinaryTarget))),
    default="c",
    shows_default=True,
    help="Form in which the program is written.",
)
@option("--name", default="filter", shows_default=True, metavar="NAME", help="Name of the function.")
@option(
    "--accept",
    kind=Choice(lambda: get_args(cbpf.AcceptedFate)),
    default="pass",
    shows_default=True,
    help="Fate of the packets that PROGRAM accepts, for ebpf-xdp and ebpf-tc; the others have the opposite one.",
)
@option(
    "--main",
    is_flag=True,
    help="Of C: add a main function, which filters a pcap capture from standard input to standard output.",
)
@option(
    "--assembly",
    is_flag=True,
    help="Of eBPF: write the assembly that LLVM reads and writes, in place of the object file.",
)
@option(
    "--check",
    "checks",
    is_flag=True,
    help="Of eBPF: load the program into the running kernel, which needs root; if its verifier rejects "
    "it, print the log. With -w, a program that was loaded is written as well.",
)
@option(
    "-r",
    "capture",
    metavar="CAPTURE",
    kind=FILE,
    help="With --check, run the program in the kernel on the packets of CAPTURE, and compare the results with the VM.",
)
@target_option
def command(
    program: str | None,
    expression: str | None,
    link_type: str,
    dialect: cbpf.Dialect,
    target_name: Any,
    name: str,
    accept: cbpf.AcceptedFate,
    main: bool,
    assembly: bool,
    checks: bool,
    capture: str | None,
    target: str | None,
) -> int:
    """Write PROGRAM, by default read from standard input, for a target other than this process.

    The result has the same verdict on every packet. The targets are c (a C99 function of the packet, without a
    library), llvm (LLVM IR), object (an object file of this machine), ptx (a CUDA kernel), ebpf-xdp, ebpf-tc and
    ebpf-socket (object files with an eBPF program for XDP, for tc in the mode direct-action, or for a socket), and wasm
    (a WebAssembly module). All but c need the extra llvm. An extension that a target lacks is an error.

    Exit code: 0 success, 1 --check found a packet with another result, 2 error.

    \b
      cbpf emit -e 'tcp port 443'
      cbpf emit -e 'tcp port 443' --main -w filter.c
      cbpf emit -e 'udp port 53' --target ebpf-xdp --accept drop -w drop.o
      cbpf emit -e 'udp port 53' --target ebpf-tc --assembly
      cbpf emit -e 'udp port 53' --target ebpf-xdp --check -r in.pcap
    """
    if checks and not target_name.startswith("ebpf-"):
        raise UsageError(f"--check is for the targets ebpf-xdp, ebpf-tc and ebpf-socket, not for {target_name}")
    if capture is not None and not checks:
        raise UsageError("-r requires --check")
    source = program_source(program, expression)
    options: Any = {"link_type": link_type, "dialect": dialect, "accept": accept}
    form: Any = {"target": target_name, "assembly": assembly}
    emitted = cbpf.emit(source, name=name, main=main, **form, **options)
    status = _checked(source, capture, target=target_name, **options) if checks else 0
    if target is not None or not checks:
        write_bytes(target, emitted.encode() if isinstance(emitted, str) else emitted)
    return status


def _checked(source: Any, capture: str | None, **options: Any) -> int:
    """Print the result of a check in the running kernel; return the exit code.

    The packets before a damage of the capture are compared, as by the other commands.
    """
    damages: list[cbpf.DamagedCapture] = []
    try:
        result = cbpf.linux.check_ebpf(source, _packets(capture, damages), **options)
    except cbpf.EbpfError as error:
        for line in error.log.splitlines()[-_LINES_OF_LOG:]:
            echo(line, err=True)
        raise CommandError(str(error)) from None
    echo(str(result))
    for damage in damages:
        echo(f"cbpf: {damage}", err=True)
    return 2 if damages else 1 if result.differences else 0


def _packets(capture: str | None, damages: list[cbpf.DamagedCapture]) -> Iterator[bytes]:
    """Yield the packets of a capture; a damage ends them, and is added to *damages*."""
    if capture is None:
        return
    try:
        with cbpf.read_capture(capture) as reader:
            for packet in reader:
                yield packet.data
    except cbpf.DamagedCapture as damage:
        damages.append(damage)
