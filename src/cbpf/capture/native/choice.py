"""Whether machine code is worth its start for a capture."""

import io
import os
import stat

from ..._typing import Final
from ..source_stream import Source

MIN_NATIVE_SIZE: Final = 16_000_000
"""The number of bytes from which machine code is faster, including its start."""


def is_worthwhile(size: float) -> bool:
    """Return whether machine code can be used, and is faster for a source of *size* bytes."""
    if size < MIN_NATIVE_SIZE:
        return False
    from ...engines.base import llvm_is_installed

    return llvm_is_installed()


def size_of(source: Source) -> float:
    """Return the number of bytes of a source, as stored; infinity for a pipe, and where it is unknown.

    A file object is not moved to its end to find its size: `gzip.open`, for example, would decompress the file twice.
    """
    try:
        if isinstance(source, io.BytesIO):
            return _size_in_memory(source)
        if not isinstance(source, str | os.PathLike):
            status = os.fstat(source.fileno())
        else:
            status = os.fstat(0) if source == "-" else os.stat(source)
    except (OSError, ValueError, AttributeError, TypeError):
        return float("inf")
    return status.st_size if stat.S_ISREG(status.st_mode) else float("inf")


def _size_in_memory(source: io.BytesIO) -> int:
    """Return the number of bytes of a file in memory; `getbuffer` would copy those that it shares with a `bytes`."""
    if type(source) is not io.BytesIO:  # its methods may have been replaced
        return source.getbuffer().nbytes
    position = source.tell()
    size = source.seek(0, os.SEEK_END)
    source.seek(position)
    return size
