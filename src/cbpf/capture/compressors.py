"""Compression of captures: the kinds that can be written, each by its name.

A compressed capture consists of frames (zstd, lz4), blocks (gzip) or streams (xz, bzip2) that are independent of each
other; all of them are called frames here. Each kind's library is imported when an output of its kind is chosen.
"""

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module

from .._named_tuple import NamedTuple
from .._typing import Any, Final, TypeAlias
from .._validators import within
from ..errors import CaptureError, FieldError, MissingLibrary
from .compression_kinds import COMPRESSIONS, UNSUPPORTED_SUFFIXES
from .decompressors import import_zstd

CompressFrame: TypeAlias = Callable[[memoryview], bytes]


class Compressor(NamedTuple):
    """A chosen compression: the function that compresses one frame, and the bytes that end the output."""

    compress: CompressFrame
    end: bytes = b""


class _Kind(NamedTuple):
    """A kind of compression that can be written."""

    levels: tuple[int, int]
    """The lowest and the highest level."""
    default_level: int
    load: Callable[[int], CompressFrame]
    """Imports the library and returns the function that compresses a frame at a level; raises `ImportError`."""
    end: bytes = b""
    """The bytes after the last frame."""


def _load_zstd(level: int) -> CompressFrame:
    zstd = import_zstd()
    parameters = zstd.CompressionParameter
    return partial(zstd.compress, options={parameters.compression_level: level, parameters.checksum_flag: 1})


def _load_lz4(level: int) -> CompressFrame:
    lz4: Any = import_module("lz4.frame")
    options = {"block_size": lz4.BLOCKSIZE_MAX4MB, "content_checksum": True}
    return partial(lz4.compress, compression_level=level, **options)


def _load_xz(level: int) -> CompressFrame:
    return partial(import_module("lzma").compress, preset=level)


def _load_bzip2(level: int) -> CompressFrame:
    return partial(import_module("bz2").compress, compresslevel=level)


_MAX_ISAL_LEVEL: Final = 3


def _load_gzip(level: int) -> CompressFrame:
    """Return the function that compresses blocks by isal, up to its highest level, or by the standard library."""
    zlib: Any = import_module("zlib")
    if level <= _MAX_ISAL_LEVEL:
        with suppress(ImportError):
            zlib = import_module("isal.isal_zlib")
    return partial(_bgzf, zlib, level)


_BLOCK_SIZE: Final = 0xFF00  # bytes of input; even a stored block then has fewer than 64 KiB
_BLOCK_HEADER: Final = bytes.fromhex("1f8b0804 00000000 00ff 0600 4243 0200")  # RFC 1952, with the extra field BC
_BGZF_END: Final = _BLOCK_HEADER + bytes.fromhex("1b00 0300 00000000 00000000")  # an empty block


def _bgzf(zlib: Any, level: int, data: memoryview) -> bytes:
    """Return blocks of the format BGZF: gzip members, each with its size in its header."""
    starts = range(0, len(data), _BLOCK_SIZE)
    return b"".join([_block(zlib, level, data[start : start + _BLOCK_SIZE]) for start in starts])


def _block(zlib: Any, level: int, data: memoryview) -> bytes:
    deflated = zlib.compress(data, level, -15)
    if len(deflated) > len(data) + 5:  # incompressible
        deflated = struct.pack("<BHH", 1, len(data), len(data) ^ 0xFFFF) + data
    size = len(_BLOCK_HEADER) + 2 + len(deflated) + 8
    trailer = struct.pack("<II", zlib.crc32(data), len(data))
    return b"".join((_BLOCK_HEADER, struct.pack("<H", size - 1), deflated, trailer))


_KINDS: Final = {
    "zstd": _Kind((-7, 22), 3, _load_zstd),
    "gzip": _Kind((1, 9), 2, _load_gzip, _BGZF_END),
    "lz4": _Kind((1, 12), 1, _load_lz4),
    "xz": _Kind((0, 9), 6, _load_xz),
    "bzip2": _Kind((1, 9), 9, _load_bzip2),
}

COMPRESSION_NAMES: Final = (*_KINDS, "none")
"""The values of the parameter *compress*, without a level."""


def compressor_named(text: str) -> Compressor | None:
    """Return the compressor for "zstd", "zstd:3" and the like; None for "none".

    Raises `FieldError`, or `MissingLibrary`.
    """
    name, colon, level = str(text).partition(":")
    if text == "none":
        return None
    kind = _KINDS.get(name)
    if kind is None:
        expected = ", ".join(COMPRESSION_NAMES)
        raise FieldError(f"compress: {text!r} is not one of {expected}; a level may follow, as in zstd:3")
    number = kind.default_level
    if colon:
        try:
            number = int(level)
        except ValueError:
            raise FieldError(f"compress: {level!r} in {text!r} is not a level of {name}") from None
        within(*kind.levels, f"a level of {name}")("compress", number)
    return _load(name, number, "compress")


def compressor_for_file(name: str) -> Compressor | None:
    """Return the compressor that the suffix of a file name requires, or None for a plain file.

    Raises `CaptureError` for the suffix of a compression that cannot be written, and `MissingLibrary`.
    """
    suffix = os.path.splitext(name)[1].lower()
    for compression in COMPRESSIONS:
        if suffix in compression.suffixes:
            return _load(compression.name, _KINDS[compression.name].default_level, name)
    if suffix in UNSUPPORTED_SUFFIXES:
        usual = {compression.name: compression.suffixes[0] for compression in COMPRESSIONS if compression.suffixes}
        written = ", ".join(usual[kind_name] for kind_name in _KINDS)
        rule = f"names of compressed captures end in {written}; the compression 'none' writes a plain file"
        raise CaptureError(f"{name}: files of type {suffix} cannot be written; {rule}")
    return None


def compressor_like(compression: str, name: str) -> Compressor:
    """Return the compressor for the kind of an existing file; raise `CaptureError` if it cannot be written."""
    if compression not in _KINDS:
        rule = f"name one of {', '.join(COMPRESSION_NAMES)} as the compression of the output"
        raise CaptureError(f"{name}: the {compression} format can be read but not written; {rule}")
    return _load(compression, _KINDS[compression].default_level, name)


def _load(name: str, level: int, place: str) -> Compressor:
    try:
        return Compressor(_KINDS[name].load(level), _KINDS[name].end)
    except ImportError:
        remedy = next(compression.remedy for compression in COMPRESSIONS if compression.name == name)
        raise MissingLibrary(f"{place}: no library for a {name} stream; {remedy}") from None
