"""Where a capture is written: a file that appears whole or not at all, a stream, or nothing."""

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
    """Where bytes go, at once; both methods raise `CaptureError` with the target's name if they cannot be written."""

    def __init__(self, name: str, write: Write, descriptor: int | None) -> None:
        """*descriptor*: of the file that *write* ends in, if nothing lies between the two."""
        self._name = name
        self._write = write
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        """Writes bytes."""
        with _named(self._name):
            self._write(data)

    def write_ranges(self, ranges: int, count: int, sums: int) -> None:
        """Writes *count* ranges of memory that native code names; see `ranges.write_ranges`."""
        from .iovec import coalesce, write_ranges

        with _named(self._name):
            if self._descriptor is None:
                self._write(coalesce(ranges, count))
            else:
                write_ranges(self._descriptor, ranges, count, sums)


class _Nowhere(Output):
    """Takes everything, and does nothing."""

    def __init__(self) -> None:
        super().__init__("", lambda data: None, None)

    def write_ranges(self, ranges: int, count: int, sums: int) -> None:
        pass


@contextmanager
def open_output(target: Target, *, keep_damaged: bool = True) -> Iterator[Output]:
    """What writes to *target*.

    A regular file is replaced when the block ends, and with *keep_damaged* also if it ends with `DamagedCapture`;
    with any other exception it stays as it was. Raises `CaptureError` if it cannot be written.
    """
    if target is None:
        yield _Nowhere()
    elif not isinstance(target, str | os.PathLike):
        if not hasattr(target, "write"):
            raise FieldError(f"target: {target!r} is neither a path nor a binary file object")
        yield Output(str(getattr(target, "name", "target")), _flushing(target), _descriptor_of(target))
    elif not os.fspath(target):
        raise CaptureError("target: an empty path names no file")
    elif target == "-":
        yield Output("standard output", _flushing(sys.stdout.buffer), _descriptor_of(sys.stdout.buffer))
    elif _is_special(target):
        with _named(str(target)), open(target, "wb", buffering=0) as stream:
            yield Output(str(target), _whole(stream), stream.fileno())
    else:
        with _named(str(target)), _replacing(os.path.realpath(target), keep_damaged) as stream:
            yield Output(str(target), _whole(stream), stream.fileno())


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Turns errors of the operating system into ours, but for a closed pipe."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CaptureError(f"{name}: {error.strerror or error}") from None


def _is_special(path: str | os.PathLike[str]) -> bool:
    """A device or a pipe, which cannot be replaced."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False
    except ValueError as error:
        raise CaptureError(f"{path!r}: {error}") from None


@contextmanager
def _replacing(path: str, keep_damaged: bool) -> Iterator[BinaryIO]:
    """A file beside *path* that takes its place, its permissions and its owner in the end."""
    temporary = os.path.join(os.path.dirname(path), f".cbpf-{os.urandom(8).hex()}.partial")
    try:  # from before the file is there: a signal may come at any moment
        with open(temporary, "xb", buffering=0) as stream:
            _take_after(path, stream.fileno())
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


def _take_after(path: str, descriptor: int) -> None:
    """Gives the new file the owner and the permissions of the one that it will replace, as far as we may."""
    with suppress(FileNotFoundError):
        old = os.stat(path)
        with suppress(PermissionError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _descriptor_of(stream: BinaryIO) -> int | None:
    """The file below a plain stream, which is always flushed; None for a stream that may do anything to its bytes."""
    plain = type(stream) is io.FileIO or (type(stream) is io.BufferedWriter and type(stream.raw) is io.FileIO)
    return stream.fileno() if plain and not stream.closed else None


def _whole(stream: BinaryIO) -> Write:
    """Writes all of its argument, however little a single call takes."""

    def write(data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[stream.write(view) or 0 :]
        except (TypeError, ValueError) as error:  # a text stream, or a closed one
            raise CaptureError(f"{getattr(stream, 'name', 'target')}: {error}") from None

    return write


def _flushing(stream: BinaryIO) -> Write:
    write = _whole(stream)

    def write_at_once(data: bytes) -> None:
        write(data)
        flush = getattr(stream, "flush", None)
        if flush is not None:
            flush()

    return write_at_once
