"""Builtin functions of the interpreter that are implemented by machine code.

A call costs tens of nanoseconds, since neither Python code nor ctypes takes part in it. Only interpreters for which
`object_layout.is_supported` holds may call such a function.

Source: the Python/C API (METH_O, METH_FASTCALL, PyMethodDef, PyCFunction_NewEx).
"""

import ctypes
import struct
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from ..._typing import Any, Final, Literal
from ...packet.buffers import C_API
from ...packet.packet_bytes import as_packet
from . import builtin_code, object_layout
from .context import PacketContext
from .jit import Code, load_cached

_METH_O: Final = 0x0008
_METH_FASTCALL: Final = 0x0080
_ZERO: Final = array("I", [0])  # repeated, it becomes the array of the verdicts of a batch


class _MethodDefinition(ctypes.Structure):
    """PyMethodDef (methodobject.h)."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("method", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("documentation", ctypes.c_char_p),
    )


def make_run(code: Code, context: PacketContext, constants: Sequence[int]) -> Callable[[Any], int]:
    """Return the builtin `run(packet)` for the code of `builtin_code.run`."""
    definition = _MethodDefinition(
        b"run", code.address, _METH_O, b"run($self, packet, /)\n--\n\nReturn the verdict on one packet."
    )
    own = [ctypes.addressof(context), id(bytes), id(_to_bytes), *map(id, constants)]
    return _make_builtin(definition, own, (code, context, constants))


def make_verdicts(
    kind: Literal["verdicts_of_ranges", "verdicts_of_objects"], loop: Code, min_released: int
) -> Callable[[Any, PacketContext], Any]:
    """Return the builtin *kind*, a function of `builtin_code`, which calls *loop*.

    The GIL is released for batches of at least *min_released* packets.
    """
    code = _batch_code(kind)
    definition = _MethodDefinition(kind.encode(), code.address, _METH_FASTCALL, None)
    own = [loop.address, id(bytes), id(None), id(_ZERO), min_released]
    return _make_builtin(definition, own, (code, loop, _ZERO))


@cache
def _batch_code(kind: Literal["verdicts_of_ranges", "verdicts_of_objects"]) -> Code:
    """Return the code of a builtin for batches, which is equal for all programs."""
    return load_cached(f"{kind} {object_layout.OFFSETS}", getattr(builtin_code, kind))


def _make_builtin(definition: _MethodDefinition, own: Iterable[int], owners: tuple[object, ...]) -> Callable[..., Any]:
    """Return a builtin with a table of addresses: those of the C API, then its *own*.

    Its `self` is a tuple, which nobody can change: the table and *owners*, the owners of the memory at the addresses.
    So the builtin remains usable after its engine is deleted.
    """
    table = [*map(_c_api_address, builtin_code.C_API), *own]
    owner = (struct.pack(f"={len(table)}Q", *table), definition, *owners)
    new_function = C_API.PyCFunction_NewEx
    new_function.restype = ctypes.py_object
    function: Callable[..., Any] = new_function(ctypes.byref(definition), ctypes.py_object(owner), None)
    return function


def _to_bytes(packet: Any) -> bytes:
    """Copy a buffer that is not contiguous; raise `PacketError` if the packet is not a buffer."""
    return bytes(as_packet(packet))


@cache
def _c_api_address(name: str) -> int:
    """Return the address of a function of the C API."""
    address = ctypes.cast(getattr(C_API, name), ctypes.c_void_p).value
    assert address is not None
    return address
