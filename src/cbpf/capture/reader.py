"""Captures as streams: chunks of whole records, and packets one by one."""

from array import array
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple, Self, TypeAlias

from ..errors import CaptureError, DamagedCapture
from ..packet.batch import Packets
from ..packet.link_types import LinkType
from .base import NO_PACKET, Container, Interface, RecordSpan, packet_count
from .input import Input, Source
from .pcap import FILE_HEADER_SIZE, Pcap, parse_header
from .pcapng import SECTION_MAGIC, Pcapng

CHUNK_SIZE: Final = 1 << 20

_LOOK_AHEAD: Final = 1 << 24  # bytes at most, in pieces that are small because many captures may wait
_LOOK_AHEAD_PIECE: Final = 1 << 12

Chunk: TypeAlias = tuple[bytes, list[RecordSpan]]
"""A buffer, and the whole records in it."""


class Packet(NamedTuple):
    """One packet of a capture.

    number: its place in the capture, from 1; time_ns: nanoseconds since 1970 (UTC).
    wire_length: how many bytes it had; data: those that were captured.
    interface: the index of its interface in `CaptureReader.interfaces`.
    """

    number: int
    time_ns: int
    wire_length: int
    data: bytes
    interface: int = 0

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
        """Reads how the capture begins; raises `CaptureError` if it is none."""
        self._input = Input(source)
        try:
            begin = self._input.read_whole(FILE_HEADER_SIZE)
            self.container = _container(begin, self.name)
        except BaseException:
            self.close()
            raise
        self._buffer = begin if self.container.kind == "pcapng" else b""  # a section header is a record
        self._count = 0
        self._ahead: deque[Chunk] = deque()
        self._packets = self._each_packet()

    @property
    def name(self) -> str:
        """What errors call it: the path, "standard input", or the name of the file object."""
        return self._input.name

    @property
    def compression(self) -> str | None:
        """What the capture is compressed by: "gzip", "zstd", "lz4", "xz", "bzip2", or None."""
        return self._input.compression

    @property
    def file_size(self) -> int | None:
        """Bytes of the file, as it is on the disk; None for what is no regular file."""
        return self._input.size()

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """The interfaces described so far; a pcap has one, and a pcapng may describe more with each block."""
        return tuple(self.container.interfaces)

    @property
    def link_type(self) -> LinkType:
        """What each packet of the first interface begins with; raises `CaptureError` if there is no interface."""
        return self._first_interface().link_type

    @property
    def snaplen(self) -> int:
        """The most bytes of a packet that were captured on the first interface."""
        return self._first_interface().snaplen

    def _first_interface(self) -> Interface:
        self.look_ahead()
        if not self.container.interfaces:
            raise CaptureError(f"{self.name}: describes no interface, and so no link type")
        return self.container.interfaces[0]

    def __next__(self) -> Packet:
        return next(self._packets)

    def chunks(self) -> Iterator[Chunk]:
        """Buffers and the whole records in each, as they become available; instead of iterating over packets.

        Raises `DamagedCapture` behind the last whole record if the capture is cut short or wrong there.
        """
        while (chunk := self.read_chunk(CHUNK_SIZE)) is not None:
            yield chunk

    def read_chunk(self, size: int) -> Chunk | None:
        """The next chunk, of about *size* bytes, of one record at least; None at the end."""
        return self._ahead.popleft() if self._ahead else self._read_chunk(size)

    def look_ahead(self) -> None:
        """Reads on until an interface is described, but for no more than 16 MiB; nothing is lost to `chunks`."""
        ahead = 0
        while not self.container.interfaces and ahead < _LOOK_AHEAD:
            chunk = self._read_chunk(_LOOK_AHEAD_PIECE, _LOOK_AHEAD_PIECE)
            if chunk is None:
                break
            self._ahead.append(chunk)
            ahead += len(chunk[0])

    def _read_chunk(self, size: int, at_once: int = CHUNK_SIZE) -> Chunk | None:
        """The next records of about *size* bytes, or of what a live pipe has; None at the end."""
        needed = 0
        while True:
            piece = self._buffer[: max(size, needed)]
            records, needed, damage = self.container.scan(piece, self._count + 1, self.name)
            if records:
                self._buffer = self._buffer[records[-1][3] :]
                self._count += packet_count(records)
                return piece, records
            if damage is not None:
                raise damage
            if needed <= len(self._buffer):
                continue
            more = self._read_more(needed - len(self._buffer), at_once)
            if not more:
                break
            self._buffer += more
        if self._buffer:
            place = self.container.place(self._buffer, self._count + 1)
            fact = f"{place}: {len(self._buffer)} of its {needed} bytes are there"
            raise DamagedCapture(f"{self.name}: {fact}; the capture is cut short")
        return None

    def _read_more(self, missing: int, size: int) -> bytes:
        """A chunk, or what a live pipe has; as many bytes as a long record misses before it is scanned again."""
        first = self._input.read_some(max(missing, size))
        return first + self._input.read_whole(missing - len(first)) if first and missing > len(first) else first

    @property
    def buffer(self) -> bytes:
        """What was read and is not yet taken, but for what was looked ahead at; it begins with a record."""
        return b"" if self._ahead else self._buffer

    def take(self, size: int, packets: int) -> None:
        """So many bytes of the buffer, records with so many packets, were read by other means."""
        self._buffer = self._buffer[size:]
        self._count += packets
        self.container.passed(size)

    @property
    def position(self) -> int:
        """Where the buffer begins, in the decompressed bytes of the source."""
        return self._input.given - len(self._buffer)

    @property
    def taken(self) -> int:
        """How many bytes of the source, as it is stored, were read."""
        return self._input.taken

    def file(self) -> int | None:
        """The descriptor of a source that can be read at any position, from `position` on; else None."""
        return None if self._ahead else self._input.file()

    def take_file(self, position: int, packets: int) -> None:
        """The records of such a file before *position*, with so many packets, were read by other means."""
        self.container.passed(position - self.position)
        self._input.seek(position)
        self._buffer = b""
        self._count += packets

    def _each_packet(self) -> Iterator[Packet]:
        time_ns = self.container.time_ns
        number = 0
        for buffer, records in self.chunks():
            for record in records:
                _, data_start, data_end, _, wire_length, interface = record
                if interface != NO_PACKET:
                    number += 1
                    yield Packet(number, time_ns(buffer, record), wire_length, buffer[data_start:data_end], interface)

    def packets(self) -> Packets:
        """All packets that are left, as `VM.verdicts` takes them: in one buffer, as large as the capture.

        Raises `DamagedCapture` as `chunks` does.
        """
        buffers: list[bytes] = []
        positions, lengths, wire_lengths = array("Q"), array("I"), array("I")
        size = 0
        for buffer, records in self.chunks():
            for _, data_start, data_end, _, wire_length, interface in records:
                if interface != NO_PACKET:
                    positions.append(size + data_start)
                    lengths.append(data_end - data_start)
                    wire_lengths.append(wire_length)
            buffers.append(buffer[: records[-1][3]])
            size += len(buffers[-1])
        return Packets(b"".join(buffers), positions=positions, lengths=lengths, wire_lengths=wire_lengths)

    def close(self) -> None:
        """Closes the file, if it was opened here."""
        self._input.close()

    def park(self) -> None:
        """Closes a regular file until it is read on, so that many readers may wait for their turn."""
        self._input.park()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _container(begin: bytes, name: str) -> Container:
    """What a capture that begins so is; raises `CaptureError` if that is not read here."""
    if not begin.startswith(SECTION_MAGIC):
        return Pcap(parse_header(begin, name))
    if len(begin) < FILE_HEADER_SIZE:
        raise CaptureError(f"{name}: has {len(begin)} bytes; a pcapng capture begins with a section header of 28")
    return Pcapng(begin, name)


def read_capture(source: Source) -> CaptureReader:
    """The packets of a capture: a path, "-" for standard input, or a binary file object.

    Raises `CaptureError` if it is no capture; while iterating `DamagedCapture`, behind the last whole packet,
    if it is cut short.

    >>> with read_capture("examples/traffic.pcap") as capture:
    ...     print(capture.link_type.name, next(iter(capture)).number)
    EN10MB 1
    """
    return CaptureReader(source)
