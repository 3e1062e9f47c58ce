"""Binary columns of the Arrow C data interface, imported without an Arrow library.

No column is copied: the packets are ranges of the producer's memory, which is valid as long as any view of it lives;
then it is released exactly once, as the interface requires. The claims of a producer are checked as far as the format
allows: it states the size of a buffer only by the last offset or in a list of sizes, which must be trusted beyond the
check that their bytes are mapped (`arrow_interface`).

Source: arrow.apache.org/docs/format, Columnar and CDataInterface.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .._named_tuple import NamedTuple
from .._typing import Any, Final, Literal, TypeAlias
from ..errors import PacketError
from .arrow_interface import Array, arrays, check_mapped
from .arrow_ranges import VIEW_SIZE, DataBuffer, PythonRangeReader, RangeReader, Ranges
from .buffers import BytesLike, memory_at
from .scattered_buffer import ScatteredBuffer, merged

_FIXED_SIZE: Final = "w:"  # followed by the width in bytes
_MAX_WIDTH: Final = (1 << 31) - 1  # bytes
_MAX_EMPTY_VALUES: Final = 1 << 27  # of width 0, whose number no memory of the producer bounds

ChooseReader: TypeAlias = Callable[[int], RangeReader]
"""A function that returns the reader of ranges for a number of packets."""


class Column(NamedTuple):
    """The values of a column: the memory that contains them, and the range of each in it."""

    buffer: BytesLike | ScatteredBuffer
    ranges: Ranges


class _Chunk(NamedTuple):
    """An array: the parts of memory that contain its values, and a function that reads their ranges from an origin."""

    value_count: int
    parts: list[tuple[int, int]]
    read: Callable[[RangeReader, int], None]


def import_column(source: Any, choose_reader: ChooseReader = lambda count: PythonRangeReader()) -> Column:
    """Return the column that *source*, which has `__arrow_c_array__` or `__arrow_c_stream__`, exports.

    Raises `PacketError` for values that are not bytes, for a null, and for everything else that violates the interface
    and can be detected.
    """
    chunks, owners = [], []
    is_stream = not hasattr(source, "__arrow_c_array__")
    for index, values in enumerate(arrays(source)):
        with _naming_chunk(index if is_stream else None):
            chunks.append(_chunk(values))
        owners.append(values.owner)
    parts = merged(part for chunk in chunks for part in chunk.parts)
    origin = parts[0][0] if parts else 0
    reader = choose_reader(sum(chunk.value_count for chunk in chunks))
    for index, chunk in enumerate(chunks):
        with _naming_chunk(index if is_stream else None):
            chunk.read(reader, origin)
    return Column(_memory(parts, tuple(owners)), reader.ranges())


@contextmanager
def _naming_chunk(index: int | None) -> Iterator[None]:
    """Add the index of a chunk to the message of an error; None: the column is a single array."""
    try:
        yield
    except PacketError as error:
        raise error if index is None else PacketError(f"{error} (chunk {index})") from None


def _memory(parts: list[tuple[int, int]], owner: object) -> BytesLike | ScatteredBuffer:
    if len(parts) > 1:
        return ScatteredBuffer(parts, owner)
    return memory_at(parts[0][0], parts[0][1] - parts[0][0], owner) if parts else b""


def _chunk(values: Array) -> _Chunk:
    import_values = _importer(values.format)
    if values.child_count:
        raise PacketError(f"Arrow: the array has {values.child_count} children; format {values.format} has none")
    if not values.length:
        return _chunk_of_empty_values(0)
    try:
        _reject_nulls(values)
        return import_values(values)
    except (OverflowError, MemoryError) as error:
        raise PacketError(f"Arrow: {values.length} values: {error or 'there is not enough memory'}") from None


def _chunk_of_empty_values(count: int) -> _Chunk:
    """Return values without bytes, whose position is the origin."""
    return _Chunk(count, [], lambda reader, origin: reader.read_rows(0, 0, count))


def _importer(format: str) -> Callable[[Array], _Chunk]:
    """Return the function for a format."""
    if format == "+s":
        raise PacketError("Arrow: this is a table or a struct; pass one of its columns")
    width = format.removeprefix(_FIXED_SIZE)
    if width != format and width.isascii() and width.isdigit() and len(width) <= 10 and int(width) <= _MAX_WIDTH:
        return lambda values: _chunk_of_width(int(width), values)
    if format not in _IMPORTERS:
        supported = "packets must be binary, large_binary, binary_view or fixed_size_binary"
        raise PacketError(f"Arrow: unsupported column format {format!r}; {supported}")
    return _IMPORTERS[format]


def _buffer(values: Array, index: int, start: int, end: int) -> BytesLike:
    """Return bytes *start* to *end* of a buffer, without a copy."""
    return memory_at(_address(values, index, start, end), end - start, values.owner)


def _address(values: Array, index: int, start: int, end: int) -> int:
    """Return the address of byte *start* of a buffer, whose bytes up to *end* are mapped."""
    if index >= len(values.buffers):
        raise PacketError(f"Arrow: the array has {len(values.buffers)} buffers; buffer {index} is required")
    address = values.buffers[index]
    if end > start:
        if not address:
            raise PacketError(f"Arrow: buffer {index} is null; {end - start} bytes of it are required")
        check_mapped(f"buffer {index}", address + start, end - start)
    return address + start


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


def _chunk_by_offsets(type_code: Literal["i", "q"], values: Array) -> _Chunk:
    _check_buffer_count(values, 3)
    width = 4 if type_code == "i" else 8
    offsets = memoryview(_buffer(values, 1, values.offset * width, (values.offset + values.length + 1) * width))
    end = max(offsets.cast(type_code)[-1], 0)  # a negative offset is reported when all of them are read
    address = _address(values, 2, 0, end)
    parts = [(address, address + end)] if end else []

    def read(reader: RangeReader, origin: int) -> None:
        reader.read_offsets(offsets, type_code, DataBuffer(address - origin if parts else 0, end))

    return _Chunk(values.length, parts, read)


def _chunk_of_width(width: int, values: Array) -> _Chunk:
    _check_buffer_count(values, 2)
    count = values.length
    if not width:
        if count > _MAX_EMPTY_VALUES:
            raise PacketError(f"Arrow: {count} values of 0 bytes; at most {_MAX_EMPTY_VALUES} are supported")
        return _chunk_of_empty_values(count)
    address = _address(values, 1, values.offset * width, (values.offset + count) * width)

    parts = [(address, address + count * width)]
    return _Chunk(count, parts, lambda reader, origin: reader.read_rows(address - origin, width, count))


def _chunk_by_views(values: Array) -> _Chunk:
    """Return the values of views, which contain the short ones; the others are in data buffers."""
    data_count = max(len(values.buffers) - 3, 0)  # the others: validity, views, and the sizes of the data buffers
    start, end = values.offset * VIEW_SIZE, (values.offset + values.length) * VIEW_SIZE
    views, address = _buffer(values, 1, start, end), _address(values, 1, start, end)
    sizes = memoryview(_buffer(values, max(len(values.buffers) - 1, 2), 0, 8 * data_count)).cast("q").tolist()
    if min(sizes, default=0) < 0:
        raise PacketError(f"Arrow: a data buffer has a size of {min(sizes)} bytes; no size may be negative")
    data = [(_address(values, 2 + index, 0, size), size) for index, size in enumerate(sizes)]
    parts = [(address, address + len(views)), *[(start, start + size) for start, size in data if size]]

    def read(reader: RangeReader, origin: int) -> None:
        reader.read_views(views, address - origin, [DataBuffer(start - origin, size) for start, size in data])

    return _Chunk(values.length, parts, read)


_IMPORTERS: Final[dict[str, Callable[[Array], _Chunk]]] = {
    "z": lambda values: _chunk_by_offsets("i", values),
    "Z": lambda values: _chunk_by_offsets("q", values),
    "vz": _chunk_by_views,
}
