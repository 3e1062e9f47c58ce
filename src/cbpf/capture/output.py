"""The output of a capture writer: a regular file, replaced only on success, a stream, or nothing."""

import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, TypeAlias

from ..errors import CaptureError, DamagedCapture, FieldError

Target: TypeAlias = str | os.PathLike[str] | BinaryIO | None
"""A path, "-" for standard output, a binary file object, or None to write nothing."""

Write: TypeAlias = Callable[[bytes], None]


class Output:
    """An unbuffered output; both methods raise `CaptureError` with the target's name if writing fails."""

    def __init__(self, name: str, write: Write, descriptor: int | None) -> None:
        """Create an output called *name* in messages.

        *descriptor* is that of a file if a call of *write* does nothing but write its argument there, else None.
        """
        self._name = name
        self._write = write
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        """Write bytes."""
        with _named(self._name):
            self._write(data)

    def write_ranges(self, ranges: int, count: int, sums: int) -> None:
        """Write *count* ranges of memory, an array that native code has filled; see `iovec.write_ranges`."""
        from .iovec import coalesce, write_ranges

        with _named(self._name):
            if self._descriptor is None:
                self._write(coalesce(ranges, count))
            else:
                write_ranges(self._descriptor, ranges, count, sums)


class _NullOutput(Output):
    """An output that discards everything."""

    def __init__(self) -> None:
        super().__init__("", lambda data: None, None)

    def write_ranges(self, ranges: int, count: int, sums: int) -> None:
        pass


@contextmanager
def open_output(target: Target, *, keep_damaged: bool = True) -> Iterator[Output]:
    """Open *target* for writing.

    A regular file is replaced when the block ends without an exception and, with *keep_damaged*, also when it ends with
    `DamagedCapture`; after any other exception the file is unchanged. Raises `CaptureError` if it cannot be written.
    """
    if target is None:
        yield _NullOutput()
    elif not isinstance(target, str | os.PathLike):
        if not hasattr(target, "write"):
            raise FieldError(f"target: {target!r} is neither a path nor a binary file object")
        yield Output(str(getattr(target, "name", "target")), _flushing(target), _descriptor_of(target))
    elif not os.fspath(target):
        raise CaptureError("target: a path must not be empty")
    elif target == "-":
        yield Output("standard output", _flushing(sys.stdout.buffer), _descriptor_of(sys.stdout.buffer))
    elif _is_special(target):
        with _named(str(target)), open(target, "wb", buffering=0) as stream:
            yield Output(str(target), _write_all(stream), stream.fileno())
    else:
        with _named(str(target)), _replacing(os.path.realpath(target), keep_damaged) as stream:
            yield Output(str(target), _write_all(stream), stream.fileno())


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Replace errors of the operating system, except a closed pipe, by `CaptureError` with the target's name."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CaptureError(f"{name}: {error.strerror or error}") from None


def _is_special(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is that of a device or a pipe, which cannot be replaced."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False
    except ValueError as error:
        raise CaptureError(f"{path!r}: {error}") from None


@contextmanager
def _replacing(path: str, keep_damaged: bool) -> Iterator[BinaryIO]:
    """Open a temporary file in the folder of *path*; at the end it replaces *path*, with its permissions and owner."""
    temporary = os.path.join(os.path.dirname(path), f".cbpf-{os.urandom(8).hex()}.partial")
    try:  # begins before the file is created: a signal may arrive at any time
        with open(temporary, "xb", buffering=0) as stream:
            _copy_owner_and_mode(path, stream.fileno())
            try:
                yield stream
            except DamagedCapture:
                if keep_damaged:
                    os.replace(temporary, path)
                raise
            os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _copy_owner_and_mode(path: str, descriptor: int) -> None:
    """Set owner, if the process has the right, and permissions of a new file to those of the file at *path*, if any."""
    with suppress(FileNotFoundError):
        old = os.stat(path)
        with suppress(PermissionError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _descriptor_of(stream: BinaryIO) -> int | None:
    """Return the descriptor of a plain file stream; None for any other, which may transform its bytes.

    The stream has no buffered data, since every write is flushed.
    """
    is_plain = type(stream) is io.FileIO or (type(stream) is io.BufferedWriter and type(stream.raw) is io.FileIO)
    return stream.fileno() if is_plain and not stream.closed else None


def _write_all(stream: BinaryIO) -> Write:
    """Return a function that repeats the write until all data are written."""

    def write(data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[stream.write(view) or 0 :]
        except (TypeError, ValueError) as error:  # a text stream, or a closed one
            raise CaptureError(f"{getattr(stream, 'name', 'target')}: {error}") from None

    return write


def _flushing(stream: BinaryIO) -> Write:
    """Return a function that writes all data and flushes the stream, if it can be flushed."""
    write = _write_all(stream)

    def write_at_once(data: bytes) -> None:
        write(data)
        flush = getattr(stream, "flush", None)
        if flush is not None:
            flush()

    return write_at_once
