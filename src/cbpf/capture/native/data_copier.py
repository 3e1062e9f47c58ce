"""Machine code that copies the bytes of packets, given as columns, one packet after another.

In Python, this takes three times as long: a `bytes` object for each packet, and another copy to join them.
"""

import ctypes
from array import array
from contextlib import ExitStack
from functools import cache

from ..._typing import Any, Final
from ...engines.llvm import jit
from ...packet.buffers import C_API, address_of
from ..batches import append_data as append_data_in_python
from ..packets import PacketColumns

_PREFETCH_DISTANCE: Final = 4  # packets
_PREFETCHED_LINES: Final = 4  # from the start of the packet; the processor itself prefetches those after them


def append_data(columns: PacketColumns, data: bytearray, lengths: "array[int]") -> None:
    """Append the bytes of packets to *data*, and their lengths to *lengths*, if machine code may read the bytes."""
    count, position = len(columns.starts), len(data)
    sizes = array("I", bytes(4 * count))
    with ExitStack() as stack:
        starts, ends, sizes_address = (
            stack.enter_context(address_of(column)) for column in (columns.starts, columns.ends, sizes)
        )
        total = _function()(None, starts, ends, count, sizes_address, None, None)
        memory = columns.source.address()
        if memory is None:
            append_data_in_python(columns, data, lengths)
            return
        # unlike `+=`, it needs no other object of this size, and does not write the new bytes
        C_API.PyByteArray_Resize(ctypes.py_object(data), ctypes.c_ssize_t(position + total))
        target = stack.enter_context(address_of(data))
        _function()(memory, starts, ends, count, sizes_address, target + position, _memmove())
    lengths.extend(sizes)


def _memmove() -> int | None:
    return ctypes.cast(ctypes.memmove, ctypes.c_void_p).value


@cache
def _function() -> Any:
    pointer, number = ctypes.c_void_p, ctypes.c_uint64
    code = jit.load_cached("copy packets", _write)
    return code.function(number, pointer, pointer, pointer, number, pointer, pointer, pointer)


def _write() -> str:
    """Return the module of (memory, starts, ends, count, lengths, target, memmove) -> sum of the lengths.

    It stores the length of each packet, and copies the packets to *target* unless that is null.
    """
    from ...engines.llvm.ir import I32, I64, PTR, Function, module_text

    columns = {"starts": "ptr readonly", "ends": "ptr readonly"}
    function = Function("entry", I64, memory=PTR, **columns, count=I64, lengths="ptr noalias", target=PTR, memmove=PTR)
    total = function.variable(I64, 0)
    with function.for_range(function["count"]) as row:
        start = function["starts"].gep(row << 3).load(8)
        length = function["ends"].gep(row << 3).load(8) - start
        with function.if_then(function["target"].ne(function.null())):
            later_row = row + _PREFETCH_DISTANCE
            later = (later_row < function["count"]).select(later_row, row)
            address = function["memory"].gep(function["starts"].gep(later << 3).load(8))
            for line in range(_PREFETCHED_LINES):
                function.prefetch(address.gep(64 * line))
            source, target = function["memory"].gep(start), function["target"].gep(total.value)
            function.call(PTR, function["memmove"], target, source, length)
        function["lengths"].gep(row << 2).store(length.zext_or_trunc(I32))
        total.value = total.value + length
    function.ret(total.value)
    return module_text(function)
