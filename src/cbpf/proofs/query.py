"""One question about one or two programs: the packet, the programs as terms, and the solver, within a time."""

import time
from typing import Final

from .._validators import within
from ..errors import FieldError, Undecided
from ..isa.opcodes import OPCODE_BY_CODE, SIGN_BIT, Extension, Operand, extension_of
from ..vm import VM
from .machine import symbolic_execution
from .shrink import Confirm, shrink
from .symbolic_packet import Model, SymbolicPacket
from .terms import Solver, Terms, TruthTerm

NOT_SHOWN: Final = "a packet was found, but a run shows something else: a netlink search beyond what is proved"
LONGEST_PACKET: Final = 0xFF_FFFF  # bytes
_check_length: Final = within(0, LONGEST_PACKET, "a length in bytes")

_USUAL_HEADER: Final = 0x45  # of what `ldx 4*([k]&0xf)` reads: IPv4, and a header of 20 bytes
_FEW: Final = 64  # bytes before a packet
_MOST_STEPS: Final = 400_000  # of all runs that make a packet smaller, about
_FEWEST_RUNS: Final = 40


class Query:
    """What is asked about the packets of *shortest* to *longest* bytes; a dialect of records has its own size."""

    def __init__(self, *machines: VM, shortest: int, longest: int, timeout: float | None) -> None:
        """*machines*: of one dialect."""
        deadline = _deadline(timeout)
        shortest, longest = _check_length("shortest", shortest), _check_length("longest", longest)
        if shortest > longest:
            raise FieldError(f"shortest: {shortest} bytes are more than longest, {longest}")
        self.dialect = machines[0].dialect
        if self.dialect.record_size is not None:
            shortest = longest = self.dialect.record_size
        self.machines = machines
        self.terms = Terms()
        indexed = any(_is_indexed(machine) for machine in machines)
        self.symbolic = SymbolicPacket(self.terms, self.dialect, shortest, longest, indexed=indexed)
        self.outcomes = [symbolic_execution(machine.program, self.dialect, self.symbolic) for machine in machines]
        self._deadline = deadline
        self._solver: Solver | None = None

    def find(self, confirm: Confirm, *, condition: TruthTerm) -> Model | None:
        """A small packet *where* something holds, which a run *shows*; or None: it holds for none.

        Raises `Undecided`.
        """
        sample = self.packet(condition)
        if sample is None:
            return None
        if not confirm(sample):
            raise Undecided(NOT_SHOWN)
        usual = self._usual_packet(condition)
        if usual is not None and confirm(usual):
            sample = usual
        marks = self._marks(sample)
        most_runs = max(_FEWEST_RUNS, _MOST_STEPS // sum(len(machine.program) for machine in self.machines))
        return shrink(sample, lambda one: confirm(one) and marks <= self._marks(one), self.symbolic.shortest, most_runs)

    def packet(self, truth: TruthTerm) -> Model | None:
        """A packet for which *truth* holds, as the solver has it; or None: there is none. Raises `Undecided`."""
        if truth is False:
            return None
        if self._solver is None:
            self._solver = self.terms.solver(self._deadline)
            self._solver.require(*self.symbolic.limits)
        exact = self.symbolic.exact
        if self._solver.finds(truth, *exact) or (exact and self._solver.finds(truth)):
            return self.symbolic.model(self._solver)
        return None

    def _usual_packet(self, truth: TruthTerm) -> Model | None:
        """The same as people can read it, as far as there is one in time.

        No load lacks a byte; IP headers, and what comes before the packet, are as usual.
        """
        terms = self.terms
        whole = [terms.any(*(way for way, _ in result.returned)) for result in self.outcomes]
        headers = [
            terms.any(terms.opposite(result.reached[index]), self._has_usual_header(place))
            for machine, result in zip(self.machines, self.outcomes, strict=True)
            for index, place in _header_loads(machine)
        ]
        none, few = (self.symbolic.has_few_bytes_before(count) for count in (0, _FEW))
        for wishes in ([*whole, *headers, none], [*headers, none], [*headers, few], [few]):
            try:
                sample = self.packet(terms.all(truth, *wishes))
            except Undecided:
                return None
            if sample is not None:
                return sample
        return None

    def _has_usual_header(self, place: int) -> TruthTerm:
        terms, captured = self.terms, self.symbolic.captured
        if place >= self.symbolic.longest:
            return True
        byte = self.symbolic.load(place, 1, "big")
        return terms.any(terms.at_most(captured, place), terms.equal(byte, _USUAL_HEADER))

    def _marks(self, sample: Model) -> set[str]:
        """What makes a packet readable: it is not to be lost when it becomes smaller."""
        marks = {"whole", "usual headers"}
        for machine in self.machines:
            odd = {
                index
                for index, place in _header_loads(machine)
                if sample.packet[place : place + 1] not in (b"", bytes([_USUAL_HEADER]))
            }
            for step in machine.trace(sample.packet, wire_length=sample.wire_length, metadata=sample.metadata):
                if step.index in odd:
                    marks.discard("usual headers")
                if step.fetched is not None and step.fetched.value is None:
                    marks.discard("whole")
        return marks


def _deadline(timeout: float | None) -> float:
    if timeout is None:
        return float("inf")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise FieldError(f"timeout: {timeout!r} is not a number of seconds above 0")
    return time.monotonic() + timeout


def _is_indexed(machine: VM) -> bool:
    """Whether a load's position may depend on the packet."""
    for raw in machine.program:
        opcode = OPCODE_BY_CODE[raw.op]
        if opcode.operand is Operand.INDIRECT:
            return True
        if opcode.operand in (Operand.ABSOLUTE, Operand.MEMORY_SHIFT) and raw.k >= SIGN_BIT:
            if extension_of(opcode, raw.k) in (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED):
                return True
            if machine.dialect.header_windows and extension_of(opcode, raw.k) is None:
                return True
    return False


def _header_loads(machine: VM) -> list[tuple[int, int]]:
    """The instructions that load an IP header's length from the packet, and from where."""
    return [
        (index, raw.k)
        for index, raw in enumerate(machine.program)
        if OPCODE_BY_CODE[raw.op].operand is Operand.MEMORY_SHIFT and raw.k < SIGN_BIT
    ]
