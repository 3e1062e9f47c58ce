"""Members of compressed streams, and streams that arrive in given pieces."""

from __future__ import annotations

import gzip
import importlib
import struct
import zlib
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, Final, cast

from cbpf.capture.compression_kinds import LEGACY_MAGIC, SKIPPABLE_MAGICS
from cbpf.capture.input import Input


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


LZ4: Final = _library("lz4.frame")
LZ4_BLOCK: Final = _library("lz4.block")
ZSTD: Final = _library("compression.zstd") or _library("backports.zstd")
ISAL: Final = _library("isal")


class Pieces:
    """A stream that delivers its bytes in given pieces."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def read1(self, size: int) -> bytes:
        """Return the next piece, or the part of it that fits."""
        if not self._pieces:
            return b""
        piece = self._pieces[0][:size]
        self._pieces[0] = self._pieces[0][size:]
        if not self._pieces[0]:
            del self._pieces[0]
        return piece

    read = read1


def content(pieces: Iterable[bytes]) -> bytes:
    """Return the content of a compressed stream that arrives in pieces."""
    return Input(cast(BinaryIO, Pieces(pieces))).read(1 << 40)


FHCRC, FEXTRA, FNAME, FCOMMENT = 2, 4, 8, 16


def gzip_member(data: bytes, flags: int, *, extra: bytes = b"BC\2\0ab", name: bytes = b"in.pcap") -> bytes:
    """Return a member whose header has the fields that the flags announce."""
    header = b"\x1f\x8b\x08" + bytes([flags]) + struct.pack("<I", 1_700_000_000) + b"\0\3"
    if flags & FEXTRA:
        header += struct.pack("<H", len(extra)) + extra
    if flags & FNAME:
        header += name + b"\0"
    if flags & FCOMMENT:
        header += b"a comment\0"
    if flags & FHCRC:
        header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    return header + gzip.compress(data)[10:]


def skippable(index: int, size: int) -> bytes:
    """Return a skippable frame with one of the 16 magic numbers and *size* bytes, which begin as a zstd frame."""
    return SKIPPABLE_MAGICS[index] + struct.pack("<I", size) + b"\x28\xb5\x2f\xfd"[:size].ljust(size, b"s")


def legacy(data: bytes, block_size: int = 8 << 20) -> bytes:
    """Return a legacy lz4 frame, as `lz4 -l` writes it."""
    blocks = [
        LZ4_BLOCK.compress(data[index : index + block_size], store_size=False)
        for index in range(0, len(data), block_size)
    ]
    return LEGACY_MAGIC + b"".join(struct.pack("<I", len(block)) + block for block in blocks)


FRAME_KINDS: Final[dict[str, Callable[[bytes], bytes] | None]] = {
    "zstd": ZSTD and ZSTD.compress,
    "lz4": LZ4 and LZ4.compress,
    "legacy lz4": LZ4 and (lambda data: legacy(data)),
}
"""The functions that make frames which may follow each other; None if their library is missing."""
