"""The classic pcap format: its file header, and the records of a buffer.

Byte order and field layouts as in pcap-savefile(5); the older variants as libpcap's sf-pcap.c reads them.
"""

import struct
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from ..errors import CaptureError, DamagedCapture
from ..packet.link_types import LinkType, link_type
from .base import SECOND, ByteOrder, Interface, RecordSpan, Scan

FILE_HEADER_SIZE: Final = 24

# A length field that holds what the other should: up to version 2.2 always, in 2.3 sometimes.
LengthOrder: TypeAlias = Literal["captured first", "wire first", "smaller is captured"]


class _Variant(NamedTuple):
    nanoseconds: bool
    record_header_size: int


_VARIANTS: Final = {
    0xA1B2C3D4: _Variant(nanoseconds=False, record_header_size=16),
    0xA1B23C4D: _Variant(nanoseconds=True, record_header_size=16),
    0xA1B2CD34: _Variant(nanoseconds=False, record_header_size=24),  # Alexey Kuznetzov's patched libpcap
}


class RecordLayout(NamedTuple):
    """How records are written: two captures of one layout hold the same packet in the same bytes."""

    byte_order: ByteOrder
    nanoseconds: bool
    record_header_size: int
    length_order: LengthOrder


class FileHeader(NamedTuple):
    """The file header: *data* its 24 bytes; *snaplen* in bytes, as libpcap corrects it."""

    data: bytes
    layout: RecordLayout
    snaplen: int
    link_type: LinkType

    @property
    def interface(self) -> Interface:
        """The one interface of a pcap."""
        resolution = SECOND if self.layout.nanoseconds else 1_000_000
        return Interface(self.link_type, self.snaplen, self.layout.byte_order, resolution)


class Pcap:
    """A pcap with this header: a `Container` of one interface."""

    kind: Literal["pcap"] = "pcap"

    def __init__(self, header: FileHeader) -> None:
        self.header = header
        self.version = "{}.{}".format(*struct.unpack_from(f"{header.layout.byte_order}HH", header.data, 4))
        self.interfaces = [header.interface]
        self._times = struct.Struct(f"{header.layout.byte_order}II")

    def scan(self, buffer: bytes, first: int, name: str) -> Scan:
        """The whole records of *buffer*; see `Container`."""
        return scan(self.header, buffer, first, name)

    def passed(self, size: int) -> None:
        """It has no state."""

    def place(self, start_of_record: bytes, number: int) -> str:
        """Every record holds a packet."""
        return f"packet {number}"

    def time_ns(self, buffer: bytes, record: RecordSpan) -> int:
        """Nanoseconds since 1970 of a packet."""
        seconds, fraction = self._times.unpack_from(buffer, record[0])
        return int(seconds * SECOND + fraction * (1 if self.header.layout.nanoseconds else 1000))

    def times_ns(self, buffer: bytes, records: Sequence[RecordSpan]) -> Sequence[int | None]:
        """The same of each record."""
        unpack, unit = self._times.unpack_from, 1 if self.header.layout.nanoseconds else 1000
        times = [unpack(buffer, record[0]) for record in records]
        return [seconds * SECOND + fraction * unit for seconds, fraction in times]


def parse_header(data: bytes, name: str) -> FileHeader:
    """The header of a capture that begins with *data*; raises `CaptureError` if it is none that is read here."""
    if len(data) < FILE_HEADER_SIZE:
        raise CaptureError(f"{name}: has {len(data)} bytes; a pcap capture begins with a header of {FILE_HEADER_SIZE}")
    byte_order, variant = _identify(data, name)
    major, minor, _, _, snaplen, linktype = struct.unpack_from(f"{byte_order}HHiIII", data, 4)
    length_order = _length_order(major, minor, name)
    kind = link_type(linktype & 0x03FF_FFFF)
    if not 0 < snaplen <= 0x7FFF_FFFF:
        snaplen = kind.max_packet_length
    if variant.record_header_size == 24 and kind.name == "EN10MB":
        snaplen += 14  # this libpcap did not count the Ethernet header when capturing
    return FileHeader(data[:FILE_HEADER_SIZE], RecordLayout(byte_order, *variant, length_order), snaplen, kind)


def _identify(data: bytes, name: str) -> tuple[ByteOrder, _Variant]:
    orders: tuple[ByteOrder, ...] = ("<", ">")
    for byte_order in orders:
        (magic,) = struct.unpack_from(f"{byte_order}I", data)
        if magic in _VARIANTS:
            return byte_order, _VARIANTS[magic]
    raise CaptureError(f"{name}: byte 0: {data[:4].hex(' ')} is not the magic number of a capture")


