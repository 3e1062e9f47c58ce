"""The pcapng format: sections, interfaces, and the blocks that hold packets.

Layouts as in https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html; what is refused, as in libpcap's
sf-pcapng.c. All other blocks, options and comments are passed over: they are records without a packet.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

from ..errors import CaptureError, DamagedCapture
from ..packet.link_types import link_type
from .base import NO_PACKET, ByteOrder, Interface, RecordSpan, Scan

SECTION_MAGIC: Final = b"\x0a\x0d\x0d\x0a"  # the same in both byte orders

_SECTION, _INTERFACE, _OBSOLETE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_SMALLEST: Final = {_SECTION: 28, _INTERFACE: 20, _OBSOLETE: 32, _SIMPLE: 16, _ENHANCED: 32}  # bytes of a block
_NAMES: Final = {_SECTION: "a section header", _INTERFACE: "an interface description"}
SECTION, INTERFACE = "section header", "interface description"
_OTHERS: Final = {
    _INTERFACE: INTERFACE,
    4: "name resolution",
    5: "interface statistics",
    9: "systemd journal",
    10: "decryption secrets",
    0x0BAD: "custom",
    0x40000BAD: "custom",
}
_PACKETS: Final = (_OBSOLETE, _SIMPLE, _ENHANCED)
_HEAD, _TRAILER, _DATA = 8, 4, 28  # type and length; the length again; where the packet of most blocks begins

_BYTE_ORDERS: Final[dict[bytes, ByteOrder]] = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}

_END_OF_OPTIONS, _NAME, _RESOLUTION, _OFFSET = 0, 2, 9, 14
_OPTION_SIZES: Final = {_END_OF_OPTIONS: 0, _RESOLUTION: 1, _OFFSET: 8}

_LONGEST_BLOCK: Final = 16 << 20
_LONGEST_OPTIONS: Final = 131_072  # of a packet, beside the bytes captured, where those alone may fill a block
_LONGEST_NAME: Final = 255
_MOST_INTERFACES: Final = 65_536


class _Wrong(Exception):
    """What is wrong with a block: the fact and the rule."""


class Pcapng:
    """A pcapng capture: a `Container` whose interfaces are those of all its sections."""

    kind: Literal["pcapng"] = "pcapng"

    def __init__(self, begin: bytes, name: str) -> None:
        """*begin* holds the 16 first bytes at least; raises `CaptureError` if no section begins so."""
        self.interfaces: list[Interface] = []
        self._snaplens: list[int] = []  # of the interfaces of the section
        self._byte_order: ByteOrder = "<"
        self._position = 0  # of the next buffer in the capture
        self._longest = _LONGEST_BLOCK
        try:
            _, length = self._head(begin, 0)
            _check_length(length, self._longest, _SECTION)
            byte_order = _section_byte_order(begin, 0)
            major, minor = struct.unpack_from(f"{byte_order}HH", begin, 12)
            if major != 1 or minor not in (0, 2):
                raise _Wrong(f"version {major}.{minor} is unknown; 1.0 and 1.2 are read")
            self.version = f"{major}.{minor}"
        except _Wrong as wrong:
            raise CaptureError(f"{name}: {self.place(begin, 1)}: {wrong}") from None

    def scan(self, buffer: bytes, first: int, name: str) -> Scan:
        """The whole records of *buffer*; see `Container`. The state changes with each record that is returned."""
        records: list[RecordSpan] = []
        start, packets, needed, damage = 0, 0, _HEAD + _TRAILER, None
        while len(buffer) - start >= needed:
            before = len(records)
            start = self._usual_packets(buffer, start, records)
            packets += len(records) - before
            try:
                block = self._block(buffer, start)
            except _Wrong as wrong:
                place = self.place(buffer[start : start + 4], first + packets, start)
                damage = DamagedCapture(f"{name}: {place}: {wrong}")
                break
            if isinstance(block, int):
                needed = block
                break
            records.append(block)
            packets += block[5] != NO_PACKET
            start = block[3]
        self._position += start
        return records, needed, damage

    def _usual_packets(self, buffer: bytes, start: int, records: list[RecordSpan]) -> int:
        """Takes enhanced packet blocks, as long as all is well with them; returns where the next block begins."""
        unpack = struct.Struct(f"{self._byte_order}III8xII").unpack_from
        unpack_trailer = struct.Struct(f"{self._byte_order}I").unpack_from
        snaplens, longest, size = self._snaplens, self._longest, len(buffer)
        known = len(snaplens)
        first = len(self.interfaces) - known
        while start + 32 <= size:
            kind, length, index, captured, wire = unpack(buffer, start)
            end = start + length
            if kind != _ENHANCED or end > size or length > longest or length & 3 or captured + 32 > length:
                break
            if index >= known or captured > snaplens[index] or unpack_trailer(buffer, end - 4)[0] != length:
                break
            data_start = start + 28
            records.append((start, data_start, data_start + captured, end, wire, first + index))
            start = end
        return start

    def _block(self, buffer: bytes, start: int) -> RecordSpan | int:
        """The block at *start*, or how many bytes it needs."""
        if len(buffer) - start < _HEAD + _TRAILER:
            return _HEAD + _TRAILER
        kind, length = self._head(buffer, start)
        _check_length(length, self._longest, kind)
        end = start + length
        if end > len(buffer):
            return length
        byte_order = _section_byte_order(buffer, start) if kind == _SECTION else self._byte_order
        (trailer,) = struct.unpack_from(f"{byte_order}I", buffer, end - _TRAILER)
        if trailer != length and self._position + start > 0:  # libpcap does not look at that of the first block
            raise _Wrong(f"its length is {length} at its start and {trailer} at its end; both are the same")
        read = self._readers.get(kind)
        return read(self, buffer, start, end) if read is not None else (start, end, end, end, 0, NO_PACKET)

    def _head(self, buffer: bytes, start: int) -> tuple[int, int]:
        """Type and length of a block; of a section header, in its own byte order."""
        is_section = buffer[start : start + 4] == SECTION_MAGIC
        byte_order = _section_byte_order(buffer, start) if is_section else self._byte_order
        kind, length = struct.unpack_from(f"{byte_order}II", buffer, start)
        return kind, length

    def _section(self, buffer: bytes, start: int, end: int) -> RecordSpan:
        byte_order = _section_byte_order(buffer, start)
        (major,) = struct.unpack_from(f"{byte_order}H", buffer, start + 12)
        if major != 1:
            raise _Wrong(f"begins a section of version {major}; 1 is read")
        self._byte_order = byte_order
        self._snaplens = []
        return start, end, end, end, 0, NO_PACKET

    def _interface(self, buffer: bytes, start: int, end: int) -> RecordSpan:
        if len(self.interfaces) >= _MOST_INTERFACES:
            raise _Wrong(f"describes one interface more than {_MOST_INTERFACES}; no more are read")
        number, snaplen = struct.unpack_from(f"{self._byte_order}H2xI", buffer, start + _HEAD)
        kind = link_type(number)
        if not 0 < snaplen <= 0x7FFF_FFFF:
            snaplen = kind.max_packet_length
        options = _options(buffer[start + 16 : end - _TRAILER], self._byte_order)
        self.interfaces.append(Interface(kind, snaplen, self._byte_order, *_described(options, self._byte_order)))
        self._snaplens.append(snaplen)
        self._longest = max(self._longest, 32 + kind.max_packet_length + _LONGEST_OPTIONS)
        return start, end, end, end, 0, NO_PACKET

    def _enhanced(self, buffer: bytes, start: int, end: int) -> RecordSpan:
        index, captured, wire = struct.unpack_from(f"{self._byte_order}I8xII", buffer, start + _HEAD)
        return self._packet(start, start + _DATA, end, index, captured, wire)

    def _obsolete(self, buffer: bytes, start: int, end: int) -> RecordSpan:
        index, captured, wire = struct.unpack_from(f"{self._byte_order}H10xII", buffer, start + _HEAD)
        return self._packet(start, start + _DATA, end, index, captured, wire)

    def _simple(self, buffer: bytes, start: int, end: int) -> RecordSpan:
        """The captured length is not told: it is that of the packet, or the snapshot length."""
        (wire,) = struct.unpack_from(f"{self._byte_order}I", buffer, start + _HEAD)
        captured = min([wire, *self._snaplens[:1]])
        return self._packet(start, start + _HEAD + 4, end, 0, captured, wire)

    def _packet(self, start: int, data_start: int, end: int, index: int, captured: int, wire: int) -> RecordSpan:
        known = len(self._snaplens)
        if index >= known:
            raise _Wrong(f"is of interface {index}; its section has described {known}, counted from 0")
        if captured > self._snaplens[index]:
            fact = f"has a captured length of {captured} bytes"
            raise _Wrong(f"{fact}; its interface has a snapshot length of {self._snaplens[index]}")
        room = end - _TRAILER - data_start
        if captured > room:
            raise _Wrong(f"has a captured length of {captured} bytes; its block has room for {room}")
        return start, data_start, data_start + captured, end, wire, len(self.interfaces) - known + index

    _readers: Final[dict[int, Callable[["Pcapng", bytes, int, int], RecordSpan]]] = {
        _SECTION: _section,
        _INTERFACE: _interface,
        _OBSOLETE: _obsolete,
        _SIMPLE: _simple,
        _ENHANCED: _enhanced,
    }

    def passed(self, size: int) -> None:
        """So many bytes were read by other means; see `Container`."""
        self._position += size

    @property
    def section(self) -> tuple[ByteOrder, list[Interface], int]:
        """The section that the reader is in: its byte order, its interfaces, and how long a block may be."""
        return self._byte_order, self.interfaces[len(self.interfaces) - len(self._snaplens) :], self._longest

    def place(self, start_of_record: bytes, number: int, offset: int = 0) -> str:
        """The packet by its number, any other block by its place in the capture: *offset* behind the buffer's start."""
        if len(start_of_record) >= 4:
            (kind,) = struct.unpack_from(f"{self._byte_order}I", start_of_record)
            if kind in _PACKETS:
                return f"packet {number}"
        return f"block at byte {self._position + offset}"

    def time_ns(self, buffer: bytes, record: RecordSpan) -> int:
        """Nanoseconds since 1970 of a packet; a simple packet has 0 units of time."""
        start, data_start, _, _, _, index = record
        interface = self.interfaces[index]
        if data_start - start != _DATA:
            return interface.time_ns(0)
        high, low = struct.unpack_from(f"{interface.byte_order}II", buffer, start + 12)
        return interface.time_ns(high << 32 | low)

    def times_ns(self, buffer: bytes, records: Sequence[RecordSpan]) -> Sequence[int | None]:
        """The same of each record; None for a simple packet, and for what is no packet."""
        return [
            self.time_ns(buffer, record) if record[5] != NO_PACKET and record[1] - record[0] == _DATA else None
            for record in records
        ]


