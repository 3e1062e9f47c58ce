"""The code of builtin functions: functions with a signature of CPython's C API, which `pycfunction` makes callable.

The first argument, `self`, is a tuple whose first item is a bytes object: a table of addresses, 8 bytes each, so that
the code contains no address and can be cached on disk. The caller holds the GIL.

Source: the Python/C API (METH_O, METH_FASTCALL, the buffer protocol, the thread state).
"""

from collections.abc import Callable, Iterable, Sequence

from ..._typing import Final
from ...packet.buffers import POINTER_SIZE
from .entry_points import call_filter
from .ir import I8, I32, I64, PTR, Function, IRValue, module_text
from .object_layout import BYTES_OFFSET, SIZE_OFFSET, TUPLE_OFFSET, TYPE_OFFSET

C_API: Final = (
    "PyLong_FromUnsignedLong",
    "PyObject_GetBuffer",
    "PyBuffer_Release",
    "PyErr_Clear",
    "PyObject_CallOneArg",
    "PySequence_Repeat",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
    "Py_NewRef",
    "Py_DecRef",
)
"""The functions at the beginning of each table of addresses."""
RUN_TABLE: Final = (*C_API, "context", "bytes", "to_bytes")
"""The table of `run`, which the objects of its constants follow."""
BATCH_TABLE: Final = (*C_API, "loop", "bytes", "None", "zero", "min_released")
"""The table of `verdicts_of_ranges` and `verdicts_of_objects`; the last entry is a number of packets."""

_VIEW_SIZE: Final = 80  # sizeof(Py_buffer); its field buf is at offset 0
_VIEW_OWNER_OFFSET: Final = 8  # the field obj
_VIEW_LENGTH_OFFSET: Final = 16  # the field len
_SIMPLE, _WRITABLE = 0, 1  # PyBUF_SIMPLE, PyBUF_WRITABLE

_Addresses = Callable[[str], IRValue]


def run(filter: Function, constants: Sequence[int]) -> str:
    """Return the module of (self, packet) -> verdict as an `int`, with the signature METH_O.

    A `bytes` object is read directly; the buffer of any other object is acquired. An object without a contiguous
    buffer is passed to `to_bytes`, which returns a copy or raises. For verdicts in *constants*, the objects in the
    table are returned, since the creation of an `int` takes longer than most filters.
    """
    function = Function("entry", PTR, owner=PTR, packet=PTR)
    addresses = _addresses(function, (*RUN_TABLE, *map(str, constants)))
    packet, bytes_type = function["packet"], addresses("bytes")
    view = function.alloca(I8, _VIEW_SIZE)
    memory, length = function.variable(PTR, function.null()), function.variable(I64, 0)
    type = packet.gep(TYPE_OFFSET).load_pointer()
    with function.if_then(type.eq(bytes_type)):
        memory.value, length.value = packet.gep(BYTES_OFFSET), packet.gep(SIZE_OFFSET).load(8)
    with function.if_then(type.ne(bytes_type)):
        _acquire_packet(function, addresses, packet, view)
        memory.value, length.value = view.load_pointer(), view.gep(_VIEW_LENGTH_OFFSET).load(8)
    verdict = call_filter(function, filter, memory.value, length.value, addresses("context"))
    with function.if_then(type.ne(bytes_type)):
        function.call_void(addresses("PyBuffer_Release"), view)
    for constant in constants:
        with function.if_then(verdict.eq(constant)):
            function.ret(function.call(PTR, addresses("Py_NewRef"), addresses(str(constant))))
    function.ret(function.call(PTR, addresses("PyLong_FromUnsignedLong"), verdict.zext_or_trunc(I64)))
    return module_text(function, filter)


def _acquire_packet(function: Function, addresses: _Addresses, packet: IRValue, view: IRValue) -> None:
    """Fill *view* with the buffer of the packet or of a copy; if there is none, return NULL with an exception set."""
    with function.if_then(_acquire(function, addresses, packet, view, _SIMPLE).ne(0)):
        function.call_void(addresses("PyErr_Clear"))
        copy = function.call(PTR, addresses("PyObject_CallOneArg"), addresses("to_bytes"), packet)
        function.ret_if(copy.eq(function.null()), function.null())
        _acquire(function, addresses, copy, view, _SIMPLE)
        function.call_void(addresses("Py_DecRef"), copy)  # the view holds a reference


