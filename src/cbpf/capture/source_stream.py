"""The bytes of a source as they are stored: a path, standard input or a binary file object."""

import io
import os
import stat
import sys

from .._stdlib import suppress
from .._typing import TYPE_CHECKING, Any, BinaryIO, Callable, Final, TypeAlias, TypeVar
from ..errors import CaptureError, CbpfError, DamagedCapture, FieldError

Source: TypeAlias = str | os.PathLike[str] | BinaryIO
"""A capture to read: a path, "-" for standard input, or a binary file object."""

if TYPE_CHECKING:
    from .mapped_file import MappedFile

_Result = TypeVar("_Result", bytes, int)

MAX_DELAY: Final = 0.005  # seconds that bytes from a pipe may wait for more, to be parsed with them

_PIPE_SIZE: Final = 1 << 20  # bytes; the default limit for unprivileged processes (/proc/sys/fs/pipe-max-size)
_MAX_BUFFER: Final = 1 << 20  # bytes; a pipe holds no more by default, and no usual buffered file


class SourceStream:
    """A source that is read from start to end; a path is opened, and closed by `close`.

    *before_read* is called before each read of the source; it may raise an exception to postpone the read.
    """

    def __init__(self, source: Source) -> None:
        """Raise `CaptureError` if the source cannot be opened."""
        self.name, self._stream, self.is_owned = _open(source)
        self.bytes_read = 0
        self.before_read: Callable[[], None] = do_nothing
        self.may_map = False  # whether `window` may map a file, which no output opens from here on
        self._mapped: MappedFile | None = None
        self._ahead = b""  # bytes that were read but not returned
        self._descriptor = self._stream.fileno() if self.is_owned else _descriptor_of(self._stream)
        self.is_regular = self._descriptor is not None and _is_regular(self._descriptor)
        is_memory = type(self._stream) is io.BytesIO
        self._is_live = not self.is_regular and not is_memory
        self.is_rewindable = not self._is_live  # whether `seek` is supported
        self._origin = self._stream.tell() if self.is_rewindable and not self._stream.closed else 0
        self._read_into: Callable[[memoryview], int | None] | None = None
        is_capture = hasattr(self._stream, "live_interface")  # of a network interface
        if self.is_owned or is_memory or is_capture or type(self._stream) is io.FileIO:
            self._read_into = self._any.readinto
        elif self._descriptor is not None and self._has_empty_buffer():
            self._read_into = self._any.raw.readinto

    @property
    def _any(self) -> Any:
        return self._stream

    def _has_empty_buffer(self) -> bool:
        """Return whether the buffer of a buffered file is empty, so that its descriptor has all bytes.

        It is emptied by a read if the file is live: otherwise it could not be decided whether a read has to wait.
        """
        if self.is_regular:
            return bool(self._any.tell() == self._any.raw.tell())
        self._ahead = self.read(_MAX_BUFFER + 1)
        if len(self._ahead) > _MAX_BUFFER:
            self._descriptor = None  # there may be more in the buffer
        return self._descriptor is not None

    def read(self, size: int) -> bytes:
        """Return up to *size* bytes, as soon as there are any; none at the end."""
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            return data
        data = self._call(getattr(self._stream, "read1", None) or self._stream.read, size, bytes)
        data = data if type(data) is bytes else memoryview(data).tobytes()  # a subclass may state another length
        self.bytes_read += len(data)
        return data

    def readinto(self, memory: memoryview) -> int:
        """Read bytes into memory, as soon as there are any; return their number, which is 0 at the end."""
        if self._ahead or self._read_into is None:
            data = self.read(len(memory))
            memory[: len(data)] = data
            return len(data)
        count = self._call(self._read_into, memory, int)
        self.bytes_read += count
        return count

    def _call(self, read: Callable[[Any], object], argument: object, result_type: type[_Result]) -> _Result:
        """Call a method of the stream that reads, and return its result; raise errors with the name of the source."""
        self.before_read()
        try:
            result = read(argument)
        except CbpfError:  # of a live capture, or of a store
            raise
        except EOFError as error:
            raise DamagedCapture(f"{self.name}: {error}") from None
        except (OSError, ValueError) as error:
            place = f"byte {self.bytes_read}: " if self.bytes_read else ""
            raise CaptureError(f"{self.name}: {place}{getattr(error, 'strerror', None) or error}") from None
        if isinstance(result, result_type):
            return result
        fact = "read would block" if result is None else f"read returned {type(result).__name__}"
        raise CaptureError(f"{self.name}: {fact}; a capture is read from a blocking stream of bytes")

    @property
    def allows_threads(self) -> bool:
        """Whether any thread may read the source: it is a file or memory, not a file object of unknown behaviour."""
        return self._descriptor is not None or type(self._stream) is io.BytesIO

    @property
    def live_descriptor(self) -> int | None:
        """The descriptor of a source for which a reader may have to wait, such as a pipe, if it has one."""
        return self._descriptor if self._is_live else None

    def may_wait(self) -> bool:
        """Return whether the next read of the source may wait for data."""
        return self._is_live and (self._descriptor is None or not wait_readable([self._descriptor], 0))

    def arrives_within(self, seconds: float | None) -> bool:
        """Wait until a live source with a descriptor can be read; return False after this time, None: no limit."""
        assert self._descriptor is not None
        return wait_readable([self._descriptor], None if seconds is None else max(seconds, 0))

    def enlarge_pipe(self) -> None:
        """Let a pipe hold more bytes, so that its writer and this process wait for each other less often."""
        import fcntl

        if self.live_descriptor is not None:
            with suppress(OSError):  # not a pipe, or not permitted
                fcntl.fcntl(self.live_descriptor, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)

    def fileno(self) -> int:
        """Return the descriptor of a file that this object opened."""
        return self._stream.fileno()

    def seek(self, position: int) -> None:
        """Continue at a position of a regular file or of memory, counted from where reading began."""
        self._stream.seek(self._origin + position)
        self.bytes_read = position

    @property
    def is_mapped(self) -> bool:
        """Whether the last window may still be accessed: the file cannot have been truncated."""
        return self._mapped is not None and self._mapped.address() is not None

    def window(self, start: int, size: int) -> memoryview | None:
        """Return up to *size* bytes of a file from a position on, not copied; the next read continues after them.

        Return None if they cannot be mapped, or if there are none.
        """
        if self._mapped is None and self.may_map and self.is_owned and self.is_regular:
            from .mapped_file import MappedFile

            self._mapped = MappedFile(self.fileno(), self.name)
        view = None if self._mapped is None else self._mapped.view(start, start + size)
        if view:
            self.seek(start + len(view))
        return view or None

    def unmap(self) -> None:
        """Make windows inaccessible, and map no more; other processes may write to the file."""
        self.may_map = False
        if self._mapped is not None:
            self._mapped.__exit__()

    def size(self) -> int | None:
        """Return the size of a regular file in bytes; None for any other source."""
        try:
            status = os.fstat(self._stream.fileno())
        except (AttributeError, OSError, ValueError):  # a stream in memory
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def close(self) -> None:
        """Close the file, if this object opened it."""
        self.unmap()
        if self.is_owned:
            self._stream.close()


