"""The classic pcap format: its records, and a writer; `pcap_header` has the header of the file."""

import struct

from .._stdlib import partial
from .._typing import TYPE_CHECKING, ClassVar, Final, Iterator, Sequence
from ..errors import CaptureError, DamagedCapture
from ..packet.host_order import HostOrder
from .base import (
    SECOND,
    UNLIMITED,
    CaptureFormat,
    Container,
    Interface,
    Place,
    RecordSource,
    RecordSpan,
    RecordWriter,
    ScannedBuffer,
    Section,
    with_packets,
)
from .pcap_header import (
    FILE_HEADER_SIZE,
    FileHeader,
    PcapLayout,
    is_pcap,
    merged_header,
    parse_header,
    plain_header,
    with_snaplen,
)

if TYPE_CHECKING:
    from .native.encoder_code import RecordEncoder
    from .native.format_code import NativeEncoding, NativeScan, ScanOutput
    from .native.record_codegen import RecordCodegen


class Pcap(Container):
    """A pcap: one section with one interface, and a packet in each record."""

    kind: ClassVar = "pcap"
    header_size: ClassVar = FILE_HEADER_SIZE
    interfaces_are_final: ClassVar = True

    def __init__(self, header: FileHeader) -> None:
        layout = header.layout
        version = "{}.{}".format(*struct.unpack_from(f"{layout.byte_order}HH", header.data, 4))
        super().__init__(version, layout, variant="Kuznetzov" if layout.record_header_size > 16 else None)
        self.header = header
        self.interfaces = [header.interface]
        self.sections = [Section(layout.byte_order, 0)]
        self._times = struct.Struct(f"{layout.byte_order}II")

    def scan(self, buffer: bytes, first: int, name: str) -> ScannedBuffer:
        """Return the complete records at the start of a buffer; reading a pcap changes no state."""
        layout, snaplen = self.header.layout, self.header.snaplen
        unpack = struct.Struct(f"{layout.byte_order}8xII").unpack_from
        header_size, max_captured = layout.record_header_size, self.header.link_type.max_packet_length
        captured_first = layout.length_order == "captured first"
        records: list[RecordSpan] = []
        start, last_start = 0, len(buffer) - header_size
        while start <= last_start:
            captured, wire = unpack(buffer, start)
            if not captured_first and (layout.length_order == "wire first" or captured > wire):
                captured, wire = wire, captured
            if captured > max_captured:
                fact = f"packet {first + len(records)}: captured length is {captured} bytes"
                rule = f"the maximum for {self.header.link_type.name} is {max_captured}"
                return ScannedBuffer(records, header_size, DamagedCapture(f"{name}: {fact}; {rule}"))
            data_start = start + header_size
            end = data_start + captured
            if end > len(buffer):
                return ScannedBuffer(records, header_size + captured, None)
            records.append((start, data_start, end if captured <= snaplen else data_start + snaplen, end, wire, 0))
            start = end
        return ScannedBuffer(records, header_size, None)

    def needed_size(self, head: bytes) -> int:
        """Return the size of the next record, or of its header if *head* is shorter; 0 if it is corrupt."""
        _, needed, damage = self.scan(head[: self.header.layout.record_header_size], 1, "")
        return needed if damage is None else 0

    def time_ns(self, buffer: bytes, record: RecordSpan) -> int:
        """Return the time of a packet in nanoseconds since 1970 (UTC)."""
        start, _, _, _, _, _ = record
        seconds, fraction = self._times.unpack_from(buffer, start)
        return int(seconds * SECOND + fraction * (1 if self.header.layout.nanoseconds else 1000))

    def times_ns(self, buffer: bytes, records: Sequence[RecordSpan]) -> Sequence[int | None]:
        """Return the time of each packet in nanoseconds since 1970 (UTC)."""
        unpack, unit = self._times.unpack_from, 1 if self.header.layout.nanoseconds else 1000
        times = [unpack(buffer, start) for start, _, _, _, _, _ in records]
        return [seconds * SECOND + fraction * unit for seconds, fraction in times]

    def native_scan(self, next_record: bytes, output: "ScanOutput") -> "NativeScan":
        """Return the native scan of the capture to an output."""
        from .native.format_code import NativeScan
        from .native.scanner import load_scanner

        layout = self.header.layout
        settings = {
            "header_size": layout.record_header_size,
            "snaplen": min(self.header.snaplen, self.header.link_type.max_packet_length),
            "fractions": 10**9 if layout.nanoseconds else 10**6,
            **self.scan_settings(next_record),
        }
        key = f"pcap, {layout.length_order}"
        return NativeScan(load_scanner(key, layout.byte_order, self._record_codegen, output), settings)

    def packet_offset(self, *, timed: bool) -> int:
        """Return the size of the header of a record."""
        return self.header.layout.record_header_size

    def scan_settings(self, next_record: bytes) -> dict[str, int]:
        """Return the time stamp near which the scanner expects others when it searches for a boundary."""
        if len(next_record) < 4:
            return {}
        return {"seconds": struct.unpack_from(f"{self.header.layout.byte_order}I", next_record)[0]}

    def _record_codegen(self) -> "RecordCodegen":
        from .native.record_layouts import PcapCodegen

        return PcapCodegen(self.header.layout.length_order)


