"""Decompression of captures: gzip, zstd, lz4, xz, lzma and bzip2 streams, recognised by their first bytes.

A stream may consist of several members (gzip), frames (zstd, lz4) or streams (xz, bzip2) in a row; all of them are
called members here. Each compression's library is imported when a member of its kind begins.
"""

from collections.abc import Callable
from typing import Final

from .._named_tuple import NamedTuple
from ..errors import DamagedCapture, MissingLibrary
from . import decompressors
from .decompressors import LEGACY_MAGIC, SKIPPABLE_MAGICS, Decompressor, NewDecompressor, Unsupported

MAGIC_SIZE: Final = 10  # bytes; the longest magic number, and no member with content is shorter

_INPUT_SIZE: Final = 1 << 14  # bytes; the output for this much input is lost when the input proves to be corrupt
_MAX_OUTPUT_SIZE: Final = 1 << 20  # bytes per call, so that a small file cannot fill the memory

_EXTRA: Final = "pip install 'cbpf[compressed]'"


class Compression(NamedTuple):
    """A kind of member: how it begins, and the library that reads it."""

    name: str
    magics: tuple[bytes, ...]
    """The first bytes of a member, one of these."""
    load: Callable[[], NewDecompressor]
    """Imports the library and returns the constructor of its decompressor; raises `ImportError`."""
    family: str
    """Members of one family may follow each other."""
    tool: str
    """The command that decompresses a file."""
    remedy: str = _EXTRA
    """Advice for a missing library."""
    padding: bytes = b""
    """The bytes that may appear between two members."""


def _bzip2_magics() -> tuple[bytes, ...]:
    """Return the first 10 bytes of bzip2 streams: block sizes 1 to 9, then a block's magic number or that of the end.

    "BZh" and a digit alone could also begin a text.
    """
    return tuple(b"BZh%d%s" % (size, block) for size in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90"))


def _lzma_magics() -> tuple[bytes, ...]:
    """Return the first 5 bytes of .lzma files: the usual properties, then a dictionary of 2**n or 3 * 2**n bytes."""
    sizes = [base << shift for base in (1, 3) for shift in range(15, 31)]
    return tuple(b"\x5d" + size.to_bytes(4, "little") for size in (*sizes, 0xFFFF_FFFF))


_STANDARD_LIBRARY: Final = "this Python was built without the module of its standard library"

_SKIPPABLE: Final = Compression(
    "zstd or lz4", SKIPPABLE_MAGICS, decompressors.load_skippable, family="frames", tool="zstd -dc"
)

COMPRESSIONS: Final = (
    Compression("gzip", (b"\x1f\x8b",), decompressors.load_gzip, "gzip", "gzip -dc", padding=b"\0"),
    Compression("zstd", (b"\x28\xb5\x2f\xfd",), decompressors.load_zstd, "frames", "zstd -dc"),
    Compression("lz4", (b"\x04\x22\x4d\x18",), decompressors.load_lz4, "frames", "lz4 -dc"),
    Compression("lz4", (LEGACY_MAGIC,), decompressors.load_legacy_lz4, "frames", "lz4 -dc"),
    _SKIPPABLE,
    Compression("xz", (b"\xfd7zXZ\0",), decompressors.load_xz, "xz", "xz -dc", _STANDARD_LIBRARY, padding=b"\0"),
    Compression("lzma", _lzma_magics(), decompressors.load_lzma, "lzma", "xz -dc", _STANDARD_LIBRARY),
    Compression("bzip2", _bzip2_magics(), decompressors.load_bzip2, "bzip2", "bzip2 -dc", _STANDARD_LIBRARY),
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
        self._member = self._new_member(compression)
        self._was_full = False  # whether the last output had the size requested, so more may follow without input
        self._damage: DamagedCapture | None = None

    @property
    def compression(self) -> Compression:
        """The compression; until a frame with content begins, it is that of skippable frames."""
        return self._compression

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
        except Unsupported as error:
            self._damage = self._damaged(str(error))
            return b""
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
        compression = self._following(rest)
        if compression is not _SKIPPABLE:
            self._compression = compression
        self._member, self._input = self._new_member(compression), rest
        return True

    def _following(self, begin: bytes) -> Compression:
        """Return the compression of the member that begins here; raise `DamagedCapture` if none of the family does."""
        family = [compression for compression in COMPRESSIONS if compression.family == self._compression.family]
        for compression in family:
            if begin.startswith(compression.magics):
                return compression
        fact = f"is followed by {begin[:MAGIC_SIZE].hex(' ')}; only another {self._compression.name} stream may follow"
        is_truncated = any(magic.startswith(begin) for compression in family for magic in compression.magics)
        self._damage = self._damaged("is truncated" if is_truncated else fact)
        raise self._damage

    def _new_member(self, compression: Compression) -> Decompressor:
        try:
            return compression.load()()
        except ImportError:
            fact = f"no library for a {compression.name} stream"
            raise MissingLibrary(f"{self._name}: {fact}; {compression.remedy}") from None

    def _damaged(self, fact: str) -> DamagedCapture:
        return DamagedCapture(f"{self._name}: the {self._compression.name} stream {fact}")
