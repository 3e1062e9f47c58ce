"""Machine code that chooses the packets of a sample among those that filters accepted in a window.

A sample depends on the numbers of packets in the capture. Threads and lanes do not know these while they scan; they are
known when the windows before a result have been scanned.
"""

import ctypes
from functools import cache

from ..._typing import Any
from ...engines.llvm import jit
from ..sampling import Sample
from .abi import SampleRequest
from .output_memory import AcceptedColumns
from .scanner import ScannedRecords


def sampled(sample: Sample, result: ScannedRecords, before: int, *, has_extents: bool) -> ScannedRecords:
    """Return the packets of a result in the sample; *before* is the number of packets in the capture before it.

    *has_extents*: its columns have extents of records.
    """
    accepted = [
        _sampled(sample, output, before, has_extents=has_extents)
        for output in result.accepted
        if isinstance(output, AcceptedColumns)
    ]
    return result._replace(accepted=accepted)


def _sampled(sample: Sample, output: AcceptedColumns, before: int, *, has_extents: bool) -> AcceptedColumns:
    interval, seed = sample
    request = SampleRequest(output.memory, output.rows, output.row_count, before, seed, interval)
    _function(has_extents)(ctypes.addressof(request))
    columns = {name: column[: request.count] for name, column in output.columns.items()}
    return output._replace(packets=request.packets, bytes=request.bytes, columns=columns, row_count=request.count)


@cache
def _function(has_extents: bool) -> Any:
    def write() -> str:
        from .sampler_code import sampler_code

        return sampler_code(has_extents=has_extents)

    return jit.load_cached(f"sample, extents {has_extents}", write).function(ctypes.c_uint32, ctypes.c_void_p)
