"""The entry points of machine code: functions that run a filter on one packet or on many.

Each entry point is a module of its own, with the filter inlined, so that only the entry points that are used are
compiled. Arguments are listed as in C; lengths are in bytes, and numbers are in the host's byte order.
"""

from typing import Final

from ...packet.buffers import POINTER_SIZE
from .ir import I32, I64, PTR, Function, IRValue, module_text
from .object_layout import BYTES_OFFSET, SIZE_OFFSET, TUPLE_OFFSET, TYPE_OFFSET

_VIEW_SIZE: Final = 80  # sizeof(Py_buffer); its field buf is at offset 0
_VIEW_LENGTH_OFFSET: Final = 16  # the field len

_PREFETCH_DISTANCE: Final = 12  # packets; the memory system serves about this many requests at once

ADDRESS_TABLE: Final = (
    "context",
    "PyBytes_Type",
    "PyLong_FromUnsignedLong",
    "PyObject_GetBuffer",
    "PyBuffer_Release",
    "PyErr_Clear",
    "PyObject_CallOneArg",
    "Py_DecRef",
    "to_bytes",
)
"""The addresses in the first item of the `self` of `pycfunction`, a bytes object: in this order, 8 bytes each."""


def match(filter: Function) -> str:
    """Return the module of (rows, count, verdicts, context) -> 0, which runs the filter on packets at any addresses.

    A row is {address: u64, captured length: u32, wire length: u32}; a verdict is a u32.
    """
    function = Function(
        "entry", I32, rows="ptr noalias readonly", count=I64, verdicts="ptr noalias", context="ptr noalias"
    )
    with function.for_range(function["count"]) as index:
        row = function["rows"].gep(index << 4)
        captured, wire = row.gep(8).load(4), row.gep(12).load(4)
        packet = row.load_pointer()
        verdict = function.call(I32, filter, packet, captured.zext_or_trunc(I64), captured, wire, function["context"])
        function["verdicts"].gep(index << 2).store(verdict)
    function.ret(0)
    return module_text(function, filter)


def match_ranges(filter: Function) -> str:
    """Return the module of (memory, positions, lengths, wire lengths, count, verdicts, context) -> 0.

    The columns are those of `Packets`: positions are u64, lengths u32; a verdict is a u32.
    """
    columns = dict.fromkeys(("positions", "lengths", "wire_lengths"), "ptr noalias readonly")
    function = Function("entry", I32, memory="ptr", **columns, count=I64, verdicts="ptr noalias", context="ptr noalias")
    with function.for_range(function["count"]) as index:
        position = function["positions"].gep(_index_ahead(function, index) << 3).load(8)
        _prefetch_packet(function, function["memory"].gep(position))
        packet = function["memory"].gep(function["positions"].gep(index << 3).load(8))
        captured = function["lengths"].gep(index << 2).load(4)
        wire = function["wire_lengths"].gep(index << 2).load(4)
        verdict = function.call(I32, filter, packet, captured.zext_or_trunc(I64), captured, wire, function["context"])
        function["verdicts"].gep(index << 2).store(verdict)
    function.ret(0)
    return module_text(function, filter)


def match_objects(filter: Function) -> str:
    """Return the module of (addresses of `bytes` objects, count, verdicts, context) -> 0; a verdict is a u32."""
    function = Function(
        "entry", I32, objects="ptr noalias readonly", count=I64, verdicts="ptr noalias", context="ptr noalias"
    )
    with function.for_range(function["count"]) as index:
        ahead = function["objects"].gep(_index_ahead(function, index) << 3).load_pointer()
        _prefetch_packet(function, ahead.gep(BYTES_OFFSET))
        packet = function["objects"].gep(index << 3).load_pointer()
        verdict = _call_filter(
            function, filter, packet.gep(BYTES_OFFSET), packet.gep(SIZE_OFFSET).load(8), function["context"]
        )
        function["verdicts"].gep(index << 2).store(verdict)
    function.ret(0)
    return module_text(function, filter)


def _index_ahead(function: Function, index: IRValue) -> IRValue:
    """Return the index of the packet to prefetch while packet *index* is filtered."""
    ahead = index + _PREFETCH_DISTANCE
    return (ahead < function["count"]).select(ahead, index)


def _prefetch_packet(function: Function, packet: IRValue) -> None:
    """Prefetch the first two cache lines of a packet; the first may also hold the size of its bytes object."""
    function.prefetch(packet)
    function.prefetch(packet.gep(64))


def evaluate(filter: Function) -> str:
    """Return the module of (memory, its length, captured length, wire length, context) -> verdict."""
    function = Function("entry", I32, memory="ptr", length=I64, captured=I32, wire=I32, context="ptr")
    names = ("memory", "length", "captured", "wire", "context")
    function.ret(function.call(I32, filter, *(function[name] for name in names)))
    return module_text(function, filter)


def pycfunction(filter: Function) -> str:
    """Return the module of (self, packet) -> verdict as an `int`, with the C API's signature METH_O; self is a tuple.

    A `bytes` object is read directly; the buffer of any other object is acquired. An object without a contiguous
    buffer is passed to `to_bytes`, which returns a copy or raises. The caller holds the GIL.
    """
    function = Function("entry", PTR, owner=PTR, packet=PTR)
    packet = function["packet"]
    addresses = function["owner"].gep(TUPLE_OFFSET).load_pointer()
    table = {
        name: addresses.gep(BYTES_OFFSET + POINTER_SIZE * index).load_pointer()
        for index, name in enumerate(ADDRESS_TABLE)
    }
    view = function.alloca("i8", _VIEW_SIZE)
    memory, length = function.variable(PTR, function.null()), function.variable(I64, 0)
    type = packet.gep(TYPE_OFFSET).load_pointer()
    with function.if_then(type.eq(table["PyBytes_Type"])):
        memory.value, length.value = packet.gep(BYTES_OFFSET), packet.gep(SIZE_OFFSET).load(8)
    with function.if_then(type.ne(table["PyBytes_Type"])):
        _acquire_buffer(function, table, packet, view)
        memory.value, length.value = view.load_pointer(), view.gep(_VIEW_LENGTH_OFFSET).load(8)
    verdict = _call_filter(function, filter, memory.value, length.value, table["context"])
    with function.if_then(type.ne(table["PyBytes_Type"])):
        function.call_void(table["PyBuffer_Release"], view)
    function.ret(function.call(PTR, table["PyLong_FromUnsignedLong"], verdict.zext_or_trunc(I64)))
    return module_text(function, filter)


def _acquire_buffer(function: Function, table: dict[str, IRValue], packet: IRValue, view: IRValue) -> None:
    """Fill *view* with the buffer of the packet or of a copy; if there is none, return NULL with an exception set."""
    flags = function.constant(I32, 0)
    failure = function.call(I32, table["PyObject_GetBuffer"], packet, view, flags)
    with function.if_then(failure.ne(0)):
        function.call_void(table["PyErr_Clear"])
        copy = function.call(PTR, table["PyObject_CallOneArg"], table["to_bytes"], packet)
        function.ret_if(copy.eq(function.null()), function.null())
        function.call(I32, table["PyObject_GetBuffer"], copy, view, flags)
        function.call_void(table["Py_DecRef"], copy)  # the view holds a reference


def _call_filter(function: Function, filter: Function, packet: IRValue, length: IRValue, context: IRValue) -> IRValue:
    """Call the filter on a packet that was not truncated."""
    return function.call(I32, filter, packet, length, length.zext_or_trunc(I32), length.zext_or_trunc(I32), context)
