"""A mapped capture file that Arrow arrays refer to, which lives as long as the last of them.

The mapping of the scanner ends with the scan. This one belongs to another open file description with a read lease of
its own (`capture.mapped_file` has the reason), which is closed with the mapping.
"""

import os
from contextlib import ExitStack, suppress
from weakref import finalize

from .._typing import Any
from ..capture.mapped_file import MappedFile
from .libraries import load_pyarrow


class SharedMapping:
    """The bytes of a file as memory for Arrow arrays, by *address* of byte 0 and *size*; `map_again` makes it."""

    def __init__(self, file: MappedFile, descriptor: int, address: int) -> None:
        self._address = address
        self._size = file.size
        finalize(self, _release, file, descriptor, os.getpid()).atexit = False

    def buffer(self, start: int, end: int) -> Any:
        """Return some bytes as a buffer of pyarrow, which keeps the mapping."""
        return load_pyarrow().foreign_buffer(self._address + start, min(end, self._size) - start, self)


def map_again(file: MappedFile) -> SharedMapping | None:
    """Return another mapping of a file, or None if it cannot be mapped."""
    with ExitStack() as stack, suppress(OSError):
        descriptor = os.open(f"/proc/self/fd/{file.descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, descriptor)
        mapped = stack.enter_context(MappedFile(descriptor, file.name))
        if (address := mapped.address()) is not None and mapped.size >= file.size:
            stack.pop_all()
            return SharedMapping(mapped, descriptor, address)
    return None


def _release(file: MappedFile, descriptor: int, process: int) -> None:
    """Close a mapping and its file; in a child process without the end of the lease, which the parent still holds."""
    if os.getpid() == process:
        file.__exit__()
    os.close(descriptor)
