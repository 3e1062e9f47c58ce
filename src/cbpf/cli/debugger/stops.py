"""Breakpoints and watches: the reasons for which a run stops before an instruction."""

from __future__ import annotations

import re

import cbpf

from ..._named_tuple import NamedTuple
from ..._typing import Final, Sequence, TypeAlias
from .errors import DebuggerError, quoted
from .formulas import Formula, parse_formula
from .lexer import number
from .packet_run import PacketRun
from .scans import Scans
from .state import check_slot

_BREAKPOINT: Final = re.compile(r"([^\s,]+)(?:(?:\s+if\s+|\s*,\s*)(.*))?", re.DOTALL)
_LABEL: Final = re.compile(r"l?([0-9]\w*)")
_REGISTER: Final = re.compile(r"[axAX]")
_SLOT: Final = re.compile(r"[mM]\s*\[\s*(\w+)\s*\]")
_BYTES: Final = re.compile(r"(?:packet\s*)?\[\s*(\w+)\s*(?::\s*(\w+)\s*)?\]")


class Breakpoint(NamedTuple):
    """A stop before an instruction, if a condition holds.

    Args:
        number: The index of the instruction.
        condition: The condition; None for one that always holds.
    """

    number: int
    condition: Formula | None = None

    def __str__(self) -> str:
        return str(self.number) if self.condition is None else f"{self.number} if {self.condition.text}"

    def next_packet(self, scans: Scans, start: int) -> int | None:
        """Return the number of the first packet from *start* on which a run may stop."""
        if self.condition is not None and self.condition.reads == {"A"}:
            return scans.next_accumulator(start, self.number, self.condition)
        return scans.next_reaching(start, [self.number])

    def may_stop(self, run: PacketRun) -> bool:
        """Return whether a run may stop, without a trace: whether a condition on the bytes alone holds."""
        return self.condition is None or self.condition.reads != {"packet"} or self.condition.holds(run.first_state)

    def stops(self, run: PacketRun, position: int) -> bool:
        """Return whether a run stops before the step at a position."""
        if run.steps[position].index != self.number:
            return False
        return self.condition is None or self.condition.holds(run.state(position))


class RegisterWatch(NamedTuple):
    """A stop before an instruction that changes a register: "A" or "X"."""

    name: str

    def __str__(self) -> str:
        return self.name

    def next_packet(self, scans: Scans, start: int) -> int | None:
        """Return the number of the first packet from *start* on which a run may stop."""
        return start

    def stops(self, run: PacketRun, position: int) -> bool:
        """Return whether a run stops before the step at a position."""
        before, after = run.state(position), run.state(position + 1)
        return before.a != after.a if self.name == "A" else before.x != after.x


class SlotWatch(NamedTuple):
    """A stop before an instruction that writes a scratch slot, also with the value that it has."""

    slot: int

    def __str__(self) -> str:
        return f"M[{self.slot}]"

    def next_packet(self, scans: Scans, start: int) -> int | None:
        """Return the number of the first packet from *start* on which a run may stop."""
        stores = (index for index, raw in enumerate(scans.program) if stored_slot(raw) == self.slot)
        return scans.next_reaching(start, stores)

    def stops(self, run: PacketRun, position: int) -> bool:
        """Return whether a run stops before the step at a position."""
        return stored_slot(run.steps[position].instruction) == self.slot


class BytesWatch(NamedTuple):
    """A stop before an instruction that loads a byte of a range, also if its last bytes are past the end.

    Args:
        offset: The offset of the first byte in the packet.
        size: The number of bytes.
    """

    offset: int
    size: int

    def __str__(self) -> str:
        return f"packet[{self.offset}]" if self.size == 1 else f"packet[{self.offset}:{self.size}]"

    def next_packet(self, scans: Scans, start: int) -> int | None:
        """Return the number of the first packet from *start* on which a run may stop."""
        if scans.dialect.header_windows:  # whose offsets depend on the packet
            return start
        loads = cbpf.Flow(scans.program, dialect=scans.dialect).loads
        return scans.next_reaching(start, (load.index for load in loads if self._may_be_loaded(load)))

    def _may_be_loaded(self, load: cbpf.PacketLoad) -> bool:
        return load.last is None or self._overlaps(load.first, load.last - load.first + load.size)

    def _overlaps(self, offset: int, size: int) -> bool:
        return offset < self.offset + self.size and self.offset < offset + size

    def stops(self, run: PacketRun, position: int) -> bool:
        """Return whether a run stops before the step at a position."""
        fetched = run.steps[position].fetched
        return fetched is not None and self._overlaps(fetched.position, fetched.size)


