"""Captures as streams: chunks of whole records, and packets one by one."""

import os
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple, Self, TypeAlias

from ..errors import CaptureError, DamagedCapture, FieldError
from ..link_types import LinkType
from .pcap import FILE_HEADER_SIZE, Header, Record, parse_header, scan

Source: TypeAlias = str | os.PathLike[str] | BinaryIO
"""A path, "-" for standard input, or a binary file object."""

CHUNK_SIZE: Final = 1 << 20


class Packet(NamedTuple):
    """One packet of a capture.

    number: its place in the capture, from 1; time_ns: nanoseconds since 1970 (UTC).
    wire_length: how many bytes it had; data: those that were captured.
    """

    number: int
    time_ns: int
    wire_length: int
    data: bytes

    @property
    def captured_length(self) -> int:
        """How many bytes were captured."""
        return len(self.data)

    @property
    def time(self) -> float:
        """Seconds since 1970 (UTC), to about a microsecond."""
        return self.time_ns / 1e9


class CaptureReader(Iterator[Packet]):
    """A capture that is read once, from its start to its end: an iterator of its packets.

    It is a context manager that closes the file, if it opened it. Read it by packets or by `chunks`, not both.
    """

    def __init__(self, source: Source) -> None:
        """Reads the file header; raises `CaptureError` if it is not that of a capture."""
        self._source = source
        self.name, self._stream, self._owned = _open(source)
        self._unpark: Callable[[], None] | None = None
        try:
            data = self._read_whole(FILE_HEADER_SIZE)
            self.header: Header = parse_header(data, self.name)
        except BaseException:
            self.close()
            raise
        self._packets = self._each_packet()

    @property
    def link_type(self) -> LinkType:
        """What each packet begins with."""
        return self.header.link_type

    @property
    def snaplen(self) -> int:
        """The most bytes of a packet that were captured."""
        return self.header.snaplen

    def __next__(self) -> Packet:
        return next(self._packets)

    def chunks(self) -> Iterator[tuple[bytes, list[Record]]]:
        """Buffers and the whole records in each, as they become available; instead of iterating over packets.

        Raises `DamagedCapture` behind the last whole record if the capture is cut short or wrong there.
        """
        count, buffer = 0, b""
        while True:
            records, needed, damage = scan(self.header, buffer, count + 1, self.name)
            if records:
                yield buffer, records
                count += len(records)
                buffer = buffer[records[-1][3] :]
            if damage is not None:
                raise damage
            more = self._read_more(needed - len(buffer))
            if not more:
                break
            buffer += more
        if buffer:
            fact = f"packet {count + 1}: {len(buffer)} of its {needed} bytes are there"
            raise DamagedCapture(f"{self.name}: {fact}; the capture is cut short")

    def _each_packet(self) -> Iterator[Packet]:
        unpack = struct.Struct(f"{self.header.layout.byte_order}II").unpack_from
        number = 0
        for buffer, records in self.chunks():
            for start, data_start, data_end, _, wire_length in records:
                number += 1
                time_ns = self.header.time_ns(*unpack(buffer, start))
                yield Packet(number, time_ns, wire_length, buffer[data_start:data_end])

    def close(self) -> None:
        """Closes the file, if it was opened here."""
        if self._owned:
            self._stream.close()

    def park(self) -> None:
        """Closes a regular file until it is read on, so that many readers may wait for their turn."""
        if self._owned and stat.S_ISREG(os.fstat(self._stream.fileno()).st_mode):
            position = self._stream.tell()
            self._stream.close()
            self._unpark = lambda: self._open_again(position)

    def _open_again(self, position: int) -> None:
        _, self._stream, _ = _open(self._source)
        self._stream.seek(position)
        self._unpark = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _read_whole(self, size: int) -> bytes:
        parts = [b""]
        while size > 0 and (part := self._read_some(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _read_more(self, missing: int) -> bytes:
        """A chunk, or what a live pipe has; as many bytes as a long record misses before it is scanned again."""
        first = self._read_some(max(missing, CHUNK_SIZE))
        return first + self._read_whole(missing - len(first)) if first and missing > len(first) else first

    def _read_some(self, size: int) -> bytes:
        if self._unpark is not None:
            self._unpark()
        read: Callable[[int], object] = getattr(self._stream, "read1", None) or self._stream.read
        try:
            data = read(size)
        except EOFError as error:
            raise DamagedCapture(f"{self.name}: {error}") from None
        except (OSError, ValueError) as error:
            raise CaptureError(f"{self.name}: {getattr(error, 'strerror', None) or error}") from None
        if isinstance(data, bytes):
            return data
        fact = "has nothing yet, and does not wait" if data is None else f"gives {type(data).__name__}"
        raise CaptureError(f"{self.name}: {fact}; a capture is read from a blocking stream of bytes")


def _open(source: Source) -> tuple[str, BinaryIO, bool]:
    """The name of a source for errors, its stream, and whether that was opened here."""
    if not isinstance(source, str | os.PathLike):
        if not hasattr(source, "read"):
            raise FieldError(f"source: {source!r} is neither a path nor a binary file object")
        return str(getattr(source, "name", "capture")), source, False
    if source == "-":
        return "standard input", sys.stdin.buffer, False
    path = os.fspath(source)
    name = path if path.isprintable() else repr(path)
    try:
        return name, open(path, "rb", buffering=0), True
    except (OSError, ValueError) as error:
        raise CaptureError(f"{name}: {getattr(error, 'strerror', error)}") from None


def read_capture(source: Source) -> CaptureReader:
    """The packets of a capture: a path, "-" for standard input, or a binary file object.

    Raises `CaptureError` if it is no capture; while iterating `DamagedCapture`, behind the last whole packet,
    if it is cut short.

    >>> with read_capture("examples/traffic.pcap") as capture:
    ...     print(capture.link_type.name, next(iter(capture)).number)
    EN10MB 1
    """
    return CaptureReader(source)
