"""Binary columns of the Arrow C data interface, imported without an Arrow library.

Columns of binary, large_binary and fixed_size_binary are not copied. The producer's memory is valid as long as any
view of it lives; then it is released exactly once, as the interface requires. The claims of a producer are checked as
far as the format allows: it states the size of a buffer only by the last offset or in a list of sizes, which must be
trusted beyond the check that their bytes are mapped (`arrow_interface`).

Source: arrow.apache.org/docs/format, Columnar and CDataInterface.
"""

import struct
from array import array
from collections.abc import Callable, Iterable
from itertools import accumulate, chain, repeat
from operator import sub

from .._named_tuple import NamedTuple
from .._typing import Any, Final
from ..errors import PacketError
from .arrow_interface import Array, arrays, check_mapped
from .buffers import BytesLike, memory_at

_FIXED_SIZE: Final = "w:"  # followed by the width in bytes
_MAX_WIDTH: Final = (1 << 31) - 1  # bytes
_MAX_EMPTY_VALUES: Final = 1 << 27  # of width 0, whose number no memory of the producer bounds
_MAX_INLINE_LENGTH: Final = 12  # bytes of a value that is stored in its view
_VIEW_SIZE: Final = 16
_INLINE_OFFSET: Final = 4  # of the value in its view, after its length


class Column(NamedTuple):
    """The values of a column in one buffer: the position and the length of each."""

    buffer: BytesLike
    positions: Iterable[int]
    lengths: Iterable[int]


def import_column(source: Any) -> Column:
    """Return the column that *source*, which has `__arrow_c_array__` or `__arrow_c_stream__`, exports.

    Raises `PacketError` for values that are not bytes, for a null, and for everything else that violates the interface
    and can be detected.
    """
    is_array = hasattr(source, "__arrow_c_array__")
    columns = []
    for index, values in enumerate(arrays(source)):
        try:
            columns.append(_column(values))
        except PacketError as error:
            raise error if is_array else PacketError(f"{error} (chunk {index})") from None
    return concatenate(columns)


def concatenate(columns: list[Column]) -> Column:
    """Return the values of all columns as one column: a copy, unless there is only one."""
    if len(columns) == 1:
        return columns[0]
    bases = accumulate((len(column.buffer) for column in columns), initial=0)
    positions = [base + position for base, column in zip(bases, columns, strict=False) for position in column.positions]
    lengths = chain.from_iterable(column.lengths for column in columns)
    return Column(b"".join(column.buffer for column in columns), positions, lengths)


def _column(values: Array) -> Column:
    import_values = _importer(values.format)
    if values.child_count:
        raise PacketError(f"Arrow: the array has {values.child_count} children; format {values.format} has none")
    if not values.length:
        return Column(b"", (), ())
    try:
        _reject_nulls(values)
        return import_values(values)
    except (OverflowError, MemoryError) as error:
        raise PacketError(f"Arrow: {values.length} values: {error or 'there is not enough memory'}") from None


def _importer(format: str) -> Callable[[Array], Column]:
    """Return the function for a format."""
    if format == "+s":
        raise PacketError("Arrow: this is a table or a struct; pass one of its columns")
    width = format.removeprefix(_FIXED_SIZE)
    if width != format and width.isascii() and width.isdigit() and len(width) <= 10 and int(width) <= _MAX_WIDTH:
        return lambda values: _fixed_size_column(int(width), values)
    if format not in _IMPORTERS:
        supported = "packets must be binary, large_binary, binary_view or fixed_size_binary"
        raise PacketError(f"Arrow: unsupported column format {format!r}; {supported}")
    return _IMPORTERS[format]


def _buffer(values: Array, index: int, start: int, end: int) -> BytesLike:
    """Return bytes *start* to *end* of a buffer, without a copy."""
    if index >= len(values.buffers):
        raise PacketError(f"Arrow: the array has {len(values.buffers)} buffers; buffer {index} is required")
    address = values.buffers[index]
    if end > start:
        if not address:
            raise PacketError(f"Arrow: buffer {index} is null; {end - start} bytes of it are required")
        check_mapped(f"buffer {index}", address + start, end - start)
    return memory_at(address + start, end - start, values.owner)


