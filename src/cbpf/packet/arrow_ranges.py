"""The ranges of the values of Arrow columns, read from offsets and views and checked.

A position counts from the origin of a batch, and so do the positions of buffers, which callers pass. Machine code with
the same results is in `engines.llvm.arrow_ranges`.
"""

import struct
from array import array
from collections.abc import Sequence
from itertools import pairwise, repeat
from operator import sub

from .._named_tuple import NamedTuple
from .._typing import Final, Literal, Protocol
from ..errors import PacketError
from .buffers import BytesLike

MAX_INLINE_LENGTH: Final = 12  # bytes of a value that is stored in its view
INLINE_OFFSET: Final = 4  # of the value in its view, after its length
VIEW_SIZE: Final = 16
_MAX_LENGTH: Final = 0xFFFF_FFFF


class Ranges(NamedTuple):
    """The position of each value as 64-bit unsigned numbers, and its length as 32-bit unsigned numbers."""

    positions: BytesLike
    lengths: BytesLike


class DataBuffer(NamedTuple):
    """A buffer of values: its position, which may be negative before it is added to an offset, and its size."""

    position: int
    size: int


class RangeReader(Protocol):
    """Reads the ranges of the arrays of a column, one after another.

    The functions raise `PacketError` for a range outside its buffer.
    """

    def read_offsets(self, offsets: BytesLike, type_code: Literal["i", "q"], data: DataBuffer) -> None:
        """Read the ranges between consecutive offsets, which count from byte 0 of *data*."""

    def read_views(self, views: BytesLike, position: int, buffers: list[DataBuffer]) -> None:
        """Read the ranges of views; *position* is that of the views, which contain short values."""

    def read_rows(self, position: int, width: int, count: int) -> None:
        """Read adjacent ranges of one width in bytes, from a position on."""

    def ranges(self) -> Ranges:
        """Return the ranges of all arrays; nothing can be read later."""
        ...


class PythonRangeReader:
    """The `RangeReader` that needs no machine code."""

    def __init__(self) -> None:
        self._positions, self._lengths = array("Q"), array("I")

    def read_offsets(self, offsets: BytesLike, type_code: Literal["i", "q"], data: DataBuffer) -> None:
        """Read the ranges between consecutive offsets; see `RangeReader`."""
        numbers = array(type_code)
        numbers.frombytes(offsets)
        lengths = list(map(sub, numbers[1:], numbers))
        if numbers[0] < 0 or min(lengths) < 0 or max(lengths) > _MAX_LENGTH or numbers[-1] > data.size:
            raise offsets_error(numbers, data.size)
        self._positions.extend(map(data.position.__add__, numbers[:-1]))
        self._lengths.extend(lengths)

    def read_views(self, views: BytesLike, position: int, buffers: list[DataBuffer]) -> None:
        """Read the ranges of views; see `RangeReader`."""
        inline_position = position + INLINE_OFFSET
        add_position, add_length = self._positions.append, self._lengths.append
        for length, _prefix, index, offset in struct.iter_unpack("=iIii", views):
            if 0 <= length <= MAX_INLINE_LENGTH:
                add_position(inline_position)
            elif 0 <= index < len(buffers) and 0 <= offset <= buffers[index].size - length and length > 0:
                add_position(buffers[index].position + offset)
            else:
                raise view_error(views, (inline_position - INLINE_OFFSET - position) // VIEW_SIZE)
            add_length(length)
            inline_position += VIEW_SIZE

    def read_rows(self, position: int, width: int, count: int) -> None:
        """Read adjacent ranges of one width; see `RangeReader`."""
        self._positions.extend(range(position, position + count * width, width) if width else repeat(position, count))
        self._lengths.extend(repeat(width, count))

    def ranges(self) -> Ranges:
        """Return the ranges of all arrays; see `RangeReader`."""
        return Ranges(self._positions.tobytes(), self._lengths.tobytes())


def offsets_error(offsets: Sequence[int], size: int) -> PacketError:
    """Return the error for the first packet whose offsets are not a range of *size* bytes, or are too far apart."""
    for index, (start, end) in enumerate(pairwise(offsets)):
        if start < 0 or end < start:
            rule = "offsets must be at least 0 and must not decrease"
            return PacketError(f"Arrow: packet {index} is bytes {start} to {end}; {rule}")
        if end - start > _MAX_LENGTH:
            return PacketError(f"Arrow: packet {index} has {end - start} bytes; a packet has at most {_MAX_LENGTH}")
    return PacketError(f"Arrow: the offsets changed during the import; the last was {size}")


def view_error(views: BytesLike, index: int) -> PacketError:
    """Return the error for a packet that is not inside a data buffer."""
    length, _prefix, buffer, offset = struct.unpack_from("=iIii", views, VIEW_SIZE * index)
    fact = f"packet {index} is {length} bytes at {offset} of data buffer {buffer}"
    return PacketError(f"Arrow: {fact}; a packet must be inside a data buffer")
