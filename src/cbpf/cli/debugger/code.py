"""The programs that a session runs: one for each kind of packets, with its instructions as text."""

from __future__ import annotations

import cbpf

from ..._named_tuple import NamedTuple
from ..._typing import Literal, TypeAlias
from .extension_values import ExtensionValues
from .packet_source import PacketSource

Filter: TypeAlias = "str | cbpf.Program | cbpf.Savefile"
"""An expression or a program, in a savefile with its link type."""


class Code(NamedTuple):
    """A verified program.

    Args:
        vm: The machine that runs it.
        texts: Each instruction as text, with labels of the form l3, as bpf_dbg prints it.
        clauses: The clause of the expression for each instruction, "" for those of no clause; empty if no clauses are
            known.
        draws_numbers: Whether it loads random numbers.
    """

    vm: cbpf.VM
    texts: tuple[str, ...]
    clauses: tuple[str, ...]
    draws_numbers: bool

    def line(self, index: int) -> str:
        """Return an instruction with its label, as bpf_dbg prints it: the label, a tab, the instruction."""
        return f"l{index}:\t{self.texts[index]}"


class Settings(NamedTuple):
    """How programs are compiled and run.

    Args:
        dialect: The dialect that verifies and runs them.
        as_socket: Whether packets are presented as a live packet socket does.
        optimizer: The optimiser of expressions; without one, each instruction belongs to a clause.
        values: The values of extension loads that replace those of the packets.
    """

    dialect: cbpf.Dialect
    as_socket: bool
    optimizer: Literal["cbpf"] | None
    values: ExtensionValues = {}  # noqa: RUF012  (never changed)


class ProgramSet:
    """The programs of a filter for the interfaces of a capture.

    Args:
        filter: The filter.
        settings: How its programs are compiled and run.
    """

    def __init__(self, filter: Filter, settings: Settings) -> None:
        self.filter = filter
        self._settings = settings
        self._programs = cbpf.CapturePrograms(
            filter, dialect=settings.dialect, as_socket=settings.as_socket, optimizer=settings.optimizer
        )
        self._codes: dict[cbpf.Program, Code] = {}

    def prepare(self, capture: cbpf.CaptureReader) -> None:
        """Raise the errors of the filter that are known before the first packet."""
        capture.look_ahead()
        self._programs.prepare([capture])

    def code(self, capture: cbpf.CaptureReader, interface: int) -> Code | None:
        """Return the program for the packets of an interface; None if the filter does not fit them."""
        program = self._programs.program(capture, interface)
        if program is None:
            return None
        if program not in self._codes:
            self._codes[program] = self._make(program, capture.interfaces[interface])
        return self._codes[program]

    def common_code(self, source: PacketSource) -> Code | None:
        """Return the program for the packets of all interfaces; None if they have different ones."""
        capture = source.capture
        if isinstance(self.filter, str) and not capture.container.interfaces_are_final:
            found = [row.interface for row in cbpf.capture_info(source.path).interfaces]
            if len({(row.link_type, row.byte_order, row.snaplen) for row in found}) > 1:
                return None
        return self.any_code(capture)

    def any_code(self, capture: cbpf.CaptureReader | None) -> Code | None:
        """Return the program for the first interface that the filter fits, or without a capture for Ethernet."""
        if capture is None:
            return self._without_capture()
        for interface in range(len(capture.interfaces)):
            if self._programs.fits(capture, interface):
                return self.code(capture, interface)
        return None

    def _without_capture(self) -> Code:
        match self.filter:
            case cbpf.Savefile(program=program):
                pass
            case str(text):
                program = cbpf.compile(text, dialect=self._settings.dialect, optimizer=self._settings.optimizer)
            case program:
                pass
        return self._make(program, None)

    def _make(self, program: cbpf.Program, interface: cbpf.Interface | None) -> Code:
        vm = cbpf.VM(program, dialect=self._settings.dialect)
        typed, _ = cbpf.disassemble(program)
        draws = any(isinstance(load, cbpf.LoadExtension) and load.num is cbpf.Extension.RAND for load in typed)
        return Code(vm, tuple(_instruction_texts(program)), self._clauses(program, interface), draws)

    def _clauses(self, program: cbpf.Program, interface: cbpf.Interface | None) -> tuple[str, ...]:
        """Return the clause of each instruction, if the program is the plain code of an expression."""
        if not isinstance(self.filter, str) or self._settings.optimizer is not None:
            return ()
        if self._settings.as_socket and self._settings.dialect.header_windows and interface is not None:
            mapped = cbpf.source_map(self.filter, link_type=interface.link_type, snaplen=interface.snaplen, live=True)
        else:
            mapped = cbpf.source_map(self.filter, link_type=interface or "EN10MB")
        return mapped.texts() if mapped.program == program else ()


def _instruction_texts(program: cbpf.Program) -> list[str]:
    """Return each instruction as bpf_dbg prints it; one that it does not know as tcpdump does, extensions by name."""
    try:
        lines = cbpf.render(program, "dbg").splitlines()
    except cbpf.ProgramFormatError:
        lines = [" ".join(line.split()) for line in cbpf.listing(program).splitlines()]
    texts = [line.replace("\t", " ").partition(" ")[2].rstrip() for line in lines]
    typed, _ = cbpf.disassemble(program)
    for index, instruction in enumerate(typed):
        if isinstance(instruction, cbpf.LoadExtension) and instruction.num is not cbpf.Extension.LEN:
            texts[index] = str(instruction)
    return texts
