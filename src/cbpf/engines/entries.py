"""What is called from outside around a filter in machine code: for one packet, for many.

Each is a module of its own with the filter inside; its first function is the one to call.
"""

from typing import Final

from .ir import I32, I64, PTR, Function, Value, module

# Where CPython keeps what is read here (object.h, bytesobject.h), from its own sizes.
_TYPE: Final = object.__basicsize__ - 8
_SIZE: Final = object.__basicsize__
BYTES: Final = bytes.__basicsize__ - 1

_VIEW_SIZE: Final = 80  # Py_buffer, of which buf is the first field and len the third
_VIEW_LENGTH: Final = 16

TABLE: Final = (
    "circumstances",
    "PyBytes_Type",
    "PyLong_FromUnsignedLong",
    "PyObject_GetBuffer",
    "PyBuffer_Release",
    "PyErr_Clear",
    "PyObject_CallOneArg",
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
    with function.counted(function["count"]) as index:
        row = function["rows"].at(index << 4)
        captured, wire = row.at(8).load(4), row.at(12).load(4)
        packet = row.load_pointer()
        verdict = function.call(I32, filter, packet, captured.to(I64), captured, wire, function["circumstances"])
        function["verdicts"].at(index << 2).store(verdict)
    function.give(0)
    return module(function, filter)


def match_objects(filter: Function) -> str:
    """(pointers to `bytes` objects, their number, verdicts, circumstances) -> 0."""
    function = Function(
        "entry", I32, objects="ptr noalias readonly", count=I64, verdicts="ptr noalias", circumstances="ptr noalias"
    )
    with function.counted(function["count"]) as index:
        packet = function["objects"].at(index << 3).load_pointer()
        verdict = _run(function, filter, packet.at(BYTES), packet.at(_SIZE).load(8), function["circumstances"])
        function["verdicts"].at(index << 2).store(verdict)
    function.give(0)
    return module(function, filter)


def evaluate(filter: Function) -> str:
    """(memory, its length, captured length, wire length, circumstances) -> verdict."""
    function = Function("entry", I32, memory="ptr", length=I64, captured=I32, wire=I32, circumstances="ptr")
    names = ("memory", "length", "captured", "wire", "circumstances")
    function.give(function.call(I32, filter, *(function[name] for name in names)))
    return module(function, filter)


def builtin(filter: Function) -> str:
    """(self, packet) -> int, as METH_O of the C API has it: `bytes` at once, else any buffer, else by `otherwise`.

    It is called with the GIL held.
    """
    function = Function("entry", PTR, myself=PTR, packet=PTR)
    table = {name: function["myself"].at(BYTES + 8 * index).load_pointer() for index, name in enumerate(TABLE)}
    packet = function["packet"]

    def give(verdict: Value) -> None:
        function.give(function.call(PTR, table["PyLong_FromUnsignedLong"], verdict.to(I64)))

    with function.when(packet.at(_TYPE).load_pointer().equals(table["PyBytes_Type"])):
        give(_run(function, filter, packet.at(BYTES), packet.at(_SIZE).load(8), table["circumstances"]))
    view = function.room("i8", _VIEW_SIZE)
    failure = function.call(I32, table["PyObject_GetBuffer"], packet, view, function.constant(I32, 0))
    with function.when(failure.equals(0)):
        length = view.at(_VIEW_LENGTH).load(8)
        verdict = _run(function, filter, view.load_pointer(), length, table["circumstances"])
        function.effect(table["PyBuffer_Release"], view)
        give(verdict)
    function.effect(table["PyErr_Clear"])
    function.give(function.call(PTR, table["PyObject_CallOneArg"], table["otherwise"], packet))
    return module(function, filter)


def _run(function: Function, filter: Function, packet: Value, length: Value, circumstances: Value) -> Value:
    """The verdict on a packet of which all was captured."""
    return function.call(I32, filter, packet, length, length.to(I32), length.to(I32), circumstances)
