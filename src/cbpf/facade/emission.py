"""Programs for other targets than this process."""

from __future__ import annotations

from .._typing import TYPE_CHECKING, Literal, overload
from ..backends.emission import emit_program
from ..isa.dialects import PCAP, Dialect
from ..isa.program import Program
from .arguments import LinkTypeName, ProgramSource, as_program

if TYPE_CHECKING:
    from .._options import AcceptedFate, BinaryTarget, EbpfTarget, TextTarget


@overload
def emit(
    program: ProgramSource,
    *,
    target: TextTarget = "c",
    link_type: LinkTypeName = "EN10MB",
    dialect: Dialect = PCAP,
    name: str = "filter",
    accept: AcceptedFate = "pass",
    main: bool = False,
    assembly: Literal[False] = False,
) -> str: ...


@overload
def emit(
    program: ProgramSource,
    *,
    target: BinaryTarget,
    link_type: LinkTypeName = "EN10MB",
    dialect: Dialect = PCAP,
    name: str = "filter",
    accept: AcceptedFate = "pass",
    main: bool = False,
    assembly: Literal[False] = False,
) -> bytes: ...


@overload
def emit(
    program: ProgramSource,
    *,
    target: EbpfTarget,
    link_type: LinkTypeName = "EN10MB",
    dialect: Dialect = PCAP,
    name: str = "filter",
    accept: AcceptedFate = "pass",
    main: bool = False,
    assembly: Literal[True],
) -> str: ...


def emit(
    program: ProgramSource,
    *,
    target: TextTarget | BinaryTarget = "c",
    link_type: LinkTypeName = "EN10MB",
    dialect: Dialect = PCAP,
    name: str = "filter",
    accept: AcceptedFate = "pass",
    main: bool = False,
    assembly: bool = False,
) -> str | bytes:
    r"""Write a program for a target other than this process.

    The result has the verdict of the VM on every packet, and never reads a byte outside of the packet. In functions of
    the packet alone ("c", "llvm", "object", "ptx", "wasm"), extensions do not exist, apart from the length, and the
    header windows of Linux are outside of every packet.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        target: The name of the target:

            - "c": a file with the C99 function `uint32_t NAME(const uint8_t *packet, size_t captured, size_t wire)`,
              which needs no library. A comment states the instruction of each line.
            - "llvm": a module of LLVM IR with this function, for little-endian machines of 64 bits.
            - "object": an object file of this machine with this function.
            - "ebpf-xdp", "ebpf-tc": an object file (ELF) with an eBPF program for XDP, or for tc in the mode
              direct-action (Linux 5.1 or newer), which libbpf, bpftool, ip and tc load.
            - "ebpf-socket": one with an eBPF program for SO_ATTACH_BPF, whose result is the verdict.
            - "ptx": a CUDA kernel (memory, positions, lengths, wire lengths, count, verdicts) for sm_80 and later:
              addresses of bytes, of 64-bit positions in them, of 32-bit lengths and verdicts on the device, and a
              64-bit number of packets. Every grid of one dimension computes all verdicts.
            - "wasm": a WebAssembly module that exports its memory as "memory", and the function NAME (address of the
              packet, captured length, wire length), with numbers of 32 bits.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        dialect: The dialect whose rules verify the program, and whose meaning it has.
        name: The name of the function: a C identifier.
        accept: The fate of the packets that the program accepts, for "ebpf-xdp" and "ebpf-tc": "pass" (XDP_PASS or
            TC_ACT_OK) or "drop" (XDP_DROP or TC_ACT_SHOT). All others have the opposite one.
        main: Whether the C file also has a main function, which copies the packets that the function accepts from
            standard input to standard output, both captures in the format pcap.
        assembly: Of eBPF: whether to return the assembly that LLVM writes, in place of the object file.

    Returns:
        The text for "c", "llvm" and "ptx", and for eBPF as assembly; otherwise bytes.

    Raises:
        ExpressionError: An expression cannot be compiled.
        FieldError: An argument is invalid.
        MissingLibrary: The target is not "c", and llvmlite is not installed.
        ProgramFormatError: The target cannot execute an instruction: an extension that it lacks, or a load from a
            header whose position is unknown there; an eBPF program so long that its jumps are too far.
        VerificationError: The dialect rejects the program.

    >>> print(emit("arp"))
    #include <stddef.h>
    ...
        if (captured < 14)
            return 0;
        a = load_16(packet + 12);        /* (000) ldh [12] */
        return a == 0x806 ? 262144 : 0;  /* (001) jeq #0x806 jt 2 jf 3 */
    }
    <BLANKLINE>
    """
    value = Program(as_program(program, link_type=link_type, dialect=dialect))
    title = program if isinstance(program, str) else getattr(program, "text", f"{len(value)} instructions")
    title = title if title.strip() else "all packets"
    return emit_program(value, target, dialect, name=name, title=title, main=main, accept=accept, assembly=assembly)
