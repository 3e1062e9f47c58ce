"""The packets of a live capture as the bytes of a pcap, for the readers of captures."""

import struct

from .._typing import Any, BinaryIO, Final
from ..capture.live_interface import LiveInterface
from ..capture.reader import CaptureReader
from ..errors import CaptureError
from .c_files import MemoryFile
from .capture_loop import CaptureLoop

_HEADER: Final = struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)
_RECORD: Final = struct.pack("=IIII", 0, 0, 0, 0)


def prepare_reader() -> None:
    """Load the machine code that reads packets, so that none has to wait for it in the system's buffer."""
    pipe: Any = _Pipe(_HEADER + _RECORD)
    for _ in CaptureReader(pipe):
        pass


class _Pipe:
    """A binary file object of unknown size with some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int) -> bytes:
        piece, self._data = self._data[:size], self._data[size:]
        return piece


class PacketStream:
    """A binary file object with a pcap: its header, and the packets as they arrive.

    A read returns complete records of packets that arrived together, or a part of these bytes if the buffer is smaller.
    """

    def __init__(self, loop: CaptureLoop) -> None:
        self.name = loop.handle.interface
        self.live_interface = LiveInterface(self.name, loop.statistics)
        self._loop = loop
        self._file = MemoryFile()
        self._dumper = loop.handle.dumper(self._file)
        self._position, self._end = 0, self._file.end_round()  # of the bytes in the file; at first the header

    def readinto(self, memory: memoryview) -> int:
        """Copy bytes into memory, as soon as there are any; return their number, which is 0 at the end of the capture.

        They are complete records of packets that arrived together, or a part of them if the memory is too small.
        """
        size = min(self._available(), len(memory))
        self._file.readinto(self._position, memory[:size])
        self._position += size
        return size

    def read1(self, size: int = -1) -> bytes:
        """Return up to *size* bytes, by default all that `readinto` would copy."""
        available = self._available()
        data = self._file.read(self._position, available if size < 0 else min(available, size))
        self._position += len(data)
        return data

    read = read1

    def _available(self) -> int:
        """Return the number of bytes that can be read, as soon as there are any; 0 at the end of the capture."""
        if self._position == self._end:
            self._position, self._end = 0, self._next_round()
        return self._end - self._position

    def _next_round(self) -> int:
        """Let the loop write packets into the file; return the number of bytes."""
        if not self._loop.step(self._dumper):
            return 0
        try:
            return self._file.end_round()
        except OSError as error:
            raise CaptureError(f"{self.name}: {error.strerror}") from None

    def as_file(self) -> BinaryIO:
        """Return this object as an argument of functions that read captures; they use its methods only."""
        this: Any = self
        file: BinaryIO = this
        return file
