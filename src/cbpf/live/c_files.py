"""Files of the C library (FILE), into which libpcap writes packets without Python."""

import ctypes
import errno
import os
from ctypes import byref, c_size_t, c_void_p
from functools import cache
from weakref import finalize

from .._c_library import c_library
from .._typing import Any, Final, NoReturn

_FULL_BUFFERING: Final = 0  # _IOFBF
_BUFFER_SIZE: Final = 1 << 16  # bytes that are written to a descriptor at once
_LOCKED_BY_CALLER: Final = 2  # FSETLOCKING_BYCALLER (stdio_ext.h)


@cache
def _library() -> Any:
    library: Any = c_library()
    library.open_memstream.restype = library.fdopen.restype = c_void_p
    library.setvbuf.argtypes = (c_void_p, c_void_p, ctypes.c_int, c_size_t)
    return library


class CFile:
    """The FILE at an address, which one thread uses at a time."""

    def __init__(self, address: int | None) -> None:
        """Raise the error of the function that returned None in place of an address."""
        self._library = _library()
        if not address:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self.pointer = c_void_p(address)
        set_locking = getattr(self._library, "__fsetlocking", None)  # of glibc and musl
        if set_locking is not None:  # a lock for each packet takes a third of the time of writing it
            set_locking(self.pointer, _LOCKED_BY_CALLER)

    def flush(self) -> None:
        """Write everything; raise `OSError` if that fails."""
        if self._library.fflush(self.pointer):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        if self._library.ferror(self.pointer):
            self.repeat_error()

    def repeat_error(self) -> NoReturn:
        """Raise the error of an earlier write, whose number is lost."""
        raise OSError(errno.EIO, os.strerror(errno.EIO))


class MemoryFile(CFile):
    """A file in memory, which is written in rounds: the bytes of one are read before the next one replaces them.

    The memory is freed with this object, since another thread may read it when a capture is closed.
    """

    def __init__(self) -> None:
        self._contents, self._size = c_void_p(), c_size_t()  # valid after a flush
        super().__init__(_library().open_memstream(byref(self._contents), byref(self._size)))
        finalize(self, _close_memory, self.pointer, self._contents)

    def end_round(self) -> int:
        """End a round of writing; return the number of its bytes, which are valid until something else is written."""
        self.flush()
        size = self._size.value
        self._library.rewind(self.pointer)
        return size

    def read(self, position: int, size: int) -> bytes:
        """Return bytes of the last round."""
        return ctypes.string_at(self._address(position), size)

    def readinto(self, position: int, memory: memoryview) -> None:
        """Copy bytes of the last round, as many as *memory* has."""
        if memory:
            ctypes.memmove(byref(ctypes.c_char.from_buffer(memory)), self._address(position), len(memory))

    def _address(self, position: int) -> int:
        return (self._contents.value or 0) + position


def _close_memory(pointer: c_void_p, contents: c_void_p) -> None:
    """Close a file in memory, and free the memory."""
    _library().fclose(pointer)
    _library().free(contents)


class DescriptorFile(CFile):
    """A file that writes to a duplicate of a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = os.dup(descriptor)
        try:
            super().__init__(_library().fdopen(self._descriptor, b"wb"))
        except OSError:
            os.close(self._descriptor)
            raise
        self._library.setvbuf(self.pointer, None, _FULL_BUFFERING, _BUFFER_SIZE)

    def repeat_error(self) -> NoReturn:
        """Raise the error of an earlier write: write something else, which is to be removed from a regular file."""
        os.write(self._descriptor, bytes(_BUFFER_SIZE))
        super().repeat_error()

    def discard(self) -> None:
        """Write nothing more to the descriptor; discard the buffered bytes."""
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), self._descriptor, inheritable=False)

    def close(self) -> None:
        """Close the file; nothing may use it afterwards."""
        self._library.fclose(self.pointer)
