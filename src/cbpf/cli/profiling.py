"""A program and its execution counts on the packets of a capture, for the subcommands `graph` and `stats`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import cbpf

from .._named_tuple import NamedTuple
from .._typing import Final
from .declarations import Invocation, option
from .failures import UsageError
from .options import program_or_expression
from .packets import program_view, programs_for_capture
from .values import FILE

capture_option: Final = option(
    "-r",
    "capture",
    metavar="CAPTURE",
    kind=FILE,
    help="Count executions on the packets of CAPTURE, - for standard input.",
)


class ProfiledProgram(NamedTuple):
    """A program; with a capture also its execution counts, and the damage at which the capture ended early.

    *link_type* is that of the program: of an expression on a capture, the first interface that the expression fits.
    """

    program: cbpf.Program
    counts: cbpf.ExecutionCounts | None
    damage: cbpf.DamagedCapture | None
    link_type: str | cbpf.Interface


def profiled_program(
    path: str | None,
    expression: str | None,
    link_type: str,
    capture: str | None,
    dialect: cbpf.Dialect,
    as_socket: bool,
    optimizer: cbpf.Optimizer = "cbpf",
) -> ProfiledProgram:
    """Load PROGRAM or compile -e EXPRESSION, and count its executions on -r CAPTURE.

    With a capture an expression is compiled for the link type of its first interface.
    """
    if capture is None:
        if as_socket:
            raise UsageError("--as-socket requires -r CAPTURE")
        loaded = program_or_expression(path, expression, link_type, optimizer=optimizer)
        return ProfiledProgram(loaded, None, None, link_type)
    _check_usage(path, expression, capture)
    arguments = (capture,) if expression is not None else ("-" if path is None else path, capture)
    programs, reader = programs_for_capture(arguments, expression, dialect, optimizer, as_socket=as_socket)
    with reader:
        packets = _CapturePackets(reader, programs, as_socket)
        counts = cbpf.execution_counts(packets.program, packets, dialect=dialect)
    fitting = (interface for index, interface in enumerate(reader.interfaces) if programs.fits(reader, index))
    return ProfiledProgram(packets.program, counts, packets.damage, next(fitting, link_type))


def _check_usage(path: str | None, expression: str | None, capture: str) -> None:
    if expression is not None:
        if path is not None:
            raise UsageError("PROGRAM and -e EXPRESSION are mutually exclusive")
        if Invocation.current is not None and "link_type" in Invocation.current.given:
            raise UsageError("-y LINKTYPE and -r CAPTURE are mutually exclusive: CAPTURE has a link type")
    elif capture == "-" and path in (None, "-"):
        raise UsageError("PROGRAM and -r CAPTURE cannot both be standard input")


class _CapturePackets:
    """The packets of a capture that the programs fit, up to its end or its damage."""

    def __init__(self, reader: cbpf.CaptureReader, programs: cbpf.CapturePrograms, as_socket: bool) -> None:
        self._reader, self._programs, self._as_socket = reader, programs, as_socket
        self.damage: cbpf.DamagedCapture | None = None
        self._packets = self._through_damage()
        self.program = self._first_program()

    def __iter__(self) -> Iterator[cbpf.Packet | cbpf.SocketView]:
        fitting: dict[int, bool] = {}
        for packet in self._packets:
            fits = fitting.get(packet.interface)
            if fits is None:
                fits = fitting[packet.interface] = self._fits(packet)
            if fits:
                yield self._view(packet)

    def _fits(self, packet: cbpf.Packet) -> bool:
        """Return whether the programs fit the interface of a packet; raise an error if it has another program."""
        program = self._programs.program(self._reader, packet.interface)
        if program is not None and program != self.program:
            place = f"{self._reader.name}: packet {packet.number}"
            link_type = self._reader.interfaces[packet.interface].link_type.name
            fact = f"the expression compiles to a different program for link type {link_type}"
            raise cbpf.CaptureError(f"{place}: {fact}; executions are counted for one program")
        return program is not None

    def _view(self, packet: cbpf.Packet) -> cbpf.Packet | cbpf.SocketView:
        data, wire_length, metadata = program_view(packet, self._reader, self._as_socket)
        if metadata is not None:
            return cbpf.SocketView(data, wire_length, metadata)
        return packet if data is packet.data else packet._replace(data=data, wire_length=wire_length)

    def _through_damage(self) -> Iterator[cbpf.Packet]:
        try:
            yield from self._reader
        except cbpf.DamagedCapture as damage:
            self.damage = damage

    def _first_program(self) -> cbpf.Program:
        """Return the program of the first interface that the programs fit; the packets before it do not match."""
        while (program := self._programs.first(self._reader)) is None:
            packet = next(self._packets, None)
            if packet is None:
                raise self._unfit()
            self._packets = chain([packet], self._packets)
            if self._programs.program(self._reader, packet.interface) is None:
                next(self._packets)
        return program

    def _unfit(self) -> cbpf.CbpfError:
        """Return the error of a capture without an interface that the programs fit."""
        if self.damage is not None:
            return self.damage
        self._programs.require_fit([self._reader])
        return cbpf.CaptureError(f"{self._reader.name}: describes no interface and thus no link type")
