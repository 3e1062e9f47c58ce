"""What `graph` and `stats` share: a program, and how often it ran what on the packets of a capture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import click

import cbpf

from .options import ProgramOf, program_for_capture, program_or_expression

capture_option: Final = click.option(
    "-r", "capture", metavar="CAPTURE", help="Run it on these packets, and count; - for standard input."
)


class Measured(NamedTuple):
    """A program; with a capture also how often it ran what, and the damage that ended the capture early."""

    program: cbpf.Program
    counts: cbpf.ExecutionCounts | None
    damage: cbpf.DamagedCapture | None


def measured(
    path: str | None,
    expression: str | None,
    link_type: str,
    capture: str | None,
    dialect: cbpf.Dialect,
    as_socket: bool,
) -> Measured:
    """The program of PROGRAM or -e EXPRESSION; with -r CAPTURE an expression is compiled for its first interface."""
    if capture is None:
        if as_socket:
            raise click.UsageError("--as-socket needs -r CAPTURE")
        return Measured(program_or_expression(path, expression, link_type), None, None)
    _check(path, expression, capture)
    arguments = (capture,) if expression is not None else ("-" if path is None else path, capture)
    program_of, reader = program_for_capture(arguments, expression, dialect)
    with reader:
        packets = _Packets(reader, program_of, as_socket)
        counts = cbpf.execution_counts(packets.program, packets, dialect=dialect)
    return Measured(packets.program, counts, packets.damage)


def _check(path: str | None, expression: str | None, capture: str) -> None:
    context = click.get_current_context()
    if expression is not None:
        if path is not None:
            raise click.UsageError("PROGRAM and -e EXPRESSION exclude each other")
        if context.get_parameter_source("link_type") is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError("the link type is that of -r CAPTURE; -y LINKTYPE excludes it")
    elif capture == "-" and path in (None, "-"):
        raise click.UsageError("PROGRAM and -r CAPTURE are both standard input")


class _Packets:
    """The packets of a capture, up to its end or its damage."""

    def __init__(self, reader: cbpf.CaptureReader, program_of: ProgramOf, as_socket: bool) -> None:
        self._reader, self._program_of, self._as_socket = reader, program_of, as_socket
        self.program = program_of(0)
        self.damage: cbpf.DamagedCapture | None = None

    def __iter__(self) -> Iterator[cbpf.Packet | cbpf.SocketView]:
        try:
            for packet in self._reader:
                interface = self._reader.interfaces[packet.interface]
                if self._program_of(packet.interface) != self.program:
                    kind = interface.link_type.name
                    fact = f"{self._reader.name}: packet {packet.number} has link type {kind}"
                    raise cbpf.CaptureError(f"{fact}, for which the expression is another program")
                view = (packet.data, interface.link_type, packet.wire_length)
                yield cbpf.socket_view(*view) if self._as_socket else packet
        except cbpf.DamagedCapture as damage:
            self.damage = damage
