"""Machine code that makes `Packet` objects of columns, by the C API of Python.

In Python, a packet costs two to three times as much: slices, an iterator for each column, and a tuple to copy. The code
also prefetches the bytes of later packets while it copies those of one.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache, reduce
from operator import or_

from ..._typing import Final
from ...engines.llvm import jit
from ...engines.llvm.object_layout import OFFSETS, SIZE_OFFSET, TUPLE_OFFSET, is_supported
from ...packet.buffers import C_API, POINTER_SIZE, address_of
from ..packets import Packet, PacketColumns

_COLUMNS: Final = {"numbers": 4, "times_ns": 8, "wire_lengths": 4, "starts": 8, "ends": 8, "interfaces": 4}
_FUNCTIONS: Final = (
    "PyType_GenericAlloc",
    "PyLong_FromUnsignedLongLong",
    "PyLong_FromLongLong",
    "PyBytes_FromStringAndSize",
    "PyList_SetItem",
    "Py_DecRef",
    "Py_IncRef",
)
_NO_HASH: Final = -1  # the field between the size of a tuple and its items since Python 3.14: the hash, once computed
_PREFETCH_DISTANCE: Final = 3  # packets
_PREFETCHED_LINES: Final = 16  # from the start of the packet; those beyond its end are mostly of the next one


def native_pieces(columns: PacketColumns) -> Iterator[list[Packet]]:
    """Yield the packets of columns that the scanner returned, some at once."""
    make = _function()
    with ExitStack() as stack:
        addresses = [stack.enter_context(address_of(getattr(columns, name))) for name in _COLUMNS]
        for rows in columns.rows_of_pieces():
            memory = columns.source.address() if is_supported() else None
            if memory is None:
                yield columns.piece(rows)
            else:
                packets: list[Packet] = [None] * (rows.stop - rows.start)  # type: ignore[list-item]  # filled by the call
                make(memory, *addresses, rows.start, len(packets), columns.before, packets, Packet, ())
                columns.add_comments(packets, rows)
                yield packets


@cache
def _function() -> Callable[..., None]:
    code = jit.load_cached(f"make packets {OFFSETS}", _write)
    pointers = [ctypes.c_void_p] * (1 + len(_COLUMNS))
    numbers = [ctypes.c_uint64] * 3
    objects = [ctypes.py_object] * 3
    prototype = ctypes.PYFUNCTYPE(ctypes.c_int, *pointers, *numbers, *objects, ctypes.c_void_p)
    table = (ctypes.c_void_p * len(_FUNCTIONS))(
        *(ctypes.cast(getattr(C_API, name), ctypes.c_void_p).value for name in _FUNCTIONS)
    )
    function = prototype(code.address)

    def make(*arguments: object) -> None:
        function(*arguments, table)

    make.code = code  # type: ignore[attr-defined]  # owns the memory of the machine code
    return make


def _write() -> str:
    """Return the module of (memory, columns, first row, count, number before, list, type, comments, functions) -> 0.

    It stores the packets, all with these comments, in a list of *count* items, and returns 1 after an exception. The
    caller holds the GIL.
    """
    from ...engines.llvm.ir import I32, I64, PTR, Function, IRValue, module_text

    columns = dict.fromkeys(_COLUMNS, "ptr readonly")
    counts = {"first": I64, "count": I64, "before": I64}
    objects = dict.fromkeys(("list", "type", "comments"), PTR)
    function = Function("entry", I32, memory=PTR, **columns, **counts, **objects, functions="ptr readonly")
    call = {name: function["functions"].gep(8 * index).load_pointer() for index, name in enumerate(_FUNCTIONS)}

    def item(name: str, row: IRValue) -> IRValue:
        return function[name].gep(row * _COLUMNS[name]).load(_COLUMNS[name]).zext_or_trunc(I64)

    with function.for_range(function["count"]) as index:
        row = function["first"] + index
        ahead = index + _PREFETCH_DISTANCE
        later_row = (ahead < function["count"]).select(row + _PREFETCH_DISTANCE, row)
        later = function["memory"].gep(item("starts", later_row))
        for line in range(_PREFETCHED_LINES):
            function.prefetch(later.gep(64 * line))
        packet = function.call(
            PTR, call["PyType_GenericAlloc"], function["type"], function.constant(I64, len(Packet._fields))
        )
        function.ret_if(packet.eq(function.null()), 1)
        for offset in range(SIZE_OFFSET + POINTER_SIZE, TUPLE_OFFSET, POINTER_SIZE):
            packet.gep(offset).store(function.constant(I64, _NO_HASH))
        start = item("starts", row)
        values = (
            function.call(PTR, call["PyLong_FromUnsignedLongLong"], item("numbers", row) + function["before"]),
            function.call(PTR, call["PyLong_FromLongLong"], item("times_ns", row)),
            function.call(PTR, call["PyLong_FromUnsignedLongLong"], item("wire_lengths", row)),
            function.call(
                PTR, call["PyBytes_FromStringAndSize"], function["memory"].gep(start), item("ends", row) - start
            ),
            function.call(PTR, call["PyLong_FromUnsignedLongLong"], item("interfaces", row)),
        )
        function.call_void(call["Py_IncRef"], function["comments"])
        for position, value in enumerate((*values, function["comments"])):
            packet.gep(TUPLE_OFFSET + POINTER_SIZE * position).store(value)
        with function.if_then(reduce(or_, (value.eq(function.null()) for value in values)), rare=True):
            function.call_void(call["Py_DecRef"], packet)
            function.ret(1)
        function.call(I32, call["PyList_SetItem"], function["list"], index, packet)
    function.ret(0)
    return module_text(function)