def wait_readable(descriptors: list[int], seconds: float | None) -> bool:
    """Wait until one of the descriptors can be read or has ended; return False after this time."""
    import select

    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))


def do_nothing() -> None:
    """Do nothing before a read."""


def _is_regular(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _descriptor_of(stream: BinaryIO) -> int | None:
    """Return the descriptor of a plain file; None for any other stream, which may transform or buffer its bytes."""
    is_plain = type(stream) is io.FileIO or (type(stream) is io.BufferedReader and type(stream.raw) is io.FileIO)
    return stream.fileno() if is_plain and not stream.closed else None


def _open(source: Source) -> tuple[str, BinaryIO, bool]:
    """Return the name of a source for messages, its stream, and whether the stream was opened here."""
    if not isinstance(source, str | os.PathLike):
        if not hasattr(source, "read"):
            raise FieldError(f"source: {source!r} is neither a path nor a binary file object")
        return str(getattr(source, "name", "capture")), source, False
    if source == "-":
        return "standard input", sys.stdin.buffer, False
    path = os.fspath(source)
    name = path if path and path.isprintable() else repr(path)
    try:
        return name, open(path, "rb", buffering=0), True
    except (OSError, ValueError) as error:
        raise CaptureError(f"{name}: {getattr(error, 'strerror', error)}") from None
