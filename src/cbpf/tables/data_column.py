"""The column with the bytes of the packets: values of the type binary_view.

The bytes of a mapped file are not copied: a data buffer is a part of the mapping. Those of a compressed file, of a pipe
and of any chunk that Python reads are copied into a data buffer of the batch. A position in a data buffer has 31 bits,
so that a segment, the rows with one data buffer, ends at 2 GiB.
"""

from array import array
from itertools import accumulate

from .._typing import Any, Final
from ..capture.batches import append_data
from ..capture.mapped_file import MappedFile
from ..capture.packets import PacketColumns
from ..capture.reader import CaptureReader
from .libraries import load_pyarrow
from .shared_mapping import SharedMapping, map_again

MAX_SEGMENT: Final = (1 << 31) - 1
"""The maximum size of a data buffer in bytes."""


class _MappedSegment:
    """Packets in a mapped file, in the order of their positions; the first is that of *columns*."""

    copied: Final = 0  # bytes

    def __init__(self, columns: PacketColumns, mapping: SharedMapping | None) -> None:
        self._mapping = mapping
        self._base = self._end = columns.starts[0]
        self._views = bytearray()

    def append(self, columns: PacketColumns, mapping: SharedMapping | None) -> bool:
        from .data_views import append_views

        end = columns.ends[-1]
        if mapping is None or mapping is not self._mapping or end - self._base > MAX_SEGMENT:
            return False
        if not append_views(columns, self._base, self._views):
            return False
        self._end = end
        return True

    def array(self) -> Any:
        from .data_views import VIEW_SIZE

        assert self._mapping is not None
        pa = load_pyarrow()
        buffers = [None, pa.py_buffer(self._views), self._mapping.buffer(self._base, self._end)]
        return pa.Array.from_buffers(pa.binary_view(), len(self._views) // VIEW_SIZE, buffers)


class _CopiedSegment:
    """Packets whose bytes are copied."""

    def __init__(self, columns: PacketColumns, mapping: SharedMapping | None) -> None:
        self._data = bytearray()
        self._lengths = array("I")

    @property
    def copied(self) -> int:
        return len(self._data)

    def append(self, columns: PacketColumns, mapping: SharedMapping | None) -> bool:
        if self._data and len(self._data) + columns.ends[-1] - columns.starts[0] > MAX_SEGMENT:
            return False
        (append_data if columns.native is None else columns.native.append_data)(columns, self._data, self._lengths)
        return True

    def array(self) -> Any:
        pa = load_pyarrow()
        offsets = array("i", accumulate(self._lengths, initial=0))
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self._data)]
        return pa.Array.from_buffers(pa.binary(), len(self._lengths), buffers).cast(pa.binary_view())


class DataColumn:
    """The column with the bytes of the packets."""

    def __init__(self) -> None:
        self._segments: list[_MappedSegment | _CopiedSegment] = []
        self._file: MappedFile | None = None
        self._mapping: SharedMapping | None = None

    @property
    def copied(self) -> int:
        """The number of bytes in memory that were copied."""
        return sum(segment.copied for segment in self._segments)

    def append(self, reader: CaptureReader, columns: PacketColumns) -> None:
        """Append the bytes of some packets, of which there is one at least."""
        mapping = self._mapping_of(columns)
        if mapping is None or not self._append_to(_MappedSegment, columns, mapping):
            self._append_to(_CopiedSegment, columns, None)

    def _append_to(
        self, kind: type[_MappedSegment | _CopiedSegment], columns: PacketColumns, mapping: SharedMapping | None
    ) -> bool:
        """Append packets to the last segment, or to another; return False if this kind cannot have them."""
        if self._segments and isinstance(self._segments[-1], kind) and self._segments[-1].append(columns, mapping):
            return True
        segment = kind(columns, mapping)
        if not segment.append(columns, mapping):
            return False
        self._segments.append(segment)
        return True

    def _mapping_of(self, columns: PacketColumns) -> SharedMapping | None:
        source = columns.source
        if not isinstance(source, MappedFile):
            return None
        if source is not self._file:
            self._file, self._mapping = source, map_again(source)
        return self._mapping

    def finish(self) -> Any:
        """Return the values that were appended as one array, and begin another."""
        arrays = [segment.array() for segment in self._segments]
        self._segments = []
        return arrays[0] if len(arrays) == 1 else load_pyarrow().concat_arrays(arrays)
