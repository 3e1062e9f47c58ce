"""What is called from outside around a filter in machine code: for one packet, for many.

Each is a module of its own with the filter inside; its first function is the one to call.
"""

from typing import Final

from .ir import I32, I64, PTR, Function, IRValue, module_text

# Where CPython keeps what is read here (object.h, bytesobject.h), from its own sizes.
_TYPE: Final = object.__basicsize__ - 8
_SIZE: Final = object.__basicsize__
BYTES: Final = bytes.__basicsize__ - 1

_VIEW_SIZE: Final = 80  # Py_buffer, of which buf is the first field and len the third
_VIEW_LENGTH: Final = 16

_AHEAD: Final = 12  # packets; memory answers so many requests at once

TABLE: Final = (
    "circumstances",
    "PyBytes_Type",
    "PyLong_FromUnsignedLong",
    "PyObject_GetBuffer",
    "PyBuffer_Release",
    "PyErr_Clear",
    "PyObject_CallOneArg",
    "Py_DecRef",
    "otherwise",
)
"""The addresses that the builtin finds in its `self`, a bytes object: in this order, 8 bytes each."""


def match(filter: Function) -> str:
    """(rows, their number, verdicts, circumstances) -> 0: the verdicts, u32, on many packets.

    A row is {address: u64, captured length: u32, wire length: u32}.
    """
    function = Function(
        "entry", I32, rows="ptr noalias readonly", count=I64, verdicts="ptr noalias", circumstances="ptr noalias"
    )
    with function.for_range(function["count"]) as index:
        row = function["rows"].gep(index << 4)
        captured, wire = row.gep(8).load(4), row.gep(12).load(4)
        packet = row.load_pointer()
        verdict = function.call(
            I32, filter, packet, captured.zext_or_trunc(I64), captured, wire, function["circumstances"]
        )
        function["verdicts"].gep(index << 2).store(verdict)
    function.ret(0)
    return module_text(function, filter)


def match_ranges(filter: Function) -> str:
    """(memory, positions, lengths, wire lengths, their number, verdicts, circumstances) -> 0.

    The columns of `Packets`: u64, u32, u32.
    """
    columns = dict.fromkeys(("positions", "lengths", "wire_lengths"), "ptr noalias readonly")
    function = Function(
        "entry", I32, memory="ptr", **columns, count=I64, verdicts="ptr noalias", circumstances="ptr noalias"
    )
    with function.for_range(function["count"]) as index:
        _fetch_ahead(function, function["memory"].gep(function["positions"].gep(_ahead(function, index) << 3).load(8)))
        packet = function["memory"].gep(function["positions"].gep(index << 3).load(8))
        captured = function["lengths"].gep(index << 2).load(4)
        wire = function["wire_lengths"].gep(index << 2).load(4)
        verdict = function.call(
            I32, filter, packet, captured.zext_or_trunc(I64), captured, wire, function["circumstances"]
        )
        function["verdicts"].gep(index << 2).store(verdict)
    function.ret(0)
    return module_text(function, filter)


def match_objects(filter: Function) -> str:
    """(pointers to `bytes` objects, their number, verdicts, circumstances) -> 0."""
    function = Function(
        "entry", I32, objects="ptr noalias readonly", count=I64, verdicts="ptr noalias", circumstances="ptr noalias"
    )
    with function.for_range(function["count"]) as index:
        _fetch_ahead(function, function["objects"].gep(_ahead(function, index) << 3).load_pointer().gep(BYTES))
        packet = function["objects"].gep(index << 3).load_pointer()
        verdict = _run(function, filter, packet.gep(BYTES), packet.gep(_SIZE).load(8), function["circumstances"])
        function["verdicts"].gep(index << 2).store(verdict)
    function.ret(0)
    return module_text(function, filter)


def _ahead(function: Function, index: IRValue) -> IRValue:
    """The index of a packet that is soon wanted."""
    ahead = index + _AHEAD
    return (ahead < function["count"]).select(ahead, index)


def _fetch_ahead(function: Function, packet: IRValue) -> None:
    """Asks for the start of a packet, and for what stands before it in its cache line: an object's size, say."""
    function.prefetch(packet)
    function.prefetch(packet.gep(64))


def evaluate(filter: Function) -> str:
    """(memory, its length, captured length, wire length, circumstances) -> verdict."""
    function = Function("entry", I32, memory="ptr", length=I64, captured=I32, wire=I32, circumstances="ptr")
    names = ("memory", "length", "captured", "wire", "circumstances")
    function.ret(function.call(I32, filter, *(function[name] for name in names)))
    return module_text(function, filter)


def builtin(filter: Function) -> str:
    """(self, packet) -> int, with the signature METH_O of the C API: of `bytes`, else of any buffer.

    What gives no contiguous buffer is passed to `otherwise`, which makes bytes of it or raises. It is called with
    the GIL held.
    """
    function = Function("entry", PTR, myself=PTR, packet=PTR)
    packet = function["packet"]
    table = {name: function["myself"].gep(BYTES + 8 * index).load_pointer() for index, name in enumerate(TABLE)}
    view = function.alloca("i8", _VIEW_SIZE)
    memory, length = function.variable(PTR, function.null()), function.variable(I64, 0)
    type = packet.gep(_TYPE).load_pointer()
    with function.if_then(type.eq(table["PyBytes_Type"])):
        memory.value, length.value = packet.gep(BYTES), packet.gep(_SIZE).load(8)
    with function.if_then(type.ne(table["PyBytes_Type"])):
        _view(function, table, packet, view)
        memory.value, length.value = view.load_pointer(), view.gep(_VIEW_LENGTH).load(8)
    verdict = _run(function, filter, memory.value, length.value, table["circumstances"])
    with function.if_then(type.ne(table["PyBytes_Type"])):
        function.call_void(table["PyBuffer_Release"], view)
    function.ret(function.call(PTR, table["PyLong_FromUnsignedLong"], verdict.zext_or_trunc(I64)))
    return module_text(function, filter)


def _view(function: Function, table: dict[str, IRValue], packet: IRValue, view: IRValue) -> None:
    """Fills *view* with the packet's buffer or a copy's; where there is none, the function ends with an exception."""
    flags = function.constant(I32, 0)
    failure = function.call(I32, table["PyObject_GetBuffer"], packet, view, flags)
    with function.if_then(failure.ne(0)):
        function.call_void(table["PyErr_Clear"])
        copy = function.call(PTR, table["PyObject_CallOneArg"], table["otherwise"], packet)
        function.ret_if(copy.eq(function.null()), function.null())
        function.call(I32, table["PyObject_GetBuffer"], copy, view, flags)
        function.call_void(table["Py_DecRef"], copy)  # the view has it


def _run(function: Function, filter: Function, packet: IRValue, length: IRValue, circumstances: IRValue) -> IRValue:
    """The verdict on a packet of which all was captured."""
    return function.call(
        I32, filter, packet, length, length.zext_or_trunc(I32), length.zext_or_trunc(I32), circumstances
    )
