"""The layout of the CPython objects that machine code reads directly, and a check that this interpreter has it.

Machine code reads the type, the size and the content of `bytes` objects, and the items of tuples, and stores the items
of new tuples, without a call of the C API. Their layout is not part of CPython's stable ABI, so that `is_supported`
compares it with objects of the running interpreter. Everything else that machine code uses is in the stable ABI:
PyMethodDef, Py_buffer, and functions that create integers and acquire buffers.

Sources: CPython, Include/object.h, Include/cpython/bytesobject.h, Include/cpython/tupleobject.h.
"""

import ctypes
import sys
from collections.abc import Callable
from functools import cache

from ..._typing import Final
from ...packet.buffers import POINTER_SIZE, has_c_api

# The interpreter's own sizes give the offsets, so that debug builds with a longer PyObject are supported as well.
# Implementations other than CPython may have none.
_OBJECT_SIZE, _BYTES_SIZE, _TUPLE_SIZE = (getattr(kind, "__basicsize__", 0) for kind in (object, bytes, tuple))
TYPE_OFFSET: Final = _OBJECT_SIZE - POINTER_SIZE  # ob_type, the last field of PyObject
SIZE_OFFSET: Final = _OBJECT_SIZE  # ob_size, the field after PyObject in PyVarObject
BYTES_OFFSET: Final = _BYTES_SIZE - 1  # ob_sval, of which the basic size includes the terminating null byte
TUPLE_OFFSET: Final = _TUPLE_SIZE  # ob_item, of which the basic size includes no item
OFFSETS: Final = (TYPE_OFFSET, SIZE_OFFSET, BYTES_OFFSET, TUPLE_OFFSET)


@cache
def is_supported() -> bool:
    """Return whether machine code may read the objects of this interpreter and be called as one of its builtins.

    Free-threaded builds are excluded, also if they run with the GIL: a builtin has one `PacketContext`, in which it
    counts random draws, and relies on the GIL to serialise its calls; and reference counts and sizes have another
    layout there. Debug builds and those with Py_TRACE_REFS are supported, since the offsets are computed and compared.
    """
    return has_c_api() and not _is_free_threaded() and _bytes_match() and _tuples_match()


def _is_free_threaded() -> bool:
    """Return whether the interpreter runs without the GIL, or was built so that it can (PEP 703)."""
    import sysconfig  # 1 ms, only for code that LLVM compiles

    has_gil: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return not has_gil() or "t" in getattr(sys, "abiflags", "") or bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def _bytes_match() -> bool:
    """Return whether a bytes object has its type, its size and its content at their offsets."""
    sample = b"a bytes object"
    memory = ctypes.string_at(id(sample), BYTES_OFFSET + len(sample) + 1)
    return (
        _pointer_at(memory, TYPE_OFFSET) == id(bytes)
        and _pointer_at(memory, SIZE_OFFSET) == len(sample)
        and memory[BYTES_OFFSET:] == sample + b"\0"
    )


def _tuples_match() -> bool:
    """Return whether a tuple has its items at their offset."""
    items = (b"first", b"second")
    memory = ctypes.string_at(id(items), TUPLE_OFFSET + POINTER_SIZE * len(items))
    addresses = [_pointer_at(memory, TUPLE_OFFSET + POINTER_SIZE * index) for index in range(len(items))]
    return addresses == list(map(id, items))


def _pointer_at(memory: bytes, offset: int) -> int:
    return int.from_bytes(memory[offset : offset + POINTER_SIZE], sys.byteorder)
