"""A thread that reads an input into windows of memory, ahead of their use.

The windows circulate. The thread takes a free one, fills it, and delivers it in pieces: usually one, when the window is
full. If the source is a pipe that pauses, the bytes that have arrived are delivered before the thread waits for more,
so that live packets are parsed at once.

    free      window, window -> |        |
                                | thread | -> pieces of windows in their order; last the end of the input, or its error
    source    bytes          -> |        |
"""

import mmap
import os
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue

from .._named_tuple import NamedTuple
from .._typing import Final
from ..errors import CaptureError
from .input import Input
from .source_stream import MAX_DELAY, do_nothing, wait_readable

WINDOW_COUNT: Final = 3  # one is parsed, one is filled, and one is ready
WINDOW_SIZE: Final = 1 << 22  # bytes that the thread fills
FREE_SIZE: Final = 1 << 20  # bytes before them, for the rest of the previous window


class Piece(NamedTuple):
    """The bytes of a window from *begin* to *end*."""

    window: memoryview
    begin: int
    end: int


class _Stopped(Exception):
    """The thread has to end."""


class ReadAhead:
    """The thread, which starts at once, and its windows."""

    def __init__(self, source: Input) -> None:
        """Start the thread; raises `RuntimeError` or `OSError` if the system does not provide one."""
        self._input = source
        self._process = os.getpid()
        self._is_stopping = False
        self._window = memoryview(b"")  # the one that the thread fills
        self._delivered = self._end = 0  # positions in it
        self._arrival = 0.0  # of the first byte that is not delivered, in seconds
        self._free: SimpleQueue[memoryview | None] = SimpleQueue()
        self._pieces: SimpleQueue[Piece | BaseException | None] = SimpleQueue()
        for _ in range(WINDOW_COUNT):
            self._free.put(anonymous_memory(FREE_SIZE + WINDOW_SIZE))
        self._descriptor = source.stream.live_descriptor
        self._wakeup = os.eventfd(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            os.close(self._wakeup)
            raise

    def take(self) -> Piece | None:
        """Return the next piece, or None at the end of the input; raise the error of the input after the last piece."""
        if os.getpid() != self._process:
            raise forked(self._input.name)
        piece = self._pieces.get()
        if isinstance(piece, Piece):
            return piece
        self._pieces.put(piece)  # for the next call
        if piece is None:
            return None
        raise piece

    def release(self, window: memoryview) -> None:
        """Let the thread reuse a window."""
        self._free.put(window)

    def stop(self) -> None:
        """End the thread, also while it waits for a pipe; `take` then raises an error."""
        if self._is_stopping or os.getpid() != self._process:
            return
        self._is_stopping = True
        with suppress(Empty):
            while True:
                self._free.get_nowait()
        self._free.put(None)
        os.eventfd_write(self._wakeup, 1)
        if self._thread is threading.current_thread():  # its garbage collector ends a run that nobody refers to
            return
        self._thread.join()
        self._input.stream.unmap()
        os.close(self._wakeup)
        self._pieces = SimpleQueue()
        self._pieces.put(CaptureError(f"{self._input.name}: no longer read ahead"))

    # In the thread

    def _run(self) -> None:
        last: BaseException | None = None
        self._input.stream.before_read = self._before_read
        try:
            self._input.stream.enlarge_pipe()
            self._input.stream.may_map = True
            while (window := self._free.get()) is not None and self._fill(window):
                self._deliver()
        except BaseException as error:  # raised again by `take`
            last = error
        self._input.stream.before_read = do_nothing
        self._deliver()
        self._pieces.put(last)

    def _fill(self, window: memoryview) -> bool:
        """Fill a window; return False if the input has ended."""
        self._window, self._delivered, self._end = window, FREE_SIZE, FREE_SIZE
        while self._end < len(window) and not self._is_stopping:
            count = self._input.readinto(window[self._end :])
            if not count:
                return False
            if self._end == self._delivered:
                self._arrival = time.monotonic()
            self._end += count
        return True

    def _deliver(self) -> None:
        if self._end > self._delivered:
            self._pieces.put(Piece(self._window, self._delivered, self._end))
            self._delivered = self._end

    def _before_read(self) -> None:
        """Wait until the source can be read; deliver the bytes that have arrived unless more arrive soon."""
        if self._descriptor is not None and self._input.stream.may_wait():
            delay = self._arrival + MAX_DELAY - time.monotonic()
            if self._end == self._delivered or not self._input.stream.arrives_within(delay):
                self._deliver()
                wait_readable([self._descriptor, self._wakeup], None)
        if self._is_stopping:
            raise _Stopped


def anonymous_memory(size: int) -> memoryview:
    """Return private memory; its pages are allocated on first write."""
    return memoryview(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def forked(name: str) -> CaptureError:
    """Return the error of a child process that reads a capture of its parent, which has the thread for it."""
    rule = "only the parent process can continue to read it"
    return CaptureError(f"{name}: the process was forked while it read the capture; {rule}")
