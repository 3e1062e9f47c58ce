"""A file that is written while a capture runs: it has complete records also if the capture fails."""

import io
import os
import stat
import sys

from .._output import display_name, write_all
from .._typing import Any, BinaryIO, Final, Self
from ..errors import CaptureError, FieldError

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOCTTY


def checked_path(path: str | os.PathLike[str]) -> str:
    """Return a path as text; raise `FieldError` if it is something else."""
    if not isinstance(path, str | os.PathLike):
        raise FieldError(f"target: {path!r} is not a path")
    return os.fsdecode(path)


class RecordingFile:
    """A binary file object for a path, or for standard output if the path is "-".

    The first write creates or empties the file. The class has no method `fileno`, because functions that compare
    targets would call it, and so empty the file too early. It can be read while it grows. If a write
    fails, as on a full disk, the bytes that it has written are removed from a regular file.
    """

    is_plain_file = True  # the bytes are written unchanged, so its name decides the compression

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = checked_path(path)
        self.name = "standard output" if self.path == "-" else display_name(self.path)
        self._descriptor: int | None = None
        self._is_regular = False
        self._complete = 0  # bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def descriptor(self) -> int:
        """Return the descriptor of the file, which is created now if it has not been written yet."""
        if self._descriptor is None:
            self._descriptor = self._open()
            self._is_regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
            if self._is_regular:
                self.mark_complete()
        return self._descriptor

    def _open(self) -> int:
        if not self.path:
            raise CaptureError("target: a path must not be empty")
        try:
            if self.path == "-":
                sys.stdout.flush()
                return os.dup(sys.stdout.fileno())
            return os.open(self.path, _FLAGS, 0o666)
        except (OSError, ValueError) as error:
            raise CaptureError(f"{self.name}: {getattr(error, 'strerror', None) or error}") from None

    def write(self, data: bytes) -> int:
        """Write complete records, all or none of them."""
        descriptor = self.descriptor()
        try:
            write_all(descriptor, data)
        except BaseException:
            self.remove_incomplete()
            raise
        self.mark_complete()
        return len(data)

    def as_file(self) -> BinaryIO:
        """Return this object as an argument of functions that write captures; they use its methods only."""
        this: Any = self
        file: BinaryIO = this
        return file

    def mark_complete(self) -> None:
        """Record that everything written so far is complete."""
        if self._is_regular:
            self._complete = os.lseek(self.descriptor(), 0, io.SEEK_CUR)

    def remove_incomplete(self) -> None:
        """Remove the bytes after the last complete record."""
        if self._is_regular:
            os.ftruncate(self.descriptor(), self._complete)
            os.lseek(self.descriptor(), self._complete, io.SEEK_SET)
