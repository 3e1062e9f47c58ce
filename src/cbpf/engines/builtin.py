"""A function of machine code as a Python builtin: called without ctypes, in tens of nanoseconds.

Source: the Python/C API (METH_O, PyCFunction_NewEx, the buffer protocol).
"""

import ctypes
import struct
from collections.abc import Callable
from typing import Any, Final

from .circumstances import Circumstances
from .entries import TABLE
from .native import Code

_METH_O: Final = 0x0008


class _MethodDefinition(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("method", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("documentation", ctypes.c_char_p),
    )


class Filter(bytes):
    """The `self` of such a builtin: the table of addresses that the code reads, and the owner of all they lead to."""

    owned: Any


def make_builtin(code: Code, circumstances: Circumstances, otherwise: Callable[[Any], int]) -> Callable[[Any], int]:
    """The function `run(packet)` of the code of `entries.builtin`.

    It owns the code, so it may outlive whoever asked for it. *otherwise* takes what is neither bytes nor a contiguous
    buffer, and raises for it.
    """
    addresses = {
        "circumstances": ctypes.addressof(circumstances),
        "PyBytes_Type": id(bytes),
        "otherwise": id(otherwise),
    }
    table = [addresses[name] if name in addresses else _address(name) for name in TABLE]
    definition = _MethodDefinition(
        b"run", code.address, _METH_O, b"run($self, packet, /)\n--\n\nThe verdict on one packet."
    )
    myself = Filter(struct.pack(f"={len(table)}Q", *table))
    myself.owned = (code, circumstances, otherwise, definition)
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    run: Callable[[Any], int] = make(ctypes.byref(definition), ctypes.py_object(myself), None)
    return run


def _address(name: str) -> int:
    """Of a function of the C API."""
    address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert address is not None
    return address
