"""The bytes of a regular file for native code: mapped where that is safe, and otherwise read into memory.

A process that accesses a mapped page beyond the end of a truncated file is killed (SIGBUS). So a file is mapped only
under a read lease (fcntl(2), F_SETLEASE): a process that opens it for writing or truncates it then waits, and this one
is notified. Where no lease is granted (another process has the file open for writing, or another user owns it), windows
of the file are read.
"""

import ctypes
import fcntl
import mmap
import os
import signal
from contextlib import ExitStack, suppress
from functools import cache
from typing import Final, Self

from ...errors import CaptureError
from ...packet.buffers import address_of

_MADV_POPULATE_READ: Final = 22


class MappedFile:
    """A regular file, up to its size at the time of this call; a context manager.

    *descriptor* must be open for reading; *name* appears in errors.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self.descriptor = descriptor
        self._stack = ExitStack()
        self._base: int | None = None
        has_lease = self._take_lease()
        self.size = os.fstat(descriptor).st_size  # under a lease, the file cannot shrink from here on
        if self.size and has_lease:
            with suppress(OSError, ValueError):  # the file system does not support mappings
                mapped = mmap.mmap(descriptor, self.size, prot=mmap.PROT_READ)
                self._base = self._stack.enter_context(address_of(mapped))

    @property
    def is_mapped(self) -> bool:
        """Whether windows are mapped; it may still change if the lease is broken."""
        return self._base is not None

    def _take_lease(self) -> bool:
        try:
            fcntl.fcntl(self.descriptor, fcntl.F_SETSIG, signal.SIGURG)  # SIGIO, the default, would end the process
            fcntl.fcntl(self.descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError:
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        is_mapped, self._base = self._base is not None, None
        self._stack.close()
        if is_mapped:
            with suppress(OSError):
                fcntl.fcntl(self.descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    def window(self, begin: int, stop: int, memory: "AnonymousMapping") -> tuple[int, int]:
        """Make a window readable; return a base address and the end of the readable bytes.

        Byte n of the file is at base + n; where the file is read, only the bytes of the window are present there. At
        least the bytes from *begin* to *stop* are readable, or those up to the end of the file. A file that is not
        mapped is read into *memory*. Raises `CaptureError` if the file was truncated.
        """
        if self._base is not None and self.is_readable(self._base):
            _populate(self._base + begin, self._base + stop)
            return self._base, self.size
        length = self._read(begin, min(stop + memory.slack, self.size) - begin, memory)
        return memory.address - begin, begin + length

    def is_readable(self, base: int) -> bool:
        """Return whether a window at this base address is still readable: a mapped one only while the lease holds."""
        return base != self._base or fcntl.fcntl(self.descriptor, fcntl.F_GETLEASE) == fcntl.F_RDLCK

    def _read(self, begin: int, length: int, memory: "AnonymousMapping") -> int:
        done = 0
        try:
            while done < length and (size := os.preadv(self.descriptor, [memory.view[done:length]], begin + done)):
                done += size
        except OSError as error:
            raise CaptureError(f"{self.name}: {error.strerror}") from None
        if done < length:
            fact = f"truncated from {self.size} to {os.fstat(self.descriptor).st_size} bytes while it was read"
            raise CaptureError(f"{self.name}: {fact}; the file must not shrink")
        return done


class AnonymousMapping:
    """Memory for a window of a file that is not mapped, and *slack* more bytes for its last record."""

    slack: Final = 1 << 20

    def __init__(self, window: int) -> None:
        self._mapped = mmap.mmap(-1, window + self.slack)  # pages are allocated on first write
        self.view: Final = memoryview(self._mapped)
        self.address: Final = ctypes.addressof(ctypes.c_char.from_buffer(self._mapped))


def _populate(begin: int, end: int) -> None:
    """Map the pages of a window by one call, since each would otherwise cost a page fault.

    The pages are not unmapped window by window: the TLB shootdown on the other processors costs more than it saves at
    the end.
    """
    first = begin & -mmap.PAGESIZE
    _libc().madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), _MADV_POPULATE_READ)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
