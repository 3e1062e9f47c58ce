"""Machine code that reads and checks the ranges of the values of Arrow columns: 5 ns per packet, in Python 150 ns."""

import ctypes
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache

from ..._typing import Any, Final, Literal, TypeAlias
from ...errors import PacketError
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

_Kind: TypeAlias = Literal["i", "q", "views", "rows"]
"""The representation of ranges: offsets of 4 or 8 bytes, views, or rows of one width."""

_MAX_LENGTH: Final = 0xFFFF_FFFF  # of a packet
_SIGN: Final = 1 << 31
_BUFFER_SIZE: Final = 16  # bytes of a row of the table of data buffers: position and size, u64 each


class NativeRangeReader:
    """The `RangeReader` of machine code, for a column of *count* values.

    Raises:
        MissingLibrary: llvmlite is not installed or not usable.
    """

    def __init__(self, count: int) -> None:
        _function("views")
        self._ranges = Ranges(bytes(8 * count), bytes(4 * count))  # no other references to them before `ranges`
        self._row = 0

    def read_offsets(self, offsets: BytesLike, type_code: Literal["i", "q"], data: DataBuffer) -> None:
        """Read the ranges between consecutive offsets; see `RangeReader`."""
        numbers = memoryview(offsets).cast(type_code)
        count = len(numbers) - 1
        if self._read(type_code, offsets, count, data.position, data.size) != count:
            raise offsets_error(numbers, data.size)

    def read_views(self, views: BytesLike, position: int, buffers: list[DataBuffer]) -> None:
        """Read the ranges of views; see `RangeReader`."""
        count = len(views) // VIEW_SIZE
        numbers = [number % (1 << 64) for buffer in buffers for number in buffer]
        table = (ctypes.c_uint64 * len(numbers))(*numbers)
        read = self._read("views", views, count, position, len(buffers), table)
        if read != count:
            raise view_error(views, read)

    def read_rows(self, position: int, width: int, count: int) -> None:
        """Read adjacent ranges of one width; see `RangeReader`."""
        self._read("rows", b"", count, position, width)

    def _read(self, kind: _Kind, source: BytesLike, count: int, position: int, limit: int, table: Any = None) -> int:
        """Return the number of ranges before the first that is not valid."""
        if self._row + count > len(self._ranges.lengths) // 4:
            raise PacketError("Arrow: the number of values changed during the import")
        with ExitStack() as stack:
            address, positions, lengths = (
                stack.enter_context(address_of(memory)) for memory in (source, *self._ranges)
            )
            targets = positions + 8 * self._row, lengths + 4 * self._row
            self._row += count
            read: int = _function(kind)(address, *targets, count, position % (1 << 64), limit, table)
            return read

    def ranges(self) -> Ranges:
        """Return the ranges of all arrays; see `RangeReader`."""
        return self._ranges


@cache
def _function(kind: _Kind) -> Any:
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


def _write_rows() -> str:
    """Return the module for adjacent ranges from *position* on, whose width is *limit*."""
    function = _new_function()
    with function.for_range(function["count"]) as index:
        width = function["limit"]
        _store(function, index, function["position"] + index * width, width.zext_or_trunc(I32))
    function.ret(function["count"])
    return module_text(function)


_WRITERS: Final[dict[_Kind, Callable[[], str]]] = {
    "i": lambda: _write_offsets(4),
    "q": lambda: _write_offsets(8),
    "views": _write_views,
    "rows": _write_rows,
}
