"""The bytes of a regular file for native code: mapped where that is safe, and otherwise read into memory.

A process that accesses a mapped page that cannot be read is killed (SIGBUS): a page beyond the end of a truncated file,
or one whose disk fails. So a file is mapped only under three conditions, and otherwise its windows are read:

- Its file system is one whose files only this kernel changes. Another host can truncate a file on a network file system
  although a lease was granted here.
- A read lease (fcntl(2), F_SETLEASE) is granted: a process that opens the file for writing or truncates it then waits,
  and this one is notified. None is granted if another process has the file open for writing, or another user owns it.
- The kernel (Linux 5.14 or newer) reports whether the pages of a window can be read (madvise(2), MADV_POPULATE_READ).
  Native code accesses only pages for which it did. A window that has an unreadable page is read up to that page.
"""

import ctypes
import fcntl
import mmap
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import cache

from .._typing import Final, Self
from ..errors import CaptureError
from ..packet.buffers import address_of

_MADV_POPULATE_READ: Final = 22

LOCAL_FILE_SYSTEMS: Final = {
    "bcachefs": 0xCA451A4E,
    "btrfs": 0x9123683E,
    "erofs": 0xE0F5E1E2,
    "exfat": 0x2011BAB0,
    "ext": 0xEF53,
    "f2fs": 0xF2F52010,
    "iso9660": 0x9660,
    "jfs": 0x3153464A,
    "nilfs2": 0x3434,
    "ntfs3": 0x7366746E,
    "overlayfs": 0x794C7630,
    "squashfs": 0x73717368,
    "tmpfs": 0x01021994,
    "udf": 0x15013346,
    "vfat": 0x4D44,
    "xfs": 0x58465342,
    "zfs": 0x2FC12FC1,
}
"""The file systems whose files are mapped, each with its number in struct statfs (linux/magic.h)."""


class MappedFile:
    """A regular file, up to its size at the time of this call; a context manager.

    *descriptor* must be open for reading; *name* appears in errors.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self.descriptor = descriptor
        self._stack = ExitStack()
        self._base: int | None = None
        may_map = file_system(descriptor) in LOCAL_FILE_SYSTEMS.values() and self._take_lease()
        self.size = os.fstat(descriptor).st_size  # under a lease, the file cannot shrink from here on
        if self.size and may_map:
            self._map()

    @property
    def is_mapped(self) -> bool:
        """Whether windows are mapped; it may still change if the lease is broken."""
        return self._base is not None

    def _map(self) -> None:
        with suppress(OSError, ValueError):  # the file system does not support mappings
            mapped = mmap.mmap(self.descriptor, self.size, prot=mmap.PROT_READ)
            base = self._stack.enter_context(address_of(mapped))
            if populate(base, base + 1):  # else the kernel cannot report unreadable pages
                self._base, self._mapped = base, mapped

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
        self._base = None
        self._stack.close()
        with suppress(OSError):
            fcntl.fcntl(self.descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    def window(self, begin: int, stop: int, memory: "AnonymousMapping") -> tuple[int, int]:
        """Make a window readable; return a base address and the end of the readable bytes.

        Byte n of the file is at base + n; only the bytes from *begin* to that end are readable. They are those up to
        *stop* and some more, for the last record of the window. There are fewer if the file ends or cannot be read
        there: then the caller reads it from the end on, which raises the error. A file that is not mapped is read into
        *memory*. Raises `CaptureError` if the file was truncated.
        """
        end = min(stop + memory.slack, self.size)
        if (base := self._mapped_base(begin, end)) is not None:
            return base, end
        return memory.address - begin, begin + self._read(begin, end - begin, memory)

    def view(self, begin: int, stop: int) -> memoryview | None:
        """Return the bytes up to *stop* or the end of the file, or None if they are not mapped or cannot be read."""
        end = min(stop, self.size)
        return None if self._mapped_base(begin, end) is None else memoryview(self._mapped)[begin:end]

    def _mapped_base(self, begin: int, end: int) -> int | None:
        """Return the base address of the mapping, or None if these bytes are not mapped or cannot be read."""
        base = self._base
        is_mapped = base is not None and self.is_readable(base) and populate(base + begin, base + end)
        return base if is_mapped else None

    def fetch(self) -> Callable[[slice], bytes]:
        """Return a function that returns bytes of a window that was mapped, to be called at once."""
        return self._fetch if self.address() is None else self._mapped.__getitem__

    def address(self) -> int | None:
        """Return the address of the mapping, to be used at once, or None if the lease no longer holds."""
        return self._base if self._base is not None and self.is_readable(self._base) else None

    def _fetch(self, positions: slice) -> bytes:
        """Read bytes of a window that was mapped; raises `CaptureError` if they cannot be read any more."""
        size = positions.stop - positions.start
        data = self.peek(positions.start, size)
        if len(data) < size:
            fact = f"byte {positions.start + len(data)} can no longer be read"
            raise CaptureError(f"{self.name}: {fact}; the file must not change while it is read")
        return data

    def peek(self, position: int, size: int) -> bytes:
        """Return up to *size* bytes of the file, or none if it cannot be read there."""
        try:
            return os.pread(self.descriptor, size, position)
        except OSError:
            return b""

    def is_readable(self, base: int) -> bool:
        """Return whether a window at this base address is still readable: a mapped one only while the lease holds."""
        return base != self._base or fcntl.fcntl(self.descriptor, fcntl.F_GETLEASE) == fcntl.F_RDLCK

    def _read(self, begin: int, length: int, memory: "AnonymousMapping") -> int:
        """Read bytes into *memory*; return how many there are before the first that cannot be read."""
        done = 0
        try:
            while done < length and (size := os.preadv(self.descriptor, [memory.view[done:length]], begin + done)):
                done += size
        except OSError:
            return done
        if done < length:
            fact = f"truncated from {self.size} to {os.fstat(self.descriptor).st_size} bytes while it was read"
            raise CaptureError(f"{self.name}: {fact}; the file must not shrink")
        return done


class AnonymousMapping:
    """Memory for a window of a file that is not mapped, and *slack* more bytes for its last record."""

    slack: Final = 1 << 20

    def __init__(self, window: int) -> None:
        self.mapped: Final = mmap.mmap(-1, window + self.slack)  # pages are allocated on first write
        self.view: Final = memoryview(self.mapped)
        self.address: Final = ctypes.addressof(ctypes.c_char.from_buffer(self.mapped))

    def holds(self, address: int) -> bool:
        """Return whether an address is in this memory."""
        return self.address <= address < self.address + len(self.mapped)


def populate(begin: int, end: int) -> bool:
    """Map the pages of a window by one call; return whether all of them can be read.

    Without this call each page would cost a page fault. The pages are not unmapped window by window: the TLB shootdown
    on the other processors costs more than it saves at the end.
    """
    first = begin & -mmap.PAGESIZE
    return not _libc().madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), _MADV_POPULATE_READ)


def file_system(descriptor: int) -> int:
    """Return the number of the file system of an open file, or 0 if it is unknown."""
    status = ctypes.create_string_buffer(256)  # struct statfs, whose first field is the number
    return 0 if _libc().fstatfs(descriptor, status) else ctypes.c_long.from_buffer(status).value


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
