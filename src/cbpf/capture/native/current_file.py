"""The output file that machine code writes to, and the limits at which another begins."""

from ..._typing import Final
from ..file_parts import FileLimits, WrittenPart
from .abi import CurrentFile
from .output_memory import AcceptedColumns

_NONE: Final = (1 << 64) - 1  # a limit that no number exceeds
_SIGN: Final = 1 << 63  # added to signed times


def current_file(limits: FileLimits) -> CurrentFile:
    """Return a file and its limits for machine code; *bytes* counts from 0."""
    max_size = _NONE if limits.max_size is None else limits.max_size
    last = _NONE if limits.until_ns is None else max(0, min(limits.until_ns - 1 + _SIGN, _NONE))
    return CurrentFile(limits.size, limits.packets, 0, max_size, last)


def written_part(end: int, file: CurrentFile, limits: FileLimits, accepted: AcceptedColumns) -> WrittenPart:
    """Return the part that machine code has written to *file*, which was that of *limits* before."""
    columns, is_complete = accepted.columns, bool(file.is_complete)
    time_ns = columns["times_ns"][end] if is_complete and columns["timed"][end] else None
    return WrittenPart(end, file.packets - limits.packets, file.bytes, is_complete, time_ns)
