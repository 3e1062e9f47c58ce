"""The outputs of capture writers: files, streams, or nothing."""

import io
import os
import sys

from .._output import OutputFile, OutputFiles, display_name, linked_path, write_all
from .._stdlib import contextmanager, partial
from .._typing import BinaryIO, Callable, Iterator, TypeAlias
from ..errors import CaptureError, FieldError

Target: TypeAlias = str | os.PathLike[str] | BinaryIO | None
"""The place of an output: a path, "-" for standard output, a binary file object, or None to write nothing."""

Write: TypeAlias = Callable[[bytes], None]


class Output:
    """An unbuffered output; both methods raise `CaptureError` with the target's name if writing fails."""

    def __init__(self, name: str, write: Write, descriptor: int | None) -> None:
        """Create an output called *name* in messages.

        *descriptor* is that of a file if a call of *write* does nothing but write its argument there, else None.
        """
        self.name = name
        self._write = write
        self._descriptor = descriptor

    @property
    def descriptor(self) -> int | None:
        """The descriptor of the file if writes go there unchanged, else None."""
        return self._descriptor

    def write(self, data: bytes) -> None:
        """Write bytes."""
        with _named(self.name):
            self._write(data)

    def write_ranges(self, ranges: int, count: int, sums: int) -> None:
        """Write *count* ranges of memory, an array that native code has filled; see `iovec.write_ranges`."""
        from .iovec import coalesce, write_ranges

        with _named(self.name):
            if self._descriptor is None:
                self._write(coalesce(ranges, count))
            else:
                write_ranges(self._descriptor, ranges, count, sums)

    def finish(self) -> None:
        """End the output; nothing may be written afterwards."""

    def flush(self) -> None:
        """Write everything to the target."""


class _NullOutput(Output):
    """An output that discards everything."""

    def __init__(self) -> None:
        super().__init__("", lambda data: None, None)

    def write_ranges(self, ranges: int, count: int, sums: int) -> None:
        pass


def file_names(target: Target) -> list[str]:
    """Return the names of the file that a target is written to: its own, and that to which symbolic links lead.

    A stream has a name only if it is a plain file, which does not transform its bytes, or has the attribute
    *is_plain_file*.
    """
    if isinstance(target, str | os.PathLike):
        if target == "-":
            return []
        with capture_errors():
            path = linked_path(os.fsdecode(target))
        return [os.fsdecode(target), *([] if path is None else [path])]
    name = getattr(target, "name", None)
    is_plain = getattr(target, "is_plain_file", False) or (target is not None and _descriptor_of(target) is not None)
    return [name] if isinstance(name, str) and is_plain else []


def open_target(target: Target, files: OutputFiles, *, synchronised: bool) -> tuple[Output, OutputFile | None]:
    """Open a target for writing; return also its file, if it is to be replaced. Raises `CaptureError`.

    *synchronised*: as for `OutputFiles.open`.
    """
    with capture_errors():
        return _open_target(target, files, synchronised)


def _open_target(target: Target, files: OutputFiles, synchronised: bool) -> tuple[Output, OutputFile | None]:
    if target is None:
        return _NullOutput(), None
    if not isinstance(target, str | os.PathLike):
        if not hasattr(target, "write"):
            raise FieldError(f"target: {target!r} is neither a path nor a binary file object")
        return Output(str(getattr(target, "name", "target")), _flushing(target), _descriptor_of(target)), None
    if not os.fspath(target):
        raise CaptureError("target: a path must not be empty")
    if target == "-":
        return _standard_output(), None
    file = files.open(target, synchronised=synchronised)
    return Output(display_name(file.path), file.write, file.descriptor), file


def _standard_output() -> Output:
    stream = sys.stdout.buffer
    descriptor = _descriptor_of(stream)
    if descriptor is None:
        return Output("standard output", _flushing(stream), None)
    sys.stdout.flush()
    return Output("standard output", partial(write_all, descriptor), descriptor)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Replace errors of the operating system, except a closed pipe, by `CaptureError` with the target's name."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CaptureError(f"{name}: {error.strerror or error}") from None


@contextmanager
def capture_errors() -> Iterator[None]:
    """Replace errors of `OutputFiles` by `CaptureError` with the same text."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CaptureError(f"{display_name(str(error.filename))}: {error.strerror}") from None


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
