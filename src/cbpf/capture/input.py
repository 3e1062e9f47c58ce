"""The input of a capture reader: the bytes of a source, decompressed."""

from .._stdlib import suppress
from .._typing import TYPE_CHECKING, Callable
from .compression_kinds import LZ4, MAGIC_SIZE, ZSTD, Compression, compression_of
from .source_stream import Source, SourceStream

if TYPE_CHECKING:
    from .compression import DecompressedStream
    from .direct_stream import DirectStream


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
    def name(self) -> str:
        """The name of the source in messages."""
        return self.stream.name

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

    def readinto(self, memory: memoryview) -> int:
        """Read bytes into memory, as soon as there are any; return their number, which is 0 at the end."""
        if self._ahead or self._is_parked:
            data = self.read1(len(memory))
            memory[: len(data)] = data
            return len(data)
        count = self._read_into(memory)
        self._bytes_returned += count
        return count

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
        return self.stream.bytes_read

    def file(self) -> int | None:
        """Return the descriptor of a regular file that this object opened and that is not compressed; else None."""
        if self._is_parked:
            self._unpark()
        is_plain = self.stream.is_owned and self.stream.is_regular and self._decompressed is None
        return self.stream.fileno() if is_plain else None

    def seek(self, position: int) -> None:
        """Continue at a position of the file whose descriptor `file` returned."""
        self.stream.seek(position)
        self._ahead = b""
        self._bytes_returned = position

    def close(self) -> None:
        """Close the file, if this object opened it."""
        self.stream.close()

    def size(self) -> int | None:
        """Return the size of a regular file in bytes, as stored; None for any other source."""
        return self.stream.size()

    def park(self) -> None:
        """Close a regular file until the next read, so that many inputs need only one descriptor."""
        if self.stream.is_owned and self.stream.is_regular:
            self.stream.close()
            self._is_parked = True

    def _unpark(self) -> None:
        """Open the file again, and skip the bytes already returned."""
        self._is_parked = False
        position, self._bytes_returned = self._bytes_returned, 0
        self._open()
        self.read(position)

    def _open(self) -> None:
        self.stream = SourceStream(self._source)
        try:
            self._ahead = _read_fully(self.stream.read, MAGIC_SIZE)
            compression = compression_of(self._ahead)
            self._decompressed = None if compression is None else self._decompress(compression)
            self._read: Callable[[int], bytes] = self.stream.read
            self._read_into: Callable[[memoryview], int] = self.stream.readinto
            if self._decompressed is not None:
                self._read, self._read_into = self._decompressed.read1, self._decompressed.readinto
                self._ahead = b""
        except BaseException:
            self.close()
            raise

    def _decompress(self, compression: Compression) -> "DirectStream | DecompressedStream":
        if self.stream.is_rewindable and compression in (LZ4, ZSTD):
            with suppress(ImportError):  # this Python has no ctypes
                from .direct_stream import direct_stream

                if (stream := direct_stream(compression, self._ahead, self.stream)) is not None:
                    return stream
        from .compression import DecompressedStream

        return DecompressedStream(compression, self._ahead, self.stream.read, self.name)


def _read_fully(read: Callable[[int], bytes], size: int) -> bytes:
    parts = [b""]
    while size > 0 and (part := read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
