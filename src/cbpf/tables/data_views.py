"""Machine code that describes packets, given as columns, as the values of an Arrow array of the type binary_view.

A value is a view of 16 bytes: its length, and the value itself if it has at most 12 bytes, otherwise its first four
bytes, the index of a data buffer, and the position in it. Source: arrow.apache.org/docs/format/Columnar.html,
Variable-size Binary View Layout.
"""

import ctypes
from contextlib import ExitStack
from functools import cache

from .._typing import Any, Final
from ..capture.packets import PacketColumns
from ..engines.llvm import jit
from ..packet.buffers import C_API, address_of

VIEW_SIZE: Final = 16
_MAX_INLINE: Final = 12
_PREFETCH_DISTANCE: Final = 40  # packets; `match_columns` has the reason


def append_views(columns: PacketColumns, base: int, views: bytearray) -> bool:
    """Append the views of packets, of which position *base* is the start of the data buffer 0.

    Returns:
        False, without an effect, if machine code may not read the packets.
    """
    count = len(columns.starts)
    memory = columns.source.address()
    if memory is None:
        return False
    position = len(views)
    # unlike `+=`, it needs no other object of this size, and does not write the new bytes
    C_API.PyByteArray_Resize(ctypes.py_object(views), ctypes.c_ssize_t(position + count * VIEW_SIZE))
    with ExitStack() as stack:
        starts, ends, target = (stack.enter_context(address_of(it)) for it in (columns.starts, columns.ends, views))
        _function()(memory, starts, ends, count, base, target + position)
    return True


@cache
def _function() -> Any:
    pointer, number = ctypes.c_void_p, ctypes.c_uint64
    code = jit.load_cached("Arrow views of packets", _write)
    return code.function(ctypes.c_uint32, pointer, pointer, pointer, number, number, pointer)


def _write() -> str:
    """Return the module of (memory, starts, ends, count, base, views) -> 0."""
    from ..engines.llvm.ir import I32, I64, PTR, Function, module_text

    columns = dict.fromkeys(("starts", "ends"), "ptr noalias readonly")
    function = Function("entry", I32, memory=PTR, **columns, count=I64, base=I64, views="ptr noalias")
    with function.for_range(function["count"]) as row:
        later_row = row + _PREFETCH_DISTANCE
        later = (later_row < function["count"]).select(later_row, row)
        function.prefetch(function["memory"].gep(function["starts"].gep(later << 3).load(8)))
        start = function["starts"].gep(row << 3).load(8)
        length = function["ends"].gep(row << 3).load(8) - start
        packet, view = function["memory"].gep(start), function["views"].gep(row << 4)
        view.store(length)  # as 64 bits, of which the upper ones are replaced
        view.gep(8).store(function.constant(I64, 0))
        with function.if_then(length > _MAX_INLINE):
            view.gep(4).store(packet.load(4))
            view.gep(12).store((start - function["base"]).zext_or_trunc(I32))
        with function.if_then(length <= _MAX_INLINE, rare=True), function.for_range(length) as index:
            view.gep(index + 4).store(packet.gep(index).load(1))
    function.ret(0)
    return module_text(function)
