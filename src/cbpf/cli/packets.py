"""Packets of a capture, and the programs for them, for the subcommands that run programs on single packets."""

from __future__ import annotations

import cbpf

from .._typing import Final, TypeAlias
from .declarations import option
from .failures import UsageError
from .options import read_filter
from .values import Integer

packet_number_option: Final = option(
    "-n",
    "number",
    metavar="K",
    kind=Integer(1),
    default=1,
    shows_default=True,
    help="Number of the packet, from 1.",
)


def read_packet(capture: cbpf.CaptureReader, number: int) -> cbpf.Packet:
    """Return a packet of a capture, which is closed then."""
    with capture:
        for packet in capture:
            if packet.number == number:
                return packet
    raise cbpf.CaptureError(f"{capture.name}: contains fewer than {number:,} packets")


PacketView: TypeAlias = "tuple[bytes, int, cbpf.Metadata | None]"
"""The inputs of a program for a captured packet: bytes, wire length and metadata."""


def filter_and_capture(
    arguments: tuple[str, ...], expression: str | None
) -> tuple[str | cbpf.Program | cbpf.Savefile, str]:
    """Return the filter and the path of the arguments PROGRAM CAPTURE, or of -e EXPRESSION and CAPTURE."""
    names = ("PROGRAM", "CAPTURE") if expression is None else ("CAPTURE",)
    if len(arguments) < len(names):
        raise UsageError(f"Missing argument '{names[len(arguments)]}'")
    if len(arguments) > len(names):
        raise UsageError(f"Got unexpected extra argument ({arguments[len(names)]})")
    return read_filter(arguments[0]) if expression is None else expression, arguments[-1]


def programs_for_capture(
    arguments: tuple[str, ...],
    expression: str | None,
    dialect: cbpf.Dialect,
    *,
    as_socket: bool,
) -> tuple[cbpf.CapturePrograms, cbpf.CaptureReader]:
    """Return the programs and the opened capture of the arguments PROGRAM CAPTURE, or of -e EXPRESSION and CAPTURE.

    An expression is compiled for *dialect*: at once for the first interface, for any other when it is first requested.
    """
    program, path = filter_and_capture(arguments, expression)
    capture = cbpf.read_capture(path)
    if expression is not None:
        capture.look_ahead()
    programs = cbpf.CapturePrograms(program, dialect=dialect, as_socket=as_socket)
    programs.prepare([capture])
    return programs, capture


def program_view(packet: cbpf.Packet, capture: cbpf.CaptureReader, as_socket: bool) -> PacketView:
    """Return the inputs of a program for a captured packet."""
    interface = capture.interfaces[packet.interface]
    data, wire_length = cbpf.host_view(packet.data, interface.link_type, interface.byte_order, packet.wire_length)
    return cbpf.socket_view(data, interface.link_type, wire_length) if as_socket else (data, wire_length, None)