# Writing


class PcapWriter(RecordWriter):
    """Writes one pcap, whose header applies to all packets.

    If each source is a pcap, the header is known at the beginning. Otherwise the first accepted packet decides it (or
    `end`, if there is none): its link type and byte order; nanoseconds if an interface of that link type described by
    then has times finer than microseconds; the largest snapshot length of those interfaces. A later packet that does
    not fit is an error.

    Headers in the byte order of the capturing host are converted if the packet comes from a capture of the other byte
    order; a link type whose headers cannot be converted is an error then.
    """

    def __init__(self, sources: Sequence[tuple[str, RecordSource]], snaplen: int = UNLIMITED) -> None:
        """Raise `CaptureError` for pcaps of different link types; *sources* are given with their names."""
        self.snaplen = snaplen
        self._sources = sources
        self._header: FileHeader | None = None
        pcaps = [(name, source.header) for name, source in sources if isinstance(source, Pcap)]
        if len(pcaps) == len(sources):
            _require_one_link_type(pcaps)
            merged = merged_header([header for _, header in pcaps])
            self._header = with_snaplen(merged, min(merged.snaplen, snaplen))
            _require_convertible(pcaps, self._header)

    @property
    def record_format(self) -> PcapLayout | None:  # type: ignore[override]  # read-only here
        """The layout of the records, or None before the header is decided."""
        return None if self._header is None else self._header.layout

    def begin(self) -> bytes:
        """Return the header, if it is known."""
        return b"" if self._header is None else self._header.data

    def encode(self, source: RecordSource, buffer: bytes, records: list[RecordSpan], place: Place) -> bytes:
        """Return the packets among the records, preceded by the header if they are the first of the output."""
        packets = with_packets(records)
        if not packets:
            return b""
        head, header = b"", self._header
        if header is None:
            _, _, _, _, _, interface = packets[0]
            header = self._decide(source.interfaces[interface])
            head = header.data
        if isinstance(source, Pcap) and source.header.link_type == header.link_type:
            body = b"".join(_reencoded(source.header, buffer, packets, header.layout, self.snaplen))
        else:
            body = b"".join(_encoded(source, buffer, packets, place, header, self.snaplen))
        self._header = header  # only now: after an error, the header is not yet written
        return head + body

    def native_encoding(self, source: RecordSource) -> "NativeEncoding | None":
        """Return machine code for the packets that fit, if the header is known and that of a current pcap."""
        header = self._header
        if header is None or header != plain_header(header.interface, nanoseconds=header.layout.nanoseconds):
            return None
        from .native.encoder import load_encoder
        from .native.format_code import NativeEncoding

        layout = header.layout
        key, codegen = f"pcap, nanoseconds {layout.nanoseconds}", partial(_record_encoder, layout)
        limits = [_limit(interface, header, source) for interface in source.interfaces]
        return NativeEncoding(load_encoder(key, layout.byte_order, codegen), limits, self.snaplen)

    def end(self) -> bytes:
        """Return the header, with the link type of the first interface, if no packet was written."""
        if self._header is not None:
            return b""
        for _, source in self._sources:
            if source.interfaces:
                return self._decide(source.interfaces[0]).data
        name, _ = self._sources[0]
        raise CaptureError(f"{name}: describes no interface and thus no link type; a pcap requires one")

    def _decide(self, first: Interface) -> FileHeader:
        interfaces = [
            interface for _, source in self._sources for interface in source.interfaces
            if interface.link_type == first.link_type
        ]  # fmt: skip
        snaplen = min(max(interface.snaplen for interface in interfaces), self.snaplen)
        nanoseconds = any(interface.needs_nanoseconds for interface in interfaces)
        return plain_header(first._replace(snaplen=snaplen), nanoseconds=nanoseconds)


def _reencoded(
    source: FileHeader, buffer: bytes, packets: list[RecordSpan], target: PcapLayout, snaplen: int
) -> Iterator[bytes]:
    """Yield records of a pcap: copied if the layouts are equal and no packet exceeds a snapshot length."""
    layout, order = source.layout, _order_to_reverse(source.interface, target)
    for record in packets:
        start, data_start, data_end, end, _, _ = record
        is_equal = layout == target and data_end == end and data_end - data_start <= snaplen
        yield buffer[start:end] if is_equal else _converted(record, buffer, layout, target, order, snaplen)


def _order_to_reverse(interface: Interface, target: PcapLayout) -> HostOrder | None:
    """Return the headers in host byte order that packets of an interface need reversed in a target, or None."""
    return interface.link_type.host_order if interface.byte_order != target.byte_order else None


