"""The writer of pcapngs: blocks that are copied, and sections of packets from other sources.

Layouts as in https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html.
"""

import struct
import time
from functools import partial

from .._typing import TYPE_CHECKING, Final
from ..errors import CaptureError
from ..packet.host_order import ByteOrder
from .base import (
    NO_PACKET,
    SECOND,
    UNLIMITED,
    Interface,
    Place,
    RecordSource,
    RecordSpan,
    RecordWriter,
    with_packets,
)

if TYPE_CHECKING:
    from .native.encoder_code import RecordEncoder
    from .native.format_code import NativeEncoding

SECTION, INTERFACE, STATISTICS, ENHANCED = 0x0A0D0D0A, 1, 5, 6  # types of blocks
COMMENT, NAME, RESOLUTION = 1, 2, 9  # options
DROPPED_BY_INTERFACE, ACCEPTED, DROPPED = 5, 6, 7  # options of statistics: isb_ifdrop, isb_filteraccept, isb_osdrop
SECTION_MAGIC: Final = b"\x0a\x0d\x0d\x0a"  # a palindrome, so it is equal in both byte orders
BYTE_ORDERS: Final[dict[bytes, ByteOrder]] = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
HEAD, TRAILER = 8, 4  # bytes of the type and length at the start, and of the length at the end
MAX_NAME_LENGTH: Final = 255
_UNSPECIFIED_LENGTH: Final = b"\xff" * 8  # -1


class PcapngWriter(RecordWriter):
    """Writes the blocks of each pcapng, and each other source as a section of its own.

    The interfaces of that section are described when the source has described them, those of a pcap at its beginning.
    The blocks of a pcapng are unchanged, except that packets and snapshot lengths are truncated to *snaplen*.
    """

    record_format = "pcapng"
    has_comments = True

    def __init__(self, snaplen: int = UNLIMITED) -> None:
        self.snaplen = snaplen
        self._name = ""
        self._described = 0  # interfaces of the current source
        self._source: RecordSource | None = None  # in another format
        self._order: ByteOrder = "<"  # of the current section of a pcapng
        self._head: list[bytes] = []  # its section header and interface descriptions

    def begin_source(self, source: RecordSource, name: str) -> bytes:
        """Return the section header and the interface descriptions for a source in another format."""
        if source.record_format == self.record_format:
            return b""
        self._name, self._described, self._source = name, 0, source
        order = source.sections[0].byte_order
        magic = struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1)
        return _as_block(order, SECTION, magic) + self._describe(source)

    def continued(self, source: RecordSource, name: str) -> bytes:
        """Return the section header and the interface descriptions of the current section."""
        is_own = source.record_format == self.record_format
        return b"".join(self._head) if is_own else super().continued(source, name)

    def _describe(self, source: RecordSource) -> bytes:
        """Return the descriptions of the interfaces that have none yet."""
        interfaces = source.interfaces[self._described :]
        for interface in interfaces:
            if interface.link_type.linktype > 0xFFFF:
                fact = f"link type {interface.link_type.name} does not fit in a pcapng"
                raise CaptureError(f"{self._name}: {fact}; its link type field has 16 bits")
        self._described = len(source.interfaces)
        limit = self.snaplen
        return b"".join(
            [_interface_description(item._replace(snaplen=min(item.snaplen, limit))) for item in interfaces]
        )

    def edits(self, source: RecordSource) -> bool:
        """Return whether blocks of a pcapng are truncated, and thus snapshot lengths in the descriptions too."""
        return source.record_format == self.record_format and not self.copies(source)

    def encode(self, source: RecordSource, buffer: bytes, records: list[RecordSpan], place: Place) -> bytes:
        """Return the blocks of a pcapng, or an enhanced packet block for each packet of another format."""
        if source.record_format == self.record_format:
            return self._blocks(source, buffer, records)
        blocks = [_enhanced_packet(source, buffer, record, place, self.snaplen) for record in with_packets(records)]
        return self._describe(source) + b"".join(blocks)

    def _blocks(self, source: RecordSource, buffer: bytes, records: list[RecordSpan]) -> bytes:
        """Return the blocks of a pcapng, with packets and snapshot lengths of at most *snaplen* bytes."""
        blocks, limit = [], self.snaplen
        for record in records:
            start, data_start, data_end, end, _, index = record
            if index == NO_PACKET:
                blocks.append(self._other_block(buffer[start:end]))
            elif data_end - data_start <= limit:
                blocks.append(buffer[start:end])
            else:
                blocks.append(_truncated_packet(buffer, record, source.interfaces[index].byte_order, limit))
        return b"".join(blocks)

    def _other_block(self, block: bytes) -> bytes:
        """Return a block without a packet, with a snapshot length of at most *snaplen* bytes.

        The length of a section is stored as unspecified, because it differs if packets are truncated or another file
        begins.
        """
        if block.startswith(SECTION_MAGIC):
            self._order = BYTE_ORDERS[block[8:12]]
            self._head = [block[:16] + _UNSPECIFIED_LENGTH + block[24:]]
            return block if self.snaplen == UNLIMITED else self._head[0]
        if struct.unpack_from(f"{self._order}I", block)[0] == INTERFACE:
            (snaplen,) = struct.unpack_from(f"{self._order}I", block, 12)
            if (snaplen or UNLIMITED) > self.snaplen:
                block = block[:12] + struct.pack(f"{self._order}I", self.snaplen) + block[16:]
            self._head.append(block)
        return block

    def end(self) -> bytes:
        """Return the counts of a live capture so far."""
        return b"" if self._source is None or self._source.live is None else _statistics(self._source)

    def native_encoding(self, source: RecordSource) -> "NativeEncoding | None":
        """Return machine code that truncates blocks, or that encodes packets of interfaces with equal units.

        The interfaces must be described.
        """
        if source.record_format == self.record_format:
            return self._native_truncation(source)
        interfaces = source.interfaces
        units = {(interface.byte_order, SECOND // interface.resolution) for interface in interfaces}
        if len(units) != 1 or self._described < len(interfaces) or SECOND % interfaces[0].resolution:
            return None
        from .native.encoder import load_encoder
        from .native.format_code import NativeEncoding

        ((byte_order, unit),) = units
        code = load_encoder(f"pcapng, unit {unit} ns", byte_order, partial(_block_encoder, unit))
        return NativeEncoding(code, [UNLIMITED] * len(interfaces), self.snaplen)

    def _native_truncation(self, source: RecordSource) -> "NativeEncoding":
        from .native.encoder import load_encoder
        from .native.format_code import NativeEncoding

        code = load_encoder("pcapng, truncated", source.sections[-1].byte_order, _truncated_block)
        return NativeEncoding(code, [], self.snaplen)


def _truncated_block() -> "RecordEncoder":
    from .native.record_encoders import TruncatedBlockCodegen

    return TruncatedBlockCodegen()


def _block_encoder(unit: int) -> "RecordEncoder":
    from .native.record_encoders import EnhancedPacketCodegen

    return EnhancedPacketCodegen(unit, ENHANCED)


def _interface_description(interface: Interface) -> bytes:
    """Return the block that describes an interface, whose resolution must be a power of 10."""
    order, options = interface.byte_order, b""
    if interface.name is not None:
        options += _option(order, NAME, interface.name.encode(errors="replace")[:MAX_NAME_LENGTH])
    if interface.resolution != 1_000_000:
        options += _option(order, RESOLUTION, bytes([len(str(interface.resolution)) - 1]))
    if options:
        options += bytes(4)  # the end of the options
    fields = struct.pack(f"{order}HxxI", interface.link_type.linktype, interface.snaplen)
    return _as_block(order, INTERFACE, fields + options)


def _statistics(source: RecordSource) -> bytes:
    """Return the block with the counts of the interface of a live capture."""
    interface = source.interfaces[0]
    assert source.live is not None
    order, counts = interface.byte_order, source.live.statistics()
    options = (
        (DROPPED_BY_INTERFACE, counts.dropped_by_interface),
        (ACCEPTED, counts.received),
        (DROPPED, counts.dropped),
    )
    units = time.time_ns() * interface.resolution // SECOND
    head = struct.pack(f"{order}III", 0, units >> 32, units & 0xFFFF_FFFF)
    values = [_option(order, code, struct.pack(f"{order}Q", value)) for code, value in options]
    return _as_block(order, STATISTICS, head + b"".join(values) + bytes(4))


def _truncated_packet(buffer: bytes, record: RecordSpan, order: ByteOrder, size: int) -> bytes:
    """Return the block of a packet, truncated to fewer bytes; its options are preserved.

    A simple packet block has no captured length: the snapshot length of its interface is that.
    """
    start, data_start, data_end, end, _, _ = record
    kind, head = struct.unpack_from(f"{order}I", buffer, start)[0], buffer[start + HEAD : data_start]
    if len(head) > 4:
        head = head[:12] + struct.pack(f"{order}I", size) + head[16:]
    options = buffer[data_end + (data_start - data_end) % 4 : end - TRAILER]
    return _as_block(order, kind, head + buffer[data_start : data_start + size] + bytes(-size % 4) + options)


def _enhanced_packet(source: RecordSource, buffer: bytes, record: RecordSpan, place: Place, snaplen: int) -> bytes:
    """Return the block of a packet from another format, truncated to *snaplen* bytes."""
    _, data_start, data_end, _, wire_length, index = record
    interface, size = source.interfaces[index], min(data_end - data_start, snaplen)
    units = source.time_ns(buffer, record) * interface.resolution // SECOND
    if units >> 64:
        fact = f"time is {units // interface.resolution} seconds since 1970"
        rule = f"a pcapng has 64 bits from 1970 on, for {interface.resolution} units a second"
        raise CaptureError(f"{place(record)}: {fact}; {rule}")
    order = interface.byte_order
    options = b"".join([_option(order, COMMENT, comment) for comment in source.comments(buffer, record)])
    if options:
        options += bytes(4)  # the end of the options
    head = struct.pack(f"{order}IIIII", index, units >> 32, units & 0xFFFF_FFFF, size, wire_length)
    return _as_block(order, ENHANCED, head + buffer[data_start : data_start + size] + bytes(-size % 4) + options)


def _option(byte_order: ByteOrder, code: int, value: bytes) -> bytes:
    return struct.pack(f"{byte_order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def _as_block(byte_order: ByteOrder, kind: int, body: bytes) -> bytes:
    length = struct.pack(f"{byte_order}I", len(body) + HEAD + TRAILER)
    return struct.pack(f"{byte_order}I", kind) + length + body + length
