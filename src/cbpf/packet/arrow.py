"""Binary columns of Arrow's C data interface, read without a library and, where they lie in one piece, without a copy.

The producer's memory is kept until the last view of it is gone; then it is released, once, as the interface asks.
What a producer says is checked as far as the format lets it be: the size of a data buffer is what the last offset says.

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

_OFFSETS: Final = {"z": "i", "Z": "q"}  # the format of a column to that of its offsets
_INLINE: Final = 12  # bytes of a value that stand in its view
_VIEW: Final = 16  # bytes of a view


class Column(NamedTuple):
    """Values in one buffer: where each begins, and its length."""

    buffer: BytesLike
    positions: Iterable[int]
    lengths: Iterable[int]


class _Schema(ctypes.Structure):
    """ArrowSchema."""

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


class _Array(ctypes.Structure):
    """ArrowArray."""

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


class _Stream(ctypes.Structure):
    """ArrowArrayStream."""

    _fields_ = (
        ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


_Release: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Owned:
    """A structure that the producer filled for us: released when this object goes."""

    def __init__(self, structure: Any) -> None:
        self.structure = structure

    def __del__(self) -> None:
        if self.structure.release:  # the callback itself sets it to null
            _Release(self.structure.release)(ctypes.addressof(self.structure))


def import_column(source: Any) -> Column | None:
    """The column that *source* exports, or None if it exports none.

    Raises `PacketError` for one whose values are no bytes, for a null, and for offsets that cannot be.
    """
    if hasattr(source, "__arrow_c_array__"):
        schema, values = source.__arrow_c_array__()
        format = _pointer(schema, "arrow_schema", _Schema).format
        return _column(format, _pointer(values, "arrow_array", _Array), values)
    if hasattr(source, "__arrow_c_stream__"):
        capsule = source.__arrow_c_stream__()
        return concatenate(list(_chunks(_pointer(capsule, "arrow_array_stream", _Stream))))
    return None


def concatenate(columns: list[Column]) -> Column:
    """The values of all columns as one: a copy, unless there is only one."""
    if len(columns) == 1:
        return columns[0]
    bases = accumulate((len(column.buffer) for column in columns), initial=0)
    positions = [base + position for base, column in zip(bases, columns, strict=False) for position in column.positions]
    lengths = chain.from_iterable(column.lengths for column in columns)
    return Column(b"".join(column.buffer for column in columns), positions, lengths)


def _chunks(stream: _Stream) -> Iterator[Column]:
    address = ctypes.addressof(stream)
    schema = _Owned(_Schema())
    _check(stream, stream.get_schema(address, ctypes.addressof(schema.structure)))
    for number in count():
        values = _Owned(_Array())
        _check(stream, stream.get_next(address, ctypes.addressof(values.structure)))
        if not values.structure.release:  # the end
            return
        try:
            yield _column(schema.structure.format, values.structure, values)
        except PacketError as error:
            raise PacketError(f"{error} (chunk {number})") from None


def _check(stream: _Stream, error: int) -> None:
    if error:
        text = stream.get_last_error(ctypes.addressof(stream)) or b"no reason given"
        raise PacketError(f"Arrow stream: error {error}: {text.decode(errors='replace')}")


def _pointer(capsule: Any, name: str, structure: Any) -> Any:
    """The structure in a capsule, which must outlive it."""
    get = C_API.PyCapsule_GetPointer
    get.restype = ctypes.c_void_p
    try:
        address = get(ctypes.py_object(capsule), name.encode())
    except ValueError as error:
        raise PacketError(f"Arrow: no capsule of an {name}: {error}") from None
    found = structure.from_address(address)
    if not found.release:
        raise PacketError(f"Arrow: the {name} was released")
    return found


def _column(format: bytes, values: _Array, owner: object) -> Column:
    """The values of an array, which lives as long as *owner*."""
    kind = format.decode(errors="replace")
    if not (kind in _OFFSETS or kind == "vz" or (kind.startswith("w:") and kind[2:].isdigit())):
        raise PacketError(
            f"Arrow: values of format {kind!r}; packets are binary, large_binary, binary_view, or fixed_size_binary"
        )
    if min(values.length, values.offset) < 0:
        raise PacketError(f"Arrow: {values.length} values from {values.offset} on")
    if not values.length:
        return Column(b"", (), ())
    try:
        _refuse_nulls(values, owner)
        if kind in _OFFSETS:
            return _column_by_offsets(_OFFSETS[kind], values, owner)
        return _column_by_views(values, owner) if kind == "vz" else _column_of_rows(int(kind[2:]), values, owner)
    except OverflowError as error:
        raise PacketError(f"Arrow: {error}") from None


def _buffer(values: _Array, index: int, start: int, end: int, owner: object) -> BytesLike:
    """Bytes *start* to *end* of a buffer."""
    if index >= values.n_buffers:
        raise PacketError(f"Arrow: an array of {values.n_buffers} buffers")
    address = values.buffers[index]
    if not address and end > start:
        raise PacketError(f"Arrow: buffer {index} is missing")
    return memory_at((address or 0) + start, end - start, owner)


def _refuse_nulls(values: _Array, owner: object) -> None:
    if not values.null_count or not values.n_buffers or not values.buffers[0]:
        return
    first, shift = divmod(values.offset, 8)
    bitmap = _buffer(values, 0, first, (values.offset + values.length + 7) // 8, owner)
    missing = ~(int.from_bytes(bitmap, "little") >> shift) & (1 << values.length) - 1
    if missing:
        raise PacketError(f"Arrow: packet {(missing & -missing).bit_length() - 1} is null")


def _column_by_offsets(format: str, values: _Array, owner: object) -> Column:
    offsets = array(format)
    width = offsets.itemsize
    offsets.frombytes(_buffer(values, 1, values.offset * width, (values.offset + values.length + 1) * width, owner))
    lengths = array("q", map(sub, offsets[1:], offsets))
    if offsets[0] < 0 or min(lengths) < 0:
        index = 0 if offsets[0] < 0 else next(index for index, length in enumerate(lengths) if length < 0)
        raise PacketError(f"Arrow: packet {index} is bytes {offsets[index]} to {offsets[index + 1]}")
    return Column(_buffer(values, 2, 0, offsets[-1], owner), offsets[:-1], lengths)


def _column_of_rows(width: int, values: _Array, owner: object) -> Column:
    start, end = values.offset * width, (values.offset + values.length) * width
    positions = range(0, end - start, width) if width else [0] * values.length
    return Column(_buffer(values, 1, start, end, owner), positions, [width] * values.length)


def _column_by_views(values: _Array, owner: object) -> Column:
    """The views and all data buffers behind each other, a copy: short values stand in the views themselves."""
    others = values.n_buffers - 3  # beside validity, views, and the sizes of the others
    views = _buffer(values, 1, values.offset * _VIEW, (values.offset + values.length) * _VIEW, owner)
    sizes = memoryview(_buffer(values, values.n_buffers - 1, 0, 8 * max(others, 0), owner)).cast("q").tolist()
    if min(sizes, default=0) < 0:
        raise PacketError(f"Arrow: a buffer of {min(sizes)} bytes")
    data = [_buffer(values, 2 + index, 0, size, owner) for index, size in enumerate(sizes)]
    bases = list(accumulate(sizes, initial=len(views)))
    positions, lengths = array("Q"), array("I")
    for index, (length, _, number, offset) in enumerate(struct.iter_unpack("=iIii", views)):
        if 0 <= length <= _INLINE:
            positions.append(index * _VIEW + 4)
        elif 0 <= number < len(sizes) and 0 <= offset <= sizes[number] - length and length > 0:
            positions.append(bases[number] + offset)
        else:
            raise PacketError(f"Arrow: packet {index} is {length} bytes at {offset} of buffer {number}")
        lengths.append(length)
    return Column(b"".join([views, *data]), positions, lengths)
