"""The ranges of the values of Arrow columns, read from offsets and views and checked.

A position counts from the origin of a batch, and so do the positions of buffers, which callers pass. Machine code with
the same results is in `engines.llvm.arrow_ranges`.
"""

import struct
from array import array
from collections.abc import Sequence
from itertools import pairwise
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
    """Functions that read ranges; both raise `PacketError` for a range outside its buffer."""

    def of_offsets(self, offsets: BytesLike, type_code: Literal["i", "q"], data: DataBuffer) -> Ranges:
        """Return the ranges between consecutive offsets, which count from byte 0 of *data*."""
        ...

    def of_views(self, views: BytesLike, position: int, buffers: list[DataBuffer]) -> Ranges:
        """Return the ranges of views; *position* is that of the views, which contain short values."""
        ...


class PythonRangeReader:
    """The `RangeReader` that needs no machine code."""

    def of_offsets(self, offsets: BytesLike, type_code: Literal["i", "q"], data: DataBuffer) -> Ranges:
        """Return the ranges between consecutive offsets; see `RangeReader`."""
        numbers = array(type_code)
        numbers.frombytes(offsets)
        lengths = list(map(sub, numbers[1:], numbers))
        if numbers[0] < 0 or min(lengths) < 0 or max(lengths) > _MAX_LENGTH or numbers[-1] > data.size:
            raise offsets_error(numbers, data.size)
        positions = array("Q", map(data.position.__add__, numbers[:-1]))
        return Ranges(positions.tobytes(), array("I", lengths).tobytes())

    def of_views(self, views: BytesLike, position: int, buffers: list[DataBuffer]) -> Ranges:
        """Return the ranges of views; see `RangeReader`."""
        inline_position = position + INLINE_OFFSET
        positions, lengths = array("Q"), array("I")
        for length, _prefix, index, offset in struct.iter_unpack("=iIii", views):
            if 0 <= length <= MAX_INLINE_LENGTH:
                positions.append(inline_position)
            elif 0 <= index < len(buffers) and 0 <= offset <= buffers[index].size - length and length > 0:
                positions.append(buffers[index].position + offset)
            else:
                raise view_error(views, len(positions))
            lengths.append(length)
            inline_position += VIEW_SIZE
        return Ranges(positions.tobytes(), lengths.tobytes())


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