def _converted(
    record: RecordSpan, buffer: bytes, source: PcapLayout, target: PcapLayout, order: HostOrder | None, snaplen: int
) -> bytes:
    """Return a record in layout *target*, truncated to *snaplen* and to the snapshot length of its source."""
    start, data_start, data_end, _, wire_length, _ = record
    seconds, fraction = struct.unpack_from(f"{source.byte_order}II", buffer, start)
    if target.nanoseconds and not source.nanoseconds:
        fraction *= 1000
    lengths = (min(data_end - data_start, snaplen), wire_length)
    if target.length_order == "wire first":
        lengths = lengths[::-1]
    head = struct.pack(f"{target.byte_order}IIII", seconds, fraction & 0xFFFF_FFFF, *lengths)
    extra = buffer[start + 16 : data_start] if target.record_header_size > 16 else b""
    data = buffer[data_start:data_end]
    data = data if order is None else order.reversed(data, wire_length, source.byte_order)
    return head + extra + data[:snaplen]


def _encoded(
    source: RecordSource,
    buffer: bytes,
    packets: list[RecordSpan],
    place: Place,
    header: FileHeader,
    snaplen: int,
) -> Iterator[bytes]:
    """Yield the records of packets from another format."""
    layout, time_ns = header.layout, source.time_ns
    pack, unit = struct.Struct(f"{layout.byte_order}IIII").pack, 1 if layout.nanoseconds else 1000
    max_captured = _max_captured(header)
    orders: dict[int, HostOrder | None] = {}  # of the interfaces that fit
    for record in packets:
        _, data_start, data_end, _, wire_length, interface = record
        captured = min(data_end - data_start, snaplen)
        seconds, fraction = divmod(time_ns(buffer, record), SECOND)
        if interface not in orders or captured > max_captured or seconds >> 32 or fraction % unit:
            described = source.interfaces[interface]
            fault = _misfit(described, captured, seconds, fraction, header)
            if fault:
                raise CaptureError(f"{place(record)}: {fault}")
            orders[interface] = _order_to_reverse(described, layout)
        data, order = buffer[data_start:data_end], orders[interface]
        if order is not None:
            data = order.reversed(data, wire_length, source.interfaces[interface].byte_order)
        yield pack(seconds, fraction // unit, captured, wire_length) + data[:captured]


def _limit(interface: Interface, header: FileHeader, source: RecordSource) -> int:
    """Return the number of bytes captured from which on machine code does not encode a packet of an interface."""
    if interface.link_type != header.link_type or _order_to_reverse(interface, header.layout) is not None:
        return 0
    return UNLIMITED if isinstance(source, Pcap) else _max_captured(header) + 1


def _record_encoder(layout: PcapLayout) -> "RecordEncoder":
    from .native.record_encoders import PcapRecordCodegen

    return PcapRecordCodegen(1 if layout.nanoseconds else 1000)


def _max_captured(header: FileHeader) -> int:
    return min(header.snaplen, header.link_type.max_packet_length)


def _misfit(interface: Interface, captured: int, seconds: int, fraction: int, header: FileHeader) -> str | None:
    """Return the reason why a packet cannot be written under this header, or None; *fraction* is in nanoseconds."""
    pcap_type, max_captured = header.link_type, _max_captured(header)
    if interface.link_type != pcap_type:
        return f"link type {interface.link_type.name} is not {pcap_type.name} as before; a pcap has one link type"
    if not _is_convertible(interface, header):
        return _byte_order_fault(interface)
    if captured > max_captured:
        return f"captured length is {captured} bytes; the pcap header, already written, allows {max_captured}"
    if seconds >> 32:
        return f"time is {seconds} seconds since 1970; a pcap has 32 bits for the seconds"
    if fraction % 1000 and not header.layout.nanoseconds:
        return "time has nanoseconds; the pcap header, already written, declares microseconds"
    return None


def _require_one_link_type(headers: list[tuple[str, FileHeader]]) -> None:
    first_name, first = headers[0]
    for name, header in headers[1:]:
        if header.link_type != first.link_type:
            fact = f"link type {header.link_type.name} is not {first.link_type.name}, the link type of {first_name}"
            raise CaptureError(f"{name}: {fact}; a pcap has one link type")


def _require_convertible(headers: list[tuple[str, FileHeader]], target: FileHeader) -> None:
    for name, header in headers:
        if not _is_convertible(header.interface, target):
            raise CaptureError(f"{name}: {_byte_order_fault(header.interface)}")


def _is_convertible(interface: Interface, target: FileHeader) -> bool:
    """Return whether packets of an interface can be written under a header, as far as byte orders are concerned."""
    order = _order_to_reverse(interface, target.layout)
    return order is None or order.converts


def _byte_order_fault(interface: Interface) -> str:
    name, byte_order = interface.link_type.name, "little-endian" if interface.byte_order == "<" else "big-endian"
    fact = f"link type {name} has headers in the byte order of the capturing host, {byte_order} unlike those before"
    return f"{fact}; a pcap has one byte order, but a pcapng preserves both"


PCAP_FORMAT: Final = CaptureFormat(
    "pcap",
    recognizes=is_pcap,
    open=lambda begin, name: Pcap(parse_header(begin, name)),
    writer=PcapWriter,
    suffixes=(".pcap", ".cap", ".dmp"),
    needs_interfaces=True,
)
