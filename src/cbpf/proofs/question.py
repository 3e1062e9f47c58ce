"""One question about one or two programs: the packet, the programs as terms, and the solver, within a time."""

import time
from typing import Final

from ..errors import FieldError, Undecided
from ..fields import within
from ..isa import OPCODE_BY_CODE, SIGN_BIT, Extension, Operand, extension_of
from ..vm import VM
from .machine import outcome
from .shrinking import Shows, shrunk
from .terms import Solver, Terms, Truth
from .unknowns import Sample, Unknowns

NOT_SHOWN: Final = "a packet was found, but a run shows something else: a netlink search beyond what is proved"
LONGEST_PACKET: Final = 0xFF_FFFF  # bytes
_check_length: Final = within(0, LONGEST_PACKET, "a length in bytes")

_USUAL_HEADER: Final = 0x45  # of what `ldx 4*([k]&0xf)` reads: IPv4, and a header of 20 bytes


class Question:
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
        self.unknowns = Unknowns(self.terms, self.dialect, shortest, longest, indexed=indexed)
        self.outcomes = [outcome(machine.program, self.dialect, self.unknowns) for machine in machines]
        self._deadline = deadline
        self._solver: Solver | None = None

    def packet_that(self, shows: Shows, *, where: Truth) -> Sample | None:
        """A small packet *where* something holds, which a run *shows*; or None: it holds for none.

        Raises `Undecided`.
        """
        sample = self.packet(where)
        if sample is None:
            return None
        if not shows(sample):
            raise Undecided(NOT_SHOWN)
        usual = self._usual_packet(where)
        if usual is not None and shows(usual):
            sample = usual
        if self._is_usual(sample):
            return shrunk(sample, lambda one: shows(one) and self._is_usual(one), self.unknowns.shortest)
        return shrunk(sample, shows, self.unknowns.shortest)

    def packet(self, truth: Truth) -> Sample | None:
        """A packet for which *truth* holds, as the solver has it; or None: there is none. Raises `Undecided`."""
        if truth is False:
            return None
        if self._solver is None:
            self._solver = self.terms.solver(self._deadline)
            self._solver.require(*self.unknowns.limits)
        exact = self.unknowns.exact
        if self._solver.finds(truth, *exact) or (exact and self._solver.finds(truth)):
            return self.unknowns.sample(self._solver)
        return None

    def _usual_packet(self, truth: Truth) -> Sample | None:
        """The same as people can read it: IP headers as they usually are, and few bytes before; None: none in time."""
        terms = self.terms
        headers = [
            terms.any(terms.opposite(result.reached[index]), self._has_usual_header(place))
            for machine, result in zip(self.machines, self.outcomes, strict=True)
            for index, place in _header_loads(machine)
        ]
        few = [self.unknowns.has_few_bytes_before(count) for count in (0, 64)]
        if all(wish is True for wish in few + headers):
            return None
        for wish in (few[:1] + headers, few[1:] + headers, few[1:]):
            try:
                sample = self.packet(terms.all(truth, *wish))
            except Undecided:
                return None
            if sample is not None:
                return sample
        return None

    def _has_usual_header(self, place: int) -> Truth:
        terms, captured = self.terms, self.unknowns.captured
        if place >= self.unknowns.longest:
            return True
        byte = self.unknowns.load(place, 1, "big")
        return terms.any(terms.at_most(captured, place), terms.equal(byte, _USUAL_HEADER))

    def _is_usual(self, sample: Sample) -> bool:
        """Whether the IP headers of a packet, where a run looks at them, are as usual."""
        for machine in self.machines:
            odd = {
                index
                for index, place in _header_loads(machine)
                if sample.packet[place : place + 1] not in (b"", bytes([_USUAL_HEADER]))
            }
            if odd and any(step.index in odd for step in machine.trace(sample[0], metadata=sample[2])):
                return False
        return True


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
