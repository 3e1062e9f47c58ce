"""Decoders of zstd and lz4 frames that write into given memory: C functions of the libraries, called through ctypes.

The Python interfaces of these libraries return `bytes` objects. Making these, and copying them to where the bytes are
parsed, takes up to half as long as the decompression itself. The extension modules contain or load the C libraries,
whose functions have had the same interface since their first stable versions. Where they cannot be found, there is no
decoder, and `decompressors` reads all frames.
"""

import ctypes
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module

from .._named_tuple import NamedTuple
from .._typing import Any, Final, Protocol, TypeAlias
from .compression_kinds import LZ4, ZSTD, Compression
from .decompressors import import_zstd

_LZ4F_VERSION: Final = 100
_ZSTD_BLOCK_HEADER_SIZE: Final = 3
_LZ4_BLOCK_HEADER_SIZE: Final = 4


class DecodeError(Exception):
    """A frame is corrupt; the message is that of the library."""


class Step(NamedTuple):
    """The result of a call: the bytes read and written, and whether the frame has ended."""

    read: int
    written: int
    has_ended: bool


class FrameDecoder(Protocol):
    """A decoder of one frame."""

    next_size: int
    """The number of bytes to read for the next step in which at most one block is decoded."""

    def decode(self, source: int, size: int, target: int, room: int) -> Step:
        """Decode *size* bytes at address *source* to address *target*, at most *room* bytes; raise `DecodeError`."""


NewFrameDecoder: TypeAlias = Callable[[], FrameDecoder]


def frame_decoder(compression: Compression) -> NewFrameDecoder | None:
    """Return the constructor of a decoder of frames of a compression, or None if there is none."""
    with suppress(ImportError, AttributeError, OSError):  # no library, no file, no such functions
        if compression == ZSTD:
            return _zstd_decoder(import_zstd()._zstd.__file__)
        if compression == LZ4:
            return _lz4_decoder(import_module("lz4.frame")._frame.__file__)
    return None


class _Buffer(ctypes.Structure):
    """A ZSTD_inBuffer or ZSTD_outBuffer."""

    _fields_ = (("address", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t))


def _function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    function = library[name]
    function.restype, function.argtypes = result, arguments
    return function


@cache
def _zstd_decoder(path: str) -> NewFrameDecoder:
    library, pointer, size = ctypes.CDLL(path), ctypes.c_void_p, ctypes.c_size_t
    create = _function(library, "ZSTD_createDCtx", pointer)
    free = _function(library, "ZSTD_freeDCtx", size, pointer)
    decompress = _function(library, "ZSTD_decompressStream", size, pointer, pointer, pointer)
    is_error = _function(library, "ZSTD_isError", ctypes.c_uint, size)
    error_name = _function(library, "ZSTD_getErrorName", ctypes.c_char_p, size)

    class ZstdDecoder:
        """A decoder of a zstd frame."""

        def __init__(self) -> None:
            self._context = create()
            if not self._context:
                raise MemoryError
            weakref.finalize(self, free, self._context).atexit = False  # a thread may decode until the end
            self.next_size = 1

        def decode(self, source: int, size: int, target: int, room: int) -> Step:
            """Decode bytes; see `FrameDecoder`."""
            stored, content = _Buffer(source, size, 0), _Buffer(target, room, 0)
            result = decompress(self._context, ctypes.byref(content), ctypes.byref(stored))
            if is_error(result):
                raise DecodeError(error_name(result).decode())
            self.next_size = _without_next_header(result, _ZSTD_BLOCK_HEADER_SIZE)
            return Step(stored.position, content.position, result == 0)

    return ZstdDecoder


@cache
def _lz4_decoder(path: str) -> NewFrameDecoder:
    library, pointer, size = ctypes.CDLL(path), ctypes.c_void_p, ctypes.c_size_t
    create = _function(library, "LZ4F_createDecompressionContext", size, pointer, ctypes.c_uint)
    free = _function(library, "LZ4F_freeDecompressionContext", size, pointer)
    decompress = _function(library, "LZ4F_decompress", size, *[pointer] * 6)
    is_error = _function(library, "LZ4F_isError", ctypes.c_uint, size)
    error_name = _function(library, "LZ4F_getErrorName", ctypes.c_char_p, size)

    class Lz4Decoder:
        """A decoder of an lz4 frame."""

        def __init__(self) -> None:
            self._context = pointer()
            if is_error(create(ctypes.byref(self._context), _LZ4F_VERSION)):
                raise MemoryError
            weakref.finalize(self, free, self._context).atexit = False  # a thread may decode until the end
            self.next_size = 1

        def decode(self, source: int, size: int, target: int, room: int) -> Step:
            """Decode bytes; see `FrameDecoder`."""
            read, written = ctypes.c_size_t(size), ctypes.c_size_t(room)
            result = decompress(self._context, target, ctypes.byref(written), source, ctypes.byref(read), None)
            if is_error(result):
                raise DecodeError(error_name(result).decode())
            self.next_size = _without_next_header(result, _LZ4_BLOCK_HEADER_SIZE)
            return Step(read.value, written.value, result == 0)

    return Lz4Decoder


def _without_next_header(suggested: int, header_size: int) -> int:
    """Return the size of a block, given the size that a library suggests, which includes the header of the next."""
    return suggested - header_size if suggested > header_size else suggested