def _check_buffer_count(values: Array, count: int) -> None:
    if len(values.buffers) != count:
        raise PacketError(f"Arrow: the array has {len(values.buffers)} buffers; format {values.format} has {count}")


def _reject_nulls(values: Array) -> None:
    if not values.null_count:
        return
    if not values.buffers or not values.buffers[0]:
        if values.null_count > 0:
            raise PacketError(f"Arrow: {values.null_count} packets are null; buffer 0, which marks them, is missing")
        return
    first, shift = divmod(values.offset, 8)
    bitmap = _buffer(values, 0, first, (values.offset + values.length + 7) // 8)
    nulls = ~(int.from_bytes(bitmap, "little") >> shift) & (1 << values.length) - 1
    if nulls:
        raise PacketError(f"Arrow: packet {(nulls & -nulls).bit_length() - 1} is null")


def _column_by_offsets(type_code: str, values: Array) -> Column:
    _check_buffer_count(values, 3)
    offsets = array(type_code)
    width = offsets.itemsize
    offsets.frombytes(_buffer(values, 1, values.offset * width, (values.offset + values.length + 1) * width))
    lengths = array("q", map(sub, offsets[1:], offsets))
    if offsets[0] < 0 or min(lengths) < 0:
        index = 0 if offsets[0] < 0 else next(index for index, length in enumerate(lengths) if length < 0)
        fact = f"packet {index} is bytes {offsets[index]} to {offsets[index + 1]}"
        raise PacketError(f"Arrow: {fact}; offsets must be at least 0 and must not decrease")
    return Column(_buffer(values, 2, 0, offsets[-1]), offsets[:-1], lengths)


def _fixed_size_column(width: int, values: Array) -> Column:
    _check_buffer_count(values, 2)
    if not width and values.length > _MAX_EMPTY_VALUES:
        raise PacketError(f"Arrow: {values.length} values of 0 bytes; at most {_MAX_EMPTY_VALUES} are supported")
    start, end = values.offset * width, (values.offset + values.length) * width
    positions = range(0, end - start, width) if width else repeat(0, values.length)
    return Column(_buffer(values, 1, start, end), positions, repeat(width, values.length))


def _column_by_views(values: Array) -> Column:
    """Return a copy of the views, which contain the short values, followed by all data buffers."""
    data_count = max(len(values.buffers) - 3, 0)  # the others: validity, views, and the sizes of the data buffers
    views = bytes(_buffer(values, 1, values.offset * _VIEW_SIZE, (values.offset + values.length) * _VIEW_SIZE))
    sizes = memoryview(_buffer(values, max(len(values.buffers) - 1, 2), 0, 8 * data_count)).cast("q").tolist()
    if min(sizes, default=0) < 0:
        raise PacketError(f"Arrow: a data buffer has a size of {min(sizes)} bytes; no size may be negative")
    data = [_buffer(values, 2 + index, 0, size) for index, size in enumerate(sizes)]
    bases = list(accumulate(sizes, initial=len(views)))
    positions, lengths = array("Q"), array("I")
    for index, (length, _prefix, buffer_index, offset) in enumerate(struct.iter_unpack("=iIii", views)):
        if 0 <= length <= _MAX_INLINE_LENGTH:
            positions.append(index * _VIEW_SIZE + _INLINE_OFFSET)
        elif 0 <= buffer_index < len(sizes) and 0 <= offset <= sizes[buffer_index] - length and length > 0:
            positions.append(bases[buffer_index] + offset)
        else:
            fact = f"packet {index} is {length} bytes at {offset} of data buffer {buffer_index}"
            raise PacketError(f"Arrow: {fact}; a packet must be inside a data buffer")
        lengths.append(length)
    return Column(b"".join([views, *data]), positions, lengths)


_IMPORTERS: Final[dict[str, Callable[[Array], Column]]] = {
    "z": lambda values: _column_by_offsets("i", values),
    "Z": lambda values: _column_by_offsets("q", values),
    "vz": _column_by_views,
}
