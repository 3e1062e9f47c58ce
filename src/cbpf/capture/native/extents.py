"""Accepted records that are copied, given by their extents: machine code makes ranges of memory of them.

Unlike the ranges that the scanner makes, the extents permit a sample of the packets, and one file after another.
"""

import ctypes
from functools import cache

from ..._typing import TYPE_CHECKING, Any, Final
from ...engines.llvm import jit
from ..base import RecordWriter
from ..file_parts import NO_LIMITS, FileLimits, WrittenPart
from .abi import BATCH, RangeRequest
from .current_file import current_file, written_part
from .output_memory import AcceptedColumns, zeroed
from .scanner import ScannedRecords

if TYPE_CHECKING:
    from ..output import Output

_IOVEC_SIZE: Final = 16  # bytes


class RangeMemory:
    """Memory for ranges, which is reused from one write to the next."""

    def __init__(self) -> None:
        self._capacity = -1

    def reserve(self, count: int) -> tuple[int, int]:
        """Return the addresses of memory for *count* ranges, and for the total lengths of their batches."""
        if count > self._capacity:
            self._capacity = count
            self._ranges, self._sums = zeroed(_IOVEC_SIZE * (count + 1)), zeroed(8 * (count // BATCH + 1))
        return ctypes.addressof(self._ranges), ctypes.addressof(self._sums)


class AcceptedExtents:
    """The records that one filter accepted, which are copied; positions count from address *origin*."""

    def __init__(self, accepted: AcceptedColumns, origin: int, memory: RangeMemory) -> None:
        self.packets: Final = accepted.packets
        self.bytes: Final = accepted.bytes
        self.count: Final = accepted.row_count
        self._accepted = accepted
        self._origin = origin
        self._memory = memory

    def write_to(self, writer: RecordWriter, output: "Output") -> None:
        """Write the records, which are in the format of the output."""
        if not writer.discards:
            self.write_part(0, writer, output, NO_LIMITS)

    def write_part(self, begin: int, writer: RecordWriter, output: "Output", limits: FileLimits) -> WrittenPart:
        """Write the records from an index on, up to the one that begins another file."""
        accepted, file = self._accepted, current_file(limits)
        request = RangeRequest(accepted.memory, accepted.rows, self._origin, begin, accepted.row_count, file=file)
        made = request.output
        made.ranges, made.sums = self._memory.reserve(accepted.row_count - begin)
        _function()(ctypes.addressof(request))
        output.write_ranges(made.ranges, made.count, made.sums)
        return written_part(request.row, request.file, limits, accepted)


def with_extents(result: ScannedRecords, memory: RangeMemory) -> ScannedRecords:
    """Return a result whose columns are extents of records, to be copied."""
    accepted = [
        AcceptedExtents(output, result.origin, memory)
        for output in result.accepted
        if isinstance(output, AcceptedColumns)
    ]
    return result._replace(accepted=accepted)


@cache
def _function() -> Any:
    def write() -> str:
        from .extents_code import ranges_code

        return ranges_code()

    return jit.load_cached("ranges of extents", write).function(ctypes.c_uint32, ctypes.c_void_p)
