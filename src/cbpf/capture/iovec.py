"""Ranges of memory in an array of struct iovec, which native code fills: written to a file, or copied to bytes."""

import ctypes
import errno
import os
import select
from collections.abc import Iterable, Iterator
from functools import cache

from .._typing import Final
from ..errors import CaptureError
from .native.abi import BATCH

_IOVEC_SIZE: Final = 16  # bytes


class _Iovec(ctypes.Structure):
    """A struct iovec (sys/uio.h) of a 64-bit machine."""

    _fields_ = (("address", ctypes.c_void_p), ("length", ctypes.c_size_t))


def write_ranges(descriptor: int, ranges: int, count: int, sums: int) -> None:
    """Write *count* ranges to a file completely, without a copy; the array is modified. Raises `OSError`.

    *ranges* is the address of the array. *sums* is the address of 64-bit numbers, the total length in bytes of each
    BATCH ranges: reading every length from Python would take longer than writing.
    """
    for index, length in enumerate(_lengths(count, sums)):
        first = ranges + index * BATCH * _IOVEC_SIZE
        _write_batch(descriptor, first, min(BATCH, count - index * BATCH), length)


def total_length(count: int, sums: int) -> int:
    """Return the total length in bytes of *count* ranges, given the address of the sums of `write_ranges`."""
    return sum(_lengths(count, sums))


def _lengths(count: int, sums: int) -> Iterable[int]:
    """Return the total length of each batch of ranges."""
    return (ctypes.c_uint64 * -(-count // BATCH)).from_address(sums) if count else ()


def _write_batch(descriptor: int, ranges: int, count: int, length: int) -> None:
    while length:
        written = _libc().writev(descriptor, ctypes.c_void_p(ranges), count)
        if written < 0:
            _wait_or_raise(descriptor, ctypes.get_errno())
            continue
        length -= written
        if length:
            completed = _remove_written(ranges, written)
            ranges, count = ranges + completed * _IOVEC_SIZE, count - completed


def _remove_written(ranges: int, written: int) -> int:
    """Shorten the first range that was not written completely; return the number of ranges before it."""
    completed = 0
    while written >= (first := _Iovec.from_address(ranges + completed * _IOVEC_SIZE)).length:
        written -= first.length
        completed += 1
    first.address, first.length = first.address + written, first.length - written
    return completed


def _wait_or_raise(descriptor: int, error_number: int) -> None:
    if error_number == errno.EAGAIN:
        select.select([], [descriptor], [])
    elif error_number == errno.EFAULT:  # mapped pages no longer exist
        fact = "input file was truncated, or its disk failed, while writing was blocked"
        raise CaptureError(f"{fact}; a capture must not shrink while it is read")
    elif error_number != errno.EINTR:
        raise OSError(error_number, os.strerror(error_number))


def copies(ranges: int, count: int) -> Iterator[bytes]:
    """Yield a copy of each of *count* ranges; *ranges* is the address of their array."""
    array = (_Iovec * count).from_address(ranges) if count else ()
    return (ctypes.string_at(iovec.address, iovec.length) for iovec in array)


def coalesce(ranges: int, count: int) -> bytes:
    """Return the bytes of *count* ranges, copied; *ranges* is the address of their array."""
    return b"".join(copies(ranges, count))


@cache
def _libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.writev.restype = ctypes.c_ssize_t
    return library
