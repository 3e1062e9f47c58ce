"""Decompressors of one member of a compressed stream, each with the interface of `bz2.BZ2Decompressor`.

The libraries decompress. The classes here add to them: they check the header of a member first, so that a stream that
needs more memory or a dictionary is reported as such, skip frames without content, and read the blocks of lz4's legacy
format. All input may arrive in pieces of any size.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

from .._typing import Any, Final, Protocol, TypeAlias
from .compression_kinds import LEGACY_MAGIC

_MAX_XZ_MEMORY: Final = 1 << 28  # bytes; the preset -9 needs 65 MiB, but a header may demand 4 GiB
_MEMORY_LIMIT_ERROR: Final = "Memory usage limit exceeded"  # of the module lzma, whose errors have one class
_MAX_ZSTD_WINDOW: Final = 1 << 27  # bytes; the limit of the library and of zstd(1)
_MAX_ZSTD_WINDOW_LOG: Final = 31  # of zstd(1) with --long
MAX_FRAME_HEADER_SIZE: Final = 19  # bytes, of lz4; a zstd frame has up to 18
_MAX_GZIP_HEADER: Final = 1 << 20  # bytes; names and comments have no limit


class Unsupported(Exception):
    """A member is valid but needs something that cbpf does not provide; the message is a fact and a remedy."""


class Decompressor(Protocol):
    """A decompressor of one member.

    `decompress` is called with no data when the output before had *max_length* bytes, since there may be more, and
    otherwise only at the end of the stream.
    """

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether further output requires more input."""

    @property
    def unused_data(self) -> bytes | None:
        """The input after the end of the member."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return up to *max_length* bytes of output."""


NewDecompressor: TypeAlias = Callable[[], Decompressor]

CheckHeader: TypeAlias = Callable[[bytes], bytes | None]
"""Checks the start of a member, and returns the input for a library, or None if the header is not complete yet.

It raises `Unsupported` or `ValueError` if the library could not decompress the member.
"""


def load_gzip() -> NewDecompressor:
    """Import isal, or else the standard library, and return the constructor of a gzip decompressor."""
    try:
        igzip: Any = import_module("isal.igzip_lib")
    except ImportError:
        return lambda: HeaderFirst(_ZlibDecompressor(), _gzip_header)
    return lambda: HeaderFirst(igzip.IgzipDecompressor(flag=igzip.DECOMP_GZIP), _gzip_header)


def import_zstd() -> Any:
    """Import the library for zstd; raises `ImportError`."""
    if sys.version_info >= (3, 14):
        with suppress(ImportError):
            return import_module("compression.zstd")
    return import_module("backports.zstd")


def load_zstd() -> NewDecompressor:
    """Import the library and return the constructor of a decompressor of a zstd frame."""
    zstd = import_zstd()
    return lambda: HeaderFirst(zstd.ZstdDecompressor(), zstd_header)


def load_lz4() -> NewDecompressor:
    """Import the library and return the constructor of a decompressor of an lz4 frame."""
    frame: Any = import_module("lz4.frame")
    return lambda: HeaderFirst(frame.LZ4FrameDecompressor(), lz4_header)


def load_legacy_lz4() -> NewDecompressor:
    """Import the library and return the constructor of a decompressor of a legacy lz4 frame."""
    block: Any = import_module("lz4.block")
    return lambda: _LegacyFrame(block.decompress)


def load_xz() -> NewDecompressor:
    """Import the library and return the constructor of an xz decompressor."""
    lzma: Any = import_module("lzma")
    return lambda: _LzmaDecompressor(lzma, lzma.FORMAT_XZ)


def load_lzma() -> NewDecompressor:
    """Import the library and return the constructor of a decompressor of the .lzma format, the predecessor of xz."""
    lzma: Any = import_module("lzma")
    return lambda: _LzmaDecompressor(lzma, lzma.FORMAT_ALONE)


def load_bzip2() -> NewDecompressor:
    """Import the library and return the constructor of a bzip2 decompressor."""
    bz2: Any = import_module("bz2")
    return lambda: bz2.BZ2Decompressor()


def load_skippable() -> NewDecompressor:
    """Return the constructor of a decompressor of a skippable frame."""
    return _SkippableFrame


