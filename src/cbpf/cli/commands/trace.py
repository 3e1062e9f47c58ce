"""cbpf trace: trace a program on one packet."""

from __future__ import annotations

from collections.abc import Iterator

import cbpf

from ...reporting.packet_output import counted
from ..declarations import argument, subcommand
from ..options import (
    as_socket_option,
    dialect_option,
    expression_option,
)
from ..packets import PacketView, packet_number_option, program_view, programs_for_capture, read_packet
from ..streams import echo
from ..values import FILE


@subcommand("trace", "Trace a program on one packet.")
@argument("arguments", required=False, multiple=True, metavar="PROGRAM CAPTURE", kind=FILE)
@expression_option
@packet_number_option
@dialect_option
@as_socket_option
def command(
    arguments: tuple[str, ...], expression: str | None, number: int, dialect: cbpf.Dialect, as_socket: bool
) -> None:
    """Print each step of PROGRAM on packet K of CAPTURE: instruction, registers, loaded bytes, jump target.

    With -e EXPRESSION, the only argument is CAPTURE.

    \b
      cbpf trace -n 3 filter.c in.pcap
      cbpf trace -e 'tcp port 443' in.pcap
    """
    programs, capture = programs_for_capture(arguments, expression, dialect)
    packet = read_packet(capture, number)
    program = programs.program(capture, packet.interface)
    echo(f"packet {number}: {packet.captured_length:,} of {counted(packet.wire_length, 'byte')} captured")
    verdict = 0 if program is None else _trace(program, dialect, program_view(packet, capture, as_socket))
    echo(cbpf.describe_verdict(verdict, dialect=dialect))


def _trace(program: cbpf.Program, dialect: cbpf.Dialect, view: PacketView) -> int:
    """Print each step of a program, and return the verdict."""
    vm = cbpf.VM(program, dialect=dialect)
    images = cbpf.listing(vm.program, dialect=dialect).splitlines()
    verdict: int | None = 0  # of a record that is too short for the first instruction
    data, wire_length, metadata = view
    for step in vm.trace(data, metadata=metadata, wire_length=wire_length):
        image = images[step.index].rstrip().replace("\t", " ")
        echo(f"{image:46}  A={step.a:#010x} X={step.x:#010x}  {'; '.join(_events(step))}".rstrip())
        verdict = step.verdict
    return verdict or 0


def _events(step: cbpf.Step) -> Iterator[str]:
    if step.fetched is not None:
        position, size = step.fetched.position, step.fetched.size
        place = f"byte {position}" if size == 1 else f"bytes {position}..{position + size - 1}"
        yield f"{place}: past the end" if step.fetched.value is None else f"{place}: {_hexadecimal(step.fetched)}"
    if step.taken is not None:
        yield f"{'true' if step.taken else 'false'}, to {step.next_index}"


def _hexadecimal(fetched: cbpf.Fetched) -> str:
    return f"0x{fetched.value:0{2 * fetched.size}x}"
