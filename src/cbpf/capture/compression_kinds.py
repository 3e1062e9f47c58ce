"""The kinds of compression, recognised by the first bytes of a stream or by the suffix of a file name.

Most captures have none, so the modules that compress and decompress are imported for a compressed stream only.
"""

import os

from .._named_tuple import NamedTuple
from .._typing import Final

MAGIC_SIZE: Final = 10  # bytes; the longest magic number, and no member with content is shorter

SKIPPABLE_MAGICS: Final = tuple(bytes([0x50 + index]) + b"\x2a\x4d\x18" for index in range(16))
"""The first bytes of a frame that zstd and lz4 skip; some tools write one as an index or as a marker (RFC 8878)."""

LEGACY_MAGIC: Final = b"\x02\x21\x4c\x18"
"""The first bytes of a frame that `lz4 -l` writes."""

_EXTRA: Final = "pip install 'cbpf[compressed]'"


class Compression(NamedTuple):
    """A kind of member: how it begins, and the library that reads it."""

    name: str
    magics: tuple[bytes, ...]
    """The first bytes of a member, one of these."""
    family: str
    """Members of one family may follow each other."""
    tool: str
    """The command that decompresses a file."""
    remedy: str = _EXTRA
    """Advice for a missing library."""
    suffixes: tuple[str, ...] = ()
    """The suffixes of the names of files that are written, the usual one first."""
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

GZIP: Final = Compression("gzip", (b"\x1f\x8b",), "gzip", "gzip -dc", suffixes=(".gz", ".bgz"), padding=b"\0")
ZSTD: Final = Compression("zstd", (b"\x28\xb5\x2f\xfd",), "frames", "zstd -dc", suffixes=(".zst", ".zstd"))
LZ4: Final = Compression("lz4", (b"\x04\x22\x4d\x18",), "frames", "lz4 -dc", suffixes=(".lz4",))
LEGACY_LZ4: Final = Compression("lz4", (LEGACY_MAGIC,), "frames", "lz4 -dc")
SKIPPABLE: Final = Compression("zstd or lz4", SKIPPABLE_MAGICS, "frames", "zstd -dc")
XZ: Final = Compression("xz", (b"\xfd7zXZ\0",), "xz", "xz -dc", _STANDARD_LIBRARY, (".xz",), padding=b"\0")
LZMA: Final = Compression("lzma", _lzma_magics(), "lzma", "xz -dc", _STANDARD_LIBRARY)
BZIP2: Final = Compression("bzip2", _bzip2_magics(), "bzip2", "bzip2 -dc", _STANDARD_LIBRARY, (".bz2",))

COMPRESSIONS: Final = (GZIP, ZSTD, LZ4, LEGACY_LZ4, SKIPPABLE, XZ, LZMA, BZIP2)

UNSUPPORTED_SUFFIXES: Final = (".7z", ".br", ".lz", ".lzma", ".lzo", ".rar", ".sz", ".z", ".zip")
"""The suffixes of files that are not written."""


def compression_of(begin: bytes) -> Compression | None:
    """Return the compression of a stream that begins with *begin*, its first `MAGIC_SIZE` bytes or all it has."""
    return next((compression for compression in COMPRESSIONS if begin.startswith(compression.magics)), None)


_SUFFIXES: Final = {suffix for compression in COMPRESSIONS for suffix in compression.suffixes} | {*UNSUPPORTED_SUFFIXES}


def has_suffix_of_compression(name: str) -> bool:
    """Return whether the suffix of a file name is that of a compression, perhaps of one that is not written."""
    return os.path.splitext(name)[1].lower() in _SUFFIXES


def compression_suffix(name: str) -> str:
    """Return the suffix of a file name if it is that of a compression that can be written, else no text."""
    suffix = os.path.splitext(name)[1]
    return suffix if any(suffix.lower() in compression.suffixes for compression in COMPRESSIONS) else ""
