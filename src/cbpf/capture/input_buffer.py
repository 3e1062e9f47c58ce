"""The bytes of a capture between its input and its parsers: read, but not yet parsed, in memory that is reused.

The first bytes are read when they are needed. If reading ahead is permitted, the bytes of a pipe are gathered, so that
many are parsed together. All further bytes of a compressed capture are read by a thread (`read_ahead`) into windows of
memory, while the parsers are busy with the window before. Each window begins with free space, to which the incomplete
record at the end of the previous window is copied:

    window    | free | rest of a record | bytes that the thread read ...                      |
                     ^                  ^                                                     ^
                     start              begin of the piece                                    end

A record that is longer than the free space is put together in memory of its own.
"""

from time import monotonic

from .._stdlib import contextmanager, suppress
from .._typing import TYPE_CHECKING, Final, Iterator
from ..errors import CaptureError
from .input import Input
from .reused_memory import buffer_of, reads_alone
from .source_stream import MAX_DELAY, do_nothing

if TYPE_CHECKING:
    from .read_ahead import Piece, ReadAhead

_READ_AHEAD_FROM: Final = 1 << 20  # bytes of a capture that are read without a thread
_MIN_READ: Final = 1 << 16  # bytes that are read even if a file seems to have fewer
_GATHERED_SIZE: Final = 1 << 21  # bytes of a pipe that are parsed together; as many stay in a processor's cache
_MAX_EXCESS: Final = 1 << 22  # bytes of memory that a long record leaves unused


class _Postponed(Exception):
    """The next read of the source may wait for data, while there are bytes that can be parsed."""


class InputBuffer:
    """The bytes of an input that were read and are not yet parsed; they begin at the start of a record.

    Parsers `skip` the bytes that they have parsed. *begin* is the first bytes, which were already read from *source*.
    """

    def __init__(self, source: Input, begin: bytes) -> None:
        self._input = source
        self._memory = memoryview(bytearray(begin))
        self._start, self._end = 0, len(begin)
        self._position = source.bytes_returned - len(begin)
        self._error: CaptureError | None = None  # of the input, after the bytes that are present
        self._may_read_ahead = False
        self._gathers = False  # waits a little for more bytes of a pipe
        self._ahead: ReadAhead | None = None
        self._window: memoryview | None = None  # of `_ahead`, the one in use

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def position(self) -> int:
        """The position of the first byte in the capture."""
        return self._position

    @property
    def view(self) -> memoryview:
        """The bytes, which are not copied; their memory is valid until the next call of `fill`."""
        return self._memory[self._start : self._end]

    def peek(self, size: int) -> bytes:
        """Return a copy of the first *size* bytes, or of all there are."""
        return self._memory[self._start : min(self._start + size, self._end)].tobytes()

    def skip(self, size: int) -> None:
        """Remove the first *size* bytes."""
        self._start += size
        self._position += size

    def seek(self, position: int) -> None:
        """Remove all bytes, and continue at a position of the file."""
        self._input.seek(position)
        self._start = self._end = 0
        self._position = position
        self._error = None

    def fill(self, needed: int, size: int) -> bool:
        """Read more bytes: about *size*, but only while no read must wait, unless fewer than *needed* are present.

        Returns:
            Whether bytes were read; False at the end of the input. There may still be fewer than *needed*.

        Raises:
            CaptureError: The input cannot be read further.
        """
        if self._error is not None:
            raise self._error
        before = len(self)
        if self._reads_ahead() and self._ahead is not None:
            while len(self) < max(needed, before + 1) and (piece := self._ahead.take()) is not None:
                self._add(piece, needed)
        else:
            self._read(max(needed - before, 1), _GATHERED_SIZE if self._gathers else size)
        return len(self) > before

    def _read(self, missing: int, size: int) -> None:
        """Read up to *size* bytes while no read must wait, and *missing* bytes at least, or as many as are present."""
        if self._input.compression is None and (file_size := self._input.size()) is not None:
            size = min(size, max(file_size - self._input.bytes_returned, _MIN_READ))
        missing = min(missing, max(size, len(self)))  # a corrupt length requires no more memory than its bytes
        self._reserve(max(missing, size))
        first, limit = self._end, self._end + max(missing, size)
        deadline = 0.0  # for bytes to be parsed with the first

        def postpone() -> None:
            is_enough = self._end - first >= missing
            if not self._input.stream.may_wait() or not (is_enough or self._gathers):
                return
            seconds = deadline - monotonic() if is_enough else None
            if not self._gathers or not self._input.stream.arrives_within(seconds):
                raise _Postponed

        self._input.stream.before_read = postpone
        try:
            while self._end < limit and (count := self._input.readinto(self._memory[self._end : limit])):
                deadline = deadline or monotonic() + MAX_DELAY
                self._end += count
        except _Postponed:
            pass
        except CaptureError as error:
            if self._end == first:
                raise
            self._error = error
        finally:
            self._input.stream.before_read = do_nothing

    def _reserve(self, room: int) -> None:
        """Provide memory for *room* more bytes."""
        view, size = self.view, len(self)
        is_window = self._memory is self._window
        if not is_window and len(self._memory) - self._end >= room:
            return
        if is_window or not size + room <= len(self._memory) <= _MAX_EXCESS + 2 * (size + room):
            self._memory = memoryview(buffer_of((size + room) * 5 // 4))
        self._memory[:size] = view
        self._start, self._end = 0, size

    # Reading ahead

    @contextmanager
    def reading_ahead(self) -> Iterator[None]:
        """Read ahead if the capture is neither short nor a plain file; afterwards this object cannot read.

        A plain file is read from here only where machine code cannot read it from the file itself.
        """
        allows_threads = self._input.stream.allows_threads and not reads_alone()
        self._may_read_ahead = allows_threads and self._input.file() is None
        try:
            yield
        finally:
            self._may_read_ahead = self._gathers = False
            if self._ahead is not None:
                self._ahead.stop()

    def _reads_ahead(self) -> bool:
        """Return whether a thread reads ahead; start to read ahead if that is permitted and the capture is not short.

        A thread gains nothing where it could only copy the bytes of a pipe.
        """
        if self._may_read_ahead and self._input.bytes_returned >= _READ_AHEAD_FROM:
            self._may_read_ahead = False
            self._gathers = self._input.stream.live_descriptor is not None and self._input.compression is None
            if self._gathers:
                self._input.stream.enlarge_pipe()
            else:
                self._start_thread()
        return self._ahead is not None

    def _start_thread(self) -> None:
        from .read_ahead import ReadAhead

        with suppress(RuntimeError, OSError):  # a limit of threads, of memory or of open files
            self._ahead = ReadAhead(self._input)

    def _add(self, piece: "Piece", needed: int) -> None:
        """Add a piece: use its memory if the remaining bytes fit before it, and copy it otherwise."""
        window, begin, end = piece
        size = len(self)
        if window is self._memory:  # the piece follows the bytes
            self._end = end
        elif size <= begin:
            window[begin - size : begin] = self.view
            self._memory, self._start, self._end = window, begin - size, end
        else:
            self._reserve(max(end - begin, min(needed - size, size)))
            self._memory[self._end : self._end + end - begin] = window[begin:end]
            self._end += end - begin
        if self._ahead is not None and self._window is not None and self._window is not window:
            self._ahead.release(self._window)
        self._window = window
