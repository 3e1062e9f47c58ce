"""Compressed outputs: the frames of all outputs are compressed by a few threads, and written by the caller's thread.

A frame has FRAME_SIZE bytes or more, because it ends where a write ends, and so with a record: at most a window of the
native scanner more, or a chunk of Python. Frames are independent of each other, so threads compress them in parallel,
and each output is the sequence of its frames.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .._typing import TYPE_CHECKING, Final
from .compressors import Compressor
from .output import Output

if TYPE_CHECKING:
    from concurrent.futures import Future

FRAME_SIZE: Final = 8 << 20  # bytes of a capture

_MAX_PENDING: Final = 1 << 28  # bytes of unfinished frames of all outputs together
_MIN_FRAME_SIZE: Final = 1 << 16
_MAX_THREADS: Final = 4  # each has a frame and the memory of its library: 94 MiB for xz


class _FramePool:
    """Threads that compress frames; results are written in the order of the frames."""

    def __init__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._threads = min(_MAX_THREADS, len(os.sched_getaffinity(0)))
        self._executor = ThreadPoolExecutor(self._threads, "cbpf-compress")
        self._frames: deque[tuple[Output, Future[bytes], memoryview]] = deque()
        self._unused: list[bytearray] = []  # the memory of frames that were written

    def memory(self) -> bytearray:
        """Return memory for a frame, of any size; reused memory needs no new pages."""
        return self._unused.pop() if self._unused else bytearray()

    def submit(self, compressor: Compressor, frame: memoryview, output: Output) -> None:
        """Compress a frame for an output, and write the oldest frames if there is more than one for each thread."""
        try:
            future = self._executor.submit(compressor.compress, frame)
        except RuntimeError:  # the system provides no more threads
            future = _done(compressor.compress(frame))
        self._frames.append((output, future, frame))
        while len(self._frames) > self._threads:
            self._write_oldest()

    def append(self, data: bytes, output: Output) -> None:
        """Write bytes to an output after its frames."""
        self._frames.append((output, _done(data), memoryview(bytearray())))

    def _write_oldest(self) -> None:
        output, future, frame = self._frames.popleft()
        output.write(future.result())
        memory = frame.obj
        assert isinstance(memory, bytearray)
        frame.release()  # the thread may still refer to it, and memory cannot grow while it is in use
        self._unused.append(memory)

    def write_all(self) -> None:
        """Write all frames."""
        while self._frames:
            self._write_oldest()

    def close(self) -> None:
        """End the threads; frames that were not written are discarded."""
        self._executor.shutdown(cancel_futures=True)


def _done(data: bytes) -> "Future[bytes]":
    from concurrent.futures import Future

    future: Future[bytes] = Future()
    future.set_result(data)
    return future


class _CompressedOutput(Output):
    """An output that compresses the bytes written to it; each write must end with a record."""

    def __init__(self, output: Output, compressor: Compressor, pool: _FramePool, frame_size: int) -> None:
        super().__init__(output.name, output.write, output.descriptor)
        self._output = output
        self._compressor = compressor
        self._pool = pool
        self._frame_size = frame_size
        self._memory, self._size = bytearray(), 0  # the current frame
        self._is_empty = True

    def write(self, data: bytes) -> None:
        """Append bytes to the current frame."""
        end = self._size + len(data)
        self._memory[self._size : end] = data
        self._size = end
        if end >= self._frame_size:
            self._submit()

    def write_ranges(self, ranges: int, count: int, sums: int) -> None:
        """Append *count* ranges of memory to frames; see `iovec.write_ranges`."""
        from .iovec import copies

        for data in copies(ranges, count):
            self.write(data)

    def _submit(self) -> None:
        self._is_empty = False
        self._pool.submit(self._compressor, memoryview(self._memory)[: self._size], self._output)
        self._memory, self._size = self._pool.memory(), 0

    def finish(self) -> None:
        """Compress the last frame; the bytes that end the output follow it."""
        if self._size or (self._is_empty and not self._compressor.end):
            self._submit()
        self._pool.append(self._compressor.end, self._output)

    def flush(self) -> None:
        """Write all frames."""
        self._pool.write_all()


@contextmanager
def compressed_outputs(outputs: Sequence[Output], compressors: Sequence[Compressor | None]) -> Iterator[list[Output]]:
    """Yield the outputs, those with a compressor compressed.

    More than 32 outputs have smaller frames, so that the memory they need is limited. An exception discards the frames
    that were not written.
    """
    count = sum(compressor is not None for compressor in compressors)
    frame_size = max(_MIN_FRAME_SIZE, min(FRAME_SIZE, _MAX_PENDING // count))
    pool = _FramePool()
    try:
        yield [
            output if compressor is None else _CompressedOutput(output, compressor, pool, frame_size)
            for output, compressor in zip(outputs, compressors, strict=True)
        ]
    finally:
        pool.close()
