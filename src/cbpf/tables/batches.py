"""Packets as record batches: columns of the capture are collected until a batch is full."""

from .._typing import Any, Final, Iterator, Mapping, Protocol
from ..capture.packets import PacketColumns
from ..capture.reader import CaptureReader
from .arrays import rows_of
from .libraries import load_pyarrow

_MAX_COPIED: Final = 1 << 26
"""The number of copied bytes of packets from which a batch is complete, so that long packets do not fill the memory."""


class TableColumn(Protocol):
    """A column of a table."""

    def append(self, reader: CaptureReader, columns: PacketColumns) -> None:
        """Append the values of some packets of a capture, of which there is one at least."""

    def finish(self) -> Any:
        """Return the values that were appended as one array of pyarrow, and begin another."""


class BatchBuilder:
    """Collects the rows of batches, of which each has up to *size* rows; *schema* is that of all of them."""

    def __init__(self, columns: Mapping[str, TableColumn], schema: Any, size: int) -> None:
        self._columns = columns
        self._schema = schema
        self._size = size
        self._rows = 0

    def add(self, reader: CaptureReader, columns: PacketColumns) -> Iterator[Any]:
        """Add packets of a capture, and yield the batches that are complete."""
        start, count = 0, len(columns.starts)
        while start < count:
            stop = min(count, start + self._size - self._rows)
            self._append(reader, rows_of(columns, slice(start, stop)))
            self._rows += stop - start
            start = stop
            if self._rows == self._size or self._copied() >= _MAX_COPIED:
                yield from self.rest()

    def _append(self, reader: CaptureReader, columns: PacketColumns) -> None:
        for column in self._columns.values():
            column.append(reader, columns)

    def _copied(self) -> int:
        return sum(getattr(column, "copied", 0) for column in self._columns.values())

    def rest(self) -> Iterator[Any]:
        """Yield a batch of the rows that were added since the last one, if there are any.

        After an error some columns have rows that others lack; they are left out.
        """
        if self._rows:
            rows, self._rows = self._rows, 0
            arrays = [column.finish().slice(0, rows) for column in self._columns.values()]
            yield load_pyarrow().RecordBatch.from_arrays(arrays, schema=self._schema)
