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
            return source.getbuffer().nbytes
        if not isinstance(source, str | os.PathLike):
            status = os.fstat(source.fileno())
        else:
            status = os.fstat(0) if source == "-" else os.stat(source)
    except (OSError, ValueError, AttributeError, TypeError):
        return float("inf")
    return status.st_size if stat.S_ISREG(status.st_mode) else float("inf")
