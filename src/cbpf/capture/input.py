"""Where a capture is read from: a path, standard input or a file object, decompressed."""

import os
import stat
import sys
from collections.abc import Callable
from typing import BinaryIO, TypeAlias

from ..errors import CaptureError, DamagedCapture, FieldError
from .compression import MAGIC_SIZE, DecompressedStream, compression_of

Source: TypeAlias = str | os.PathLike[str] | BinaryIO
"""A path, "-" for standard input, or a binary file object."""


class Input:
    """The bytes of a source, which is opened, and closed if it was opened here."""

    def __init__(self, source: Source) -> None:
        """Raises `CaptureError` if it cannot be read."""
        self._source = source
        self._given = 0  # bytes, since the start
        self._is_parked = False
        self._ahead = b""  # read of the stream, and not yet given
        self.compression: str | None = None
        self._open()

    def read_some(self, size: int) -> bytes:
        """Up to *size* bytes, as soon as there are some; none at the end."""
        if self._is_parked:
            self._unpark()
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            data = self._read(size)
        self._given += len(data)
        return data

    def read_whole(self, size: int) -> bytes:
        """So many bytes, or all that are left."""
        return _read_whole(self.read_some, size)

    @property
    def given(self) -> int:
        """How many bytes were given since the start."""
        return self._given

    @property
    def taken(self) -> int:
        """How many bytes were read of the source itself, which may be compressed."""
        return self._taken

    def file(self) -> int | None:
        """The descriptor of a regular file that was opened here, and whose bytes are given as they are; else None."""
        if self._is_parked:
            self._unpark()
        plain = self._owned and not self._is_compressed and stat.S_ISREG(os.fstat(self._stream.fileno()).st_mode)
        return self._stream.fileno() if plain else None

    def seek(self, position: int) -> None:
        """Goes on at a position of such a file."""
        self._stream.seek(position)
        self._ahead = b""
        self._given = self._taken = position

    def close(self) -> None:
        """Closes the file, if it was opened here."""
        if self._owned:
            self._stream.close()

    def size(self) -> int | None:
        """Bytes of the file, compressed as it is; None if that is not a regular one."""
        try:
            status = os.fstat(self._stream.fileno())
        except (AttributeError, OSError, ValueError):  # a stream in memory
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def park(self) -> None:
        """Closes a regular file until it is read on, so that many may wait for their turn."""
        if self._owned and stat.S_ISREG(os.fstat(self._stream.fileno()).st_mode):
            self._stream.close()
            self._is_parked = True

    def _unpark(self) -> None:
        self._is_parked = False
        given, self._given = self._given, 0
        self._open()
        self.read_whole(given)

    def _open(self) -> None:
        self.name, self._stream, self._owned = _open(self._source)
        self._taken = 0
        try:
            self._ahead = _read_whole(self._read_stream, MAGIC_SIZE)
            compression = compression_of(self._ahead)
            self._read: Callable[[int], bytes] = self._read_stream
            self._is_compressed = compression is not None
            if compression is not None:
                self.compression = compression.name
                self._read = DecompressedStream(compression, self._ahead, self._read_stream, self.name).read1
                self._ahead = b""
        except BaseException:
            self.close()
            raise

    def _read_stream(self, size: int) -> bytes:
        """Up to *size* bytes of the file."""
        read: Callable[[int], object] = getattr(self._stream, "read1", None) or self._stream.read
        try:
            data = read(size)
        except EOFError as error:
            raise DamagedCapture(f"{self.name}: {error}") from None
        except (OSError, ValueError) as error:
            raise CaptureError(f"{self.name}: {getattr(error, 'strerror', None) or error}") from None
        if isinstance(data, bytes):
            self._taken += len(data)
            return data
        fact = "has nothing yet, and does not wait" if data is None else f"gives {type(data).__name__}"
        raise CaptureError(f"{self.name}: {fact}; a capture is read from a blocking stream of bytes")


def _read_whole(read: Callable[[int], bytes], size: int) -> bytes:
    parts = [b""]
    while size > 0 and (part := read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _open(source: Source) -> tuple[str, BinaryIO, bool]:
    """The name of a source for errors, its stream, and whether that was opened here."""
    if not isinstance(source, str | os.PathLike):
        if not hasattr(source, "read"):
            raise FieldError(f"source: {source!r} is neither a path nor a binary file object")
        return str(getattr(source, "name", "capture")), source, False
    if source == "-":
        return "standard input", sys.stdin.buffer, False
    path = os.fspath(source)
    name = path if path.isprintable() else repr(path)
    try:
        return name, open(path, "rb", buffering=0), True
    except (OSError, ValueError) as error:
        raise CaptureError(f"{name}: {getattr(error, 'strerror', error)}") from None