def other_block(buffer: bytes, start: int, byte_order: ByteOrder) -> tuple[str, ByteOrder]:
    """What a block without a packet is, and the byte order of its section, *byte_order* if it begins none."""
    if buffer[start : start + 4] == SECTION_MAGIC:
        return SECTION, _section_byte_order(buffer, start)
    (kind,) = struct.unpack_from(f"{byte_order}I", buffer, start)
    return _OTHERS.get(kind, "unknown"), byte_order


def _section_byte_order(buffer: bytes, start: int) -> ByteOrder:
    magic = buffer[start + 8 : start + 12]
    if magic not in _BYTE_ORDERS:
        raise _Wrong(f"begins a section with byte-order magic {magic.hex(' ')}; it is 1a 2b 3c 4d, or that reversed")
    return _BYTE_ORDERS[magic]


def _check_length(length: int, longest: int, kind: int) -> None:
    smallest = _SMALLEST.get(kind, _HEAD + _TRAILER)
    if length < smallest:
        raise _Wrong(f"has a length of {length} bytes; {_NAMES.get(kind, 'such a block')} has at least {smallest}")
    if length % 4:
        raise _Wrong(f"has a length of {length} bytes; blocks are multiples of 4 long")
    if length > longest:
        raise _Wrong(f"has a length of {length} bytes; blocks have at most {longest}")