def _length_order(major: int, minor: int, name: str) -> LengthOrder:
    if major < 2:
        raise CaptureError(f"{name}: byte 4: version {major}.{minor} is older than any that is described (2.0 to 2.4)")
    if (major != 2 or minor > 4) and (major, minor) != (543, 0):
        raise CaptureError(f"{name}: byte 4: version {major}.{minor} is unknown; 2.0 to 2.4 and 543.0 are read")
    if minor < 3 or major == 543:
        return "wire first"
    return "smaller is captured" if minor == 3 else "captured first"


def scan(header: FileHeader, buffer: bytes, first: int, name: str) -> Scan:
    """The whole records of *buffer*, from its start on; the bytes that the record after them needs; what is wrong.

    *first* is the number of the first record, counted from 1, for the error.
    """
    layout = header.layout
    unpack = struct.Struct(f"{layout.byte_order}8xII").unpack_from
    header_size, longest, snaplen = layout.record_header_size, header.link_type.max_packet_length, header.snaplen
    usual = layout.length_order == "captured first"
    records: list[RecordSpan] = []
    start, last = 0, len(buffer) - header_size
    while start <= last:
        captured, wire = unpack(buffer, start)
        if not usual and (layout.length_order == "wire first" or captured > wire):
            captured, wire = wire, captured
        if captured > longest:
            fact = f"packet {first + len(records)}: has a captured length of {captured} bytes"
            rule = f"a {header.link_type.name} packet has at most {longest}"
            return records, header_size, DamagedCapture(f"{name}: {fact}; {rule}")
        data_start = start + header_size
        end = data_start + captured
        if end > len(buffer):
            return records, header_size + captured, None
        records.append((start, data_start, end if captured <= snaplen else data_start + snaplen, end, wire, 0))
        start = end
    return records, header_size, None


def encode(record: RecordSpan, buffer: bytes, source: RecordLayout, target: RecordLayout) -> bytes:
    """The record as a capture of layout *target* holds it; cut to the snapshot length of its source."""
    start, data_start, data_end, _, wire_length, _ = record
    seconds, fraction = struct.unpack_from(f"{source.byte_order}II", buffer, start)
    if target.nanoseconds and not source.nanoseconds:
        fraction *= 1000
    lengths = (data_end - data_start, wire_length)
    if target.length_order == "wire first":
        lengths = lengths[::-1]
    head = struct.pack(f"{target.byte_order}IIII", seconds, fraction & 0xFFFF_FFFF, *lengths)
    extra = buffer[start + 16 : data_start] if target.record_header_size > 16 else b""
    return head + extra + buffer[data_start:data_end]


def merged_header(headers: list[FileHeader]) -> FileHeader:
    """The header of a capture that can hold the packets of all these: the first one's where that loses nothing."""
    first = headers[0]
    if all(header[1:] == first[1:] and header.data[16:] == first.data[16:] for header in headers):
        return first
    snaplen = max(header.snaplen for header in headers)
    if any(header.layout != first.layout for header in headers):
        nanoseconds = any(header.layout.nanoseconds for header in headers)
        return plain_header(first.interface._replace(snaplen=snaplen), nanoseconds=nanoseconds)
    end = struct.pack(f"{first.layout.byte_order}II", snaplen, first.link_type.linktype)
    return FileHeader(first.data[:16] + end, first.layout, snaplen, first.link_type)


def plain_header(interface: Interface, *, nanoseconds: bool) -> FileHeader:
    """The header of a capture of this interface in the usual variant of the format."""
    magic = next(magic for magic, variant in _VARIANTS.items() if variant == (nanoseconds, 16))
    kind, snaplen, byte_order = interface[:3]
    data = struct.pack(f"{byte_order}IHHiIII", magic, 2, 4, 0, 0, snaplen, kind.linktype)
    return FileHeader(data, RecordLayout(byte_order, nanoseconds, 16, "captured first"), snaplen, kind)


def plain_record(byte_order: ByteOrder, nanoseconds: bool, time_ns: int, wire_length: int, data: bytes) -> bytes:
    """A packet as a capture with such a header holds it; its time has to fit 32 bits of seconds."""
    seconds, fraction = divmod(time_ns, SECOND)
    units = fraction if nanoseconds else fraction // 1000
    return struct.pack(f"{byte_order}IIII", seconds, units, len(data), wire_length) + data
