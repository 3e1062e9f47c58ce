"""Machine code that chooses the packets of a sample among those that filters accepted in a window.

A sample depends on the numbers of packets in the capture. Threads and lanes do not know these while they scan; they are
known when the windows before a result have been scanned.
"""

import ctypes
from functools import cache

from ..._typing import Any, Final
from ...engines.llvm import jit
from ..sampling import Sample
from .abi import BATCH, SampleRequest
from .output_memory import AcceptedColumns, AcceptedRanges, zeroed
from .scanner import ScannedRecords

_IOVEC_SIZE: Final = 16  # bytes


class Sampler:
    """Chooses the packets of a sample, and owns the memory of the results; *makes_ranges*: these are ranges."""

    def __init__(self, sample: Sample, *, makes_ranges: bool) -> None:
        self._sample = sample
        self._makes_ranges = makes_ranges
        self._memories: dict[int, tuple[int, Any, Any]] = {}  # capacity, ranges and sums by index of the output

    def sampled(self, result: ScannedRecords, before: int) -> ScannedRecords:
        """Return the packets of a result in the sample; *before* is the number of packets in the capture before it."""
        accepted = [
            self._sampled(index, output, result.origin, before)
            for index, output in enumerate(result.accepted)
            if isinstance(output, AcceptedColumns)
        ]
        return result._replace(accepted=accepted)

    def _sampled(
        self, index: int, output: AcceptedColumns, origin: int, before: int
    ) -> AcceptedRanges | AcceptedColumns:
        interval, seed = self._sample
        request = SampleRequest(output.memory, output.rows, output.row_count, before, seed, interval, origin)
        if self._makes_ranges:
            ranges, sums = self._range_memory(index, output.row_count)
            request.output.ranges, request.output.sums = ctypes.addressof(ranges), ctypes.addressof(sums)
            _function("ranges")(ctypes.addressof(request))
            made = request.output
            return AcceptedRanges(made.packets, made.bytes, made.ranges, made.count, made.sums)
        _function("columns")(ctypes.addressof(request))
        columns = {name: column[: request.count] for name, column in output.columns.items()}
        return output._replace(
            packets=request.output.packets, bytes=request.output.bytes, columns=columns, row_count=request.count
        )

    def _range_memory(self, index: int, count: int) -> tuple[Any, Any]:
        """Return memory for *count* ranges and their sums, which is reused if it is large enough."""
        capacity, ranges, sums = self._memories.get(index, (-1, None, None))
        if count > capacity:
            ranges, sums = zeroed(_IOVEC_SIZE * (count + 1)), zeroed(8 * (count // BATCH + 1))
            self._memories[index] = count, ranges, sums
        return ranges, sums


@cache
def _function(kind: str) -> Any:
    def write() -> str:
        from .sampler_code import sampled_columns_code, sampled_ranges_code

        return sampled_ranges_code() if kind == "ranges" else sampled_columns_code()

    return jit.load_cached(f"sample {kind}", write).function(ctypes.c_uint32, ctypes.c_void_p)
