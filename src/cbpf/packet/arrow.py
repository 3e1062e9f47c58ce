"""Binary columns of the Arrow C data interface, imported without an Arrow library.

Columns of binary, large_binary and fixed_size_binary are not copied. The producer's memory is valid as long as any
view of it lives; then it is released exactly once, as the interface requires. The claims of a producer are checked as
far as the format allows: it states the size of a buffer only by the last offset or in a list of sizes, which must be
trusted.

Source: arrow.apache.org/docs/format, CDataInterface, CStreamInterface, CDataInterface/PyCapsuleInterface.
"""

import ctypes
import struct
from array import array
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, count
from operator import sub
from typing import Any, Final, NamedTuple

from ..errors import PacketError
from .buffers import C_API, BytesLike, memory_at

_OFFSET_TYPES: Final = {"z": "i", "Z": "q"}  # column format (binary, large_binary) to the type code of its offsets
_BINARY_VIEW: Final = "vz"
_FIXED_SIZE: Final = "w:"  # followed by the width in bytes
_MAX_INLINE_LENGTH: Final = 12  # bytes of a value that is stored in its view
_VIEW_SIZE: Final = 16
_INLINE_OFFSET: Final = 4  # of the value in its view, after its length


class Column(NamedTuple):
    """The values of a column in one buffer: the position and the length of each."""

    buffer: BytesLike
    positions: Iterable[int]
    lengths: Iterable[int]


