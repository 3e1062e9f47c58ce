"""The input of a capture reader: a path, standard input or a binary file object, decompressed."""

import os
import stat
import sys
from collections.abc import Callable
from typing import BinaryIO, TypeAlias

from ..errors import CaptureError, DamagedCapture, FieldError
from .compression import MAGIC_SIZE, DecompressedStream, compression_of

Source: TypeAlias = str | os.PathLike[str] | BinaryIO
"""A capture to read: a path, "-" for standard input, or a binary file object."""


class Input:
    """The decompressed bytes of a source; a path is opened, and closed by `close`."""

    def __init__(self, source: Source) -> None:
        """Open the source and detect its compression; raises `CaptureError` if it cannot be read."""
        self._source = source
        self._bytes_returned = 0
        self._is_parked = False
        self._ahead = b""  # bytes read from the stream to detect its compression, not yet returned
        self._open()

    @property
    def compression(self) -> str | None:
        """The name of the compression, or None."""
        return None if self._decompressed is None else self._decompressed.compression.name

    @property
    def tool(self) -> str | None:
        """The command that decompresses the source, or None if it is not compressed."""
        return None if self._decompressed is None else self._decompressed.compression.tool

    def read1(self, size: int) -> bytes:
        """Return up to *size* bytes, as soon as there are any; none at the end."""
        if self._is_parked:
            self._unpark()
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            data = self._read(size)
        self._bytes_returned += len(data)
        return data

    def read(self, size: int) -> bytes:
        """Return *size* bytes, or all that remain."""
        return _read_fully(self.read1, size)

    @property
    def bytes_returned(self) -> int:
        """The number of decompressed bytes returned so far."""
        return self._bytes_returned

    @property
    def source_bytes(self) -> int:
        """The number of bytes read from the source itself, which may be compressed."""
        return self._source_bytes

    def file(self) -> int | None:
        """Return the descriptor of a regular file that this object opened and that is not compressed; else None."""
        if self._is_parked:
            self._unpark()
        is_plain = self._is_owned and self._decompressed is None and _is_regular(self._stream)
        return self._stream.fileno() if is_plain else None

    def seek(self, position: int) -> None:
        """Continue at a position of the file whose descriptor `file` returned."""
        self._stream.seek(position)
        self._ahead = b""
        self._bytes_returned = self._source_bytes = position

    def close(self) -> None:
        """Close the file, if this object opened it."""
        if self._is_owned:
            self._stream.close()

    def size(self) -> int | None:
        """Return the size of a regular file in bytes, as stored; None for any other source."""
        try:
            status = os.fstat(self._stream.fileno())
        except (AttributeError, OSError, ValueError):  # a stream in memory
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def park(self) -> None:
        """Close a regular file until the next read, so that many inputs need only one descriptor."""
        if self._is_owned and _is_regular(self._stream):
            self._stream.close()
            self._is_parked = True

    def _unpark(self) -> None:
        """Open the file again, and skip the bytes already returned."""
        self._is_parked = False
        position, self._bytes_returned = self._bytes_returned, 0
        self._open()
        self.read(position)

    def _open(self) -> None:
        self.name, self._stream, self._is_owned = _open(self._source)
        self._source_bytes = 0
        try:
            self._ahead = _read_fully(self._read_stream, MAGIC_SIZE)
            compression = compression_of(self._ahead)
            self._decompressed: DecompressedStream | None = None
            self._read: Callable[[int], bytes] = self._read_stream
            if compression is not None:
                self._decompressed = DecompressedStream(compression, self._ahead, self._read_stream, self.name)
                self._read, self._ahead = self._decompressed.read1, b""
        except BaseException:
            self.close()
            raise

    def _read_stream(self, size: int) -> bytes:
        """Return up to *size* bytes of the source, as stored."""
        read: Callable[[int], object] = getattr(self._stream, "read1", None) or self._stream.read
        try:
            data = read(size)
        except EOFError as error:
            raise DamagedCapture(f"{self.name}: {error}") from None
        except (OSError, ValueError) as error:
            place = f"byte {self._source_bytes}: " if self._source_bytes else ""
            raise CaptureError(f"{self.name}: {place}{getattr(error, 'strerror', None) or error}") from None
        if isinstance(data, bytes):
            data = data if type(data) is bytes else memoryview(data).tobytes()  # a subclass may state another length
            self._source_bytes += len(data)
            return data
        fact = "read would block" if data is None else f"read returned {type(data).__name__}"
        raise CaptureError(f"{self.name}: {fact}; a capture is read from a blocking stream of bytes")


def _is_regular(stream: BinaryIO) -> bool:
    return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)


def _read_fully(read: Callable[[int], bytes], size: int) -> bytes:
    parts = [b""]
    while size > 0 and (part := read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


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
