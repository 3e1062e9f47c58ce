"""One question about one or two programs: the packet, the programs as terms, and the solver, within a time."""

import time
from typing import Final

from ..dialects import Dialect
from ..errors import FieldError, Undecided
from ..fields import within
from ..isa import EXTENSION_OFFSET, OPCODE_BY_CODE, SIGN_BIT, Extension, Operand, extension_of
from ..program import Program
from .machine import Outcome, outcome
from .shrinking import Shows, shrunk
from .terms import Solver, Terms, Truth
from .unknowns import Sample, Unknowns

LONGEST_PACKET: Final = 0xFF_FFFF  # bytes
_check_length: Final = within(0, LONGEST_PACKET, "a length in bytes")


class Question:
    """What is asked about the packets of *shortest* to *longest* bytes; a dialect of records has its own size."""

    def __init__(
        self, *programs: Program, dialect: Dialect, shortest: int, longest: int, timeout: float | None
    ) -> None:
        self.deadline = _deadline(timeout)
        shortest, longest = _check_length("shortest", shortest), _check_length("longest", longest)
        if shortest > longest:
            raise FieldError(f"shortest: {shortest} bytes are more than longest, {longest}")
        if dialect.record_size is not None:
            shortest = longest = dialect.record_size
        self.terms = Terms()
        indexed = any(_is_indexed(program, dialect) for program in programs)
        self.unknowns = Unknowns(self.terms, dialect, shortest, longest, indexed=indexed)
        self.outcomes: list[Outcome] = [outcome(program, dialect, self.unknowns) for program in programs]
        self._solver: Solver | None = None

    def packet_that(self, shows: Shows, *, where: Truth) -> Sample | None:
        """A small packet *where* something holds, which a run *shows*; or None: it holds for none.

        Raises `Undecided`.
        """
        sample = self._packet(where)
        if sample is None:
            return None
        if not shows(sample):
            raise Undecided(
                "the solver found a packet, but it shows something else: netlink attributes beyond the third"
            )
        return shrunk(sample, shows, self.unknowns.shortest)

    def _packet(self, truth: Truth) -> Sample | None:
        if truth is False:
            return None
        if self._solver is None:
            self._solver = self.terms.solver(self.deadline)
            self._solver.require(*self.unknowns.limits)
        exact = self.unknowns.exact
        if self._solver.finds(truth, *exact) or (exact and self._solver.finds(truth)):
            return self.unknowns.sample(self._solver)
        return None


def _deadline(timeout: float | None) -> float:
    if timeout is None:
        return float("inf")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise FieldError(f"timeout: {timeout!r} is not a number of seconds above 0")
    return time.monotonic() + timeout


def _is_indexed(program: Program, dialect: Dialect) -> bool:
    """Whether a load's position may depend on the packet."""
    for raw in program:
        opcode = OPCODE_BY_CODE[raw.op]
        if opcode.operand is Operand.INDIRECT:
            return True
        if opcode.operand is Operand.ABSOLUTE and raw.k >= SIGN_BIT:
            if extension_of(opcode, raw.k) in (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED):
                return True
            if dialect.header_windows and raw.k < EXTENSION_OFFSET:
                return True
    return False
