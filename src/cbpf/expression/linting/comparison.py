"""Comparisons of the programs of expressions, all of them within one time limit."""

import time
from typing import Final

from ...analysis.flow import Flow
from ...errors import MissingLibrary, Undecided
from ...isa.program import Program
from ...proofs.equivalence import Difference, difference
from ...vm import VM

_MAX_LENGTH: Final = 65_535  # bytes: the longest packets that are compared


class Comparison:
    """The comparisons of one expression.

    Args:
        timeout: The time for all comparisons, in seconds from now; None: no limit.
    """

    def __init__(self, timeout: float | None) -> None:
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self.missing: dict[str, str] = {}
        """The reasons for missing answers: the identifiers of their rules, with their messages."""

    def difference(self, left: Program, right: Program) -> Difference | None:
        """Return a packet on which two programs differ, other than by its truncation; None if there is none.

        A packet that only the right one accepts is preferred. Raises `Undecided` if the answer is missing, and adds the
        reason to `missing`.
        """
        if left == right:
            return None
        missed = self.beyond(right, left)
        if missed is not None:
            return missed.replace(left_verdict=missed.right_verdict, right_verdict=missed.left_verdict)
        return self.beyond(left, right)

    def beyond(self, narrow: Program, wide: Program) -> Difference | None:
        """Return a packet that only the first program accepts, other than by its truncation; None if there is none."""
        found = self._beyond(narrow, wide, 0)
        complete = _complete_length(narrow, wide)
        if found is None or len(found.packet) >= complete or _is_beyond(narrow, wide, found, complete):
            return found
        return self._beyond(narrow, wide, complete)

    def remaining_time(self) -> float | None:
        """Return the remaining time in seconds; None without a limit. Raises `Undecided` if there is none left."""
        if self._deadline is None:
            return None
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            self.missing["time-limit"] = "the time limit was reached"
            raise Undecided(self.missing["time-limit"], "timeout")
        return remaining

    def _beyond(self, narrow: Program, wide: Program, shortest: int) -> Difference | None:
        timeout = self.remaining_time()
        try:
            return difference(narrow, wide, relation="implies", verdicts="accept", shortest=shortest, timeout=timeout)
        except MissingLibrary as error:
            self.missing["no-solver"] = str(error)
            raise Undecided(str(error)) from None
        except Undecided as error:
            self.missing["time-limit"] = error.reason
            raise


def _complete_length(*programs: Program) -> int:
    """Return the length of packets that have every byte that programs inspect; 0 if it has no bound."""
    lengths = [Flow(program).bytes_inspected for program in programs]
    longest = max((length for length in lengths if length is not None), default=0)
    return longest if None not in lengths and longest <= _MAX_LENGTH else 0


def _is_beyond(narrow: Program, wide: Program, found: Difference, length: int) -> bool:
    """Return whether only the first program accepts the packet that was found after it is extended to a length."""
    packet, wire_length = found.packet.ljust(length, b"\0"), max(found.wire_length, length)
    first, second = (
        VM(program, engine="interpreter").evaluate(packet, wire_length=wire_length) for program in (narrow, wide)
    )
    return bool(first) and not second
