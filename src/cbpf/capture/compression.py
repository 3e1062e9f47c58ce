"""Decompression of captures.

A stream may consist of several members (gzip), frames (zstd, lz4) or streams (xz, bzip2) in a row; all of them are
called members here. Each compression's library is imported when a member of its kind begins.
"""

from collections.abc import Callable

from .._typing import Final
from ..errors import DamagedCapture, MissingLibrary
from . import compression_kinds as kinds
from . import decompressors
from .compression_kinds import MAGIC_SIZE, Compression
from .decompressors import Decompressor, HeaderFirst, Unsupported

_INPUT_SIZE: Final = 1 << 14  # bytes; the output for this much input is lost when the input proves to be corrupt
_MAX_READ_SIZE: Final = 1 << 18  # bytes that are read of the source at once
_MAX_OUTPUT_SIZE: Final = 1 << 20  # bytes of a step, so that a small file cannot fill the memory


_LOADERS: Final = {
    kinds.GZIP: decompressors.load_gzip,
    kinds.ZSTD: decompressors.load_zstd,
    kinds.LZ4: decompressors.load_lz4,
    kinds.LEGACY_LZ4: decompressors.load_legacy_lz4,
    kinds.SKIPPABLE: decompressors.load_skippable,
    kinds.XZ: decompressors.load_xz,
    kinds.LZMA: decompressors.load_lzma,
    kinds.BZIP2: decompressors.load_bzip2,
}
"""For each kind of member, the function that imports its library and returns the constructor of its decompressor."""


class _StoredInput:
    """The bytes of a compressed stream that were read and not decompressed yet, *begin* first."""

    def __init__(self, begin: bytes, read: Callable[[int], bytes]) -> None:
        self._data, self._position = begin, 0
        self._read = read
        self._read_size = _INPUT_SIZE  # doubles with each read, so that a short capture needs little memory

    def take(self) -> bytes:
        """Return the next bytes, and read them if there are none; none at the end."""
        if self._position == len(self._data):
            self._data, self._position = self._read_more(), 0
        data = self._data[self._position : self._position + _INPUT_SIZE]
        self._position += len(data)
        return data

    def give_back(self, data: bytes) -> None:
        """Return the last bytes that were taken."""
        if len(data) <= self._position:
            self._position -= len(data)
        else:
            self._data, self._position = data + self._data[self._position :], 0

    def begin_after(self, padding: bytes) -> bytes:
        """Return the first `MAGIC_SIZE` bytes or all that remain, without taking them, after removing *padding*."""
        while True:
            if padding and self._data[self._position : self._position + 1] in padding:
                self._data, self._position = self._data[self._position :].lstrip(padding), 0
            begin = self._data[self._position : self._position + MAGIC_SIZE]
            if len(begin) == MAGIC_SIZE or not (more := self._read_more()):
                return begin
            self._data, self._position = self._data[self._position :] + more, 0

    def _read_more(self) -> bytes:
        data = self._read(self._read_size)
        self._read_size = min(2 * self._read_size, _MAX_READ_SIZE)
        return data


class DecompressedStream:
    """The content of a compressed stream, through all its members.

    After all data that could be decompressed, a truncated or corrupt stream raises `DamagedCapture`.
    """

    def __init__(
        self, compression: Compression, begin: bytes, read: Callable[[int], bytes], name: str, *, is_first: bool = True
    ) -> None:
        """Begin to read a stream whose next bytes, *begin*, were read already; *read* returns the bytes after them.

        They are the start of the first member, or of any other or the end of the stream. Raises `MissingLibrary`.
        """
        self._compression, self._name = compression, name
        self._input = _StoredInput(begin, read)
        self._member: Decompressor | None = self._new_member(compression) if is_first else None
        self._was_full = False  # whether the last output had the maximum size, so more may follow without input
        self._output, self._returned = b"", 0  # of a step, and how many bytes of it were returned
        self._damage: DamagedCapture | None = None

    @property
    def compression(self) -> Compression:
        """The compression; until a frame with content begins, it is that of skippable frames."""
        return self._compression

    def read1(self, size: int) -> bytes:
        """Return up to *size* bytes, as soon as there are any; none at the end.

        The pieces that are decompressed do not depend on *size*, so that equal bytes are returned before a corruption.
        """
        if self._returned == len(self._output):
            self._output, self._returned = self._decompress(), 0
        data = self._output[self._returned : self._returned + size]
        self._returned += len(data)
        return data

    def readinto(self, memory: memoryview) -> int:
        """Copy bytes into memory, as soon as there are any; return their number, which is 0 at the end."""
        data = self.read1(len(memory))
        memory[: len(data)] = data
        return len(data)

    def _decompress(self) -> bytes:
        while self._damage is None:
            member = self._member or self._begin_next_member()
            if member is None:
                return b""
            output = self._step(member)
            if member.eof and self._damage is None:
                self._input.give_back(member.unused_data or b"")
                self._member = None
            elif isinstance(member, HeaderFirst) and member.is_past_header:
                self._member = member.library
            if output:
                return output
        raise self._damage

    def _step(self, member: Decompressor) -> bytes:
        data, is_at_end = b"", False
        if member.needs_input and not self._was_full:
            data = self._input.take()
            is_at_end = not data
        try:
            output = member.decompress(data, _MAX_OUTPUT_SIZE)
        except Unsupported as error:
            self._damage = self._damaged(str(error))
            return b""
        except Exception as error:  # each library raises its own classes, RuntimeError among them
            self._damage = self._damaged(f"cannot be decompressed: {error}")
            return b""
        self._was_full = len(output) == _MAX_OUTPUT_SIZE
        if is_at_end and not output and not member.eof:
            self._damage = self._damaged("is truncated")
        return output

    def _begin_next_member(self) -> Decompressor | None:
        """Begin to decompress the member after the one that has ended; return None if there is none."""
        begin = self._input.begin_after(self._compression.padding)
        if not begin:
            return None
        compression = self._following(begin)
        if compression is not kinds.SKIPPABLE:
            self._compression = compression
        self._member = self._new_member(compression)
        return self._member

    def _following(self, begin: bytes) -> Compression:
        """Return the compression of the member that begins here; raise `DamagedCapture` if none of the family does."""
        family = [compression for compression in kinds.COMPRESSIONS if compression.family == self._compression.family]
        for compression in family:
            if begin.startswith(compression.magics):
                return compression
        fact = f"is followed by {begin[:MAGIC_SIZE].hex(' ')}; only another {self._compression.name} stream may follow"
        is_truncated = any(magic.startswith(begin) for compression in family for magic in compression.magics)
        self._damage = self._damaged("is truncated" if is_truncated else fact)
        raise self._damage

    def _new_member(self, compression: Compression) -> Decompressor:
        try:
            return _LOADERS[compression]()()
        except ImportError:
            fact = f"no library for a {compression.name} stream"
            raise MissingLibrary(f"{self._name}: {fact}; {compression.remedy}") from None

    def _damaged(self, fact: str) -> DamagedCapture:
        return DamagedCapture(f"{self._name}: the {self._compression.name} stream {fact}")