Watch: TypeAlias = RegisterWatch | SlotWatch | BytesWatch


class Stops:
    """The breakpoints and watches of a session.

    Attributes:
        breakpoints: The breakpoints, at most one at each instruction, in the order in which they were set.
        watches: The watches, in the order in which they were set.
    """

    def __init__(self) -> None:
        self.breakpoints: list[Breakpoint] = []
        self.watches: list[Watch] = []

    @property
    def all(self) -> Sequence[Breakpoint | Watch]:
        """All of them."""
        return (*self.breakpoints, *self.watches)

    def add_breakpoint(self, added: Breakpoint) -> None:
        """Add a breakpoint; it replaces one at the same instruction."""
        numbers = [other.number for other in self.breakpoints]
        if added.number in numbers:
            self.breakpoints[numbers.index(added.number)] = added
        else:
            self.breakpoints.append(added)

    def reasons(self, run: PacketRun, position: int) -> Sequence[str]:
        """Return the stops before a step, as text."""
        breakpoints = [f"breakpoint {stop}" for stop in self.breakpoints if stop.stops(run, position)]
        return [*breakpoints, *(f"watch {stop}" for stop in self.watches if stop.stops(run, position))]

    def stop_at(self, run: PacketRun, position: int) -> bool:
        """Return whether one of them stops a run before a step."""
        return any(stop.stops(run, position) for stop in self.all)

    def first(self, run: PacketRun, start: int) -> int | None:
        """Return the first position from *start* at which one of them stops a run, or None."""
        if not self.watches and not any(stop.may_stop(run) for stop in self.breakpoints):
            return None
        return next((position for position in range(start, len(run.steps)) if self.stop_at(run, position)), None)


def stored_slot(instruction: cbpf.RawInstruction) -> int | None:
    """Return the scratch slot that an instruction writes, or None."""
    typed = instruction.disassemble()
    return typed.n if isinstance(typed, cbpf.StoreScratch) else None


def parse_index(text: str, count: int) -> int:
    """Return the index of an instruction: 7 or l7, in a program of *count* instructions."""
    match = _LABEL.fullmatch(text)
    if match is None:
        raise DebuggerError(f"{quoted(text)} is not the number of an instruction, such as 7 or l7")
    index = number(match[1])
    if index >= count:
        raise DebuggerError(f"the program has {count:,} instructions, numbered from 0")
    return index


def parse_breakpoint(text: str, count: int) -> Breakpoint:
    """Return the breakpoint of a text: the number of an instruction, and possibly "if" and a condition."""
    match = _BREAKPOINT.fullmatch(text)
    if match is None or (match[2] is not None and not match[2].strip()):
        raise DebuggerError("expected N, or N if CONDITION")
    return Breakpoint(parse_index(match[1], count), None if match[2] is None else parse_formula(match[2]))


def parse_watch(text: str) -> Watch:
    """Return the watch of a text: A, X, M[n], packet[offset] or packet[offset:size]."""
    if _REGISTER.fullmatch(text):
        return RegisterWatch(text.upper())
    if match := _SLOT.fullmatch(text):
        return SlotWatch(check_slot(number(match[1])))
    if match := _BYTES.fullmatch(text):
        size = 1 if match[2] is None else number(match[2])
        if size == 0:
            raise DebuggerError("a range has at least 1 byte")
        return BytesWatch(number(match[1]), size)
    raise DebuggerError(f"{quoted(text)} cannot be watched; expected A, X, M[n], packet[n] or packet[n:size]")
