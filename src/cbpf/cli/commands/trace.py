"""cbpf trace: trace a program on one packet."""

from __future__ import annotations

import cbpf

from ..._text import counted
from ...reporting.documents import trace_document
from ..declarations import argument, subcommand
from ..options import (
    as_socket_option,
    dialect_option,
    expression_option,
    json_option,
)
from ..packets import PacketView, packet_number_option, program_view, programs_for_capture, read_packet
from ..streams import echo, echo_json
from ..tcpdump_options import TCPDUMP_OPTIONS
from ..values import FILE


@subcommand("trace", "Trace a program on one packet.", foreign_options=TCPDUMP_OPTIONS)
@argument("arguments", required=False, multiple=True, metavar="PROGRAM CAPTURE", kind=FILE)
@expression_option
@packet_number_option
@dialect_option
@as_socket_option
@json_option
def command(
    arguments: tuple[str, ...],
    expression: str | None,
    number: int,
    dialect: cbpf.Dialect,
    as_socket: bool,
    as_json: bool,
) -> None:
    """Print each step of PROGRAM on packet K of CAPTURE: instruction, registers, loaded bytes, jump target.

    With -e EXPRESSION, the only argument is CAPTURE.

    \b
      cbpf trace -n 3 filter.c in.pcap
      cbpf trace -e 'tcp port 443' in.pcap
    """
    programs, capture = programs_for_capture(arguments, expression, dialect, as_socket=as_socket)
    packet = read_packet(capture, number)
    program = programs.program(capture, packet.interface)
    if as_json:
        data, wire_length, metadata = program_view(packet, capture, as_socket)
        document = trace_document(
            program,
            data,
            number=number,
            link_type=capture.interfaces[packet.interface].link_type.name,
            wire_length=wire_length,
            metadata=metadata,
            dialect=dialect,
        )
        echo_json(document)
        return
    echo(f"packet {number}: {packet.captured_length:,} of {counted(packet.wire_length, 'byte')} captured")
    verdict = 0 if program is None else _trace(program, dialect, program_view(packet, capture, as_socket))
    echo(cbpf.describe_verdict(verdict, dialect=dialect))


def _trace(program: cbpf.Program, dialect: cbpf.Dialect, view: PacketView) -> int:
    """Print each step of a program, and return the verdict."""
    vm = cbpf.VM(program, dialect=dialect)
    verdict: int | None = 0  # of a record that is too short for the first instruction
    data, wire_length, metadata = view
    for step in vm.trace(data, metadata=metadata, wire_length=wire_length):
        echo(step.describe(dialect=dialect))
        verdict = step.verdict
    return verdict or 0
