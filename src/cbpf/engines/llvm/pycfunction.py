"""A function of machine code as a Python builtin: called without ctypes, in tens of nanoseconds.

Source: the Python/C API (METH_O, PyCFunction_NewEx, the buffer protocol).
"""

import ctypes
import struct
from collections.abc import Callable
from typing import Any, Final

from ...packet.batch import as_packet
from ...packet.buffers import C_API
from .context import PacketContext
from .entry_points import TABLE
from .jit import Code

_METH_O: Final = 0x0008
_DOCUMENTATION: Final = b"run($self, packet, /)\n--\n\nThe verdict on one packet."


class _MethodDefinition(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("method", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("documentation", ctypes.c_char_p),
    )


class NativeFilter(bytes):
    """The `self` of such a builtin: the table of addresses that the code reads, and the owner of all they lead to."""

    owned: Any


def make_pycfunction(code: Code, circumstances: PacketContext) -> Callable[[Any], int]:
    """The function `run(packet)` of the code of `entries.builtin`.

    It owns the code, so it may outlive whoever asked for it.
    """
    definition = _MethodDefinition(b"run", code.address, _METH_O, _DOCUMENTATION)
    addresses = {
        "circumstances": ctypes.addressof(circumstances),
        "PyBytes_Type": id(bytes),
        "otherwise": id(_copied),
    }
    table = [addresses[name] if name in addresses else _address(name) for name in TABLE]
    myself = NativeFilter(struct.pack(f"={len(table)}Q", *table))
    myself.owned = (code, circumstances, definition)
    make = C_API.PyCFunction_NewEx
    make.restype = ctypes.py_object
    run: Callable[[Any], int] = make(ctypes.byref(definition), ctypes.py_object(myself), None)
    return run


def _copied(packet: Any) -> bytes:
    """What is neither bytes nor a contiguous buffer; raises `PacketError` for what is no buffer."""
    return bytes(as_packet(packet))


def _address(name: str) -> int:
    """Of a function of the C API."""
    address = ctypes.cast(getattr(C_API, name), ctypes.c_void_p).value
    assert address is not None
    return address