def _options(data: bytes, byte_order: ByteOrder) -> Iterator[tuple[int, bytes]]:
    """Code and value of each option, to the end mark or the end."""
    start = 0
    while start < len(data):
        code, size = struct.unpack_from(f"{byte_order}HH", data, start)
        value = data[start + 4 : start + 4 + size]
        if start + 4 + size + -size % 4 > len(data):
            raise _Wrong(f"has an option {code} of {size} bytes, which ends behind its block")
        if size != _OPTION_SIZES.get(code, size):
            raise _Wrong(f"has an option {code} of {size} bytes; it has {_OPTION_SIZES[code]}")
        if code == _END_OF_OPTIONS:
            return
        yield code, value
        start += 4 + size + -size % 4


def _described(options: Iterator[tuple[int, bytes]], byte_order: ByteOrder) -> tuple[int, int, str | None]:
    """Resolution, offset and name of an interface."""
    found: dict[int, bytes] = {}
    for code, value in options:
        if code in found and code in _OPTION_SIZES:
            raise _Wrong(f"has option {code} twice; it has it once at most")
        found.setdefault(code, value)
    (exponent,) = found.get(_RESOLUTION, b"\x06")
    resolution = 1 << (exponent & 0x7F) if exponent & 0x80 else 10**exponent
    (offset,) = struct.unpack(f"{byte_order}q", found.get(_OFFSET, bytes(8)))
    name = found.get(_NAME)
    return resolution, offset, None if name is None else name[:_LONGEST_NAME].decode(errors="replace")


# Writing


def section(interface: Interface) -> bytes:
    """The head of a section with this interface alone."""
    options = b""
    if interface.resolution != 1_000_000:
        options = struct.pack(f"{interface.byte_order}HHB3xI", _RESOLUTION, 1, len(str(interface.resolution)) - 1, 0)
    magic = struct.pack(f"{interface.byte_order}IHHq", 0x1A2B3C4D, 1, 0, -1)
    description = struct.pack(f"{interface.byte_order}HxxI", interface.link_type.linktype, interface.snaplen)
    return _as_block(interface, _SECTION, magic) + _as_block(interface, _INTERFACE, description + options)


def enhanced_packet(interface: Interface, units: int, wire_length: int, data: bytes) -> bytes:
    """The block of a packet of interface 0; *units*: its time as the interface counts it."""
    head = struct.pack(f"{interface.byte_order}IIIII", 0, units >> 32, units & 0xFFFF_FFFF, len(data), wire_length)
    return _as_block(interface, _ENHANCED, head + data + bytes(-len(data) % 4))


def _as_block(interface: Interface, kind: int, body: bytes) -> bytes:
    length = struct.pack(f"{interface.byte_order}I", len(body) + _HEAD + _TRAILER)
    return struct.pack(f"{interface.byte_order}I", kind) + length + body + length
