"""Addresses of buffers, read-only ones included, which ctypes alone does not give, and buffers of addresses."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

C_API: Final = ctypes.PyDLL(None)
"""Python's C API. Not `ctypes.pythonapi`, to whose functions others give the types of their own structures."""

BytesLike: TypeAlias = bytes | memoryview

_STRIDES: Final = 0x0018  # PyBUF_STRIDES


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
    """The address of a buffer's byte 0, which stays where it is inside the block."""
    view = _PyBuffer()
    C_API.PyObject_GetBuffer(ctypes.py_object(buffer), ctypes.byref(view), 0 if contiguous else _STRIDES)
    try:
        yield view.buf or 0
    finally:
        C_API.PyBuffer_Release(ctypes.byref(view))


def memory_at(address: int, size: int, owner: object) -> BytesLike:
    """The bytes from *address* on, read-only; *owner* is kept as long as they are."""
    if not size:
        return b""
    memory: Any = (ctypes.c_ubyte * size).from_address(address)
    memory.owner = owner
    return memoryview(memory).toreadonly().cast("B")


def strided_rows(rows: memoryview) -> BytesLike:
    """The memory from the first to the last byte of rows that lie farther apart than they are long."""
    count, width = rows.shape or (0, 0)
    stride, _ = rows.strides or (0, 0)
    with address_of(rows, contiguous=False) as address:
        return memory_at(address, (count - 1) * stride + width, rows)
