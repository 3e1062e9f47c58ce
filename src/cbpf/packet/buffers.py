"""Addresses of buffers, and buffers at addresses, by Python's C API.

ctypes alone cannot return the address of a read-only buffer; PyObject_GetBuffer can. Two rules keep the memory valid:
an address may be used only while `address_of` holds the buffer, and a view of foreign memory keeps its owner alive.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .._typing import Any, Final, TypeAlias

C_API: Final = ctypes.PyDLL(None)
"""Python's C API. Not `ctypes.pythonapi`, whose functions are shared by all users, who set argument types on them."""

POINTER_SIZE: Final = 8
"""The size in bytes of an address in machine code and in the structures that this package shares with it."""


def has_c_api() -> bool:
    """Return whether this interpreter has CPython's C API, with addresses of 64 bits.

    Other implementations (PyPy, GraalPy) have neither its functions nor objects at the address `id(object)`.
    """
    return sys.implementation.name == "cpython" and _pointer_size() == POINTER_SIZE


def _pointer_size() -> int:
    return ctypes.sizeof(ctypes.c_void_p)


BytesLike: TypeAlias = bytes | memoryview
"""Bytes of one dimension and the format B."""

_PYBUF_SIMPLE: Final = 0x0000
_PYBUF_STRIDES: Final = 0x0018


class _PyBuffer(ctypes.Structure):
    """Py_buffer (pybuffer.h)."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


@contextmanager
def address_of(buffer: Any, *, contiguous: bool = True) -> Iterator[int]:
    """Yield the address of a buffer's byte 0; the buffer is neither moved nor freed before the block ends.

    With *contiguous*=False, the buffer may have gaps between its rows.
    """
    view = _PyBuffer()
    flags = _PYBUF_SIMPLE if contiguous else _PYBUF_STRIDES
    C_API.PyObject_GetBuffer(ctypes.py_object(buffer), ctypes.byref(view), flags)
    try:
        yield view.buf or 0
    finally:
        C_API.PyBuffer_Release(ctypes.byref(view))


def memory_at(address: int, size: int, owner: object) -> BytesLike:
    """Return a read-only view of *size* bytes at *address*, without a copy.

    The view, and every view made of it, keeps *owner* alive; *owner* must keep the memory valid as long as it lives.
    """
    if not size:
        return b""
    from weakref import finalize

    memory = (ctypes.c_ubyte * size).from_address(address)
    # Not an attribute of *memory*, which `memoryview.obj` returns: the owner cannot be released from outside.
    finalize(memory, _keep_alive, owner).atexit = False
    return memoryview(memory).toreadonly().cast("B")


def _keep_alive(owner: object) -> None:
    """Do nothing: the finalizer of a view holds its owner until the view is freed."""


def strided_rows(rows: memoryview) -> BytesLike:
    """Return the memory from the first to the last byte of the rows of a matrix, with the gaps between them.

    The stride must be at least the width of a row, and the bytes of each row adjacent.
    """
    count, width = rows.shape or (0, 0)
    stride, _ = rows.strides or (0, 0)
    with address_of(rows, contiguous=False) as address:
        return memory_at(address, (count - 1) * stride + width, rows)
