"""Comparisons of the programs of expressions, all of them within one time limit."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..._typing import Final
from ...errors import MissingLibrary, Undecided
from ...isa.dialects import Dialect
from ...isa.program import Program
from ...proofs.equivalence import Difference
from ...proofs.outcomes import accepted_by_one

_TIME_LIMIT: Final = "the time limit was reached"


class Comparison:
    """The comparisons of one expression.

    Args:
        timeout: The time for all comparisons, in seconds from now; None: no limit.
        dialect: The dialect of the programs.
    """

    def __init__(self, timeout: float | None, dialect: Dialect) -> None:
        self.dialect: Final = dialect
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self.missing: dict[str, str] = {}
        """The reasons for missing answers: the identifiers of their rules, with their messages."""

    def difference(self, left: Program, right: Program, *, usual: Sequence[Program] = ()) -> Difference | None:
        """Return a packet on which two programs differ although it has every byte; None if there is none.

        A packet that only the right one accepts is preferred, and then one that the first possible program of *usual*
        accepts. Raises `Undecided` or `MissingLibrary` if the answer is
        missing, and adds the reason to `missing`.
        """
        if left == right:
            return None
        with self.limits() as timeout:
            missed = accepted_by_one(right, left, preferences=usual, dialect=self.dialect, timeout=timeout)
        if missed is not None:
            return missed.replace(left_verdict=missed.right_verdict, right_verdict=missed.left_verdict)
        with self.limits() as timeout:
            return accepted_by_one(left, right, preferences=usual, dialect=self.dialect, timeout=timeout)

    def remaining_time(self) -> float | None:
        """Return the remaining time in seconds; None without a limit. Raises `Undecided` if there is none left."""
        if self._deadline is None:
            return None
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            self.missing["time-limit"] = _TIME_LIMIT
            raise Undecided(_TIME_LIMIT, "timeout")
        return remaining

    @contextmanager
    def limits(self) -> Iterator[float | None]:
        """Give the remaining time to a query, and record the reason if it has no answer."""
        try:
            yield self.remaining_time()
        except MissingLibrary as error:
            self.missing["no-solver"] = str(error)
            raise
        except Undecided as error:
            self.missing["time-limit"] = _TIME_LIMIT if error.parameter == "timeout" else error.reason
            raise
