"""Ranges of memory as native code gives them (struct iovec): written to a file without a copy, or made bytes."""

import ctypes
import errno
import os
import select
from functools import cache
from typing import Final

from ..errors import CaptureError
from .native.abi import BATCH

_SIZE: Final = 16


class _Range(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("address", ctypes.c_void_p), ("length", ctypes.c_size_t))


def write_ranges(descriptor: int, ranges: int, count: int, sums: int) -> None:
    """Writes *count* ranges to a file, all of them; their table is used up. Raises `OSError`.

    *sums* is the address of how long each BATCH of them is together: asking each range would take longer than writing.
    """
    lengths = (ctypes.c_uint64 * -(-count // BATCH)).from_address(sums) if count else ()
    for number, length in enumerate(lengths):
        first = ranges + number * BATCH * _SIZE
        _write_batch(descriptor, first, min(BATCH, count - number * BATCH), length)


def _write_batch(descriptor: int, ranges: int, count: int, length: int) -> None:
    while length:
        written = _libc().writev(descriptor, ctypes.c_void_p(ranges), count)
        if written < 0:
            _wait_or_raise(descriptor, ctypes.get_errno())
            continue
        length -= written
        if length:
            done = _use_up(ranges, written)
            ranges, count = ranges + done * _SIZE, count - done


def _use_up(ranges: int, written: int) -> int:
    """Shortens the first range that was not written whole; how many were."""
    done = 0
    while written >= (first := _Range.from_address(ranges + done * _SIZE)).length:
        written -= first.length
        done += 1
    first.address, first.length = first.address + written, first.length - written
    return done


def _wait_or_raise(descriptor: int, number: int) -> None:
    if number == errno.EAGAIN:
        select.select([], [descriptor], [])
    elif number == errno.EFAULT:
        raise CaptureError("a capture that is read was made shorter while a target made us wait; it must not shrink")
    elif number != errno.EINTR:
        raise OSError(number, os.strerror(number))


def coalesce(ranges: int, count: int) -> bytes:
    """The bytes of *count* ranges, copied."""
    table = (_Range * count).from_address(ranges) if count else ()
    return b"".join([ctypes.string_at(one.address, one.length) for one in table])


@cache
def _libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.writev.restype = ctypes.c_ssize_t
    return library