def verdicts_of_ranges() -> str:
    """Return the module of (self, (columns, context)) -> array of verdicts, with the signature METH_FASTCALL.

    *columns* is the tuple of `packet.batch.columns_of`, *context* a `PacketContext`. The loop is that of
    `entry_points.match_ranges`.
    """
    function = Function("entry", PTR, owner=PTR, arguments=PTR, argument_count=I64)
    addresses = _addresses(function, BATCH_TABLE)
    columns, context = _arguments(function)
    sources = [columns.gep(TUPLE_OFFSET + POINTER_SIZE * index).load_pointer() for index in range(4)]
    views = [function.alloca(I8, _VIEW_SIZE) for _ in range(5)]
    result = function.variable(PTR, function.null())
    with function.if_then(_acquire_all(function, addresses, [*sources, context], views).eq(0)):
        count = views[1].gep(_VIEW_LENGTH_OFFSET).load(8) >> 3
        memory, positions, lengths, wire_lengths, context_address = (view.load_pointer() for view in views)

        def loop(verdicts: IRValue) -> None:
            arguments = (memory, positions, lengths, wire_lengths, count, verdicts, context_address)
            function.call(I32, addresses("loop"), *arguments)

        result.value = _new_array(function, addresses, count, loop)
    for view in views:
        function.call_void(addresses("PyBuffer_Release"), view)
    function.ret(result.value)
    return module_text(function)


def verdicts_of_objects() -> str:
    """Return the module of (self, (objects, context)) -> array of verdicts or None, with the signature METH_FASTCALL.

    *objects* is a tuple; the result is None if an item is not of the type `bytes`. *context* is a `PacketContext`. The
    loop is that of `entry_points.match_objects`.
    """
    function = Function("entry", PTR, owner=PTR, arguments=PTR, argument_count=I64)
    addresses = _addresses(function, BATCH_TABLE)
    objects, context = _arguments(function)
    count = objects.gep(SIZE_OFFSET).load(8)
    view = function.alloca(I8, _VIEW_SIZE)
    result, matched = function.variable(PTR, function.null()), function.variable(I64, count)
    with function.if_then(_acquire_all(function, addresses, [context], [view]).eq(0)):
        context_address = view.load_pointer()

        def loop(verdicts: IRValue) -> None:
            arguments = (objects.gep(TUPLE_OFFSET), count, verdicts, context_address, addresses("bytes"))
            matched.value = function.call(I64, addresses("loop"), *arguments)

        result.value = _new_array(function, addresses, count, loop)
        with function.if_then(matched.value.ne(count)):
            function.call_void(addresses("Py_DecRef"), result.value)
            result.value = function.call(PTR, addresses("Py_NewRef"), addresses("None"))
    function.call_void(addresses("PyBuffer_Release"), view)
    function.ret(result.value)
    return module_text(function)


def _addresses(function: Function, names: Sequence[str]) -> _Addresses:
    """Return a function that loads the address with a name from the table of the builtin."""
    table = function["owner"].gep(TUPLE_OFFSET).load_pointer()
    return lambda name: table.gep(BYTES_OFFSET + POINTER_SIZE * names.index(name)).load_pointer()


def _arguments(function: Function) -> tuple[IRValue, IRValue]:
    """Return the two arguments of a METH_FASTCALL function; if it has others, return NULL, an internal error."""
    function.ret_if(function["argument_count"].ne(2), function.null())
    return function["arguments"].load_pointer(), function["arguments"].gep(POINTER_SIZE).load_pointer()


def _acquire_all(
    function: Function, addresses: _Addresses, sources: Iterable[IRValue], views: Sequence[IRValue]
) -> IRValue:
    """Acquire the buffers of all sources; return a number other than 0 if one fails, with an exception set.

    In both cases, all views can be released: the release of a view that was not acquired has no effect.
    """
    for view in views:
        view.gep(_VIEW_OWNER_OFFSET).store(function.null())
    failure = function.variable(I32, 0)
    for source, view in zip(sources, views, strict=True):
        with function.if_then(failure.value.eq(0)):
            failure.value = _acquire(function, addresses, source, view, _SIMPLE)
    return failure.value


def _acquire(function: Function, addresses: _Addresses, source: IRValue, view: IRValue, flags: int) -> IRValue:
    """Acquire the buffer of an object; return 0, or another number with an exception set."""
    return function.call(I32, addresses("PyObject_GetBuffer"), source, view, function.constant(I32, flags))


def _new_array(function: Function, addresses: _Addresses, count: IRValue, loop: Callable[[IRValue], None]) -> IRValue:
    """Return a new array of *count* numbers that *loop* writes to the address given, or NULL with an exception set.

    A batch of many packets releases the GIL. The view holds the array meanwhile: nobody can resize it.
    """
    array = function.variable(PTR, function.call(PTR, addresses("PySequence_Repeat"), addresses("zero"), count))
    with function.if_then(array.value.ne(function.null())):
        view = function.alloca(I8, _VIEW_SIZE)
        _acquire(function, addresses, array.value, view, _WRITABLE)
        with function.if_then(view.gep(_VIEW_LENGTH_OFFSET).load(8).eq(count << 2)):  # nobody has changed `zero`
            is_released = addresses("min_released").ptrtoint() <= count
            thread = function.variable(PTR, function.null())
            with function.if_then(is_released):
                thread.value = function.call(PTR, addresses("PyEval_SaveThread"))
            loop(view.load_pointer())
            with function.if_then(is_released):
                function.call_void(addresses("PyEval_RestoreThread"), thread.value)
        function.call_void(addresses("PyBuffer_Release"), view)
    return array.value
