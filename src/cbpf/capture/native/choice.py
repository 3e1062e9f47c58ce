"""Whether machine code is worth its start for a capture."""

import math
import os
import stat
from typing import Final

from ...engines.base import llvm_is_installed
from ..source_stream import Source

MIN_NATIVE_SIZE: Final = 16_000_000
"""The number of bytes from which machine code is faster, including its start."""


def is_worthwhile(size: float) -> bool:
    """Return whether machine code can be used, and is faster for a source of *size* bytes."""
    return size >= MIN_NATIVE_SIZE and llvm_is_installed()


def size_of(source: Source) -> float:
    """Return the number of bytes that remain to be read of a source, as stored; infinity for a pipe."""
    try:
        if not isinstance(source, str | os.PathLike):
            position = source.tell()
            size = source.seek(0, os.SEEK_END) - position
            source.seek(position)
            return size
        status = os.fstat(0) if source == "-" else os.stat(source)
        return status.st_size if stat.S_ISREG(status.st_mode) else math.inf
    except (OSError, ValueError, AttributeError):
        return math.inf