class _ZlibDecompressor:
    """The gzip decompressor of the standard library, used where isal is not installed."""

    def __init__(self) -> None:
        import zlib

        self._inner: Any = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return bytes(self._inner.decompress(self._inner.unconsumed_tail + data, max_length))


class _LzmaDecompressor:
    """The decompressor of the standard library for xz and .lzma, with a limit of memory that its errors name."""

    def __init__(self, lzma: Any, format: int) -> None:
        self._inner: Any = lzma.LZMADecompressor(format=format, memlimit=_MAX_XZ_MEMORY)

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def needs_input(self) -> bool:
        return bool(self._inner.needs_input)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        try:
            return bytes(self._inner.decompress(data, max_length))
        except Exception as error:
            if str(error) != _MEMORY_LIMIT_ERROR:
                raise
            fact = f"needs more memory than the {_MAX_XZ_MEMORY >> 20} MiB that cbpf provides"
            raise Unsupported(f"{fact}; {_remedy('xz -dc')}") from None


class HeaderFirst:
    """Gathers the header of a member, checks it, and gives it to the decompressor of a library in one piece.

    After the header, *library* may be used directly.
    """

    def __init__(self, library: Decompressor, prepare: CheckHeader) -> None:
        self.library = library
        self._prepare = prepare
        self._header: bytes | None = b""

    @property
    def is_past_header(self) -> bool:
        """Whether the library has the header."""
        return self._header is None

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""
        return self._header is None and self.library.eof

    @property
    def needs_input(self) -> bool:
        """Whether further output requires more input."""
        return self._header is not None or self.library.needs_input

    @property
    def unused_data(self) -> bytes | None:
        """The input after the end of the member."""
        return self.library.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return up to *max_length* bytes of output."""
        if self._header is not None:
            self._header += data
            prepared = self._prepare(self._header)
            if prepared is None:
                return b""
            self._header, data = None, prepared
        return self.library.decompress(data, max_length)


_FHCRC, _FEXTRA, _FNAME, _FCOMMENT, _RESERVED = 2, 4, 8, 16, 0xE0  # flags of a gzip header
_PLAIN_GZIP_HEADER: Final = b"\x1f\x8b\x08" + bytes(6) + b"\xff"


def _gzip_header(data: bytes) -> bytes | None:
    """Replace the header of a gzip member (RFC 1952) by one without options.

    isal rejects a header with a checksum unless it arrives in one piece.
    """
    if len(data) < len(_PLAIN_GZIP_HEADER):
        return None
    if data[2] != 8 or data[3] & _RESERVED:
        raise ValueError(f"method {data[2]}, flags {data[3]:#04x}: only deflate (8) and flags below 0x20 are defined")
    size = _gzip_header_size(data)
    if size is None:
        if len(data) > _MAX_GZIP_HEADER:
            raise ValueError("its header is longer than 1 MiB")
        return None
    return _PLAIN_GZIP_HEADER + data[size:]


def _gzip_header_size(data: bytes) -> int | None:
    """Return the size of the header at the start of a gzip member, or None if it is not complete."""
    from binascii import crc32

    flags, size = data[3], len(_PLAIN_GZIP_HEADER)
    if flags & _FEXTRA:
        size += 2 + int.from_bytes(data[size : size + 2], "little")
    for flag in (_FNAME, _FCOMMENT):
        if flags & flag:
            size = data.find(b"\0", size) + 1
            if not size:
                return None
    if flags & _FHCRC:
        size += 2
        if len(data) >= size and crc32(data[: size - 2]) & 0xFFFF != int.from_bytes(data[size - 2 : size], "little"):
            raise ValueError("incorrect header checksum")
    return size if len(data) >= size else None


def zstd_header(data: bytes) -> bytes | None:
    """Check the header of a zstd frame (RFC 8878): the memory and the dictionary that the frame needs."""
    if len(data) < 6:
        return None
    descriptor = data[4]
    is_single = descriptor >> 5 & 1  # a single segment: its content is the window
    dictionary_start = 5 + (not is_single)
    dictionary_end = dictionary_start + (0, 1, 2, 4)[descriptor & 3]
    size = dictionary_end + (is_single, 2, 4, 8)[descriptor >> 6]
    if len(data) < size:
        return None
    dictionary = int.from_bytes(data[dictionary_start:dictionary_end], "little")
    if dictionary:
        raise Unsupported(f"needs dictionary {dictionary}; {_remedy('zstd -d -D DICTIONARY -c')}")
    content = int.from_bytes(data[dictionary_end:size], "little")
    _check_zstd_window(content if is_single else (8 + (data[5] & 7)) << (7 + (data[5] >> 3)))
    return data


def _check_zstd_window(window: int) -> None:
    if window <= _MAX_ZSTD_WINDOW + 1:
        return
    log, mebibytes = (window - 1).bit_length(), -(-window >> 20)
    if log > _MAX_ZSTD_WINDOW_LOG:
        raise ValueError(f"its header demands a window of {mebibytes:,} MiB; at most 2,048 MiB are valid")
    fact = f"needs a larger window: {mebibytes:,} MiB, and cbpf provides 128 MiB"
    raise Unsupported(f"{fact}; {_remedy(f'zstd -d --long={log} -c')}")


def lz4_header(data: bytes) -> bytes | None:
    """Check the header of an lz4 frame: the dictionary that the frame needs."""
    if len(data) < 7:
        return None
    has_content_size, has_dictionary = data[4] >> 3 & 1, data[4] & 1
    size = 7 + 8 * has_content_size + 4 * has_dictionary
    if len(data) < size:
        return None
    if has_dictionary:
        dictionary = int.from_bytes(data[size - 5 : size - 1], "little")
        raise Unsupported(f"needs dictionary {dictionary}; {_remedy('lz4 -d -D DICTIONARY -c')}")
    return data


def _remedy(command: str) -> str:
    return f"decompress it first: {command} FILE | cbpf filter -r -"


class _SkippableFrame:
    """A frame without content: a magic number, a size, and as many bytes."""

    needs_input = True

    def __init__(self) -> None:
        self._header = b""
        self._remaining: int | None = None  # bytes to skip; None before the header is complete
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return self._remaining == 0

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._remaining is None:
            self._header += data
            if len(self._header) < 8:
                return b""
            self._remaining, data = int.from_bytes(self._header[4:8], "little"), self._header[8:]
        skipped = min(self._remaining, len(data))
        self._remaining -= skipped
        self.unused_data = data[skipped:]
        return b""


_LEGACY_BLOCK_SIZE: Final = 8 << 20  # bytes, at most
_MAX_LEGACY_INPUT: Final = _LEGACY_BLOCK_SIZE + _LEGACY_BLOCK_SIZE // 255 + 16  # LZ4_COMPRESSBOUND


class _LegacyFrame:
    """A legacy lz4 frame: a magic number and blocks, each after its size, up to another magic number or the end."""

    def __init__(self, decompress_block: Callable[..., bytes]) -> None:
        self._decompress_block = decompress_block
        self._input = bytearray()
        self._magic_size = len(LEGACY_MAGIC)  # 0 after it was read
        self._output = memoryview(b"")
        self._was_full = False
        self.eof = False
        self.unused_data = b""

    @property
    def needs_input(self) -> bool:
        return not self._output

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if not self._output:
            self._read_blocks(data)
        output, self._output = bytes(self._output[:max_length]), self._output[max_length:]
        self._was_full = len(output) == max_length
        return output

    def _read_blocks(self, data: bytes) -> None:
        """Decompress blocks until there is output; at the end of the stream, end the frame between two blocks."""
        self._input += data
        while not self._output and len(self._input) >= self._magic_size + 4:
            start = self._magic_size + 4
            size = int.from_bytes(self._input[start - 4 : start], "little")
            if size > _MAX_LEGACY_INPUT:  # the magic number of another frame
                self.eof, self.unused_data = True, bytes(self._input[self._magic_size :])
                return
            if len(self._input) < start + size:
                return
            block = bytes(self._input[start : start + size])
            self._output = memoryview(self._decompress_block(block, uncompressed_size=_LEGACY_BLOCK_SIZE))
            del self._input[: start + size]
            self._magic_size = 0
        is_between_blocks = len(self._input) == self._magic_size and not self._output
        self.eof = is_between_blocks and not data and not self._was_full
