"""A builtin function of the interpreter that is implemented by machine code.

A call costs tens of nanoseconds, since neither Python code nor ctypes takes part in it. Only interpreters for which
`object_layout.is_supported` holds may call such a function.

Source: the Python/C API (METH_O, PyMethodDef, PyCFunction_NewEx, the buffer protocol).
"""

import ctypes
import struct
from collections.abc import Callable
from typing import Any, Final

from ...packet.batch import as_packet
from ...packet.buffers import C_API
from .context import PacketContext
from .entry_points import ADDRESS_TABLE
from .jit import Code

_METH_O: Final = 0x0008
_DOCUMENTATION: Final = b"run($self, packet, /)\n--\n\nReturn the verdict on one packet."


class _MethodDefinition(ctypes.Structure):
    """PyMethodDef (methodobject.h)."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("method", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("documentation", ctypes.c_char_p),
    )


def make_pycfunction(code: Code, context: PacketContext) -> Callable[[Any], int]:
    """Return the builtin `run(packet)` for the code of `entry_points.pycfunction`.

    The builtin owns the code and the context, so that it remains usable after its engine is deleted. Its `self` is a
    tuple, which nobody can change: the addresses of `ADDRESS_TABLE`, and the owners of the objects at these addresses.
    """
    definition = _MethodDefinition(b"run", code.address, _METH_O, _DOCUMENTATION)
    addresses = {
        "context": ctypes.addressof(context),
        "PyBytes_Type": id(bytes),
        "to_bytes": id(_to_bytes),
    }
    table = [addresses[name] if name in addresses else _c_api_address(name) for name in ADDRESS_TABLE]
    native_filter = (struct.pack(f"={len(table)}Q", *table), code, context, definition)
    new_function = C_API.PyCFunction_NewEx
    new_function.restype = ctypes.py_object
    run: Callable[[Any], int] = new_function(ctypes.byref(definition), ctypes.py_object(native_filter), None)
    return run


def _to_bytes(packet: Any) -> bytes:
    """Copy a buffer that is not contiguous; raise `PacketError` if the packet is not a buffer."""
    return bytes(as_packet(packet))


def _c_api_address(name: str) -> int:
    """Return the address of a function of the C API."""
    address = ctypes.cast(getattr(C_API, name), ctypes.c_void_p).value
    assert address is not None
    return address
