"""Memory that a thread reuses from one capture to the next, where it reads many captures of a few megabytes each.

The system provides fresh memory page by page: for a buffer of some megabytes, that takes longer than to decompress a
tenth of them. Where the thresholds of malloc are fixed by the environment, as dask does for its workers, each `bytes`
object of more than 64 KiB is fresh memory.
"""

import _thread

from .._stdlib import contextmanager
from .._typing import Final, Iterator

_MAX_SIZE: Final = 1 << 23  # bytes of a buffer that is retained
_MAX_COUNT: Final = 2  # buffers that are retained


class _Memory(_thread._local):
    """The buffers of a thread: those that are free, and those that are in use within `reused_memory`."""

    is_reused = False
    is_single = False  # whether no other thread reads ahead

    def __init__(self) -> None:
        self.free: list[bytearray] = []
        self.used: list[bytearray] = []


_memory: Final = _Memory()


@contextmanager
def reused_memory() -> Iterator[None]:
    """Reuse the buffers of captures that this thread opens and reads to their end within the block.

    Nothing that refers to these buffers may be used after the block. Captures are then read without another thread: a
    process that reads many captures has one process beside it for each processor.
    """
    was_reused, _memory.is_reused = _memory.is_reused, True
    try:
        with single_thread():
            yield
    finally:
        _memory.is_reused = was_reused
        if not was_reused:
            buffers = sorted((*_memory.used, *_memory.free), key=len, reverse=True)
            _memory.free = [buffer for buffer in buffers if len(buffer) <= _MAX_SIZE][:_MAX_COUNT]
            _memory.used = []


@contextmanager
def single_thread() -> Iterator[None]:
    """Read the captures that this thread reads within the block without another thread: there may be many."""
    was_single, _memory.is_single = _memory.is_single, True
    try:
        yield
    finally:
        _memory.is_single = was_single


def reads_alone() -> bool:
    """Return whether this thread is within `single_thread` or `reused_memory`."""
    return _memory.is_single


def buffer_of(size: int) -> bytearray:
    """Return a buffer of *size* bytes or more, with any content."""
    if not _memory.is_reused:
        return bytearray(size)
    fitting = [buffer for buffer in _memory.free if len(buffer) >= size]
    if fitting:
        buffer = min(fitting, key=len)
        _memory.free = [other for other in _memory.free if other is not buffer]
    else:
        buffer = bytearray(size)
    _memory.used.append(buffer)
    return buffer
