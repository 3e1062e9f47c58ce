"""The memory into which the scanner's machine code writes accepted records: ranges of memory, or columns."""

import ctypes
import mmap
from collections.abc import Mapping, Sequence

from ..._named_tuple import NamedTuple
from ..._typing import TYPE_CHECKING, Any, Final, Protocol
from ..base import RecordWriter
from .abi import BATCH, COLUMN_STARTS, COLUMNS, ITEM_SIZES, ROW_BYTES, ColumnOutput, FilterOutput, max_ranges, max_rows

if TYPE_CHECKING:
    from ..output import Output


class AcceptedRanges(NamedTuple):
    """The records that one filter accepted, as *range_count* ranges of memory (struct iovec) at address *ranges*.

    *sums* is the address of 64-bit integers: the total length of each BATCH of ranges. *bytes* is the number of bytes
    captured of the packets.
    """

    packets: int
    bytes: int
    ranges: int
    range_count: int
    sums: int

    def write_to(self, writer: RecordWriter, output: "Output") -> None:
        """Write the records, which are in the format of the output."""
        output.write_ranges(self.ranges, self.range_count, self.sums)


class AcceptedColumns(NamedTuple):
    """The packets that one filter accepted, as columns of `abi.COLUMNS`, *memory* being the address of all of them.

    They have *row_count* of *rows* rows; the address is 0, and there are no columns, if they were not collected.
    """

    packets: int
    bytes: int
    columns: Mapping[str, memoryview]
    memory: int
    rows: int
    row_count: int


class OutputMemory(Protocol):
    """The memory of all outputs of a scan."""

    @property
    def outputs(self) -> ctypes.Array[Any]:
        """The structures of the outputs."""

    @property
    def rows(self) -> int:
        """The number of rows of a column, or 0."""

    def reset(self) -> None:
        """Prepare the outputs for a scan."""

    def accepted(self) -> Sequence[AcceptedRanges | AcceptedColumns]:
        """Return the results of a scan, which are valid until the next."""


class RangeMemory:
    """The memory of outputs that are ranges; *collects* has a flag for each output."""

    rows: Final = 0

    def __init__(self, window: int, collects: Sequence[bool]) -> None:
        count = max_ranges(window)
        self._ranges = [zeroed(16 * count) if is_collected else None for is_collected in collects]
        self._sums = [zeroed(8 * (count // BATCH + 1)) for _ in collects]
        self.outputs: Final = (FilterOutput * len(collects))()

    def reset(self) -> None:
        """Prepare the outputs for a scan."""
        for output, ranges, sums in zip(self.outputs, self._ranges, self._sums, strict=True):
            output.ranges = None if ranges is None else ctypes.addressof(ranges)
            output.sums = ctypes.addressof(sums)
            output.count = output.packets = output.bytes = 0

    def accepted(self) -> Sequence[AcceptedRanges]:
        """Return the results of a scan, which are valid until the next."""
        return [
            AcceptedRanges(output.packets, output.bytes, output.ranges or 0, output.count, output.sums)
            for output in self.outputs
        ]


class ColumnMemory:
    """The memory of outputs that are columns; *collects* has a flag for each output, *names* are those collected."""

    def __init__(self, window: int, collects: Sequence[bool], names: Sequence[str]) -> None:
        self._names = names
        self.rows: Final = max_rows(window)
        size = self.rows * ROW_BYTES
        self._memories = [mmap.mmap(-1, size) if is_collected else None for is_collected in collects]
        self._owned = [None if memory is None else ctypes.c_char.from_buffer(memory) for memory in self._memories]
        self.outputs: Final = (ColumnOutput * len(collects))()

    def reset(self) -> None:
        """Prepare the outputs for a scan."""
        for output, memory in zip(self.outputs, self._owned, strict=True):
            output.memory = None if memory is None else ctypes.addressof(memory)
            output.count = output.packets = output.bytes = 0

    def accepted(self) -> Sequence[AcceptedColumns]:
        """Return the results of a scan, which are valid until the next."""
        return [
            AcceptedColumns(
                output.packets,
                output.bytes,
                {} if memory is None else self._columns(memory, output.count),
                output.memory or 0,
                self.rows,
                output.count,
            )
            for output, memory in zip(self.outputs, self._memories, strict=True)
        ]

    def _columns(self, memory: mmap.mmap, count: int) -> Mapping[str, memoryview]:
        view = memoryview(memory)
        columns = {}
        for name in self._names:
            start = self.rows * COLUMN_STARTS[name]
            columns[name] = view[start : start + count * ITEM_SIZES[name]].cast(COLUMNS[name])
        return columns


def zeroed(size: int) -> Any:
    """Return an anonymous mapping, whose pages are allocated on first write and freed with the object."""
    return ctypes.c_char.from_buffer(mmap.mmap(-1, size))
