"""Machine code that reads and checks the ranges of the values of Arrow columns: 5 ns per packet, in Python 150 ns."""

import ctypes
from contextlib import ExitStack
from functools import cache

from ..._typing import Any, Final, Literal
from ...packet.arrow_ranges import (
    INLINE_OFFSET,
    MAX_INLINE_LENGTH,
    VIEW_SIZE,
    DataBuffer,
    Ranges,
    offsets_error,
    view_error,
)
from ...packet.buffers import BytesLike, address_of
from .ir import I32, I64, Function, IRValue, module_text
from .jit import load_cached

_MAX_LENGTH: Final = 0xFFFF_FFFF  # of a packet
_SIGN: Final = 1 << 31
_BUFFER_SIZE: Final = 16  # bytes of a row of the table of data buffers: position and size, u64 each


class NativeRangeReader:
    """The `RangeReader` of machine code.

    Raises:
        MissingLibrary: llvmlite is not installed or not usable.
    """

    def __init__(self) -> None:
        self._of_offsets = {"i": _function("offsets of 4 bytes"), "q": _function("offsets of 8 bytes")}
        self._of_views = _function("views")

    def of_offsets(self, offsets: BytesLike, type_code: Literal["i", "q"], data: DataBuffer) -> Ranges:
        """Return the ranges between consecutive offsets; see `RangeReader`."""
        count = len(memoryview(offsets).cast(type_code)) - 1
        ranges, read = _call(self._of_offsets[type_code], offsets, count, data.position, data.size)
        if read != count:
            raise offsets_error(memoryview(offsets).cast(type_code), data.size)
        return ranges

    def of_views(self, views: BytesLike, position: int, buffers: list[DataBuffer]) -> Ranges:
        """Return the ranges of views; see `RangeReader`."""
        count = len(views) // VIEW_SIZE
        numbers = [number % (1 << 64) for buffer in buffers for number in buffer]
        table = (ctypes.c_uint64 * len(numbers))(*numbers)
        ranges, read = _call(self._of_views, views, count, position, len(buffers), table)
        if read != count:
            raise view_error(views, read)
        return ranges


def _call(
    function: Any, source: BytesLike, count: int, position: int, limit: int, table: Any = None
) -> tuple[Ranges, int]:
    """Return the ranges, and the number of those before the first that is not valid."""
    ranges = Ranges(bytes(8 * count), bytes(4 * count))  # new objects, which nothing else refers to until they are full
    with ExitStack() as stack:
        addresses = [stack.enter_context(address_of(memory)) for memory in (source, *ranges)]
        return ranges, function(*addresses, count, position % (1 << 64), limit, table)


@cache
def _function(kind: Literal["offsets of 4 bytes", "offsets of 8 bytes", "views"]) -> Any:
    code = load_cached(f"ranges of {kind}", _WRITERS[kind])
    address, number = ctypes.c_void_p, ctypes.c_uint64
    return code.function(number, address, address, address, number, number, number, address)


def _new_function() -> Function:
    """Return a function of (source, positions, lengths, count, position, limit, table) -> number of valid ranges."""
    pointers = {"source": "ptr readonly", "positions": "ptr noalias", "lengths": "ptr noalias"}
    return Function("entry", I64, **pointers, count=I64, position=I64, limit=I64, table="ptr readonly")


def _store(function: Function, index: IRValue, position: IRValue, length: IRValue) -> None:
    function["positions"].gep(index << 3).store(position)
    function["lengths"].gep(index << 2).store(length)


def _write_offsets(width: Literal[4, 8]) -> str:
    """Return the module for offsets of *width* bytes; *position* and *limit* are those of the data buffer.

    A negative offset, as an unsigned number, exceeds the limit, which is smaller than 2**31 for offsets of 4 bytes.
    """
    function = _new_function()
    with function.for_range(function["count"]) as index:
        start = function["source"].gep(index * width).load(width).zext_or_trunc(I64)
        end = function["source"].gep(index * width + width).load(width).zext_or_trunc(I64)
        length = end - start
        function.ret_if(start > end, index)
        function.ret_if(end > function["limit"], index)
        function.ret_if(length > _MAX_LENGTH, index)
        _store(function, index, function["position"] + start, length.zext_or_trunc(I32))
    function.ret(function["count"])
    return module_text(function)


def _write_views() -> str:
    """Return the module for views; *position* is theirs, and *limit* the number of rows of the table of buffers.

    Numbers that are negative exceed, as unsigned numbers, all limits: a buffer is smaller than 2**63 bytes.
    """
    function = _new_function()
    with function.for_range(function["count"]) as index:
        view = function["source"].gep(index << 4)
        length = view.load(4)
        position = function.variable(I64, function["position"] + (index << 4) + INLINE_OFFSET)
        with function.if_then(length > MAX_INLINE_LENGTH):
            function.ret_if(length >= _SIGN, index)
            buffer, offset = view.gep(8).load(4).zext_or_trunc(I64), view.gep(12).load(4)
            function.ret_if(buffer >= function["limit"], index)
            function.ret_if(offset >= _SIGN, index)
            row = function["table"].gep(buffer << 4)
            end = offset.zext_or_trunc(I64) + length.zext_or_trunc(I64)
            function.ret_if(end > row.gep(8).load(8), index)
            position.value = row.load(8) + offset.zext_or_trunc(I64)
        _store(function, index, position.value, length)
    function.ret(function["count"])
    return module_text(function)


_WRITERS: Final = {
    "offsets of 4 bytes": lambda: _write_offsets(4),
    "offsets of 8 bytes": lambda: _write_offsets(8),
    "views": _write_views,
}
