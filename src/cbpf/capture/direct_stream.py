"""Streams of zstd or lz4 frames in a file or in memory, decompressed in large pieces, and without a copy.

Where a file may be mapped, it is decompressed from the mapping (`SourceStream.window`).

If a piece cannot be decompressed, its frame is decompressed again from the start, block by block. So everything before
the corrupt block is returned, and the same bytes however large the pieces were. This requires a source that can be read
again. Members of other kinds, such as skippable frames, and all that follow them, are left to `DecompressedStream`.
"""

from .._typing import Final
from ..errors import CbpfError, DamagedCapture
from ..packet.buffers import address_of
from .compression import DecompressedStream
from .compression_kinds import LZ4, ZSTD, Compression
from .decompressors import MAX_FRAME_HEADER_SIZE, Unsupported, lz4_header, zstd_header
from .frame_decoders import DecodeError, FrameDecoder, NewFrameDecoder, Step, frame_decoder
from .source_stream import SourceStream

_MIN_INPUT_SIZE: Final = 1 << 14  # bytes that are read at once; doubled with each read, for short captures
_MAX_INPUT_SIZE: Final = 1 << 18
_WINDOW_SIZE: Final = 1 << 20  # bytes of a file that are mapped in place of being read
_MAX_READ_SIZE: Final = 1 << 18  # bytes that `read1` returns

_HEADER_CHECKS: Final = {ZSTD: zstd_header, LZ4: lz4_header}


