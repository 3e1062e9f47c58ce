"""Warnings that are shown in the page instead of the terminal."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from threading import RLock

from .._forks import guard_forks
from .._typing import Final, Iterator

_lock: Final = RLock()
"""Held while warnings are caught.

`warnings.catch_warnings` replaces the filters of the whole process. If two threads of the server overlapped, the one
that ends last would restore the filters of the other, and warnings would be lost from then on. Other threads of the
process do not take this lock, so their warnings in the meantime are shown in the page.
"""
guard_forks(lambda: _lock)


@contextmanager
def caught_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Collect all warnings in a list, one thread at a time."""
    with _lock, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught
