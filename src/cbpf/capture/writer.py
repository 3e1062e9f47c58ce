"""What is written for the records that were kept: copies where the target is as the source, else new headers."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeAlias

from ..errors import CaptureError
from .base import NO_PACKET, SECOND, Container, Interface, RecordSpan
from .pcap import FileHeader, Pcap, encode, merged_header, plain_header, plain_record
from .pcapng import enhanced_packet, section

Place: TypeAlias = Callable[[RecordSpan], str]
"""What an error calls a record: capture and packet number."""


class Writer(Protocol):
    """What a capture is written as: bytes for what was kept of one source after the other."""

    def begin(self) -> bytes:
        """What stands in front of everything."""

    def begin_source(self, source: Container, name: str) -> bytes:
        """What stands in front of a source."""

    def copies(self, source: Container) -> bool:
        """Whether the records of a source are written as they are."""

    def records(self, source: Container, buffer: bytes, kept: list[RecordSpan], place: Place) -> bytes:
        """The records kept of a buffer; raises `CaptureError` for one that the format cannot hold."""

    def end(self) -> bytes:
        """What stands behind everything."""


class PcapngWriter:
    """pcapng: the blocks of a pcapng source as they are; each pcap as a section of its own."""

    def begin(self) -> bytes:
        """Nothing: a section header is a record of its source."""
        return b""

    def begin_source(self, source: Container, name: str) -> bytes:
        """The section of a pcap."""
        if source.kind == "pcapng":
            return b""
        interface = source.interfaces[0]
        if interface.link_type.linktype > 0xFFFF:
            raise CaptureError(f"{name}: link type {interface.link_type.name} does not fit a pcapng, which has 16 bits")
        return section(interface)

    def copies(self, source: Container) -> bool:
        """Those of a pcapng."""
        return source.kind == "pcapng"

    def records(self, source: Container, buffer: bytes, kept: list[RecordSpan], place: Place) -> bytes:
        """Copies of the blocks, or a block for each packet."""
        if source.kind == "pcapng":
            return b"".join([buffer[record[0] : record[3]] for record in kept])
        interface = source.interfaces[0]
        blocks = []
        for record in kept:
            units = source.time_ns(buffer, record) * interface.resolution // SECOND
            blocks.append(enhanced_packet(interface, units, record[4], buffer[record[1] : record[2]]))
        return b"".join(blocks)

    def end(self) -> bytes:
        """Nothing."""
        return b""


class PcapWriter:
    """pcap: one header for all packets.

    Where each source is a pcap, it is known at once. Else it is decided by the first packet that is kept (or at the
    end, if none is): its link type and byte order; nanoseconds if an interface of that link type, as far as they are
    described by then, has a time finer than microseconds; the largest snapshot length of those interfaces. A later
    packet that does not fit is an error.
    """

    def __init__(self, sources: Sequence[tuple[str, Container]]) -> None:
        """*sources*: names and containers; raises `CaptureError` for pcaps of different link types."""
        self._sources = sources
        self._header: FileHeader | None = None
        pcaps = [(name, source) for name, source in sources if isinstance(source, Pcap)]
        if len(pcaps) == len(sources):
            _require_one_link_type(pcaps)
            self._header = merged_header([source.header for _, source in pcaps])

    def begin(self) -> bytes:
        """The header, if it is known."""
        return b"" if self._header is None else self._header.data

    def begin_source(self, source: Container, name: str) -> bytes:
        """Nothing."""
        return b""

    def copies(self, source: Container) -> bool:
        """Those of a pcap of the target's layout, but for packets beyond the snapshot length."""
        return isinstance(source, Pcap) and self._header is not None and source.header.layout == self._header.layout

    def records(self, source: Container, buffer: bytes, kept: list[RecordSpan], place: Place) -> bytes:
        """The packets among the records, behind the header if they are the first."""
        packets = [record for record in kept if record[5] != NO_PACKET]
        if not packets:
            return b""
        head, header = b"", self._header
        if header is None:
            header = self._header = self._decide(source.interfaces[packets[0][5]])
            head = header.data
        if isinstance(source, Pcap) and source.header.link_type == header.link_type:
            return head + b"".join(_copied(source, buffer, packets, header))
        return head + b"".join([_encoded(source, buffer, record, place, header) for record in packets])

    def end(self) -> bytes:
        """The header, if no packet was kept: with the link type of the first interface."""
        if self._header is not None:
            return b""
        for _, source in self._sources:
            if source.interfaces:
                return self._decide(source.interfaces[0]).data
        name, _ = self._sources[0]
        raise CaptureError(f"{name}: describes no interface, and so no link type; a pcap has to have one")

    def _decide(self, first: Interface) -> FileHeader:
        alike = [
            interface for _, source in self._sources for interface in source.interfaces
            if interface.link_type == first.link_type
        ]  # fmt: skip
        snaplen = max(interface.snaplen for interface in alike)
        nanoseconds = any(interface.needs_nanoseconds for interface in alike)
        return plain_header(first._replace(snaplen=snaplen), nanoseconds=nanoseconds)


def _copied(source: Pcap, buffer: bytes, packets: list[RecordSpan], header: FileHeader) -> Iterator[bytes]:
    """Packets of a pcap: as they are where both have one layout and nothing is beyond the snapshot length."""
    layout = source.header.layout
    for record in packets:
        start, _, data_end, end, _, _ = record
        if layout == header.layout and data_end == end:
            yield buffer[start:end]
        else:
            yield encode(record, buffer, layout, header.layout)


def _encoded(source: Container, buffer: bytes, record: RecordSpan, place: Place, header: FileHeader) -> bytes:
    """A packet of a pcapng."""
    _, data_start, data_end, _, wire_length, index = record
    time_ns, layout = source.time_ns(buffer, record), header.layout
    fault = _misfit(source.interfaces[index], data_end - data_start, time_ns, header)
    if fault:
        raise CaptureError(f"{place(record)}: {fault}")
    return plain_record(layout.byte_order, layout.nanoseconds, time_ns, wire_length, buffer[data_start:data_end])


def _misfit(interface: Interface, captured: int, time_ns: int, header: FileHeader) -> str | None:
    """Why a packet cannot stand in a pcap with this header, if so."""
    kind, most = header.link_type, min(header.snaplen, header.link_type.max_packet_length)
    if interface.link_type != kind:
        return f"link type {interface.link_type.name} is not {kind.name}, that of the packets before; one pcap has one"
    if captured > most:
        return f"has a captured length of {captured} bytes; the pcap was begun for at most {most}"
    if not 0 <= time_ns < SECOND << 32:
        return f"is of {time_ns // SECOND} seconds since 1970; a pcap has 32 bits for them"
    if time_ns % 1000 and not header.layout.nanoseconds:
        return "has a time with nanoseconds; the pcap was begun with microseconds, all that was known to be needed"
    return None


def _require_one_link_type(pcaps: list[tuple[str, Pcap]]) -> None:
    first_name, first = pcaps[0]
    for name, other in pcaps[1:]:
        if other.header.link_type != first.header.link_type:
            raise CaptureError(
                f"{name}: link type {other.header.link_type.name} is not {first.header.link_type.name},"
                f" that of {first_name}; one pcap has one link type"
            )
