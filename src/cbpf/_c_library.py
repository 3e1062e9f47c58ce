"""The C library, called through ctypes, and the structures that it passes to the kernel."""

import ctypes
import os
from functools import cache

INSTRUCTION_BYTES = 8
"""The size of struct sock_filter."""


class SockFprog(ctypes.Structure):
    """`struct sock_fprog` (linux/filter.h)."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


@cache
def c_library() -> ctypes.CDLL:
    """Return the C library."""
    return ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> int:
    """Return the result of a call that sets errno if it fails with -1; raise OSError in this case."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def sock_fprog(code: bytes) -> tuple[SockFprog, object]:
    """Return the `struct sock_fprog` of an array of struct sock_filter, and its memory, which must outlive it."""
    memory = ctypes.create_string_buffer(code, len(code))
    return SockFprog(len(code) // INSTRUCTION_BYTES, ctypes.addressof(memory)), memory
