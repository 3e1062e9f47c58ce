"""Decompression of captures: gzip, zstd, lz4, xz and bzip2 streams, recognised by their first bytes.

A stream may consist of several members (gzip), frames (zstd, lz4) or streams (xz, bzip2) in a row; all of them are
called members here. Each compression's library is imported when a stream of its kind is opened.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NamedTuple, Protocol

from ..errors import DamagedCapture, MissingLibrary

MAGIC_SIZE: Final = 10  # bytes; the longest magic number, and no member with content is shorter

_INPUT_SIZE: Final = 1 << 14  # bytes; the output for this much input is lost when the input proves to be corrupt
_MAX_OUTPUT_SIZE: Final = 1 << 20  # bytes per call, so that a small file cannot fill the memory
_MAX_XZ_MEMORY: Final = 1 << 28  # bytes; the preset -9 needs 65 MiB, but a header may demand 4 GiB

_EXTRA: Final = "pip install 'cbpf[compressed]'"


class _Decompressor(Protocol):
    """A decompressor of one member, with the interface of `bz2.BZ2Decompressor`."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


_NewDecompressor = Callable[[], _Decompressor]


class Compression(NamedTuple):
    """A kind of compression: how its members begin, and the library that reads them."""

    name: str
    magics: tuple[bytes, ...]
    """The first bytes of a member, one of these."""
    load: Callable[[], _NewDecompressor]
    """Imports the library and returns the constructor of its decompressor; raises `ImportError`."""
    remedy: str = _EXTRA
    """Advice for a missing library."""
    padding: bytes = b""
    """The bytes that may appear between two members."""


def _gzip() -> _NewDecompressor:
    try:
        igzip: Any = import_module("isal.igzip_lib")
    except ImportError:
        return _ZlibDecompressor
    return lambda: igzip.IgzipDecompressor(flag=igzip.DECOMP_GZIP)


def _zstd() -> _NewDecompressor:
    try:
        zstd: Any = import_module("compression.zstd")  # since Python 3.14
    except ImportError:
        zstd = import_module("backports.zstd")
    return lambda: zstd.ZstdDecompressor()


def _lz4() -> _NewDecompressor:
    frame: Any = import_module("lz4.frame")
    return lambda: frame.LZ4FrameDecompressor()


def _xz() -> _NewDecompressor:
    lzma: Any = import_module("lzma")
    return lambda: lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MAX_XZ_MEMORY)


def _bzip2() -> _NewDecompressor:
    bz2: Any = import_module("bz2")
    return lambda: bz2.BZ2Decompressor()


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


def _bzip2_magics() -> tuple[bytes, ...]:
    """Return the first 10 bytes of bzip2 streams: block sizes 1 to 9, then a block's magic number or that of the end.

    "BZh" and a digit alone could also begin a text.
    """
    return tuple(b"BZh%d%s" % (size, block) for size in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90"))


_STANDARD_LIBRARY: Final = "this Python was built without the module of its standard library"

COMPRESSIONS: Final = (
    Compression("gzip", (b"\x1f\x8b",), _gzip, padding=b"\0"),
    Compression("zstd", (b"\x28\xb5\x2f\xfd",), _zstd),
    Compression("lz4", (b"\x04\x22\x4d\x18",), _lz4),
    Compression("xz", (b"\xfd7zXZ\0",), _xz, _STANDARD_LIBRARY, padding=b"\0"),
    Compression("bzip2", _bzip2_magics(), _bzip2, _STANDARD_LIBRARY),
)


def compression_of(begin: bytes) -> Compression | None:
    """Return the compression of a stream that begins with *begin*, its first `MAGIC_SIZE` bytes or all it has."""
    return next((compression for compression in COMPRESSIONS if begin.startswith(compression.magics)), None)


class DecompressedStream:
    """The content of a compressed stream, through all its members.

    After all data that could be decompressed, a truncated or corrupt stream raises `DamagedCapture`.
    """

    def __init__(self, compression: Compression, begin: bytes, read: Callable[[int], bytes], name: str) -> None:
        """Begin to read a stream whose first bytes, *begin*, were read already; *read* returns the bytes after them.

        Raises `MissingLibrary`.
        """
        self._compression, self._input, self._read, self._name = compression, begin, read, name
        try:
            self._new_member = compression.load()
        except ImportError:
            fact = f"no library for a {compression.name} stream"
            raise MissingLibrary(f"{name}: {fact}; {compression.remedy}") from None
        self._member = self._new_member()
        self._was_full = False  # whether the last output had the size requested, so more may follow without input
        self._damage: DamagedCapture | None = None

    def read1(self, size: int) -> bytes:
        """Return up to *size* bytes, at most 1 MiB, as soon as there are any; none at the end."""
        while self._damage is None:
            if self._member.eof and not self._begin_next_member():
                return b""
            output = self._step(min(size, _MAX_OUTPUT_SIZE))
            if output:
                return output
        raise self._damage

    def _step(self, size: int) -> bytes:
        data, is_at_end = b"", False
        if self._member.needs_input and not self._was_full:
            data, self._input = self._input or self._read(_INPUT_SIZE), b""
            is_at_end = not data
        try:
            output = self._member.decompress(data, size)
        except Exception as error:  # each library raises its own classes, RuntimeError among them
            self._damage = self._damaged(f"cannot be decompressed: {error}")
            return b""
        self._was_full = len(output) == size
        if is_at_end and not output and not self._member.eof:
            self._damage = self._damaged("is truncated")
        return output

    def _begin_next_member(self) -> bool:
        """Begin to decompress the member after the one that has ended; return False if there is none."""
        rest = (self._member.unused_data or b"") + self._input
        while len(rest := rest.lstrip(self._compression.padding)) < MAGIC_SIZE and (more := self._read(_INPUT_SIZE)):
            rest += more
        if not rest:
            return False
        if not self._begins_member(rest):
            fact = f"is followed by {rest[:MAGIC_SIZE].hex(' ')}"
            self._damage = self._damaged(f"{fact}; only another {self._compression.name} stream may follow")
            raise self._damage
        self._member, self._input = self._new_member(), rest
        return True

    def _begins_member(self, data: bytes) -> bool:
        """Return whether *data* begins with a magic number, all of it or as much as was not truncated."""
        magics = self._compression.magics
        is_truncated = any(magic.startswith(data) for magic in magics)
        return is_truncated or data.startswith(magics) or _is_skippable(data)

    def _damaged(self, fact: str) -> DamagedCapture:
        return DamagedCapture(f"{self._name}: the {self._compression.name} stream {fact}")


def _is_skippable(begin: bytes) -> bool:
    """Return whether a zstd or lz4 frame without content begins here; some tools append one as an index."""
    return begin[1:4] == b"\x2a\x4d\x18" and begin[0] & 0xF0 == 0x50
