"""The limits of a query: its deadline, and the size of its formula and of the solver's memory."""

import sys
import time

from .._typing import Final
from .._validators import optional, seconds
from ..errors import Undecided

_MAX_TERMS: Final = 2_000_000
_MAX_MEMORY: Final = 2 << 30  # bytes by which the memory of the process may grow
_RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024  # bytes; getrusage(2)
_TERMS_BETWEEN_CHECKS: Final = 256
_SECONDS_BETWEEN_CHECKS: Final = 0.05  # of the memory: the system call may take as long as many terms
_check_timeout: Final = optional(seconds)


class Limits:
    """The limits of one query, from its start.

    Args:
        timeout: The time for all answers, in seconds from now; None: no limit.
    """

    def __init__(self, timeout: float | None) -> None:
        self._timeout = _check_timeout("timeout", timeout)
        self._deadline = float("inf") if timeout is None else time.monotonic() + timeout
        self._max_memory: int | None = None
        self._next_memory_check = time.monotonic() + _SECONDS_BETWEEN_CHECKS
        self._has_grown_too_much = False
        self._terms = 0

    def is_exceeded(self) -> bool:
        """Return whether the solver must stop."""
        return self.has_timed_out() or self._needs_too_much_memory()

    def has_timed_out(self) -> bool:
        """Return whether the deadline has passed."""
        return time.monotonic() > self._deadline

    def _needs_too_much_memory(self) -> bool:
        """Return whether the process has grown too much since the first check, soon after the start."""
        if time.monotonic() >= self._next_memory_check:
            self._next_memory_check = time.monotonic() + _SECONDS_BETWEEN_CHECKS
            memory = _peak_memory()
            if self._max_memory is None:
                self._max_memory = memory + _MAX_MEMORY
            self._has_grown_too_much = memory > self._max_memory
        return self._has_grown_too_much

    def check(self) -> None:
        """Raise `Undecided` if a limit is exceeded."""
        if self.has_timed_out():
            raise Undecided(f"timed out after {self._timeout:g} seconds", "timeout")
        if self._needs_too_much_memory():
            raise Undecided(f"the solver needs more than {_MAX_MEMORY >> 20:,} MiB of memory")

    def count_term(self) -> None:
        """Count a new term; raise `Undecided` if a limit is exceeded, which is checked from time to time."""
        self._terms += 1
        if self._terms % _TERMS_BETWEEN_CHECKS == 0:
            self.check()
            if self._terms > _MAX_TERMS:
                raise Undecided(f"the formula has more than {_MAX_TERMS:,} terms")


def _peak_memory() -> int:
    """Return the largest memory that the process has used, in bytes; 0 where the system does not report it."""
    try:
        import resource
    except ImportError:  # in a browser
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
