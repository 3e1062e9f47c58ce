"""The writer of pcapngs: blocks that are copied, and sections of packets from other sources.

Layouts as in https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html.
"""

import struct
from functools import partial
from typing import TYPE_CHECKING, Final

from ..errors import CaptureError
from ..packet.host_order import ByteOrder
from .base import SECOND, Interface, NativeEncoding, Place, RecordSource, RecordSpan, RecordWriter, copied, with_packets

if TYPE_CHECKING:
    from .native.encoder_code import RecordEncoder

SECTION, INTERFACE, ENHANCED = 0x0A0D0D0A, 1, 6  # types of blocks
COMMENT, NAME, RESOLUTION = 1, 2, 9  # options
HEAD, TRAILER = 8, 4  # bytes of the type and length at the start, and of the length at the end
MAX_NAME_LENGTH: Final = 255


class PcapngWriter(RecordWriter):
    """Writes the blocks of each pcapng unchanged, and each other source as a section of its own.

    The interfaces of that section are described when the source has described them, those of a pcap at its beginning.
    """

    record_format = "pcapng"
    has_comments = True

    def __init__(self) -> None:
        self._name = ""
        self._described = 0  # interfaces of the current source

    def begin_source(self, source: RecordSource, name: str) -> bytes:
        """Return the section header and the interface descriptions for a source in another format."""
        if self.copies(source):
            return b""
        self._name, self._described = name, 0
        order = source.sections[0].byte_order
        magic = struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1)
        return _as_block(order, SECTION, magic) + self._describe(source)

    def _describe(self, source: RecordSource) -> bytes:
        """Return the descriptions of the interfaces that have none yet."""
        interfaces = source.interfaces[self._described :]
        for interface in interfaces:
            if interface.link_type.linktype > 0xFFFF:
                fact = f"link type {interface.link_type.name} does not fit in a pcapng"
                raise CaptureError(f"{self._name}: {fact}; its link type field has 16 bits")
        self._described = len(source.interfaces)
        return b"".join(map(_interface_description, interfaces))

    def encode(self, source: RecordSource, buffer: bytes, records: list[RecordSpan], place: Place) -> bytes:
        """Return copies of the blocks of a pcapng, or an enhanced packet block for each packet of another format."""
        if self.copies(source):
            return copied(buffer, records)
        blocks = [_enhanced_packet(source, buffer, record, place) for record in with_packets(records)]
        return self._describe(source) + b"".join(blocks)

    def native_encoding(self, source: RecordSource) -> NativeEncoding | None:
        """Return machine code for the packets of a source whose interfaces are described and have equal units."""
        interfaces = source.interfaces
        units = {(interface.byte_order, SECOND // interface.resolution) for interface in interfaces}
        if len(units) != 1 or self._described < len(interfaces) or SECOND % interfaces[0].resolution:
            return None
        from .native.encoder import load_encoder

        ((byte_order, unit),) = units
        code = load_encoder(f"pcapng, unit {unit} ns", byte_order, partial(_block_encoder, unit))
        return NativeEncoding(code, [0xFFFF_FFFF + 1] * len(interfaces))


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


def _enhanced_packet(source: RecordSource, buffer: bytes, record: RecordSpan, place: Place) -> bytes:
    """Return the block of a packet from another format."""
    _, data_start, data_end, _, wire_length, index = record
    interface, size = source.interfaces[index], data_end - data_start
    units = source.time_ns(buffer, record) * interface.resolution // SECOND
    if units >> 64:
        fact = f"time is {units // interface.resolution} seconds since 1970"
        rule = f"a pcapng has 64 bits from 1970 on, for {interface.resolution} units a second"
        raise CaptureError(f"{place(record)}: {fact}; {rule}")
    order, comment = interface.byte_order, source.comment(buffer, record)
    options = _option(order, COMMENT, comment) + bytes(4) if comment else b""
    head = struct.pack(f"{order}IIIII", index, units >> 32, units & 0xFFFF_FFFF, size, wire_length)
    return _as_block(order, ENHANCED, head + buffer[data_start:data_end] + bytes(-size % 4) + options)


def _option(byte_order: ByteOrder, code: int, value: bytes) -> bytes:
    return struct.pack(f"{byte_order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def _as_block(byte_order: ByteOrder, kind: int, body: bytes) -> bytes:
    length = struct.pack(f"{byte_order}I", len(body) + HEAD + TRAILER)
    return struct.pack(f"{byte_order}I", kind) + length + body + length
