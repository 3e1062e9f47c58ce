"""The bytes of a regular file, for native code: mapped where that is safe, else read into memory.

Whoever reads a mapped file that shrinks is killed (SIGBUS). So a file is mapped only under a read lease (fcntl(2)):
then whoever wants to shrink it, or write to it, waits, and we are told. Where no lease is to be had (another process
has the file open for writing, or owns it) windows of it are read.
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
    """A regular file from its start to the size that it had when it was opened here; a context manager."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self.descriptor = descriptor
        self._stack = ExitStack()
        self._base: int | None = None
        has_lease = self._take_lease()
        self.size = os.fstat(descriptor).st_size  # from now on no less
        if self.size and has_lease:
            with suppress(OSError, ValueError):  # a file system without mappings
                mapped = mmap.mmap(descriptor, self.size, prot=mmap.PROT_READ)
                self._base = self._stack.enter_context(address_of(mapped))

    @property
    def is_mapped(self) -> bool:
        """Whether windows are mapped, as far as is known now."""
        return self._base is not None

    def _take_lease(self) -> bool:
        try:
            fcntl.fcntl(self.descriptor, fcntl.F_SETSIG, signal.SIGURG)  # the default signal would end the process
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
        """The address that byte 0 of the file has, or would have, and where what can be read there ends.

        At least the bytes from *begin* to *stop* can be read, or all that the file has. *memory* is written over where
        they are not mapped. Raises `CaptureError` if the file is shorter than it was.
        """
        if self._base is not None and self.still_has(self._base):
            _populate(self._base + begin, self._base + stop)
            return self._base, self.size
        length = self._read(begin, min(stop + memory.slack, self.size) - begin, memory)
        return memory.address - begin, begin + length

    def still_has(self, base: int) -> bool:
        """Whether what a window at this address gave can still be read: not if the file is to be changed."""
        return base != self._base or fcntl.fcntl(self.descriptor, fcntl.F_GETLEASE) == fcntl.F_RDLCK

    def _read(self, begin: int, length: int, memory: "AnonymousMapping") -> int:
        done = 0
        try:
            while done < length and (got := os.preadv(self.descriptor, [memory.view[done:length]], begin + done)):
                done += got
        except OSError as error:
            raise CaptureError(f"{self.name}: {error.strerror}") from None
        if done < length:
            fact = f"has {os.fstat(self.descriptor).st_size} bytes and had {self.size} when it was opened"
            raise CaptureError(f"{self.name}: {fact}; a capture must not shrink while it is read")
        return done


class AnonymousMapping:
    """Room for one window of a file that is not mapped, and *slack* bytes more for its last record."""

    slack: Final = 1 << 20

    def __init__(self, window: int) -> None:
        self._mapped = mmap.mmap(-1, window + self.slack)  # takes room only where it is written
        self.view: Final = memoryview(self._mapped)
        self.address: Final = ctypes.addressof(ctypes.c_char.from_buffer(self._mapped))


def _populate(begin: int, end: int) -> None:
    """Maps the pages of a window with one call, as each would cost a fault.

    Giving them back window by window was tried: telling the other processors costs more than it saves at the end.
    """
    first = begin & -mmap.PAGESIZE
    _libc().madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), _MADV_POPULATE_READ)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