class _ArrowSchema(ctypes.Structure):
    _fields_ = (
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("metadata", ctypes.c_char_p),
        ("flags", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class _ArrowArray(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class _ArrowArrayStream(ctypes.Structure):
    _fields_ = (
        ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


_ReleaseCallback: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Owned:
    """A structure in our memory that the producer fills; released when this object is freed."""

    def __init__(self, structure: Any) -> None:
        self.structure = structure

    def __del__(self) -> None:
        if self.structure.release:  # the callback sets it to null
            _ReleaseCallback(self.structure.release)(ctypes.addressof(self.structure))


def import_column(source: Any) -> Column:
    """Return the column that *source*, which has `__arrow_c_array__` or `__arrow_c_stream__`, exports.

    Raises `PacketError` for values that are not bytes, for a null, and for invalid offsets or views.
    """
    if hasattr(source, "__arrow_c_array__"):
        schema, values = source.__arrow_c_array__()
        format = _structure_in(schema, "arrow_schema", _ArrowSchema).format
        return _column(format, _structure_in(values, "arrow_array", _ArrowArray), values)
    capsule = source.__arrow_c_stream__()
    return concatenate(list(_chunks(_structure_in(capsule, "arrow_array_stream", _ArrowArrayStream))))


def concatenate(columns: list[Column]) -> Column:
    """Return the values of all columns as one column: a copy, unless there is only one."""
    if len(columns) == 1:
        return columns[0]
    bases = accumulate((len(column.buffer) for column in columns), initial=0)
    positions = [base + position for base, column in zip(bases, columns, strict=False) for position in column.positions]
    lengths = chain.from_iterable(column.lengths for column in columns)
    return Column(b"".join(column.buffer for column in columns), positions, lengths)


def _chunks(stream: _ArrowArrayStream) -> Iterator[Column]:
    address = ctypes.addressof(stream)
    schema = _Owned(_ArrowSchema())
    _check_status(stream, stream.get_schema(address, ctypes.addressof(schema.structure)))
    for index in count():
        values = _Owned(_ArrowArray())
        _check_status(stream, stream.get_next(address, ctypes.addressof(values.structure)))
        if not values.structure.release:  # the end of the stream
            return
        try:
            yield _column(schema.structure.format, values.structure, values)
        except PacketError as error:
            raise PacketError(f"{error} (chunk {index})") from None


def _check_status(stream: _ArrowArrayStream, status: int) -> None:
    if status:
        text = stream.get_last_error(ctypes.addressof(stream)) or b"no reason given"
        raise PacketError(f"Arrow stream: error {status}: {text.decode(errors='replace')}")


def _structure_in(capsule: Any, name: str, structure: Any) -> Any:
    """Return the structure in a capsule; the caller must keep the capsule alive as long as the structure is used."""
    get_pointer = C_API.PyCapsule_GetPointer
    get_pointer.restype = ctypes.c_void_p
    try:
        address = get_pointer(ctypes.py_object(capsule), name.encode())
    except ValueError as error:
        raise PacketError(f"Arrow: expected a capsule named {name}: {error}") from None
    content = structure.from_address(address)
    if not content.release:
        raise PacketError(f"Arrow: the {name} was released before it was imported")
    return content


def _column(format_code: bytes, values: _ArrowArray, owner: object) -> Column:
    """Return the values of an array, which is valid as long as *owner* lives."""
    format = format_code.decode(errors="replace")
    is_fixed_size = format.startswith(_FIXED_SIZE) and format[len(_FIXED_SIZE) :].isdigit()
    if not (format in _OFFSET_TYPES or format == _BINARY_VIEW or is_fixed_size):
        supported = "packets must be binary, large_binary, binary_view or fixed_size_binary"
        raise PacketError(f"Arrow: unsupported column format {format!r}; {supported}")
    if min(values.length, values.offset) < 0:
        raise PacketError(f"Arrow: length {values.length}, offset {values.offset}; neither may be negative")
    if not values.length:
        return Column(b"", (), ())
    try:
        _reject_nulls(values, owner)
        if format in _OFFSET_TYPES:
            return _column_by_offsets(_OFFSET_TYPES[format], values, owner)
        if format == _BINARY_VIEW:
            return _column_by_views(values, owner)
        return _fixed_size_column(int(format[len(_FIXED_SIZE) :]), values, owner)
    except OverflowError as error:
        raise PacketError(f"Arrow: {error}") from None


def _buffer(values: _ArrowArray, index: int, start: int, end: int, owner: object) -> BytesLike:
    """Return bytes *start* to *end* of a buffer, without a copy."""
    if index >= values.n_buffers:
        raise PacketError(f"Arrow: the array has {values.n_buffers} buffers; buffer {index} is required")
    address = values.buffers[index]
    if not address and end > start:
        raise PacketError(f"Arrow: buffer {index} is null; {end - start} bytes of it are required")
    return memory_at((address or 0) + start, end - start, owner)


def _reject_nulls(values: _ArrowArray, owner: object) -> None:
    if not values.null_count or not values.n_buffers or not values.buffers[0]:
        return
    first, shift = divmod(values.offset, 8)
    bitmap = _buffer(values, 0, first, (values.offset + values.length + 7) // 8, owner)
    nulls = ~(int.from_bytes(bitmap, "little") >> shift) & (1 << values.length) - 1
    if nulls:
        raise PacketError(f"Arrow: packet {(nulls & -nulls).bit_length() - 1} is null")


def _column_by_offsets(type_code: str, values: _ArrowArray, owner: object) -> Column:
    offsets = array(type_code)
    width = offsets.itemsize
    offsets.frombytes(_buffer(values, 1, values.offset * width, (values.offset + values.length + 1) * width, owner))
    lengths = array("q", map(sub, offsets[1:], offsets))
    if offsets[0] < 0 or min(lengths) < 0:
        index = 0 if offsets[0] < 0 else next(index for index, length in enumerate(lengths) if length < 0)
        fact = f"packet {index} is bytes {offsets[index]} to {offsets[index + 1]}"
        raise PacketError(f"Arrow: {fact}; offsets must be at least 0 and must not decrease")
    return Column(_buffer(values, 2, 0, offsets[-1], owner), offsets[:-1], lengths)


def _fixed_size_column(width: int, values: _ArrowArray, owner: object) -> Column:
    start, end = values.offset * width, (values.offset + values.length) * width
    positions = range(0, end - start, width) if width else [0] * values.length
    return Column(_buffer(values, 1, start, end, owner), positions, [width] * values.length)


def _column_by_views(values: _ArrowArray, owner: object) -> Column:
    """Return a copy of the views, which contain the short values, followed by all data buffers."""
    data_count = max(values.n_buffers - 3, 0)  # the others: validity, views, and the sizes of the data buffers
    views = _buffer(values, 1, values.offset * _VIEW_SIZE, (values.offset + values.length) * _VIEW_SIZE, owner)
    sizes = memoryview(_buffer(values, values.n_buffers - 1, 0, 8 * data_count, owner)).cast("q").tolist()
    if min(sizes, default=0) < 0:
        raise PacketError(f"Arrow: a data buffer has a size of {min(sizes)} bytes; no size may be negative")
    data = [_buffer(values, 2 + index, 0, size, owner) for index, size in enumerate(sizes)]
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