class DirectStream:
    """The content of a compressed stream; an alternative to `DecompressedStream`, with the same interface."""

    def __init__(self, compression: Compression, begin: bytes, source: SourceStream, decoder: NewFrameDecoder) -> None:
        """Begin to read a stream whose first bytes, *begin*, were read already."""
        self._compression, self._source = compression, source
        self._check_header = _HEADER_CHECKS[compression]
        self._new_decoder = decoder
        self._decoder: FrameDecoder | None = None  # of the current frame
        self._frame_start = 0  # its position in the source
        self._returned = 0  # bytes of its content
        self._repeated = 0  # bytes of its content to decompress again before any are returned
        self._by_blocks = False
        self._was_full = False  # whether the last output filled its memory, so more may follow without input
        self._memory = memoryview(bytearray(begin))  # stored bytes; those from `_start` to `_end` are not read yet
        self._start, self._end = 0, len(begin)
        self._is_window = False  # whether `_memory` is a window of the source, which holds as long as it is mapped
        self._is_first = True
        self._rest: DecompressedStream | None = None  # the members that are not read here
        self._damage: CbpfError | None = None

    @property
    def compression(self) -> Compression:
        """The compression."""
        return self._compression if self._rest is None else self._rest.compression

    def read1(self, size: int) -> bytes:
        """Return up to *size* bytes, as soon as there are any; none at the end."""
        memory = bytearray(min(size, _MAX_READ_SIZE))
        return bytes(memory[: self.readinto(memoryview(memory))])

    def readinto(self, memory: memoryview) -> int:
        """Decompress bytes into memory, as soon as there are any; return their number, which is 0 at the end.

        After all data that could be decompressed, a truncated or corrupt stream raises `DamagedCapture`.
        """
        with address_of(memory) as address:
            while self._damage is None and self._rest is None:
                written = self._step(address, len(memory))
                if written and (count := self._without_repeated(memory, written)):
                    self._returned += count
                    return count
        if self._rest is None:
            assert self._damage is not None
            raise self._damage
        return self._rest.readinto(memory)

    def _step(self, target: int, room: int) -> int:
        """Decompress into memory; return the number of bytes, which may be 0 before the end of the stream as well."""
        if self._is_window and not self._source.is_mapped:
            self._leave_window()
        decoder = self._decoder or self._begin_frame()
        if decoder is None:
            begin = self._unread().tobytes()
            self._rest = DecompressedStream(
                self._compression, begin, self._source.read, self._source.name, is_first=self._is_first
            )
            return 0
        was_full = self._was_full
        try:
            read, written, has_ended = self._decode(decoder, target, room)
        except DecodeError as error:
            self._recover(error)
            return 0
        self._start += read
        self._was_full = written == room
        if has_ended:
            self._decoder, self._is_first = None, False
        elif not (read or written or was_full) and not self._read_more():
            self._damage = self._damaged("is truncated")
        return written

    def _decode(self, decoder: FrameDecoder, target: int, room: int) -> Step:
        """Decompress a piece; with `_by_blocks`, at most one block, of which all output is returned before the next."""
        size = self._end - self._start
        if self._by_blocks:
            size = 0 if self._was_full else min(size, decoder.next_size)
        with address_of(self._memory) as address:
            return decoder.decode(address + self._start, size, target, room)

    def _without_repeated(self, memory: memoryview, size: int) -> int:
        """Remove bytes that were returned before from the start of the *size* bytes; return how many remain."""
        repeated = min(self._repeated, size)
        if repeated:
            self._repeated -= repeated
            memory[: size - repeated] = memory[repeated:size]
        return size - repeated

    def _begin_frame(self) -> FrameDecoder | None:
        """Return a decoder for the frame that begins here; None if it is not read here, and at the end."""
        while self._end - self._start < MAX_FRAME_HEADER_SIZE and self._read_more():
            pass
        header = self._unread()[:MAX_FRAME_HEADER_SIZE].tobytes()
        try:
            if not header.startswith(self._compression.magics) or self._check_header(header) is None:
                return None
        except (Unsupported, ValueError):
            return None
        self._frame_start = self._source.bytes_read - (self._end - self._start)
        self._returned, self._by_blocks, self._was_full = 0, False, False
        self._decoder = self._new_decoder()
        return self._decoder

    def _recover(self, error: DecodeError) -> None:
        """Begin the frame again, to decompress it block by block, or end the stream if that was done."""
        if self._by_blocks:
            self._damage = self._damaged(f"cannot be decompressed: {error}")
            return
        self._source.seek(self._frame_start)
        self._start = self._end = 0
        self._repeated, self._by_blocks, self._was_full = self._returned, True, False
        self._decoder = self._new_decoder()

    def _unread(self) -> memoryview:
        return self._memory[self._start : self._end]

    def _read_more(self) -> bool:
        """Read stored bytes after those that are not read yet; return False at the end."""
        count = self._end - self._start
        window = self._source.window(self._source.bytes_read - count, _WINDOW_SIZE)
        if window is not None and len(window) > count:
            self._memory, self._start, self._end, self._is_window = window, 0, len(window), True
            return True
        if self._is_window:
            self._leave_window()
        unread, memory = self._unread(), self._memory
        if len(memory) < _MAX_INPUT_SIZE:
            memory = memoryview(bytearray(max(_MIN_INPUT_SIZE, 2 * len(memory))))
        memory[: len(unread)] = unread
        self._memory, self._start, self._end = memory, 0, len(unread)
        count = self._source.readinto(memory[self._end :])
        self._end += count
        return count > 0

    def _leave_window(self) -> None:
        """Continue with bytes that are read: the rest of the window is not accessed any more."""
        self._source.seek(self._source.bytes_read - (self._end - self._start))
        self._memory, self._start, self._end, self._is_window = memoryview(bytearray()), 0, 0, False

    def _damaged(self, fact: str) -> DamagedCapture:
        return DamagedCapture(f"{self._source.name}: the {self._compression.name} stream {fact}")


def direct_stream(compression: Compression, begin: bytes, source: SourceStream) -> DirectStream | None:
    """Return the content of a source of zstd or lz4 frames, of which *begin* was read already.

    Return None if its library is not installed, or does not have the functions.
    """
    decoder = frame_decoder(compression)
    return None if decoder is None else DirectStream(compression, begin, source, decoder)
