"""Headers in the byte order of the capturing host: their fields.

Most link types have headers in network byte order. A few kernels pass on structures in the byte order of their host;
then the byte order of a capture (of its file, or of a section of a pcapng) is that of these headers as well. The table
of link types (`link_types`) refers to the rows of this module.

Sources: https://www.tcpdump.org/linktypes.html; libpcap pcap-common.c (swap_pseudo_headers, which reverses the fields
of a capture of the other byte order before a filter runs; in later releases pcap-util.c), pcap-usb-linux-common.h,
gencode.c (gen_loopback_linktype); for ENC, tcpdump print-enc.c.
"""

import sys

from .._named_tuple import NamedTuple
from .._typing import Callable, Final, Literal, Sequence, TypeAlias

ByteOrder: TypeAlias = Literal["<", ">"]
"""A byte order as the first character of a format of `struct`: little-endian or big-endian."""

HOST_BYTE_ORDER: Final[ByteOrder] = "<" if sys.byteorder == "little" else ">"

Field: TypeAlias = tuple[int, int]
"""The offset and the size of a field in bytes."""

Fields: TypeAlias = Callable[[bytes, int, ByteOrder], Sequence[Field]]
"""Returns the fields in host byte order of a packet, given its length on the wire and the byte order of its capture."""

WireLength: TypeAlias = Callable[[bytes, int, ByteOrder], int]
"""Returns the length of a packet on the wire, given the packet, its recorded length, and its byte order."""


class HostOrder(NamedTuple):
    """The part of a packet that is in the byte order of the capturing host.

    Args:
        fields: Returns its fields; None if they are not known, or depend on the content.
        converts: Whether a packet may be written to a capture of the other byte order, with its fields reversed.
            Otherwise such a capture cannot hold it.
        filters_see_host: Whether libpcap presents the fields to filters in the byte order of the filtering host. If
            not, it compiles an expression for the byte order of the capture, or no expression reads the fields.
        wire_length: The function with which libpcap corrects the length on the wire before it filters, or None.
    """

    fields: Fields | None = None
    converts: bool = False
    filters_see_host: bool = False
    wire_length: WireLength | None = None

    def reversed(self, packet: bytes, wire_length: int, byte_order: ByteOrder) -> bytes:
        """Return a packet with its fields reversed, if it has them completely; *byte_order* is their present one."""
        fields = () if self.fields is None else self.fields(packet, wire_length, byte_order)
        if not fields:
            return packet
        data = bytearray(packet)
        for start, size in fields:
            if start + size <= len(packet):
                data[start : start + size] = packet[start : start + size][::-1]
        return bytes(data)


def _fixed(*fields: Field) -> Fields:
    return lambda packet, wire_length, byte_order: fields


_CAN_FIELDS: Final = {  # by protocol: Linux ETH_P_CAN, ETH_P_CANFD and ETH_P_CANXL
    b"\x00\x0c": ((0, 4),),
    b"\x00\x0d": ((0, 4),),
    b"\x00\x0e": ((0, 4), (6, 2), (8, 4)),
}


def _cooked(protocol_offset: int, header_size: int) -> Fields:
    """Return the function for SocketCAN headers in cooked captures; packets of other protocols have no such fields."""

    def fields(packet: bytes, wire_length: int, byte_order: ByteOrder) -> Sequence[Field]:
        can_fields = _CAN_FIELDS.get(packet[protocol_offset : protocol_offset + 2], ())
        available = wire_length - header_size
        return [(header_size + start, size) for start, size in can_fields if start + size <= available]

    return fields


def _pflog_fields(packet: bytes, wire_length: int, byte_order: ByteOrder) -> Sequence[Field]:
    """Return the user and process numbers of a pflog header; its first byte is its length."""
    end = min(packet[0], wire_length) if packet else 0
    return [(start, 4) for start in (44, 48, 52, 56) if start + 4 <= end]


_USB_HEADER_SIZE: Final = 64  # of USB_LINUX_MMAPPED; the header of USB_LINUX has its first 48 bytes
_USB_FIELDS: Final = ((0, 8), (12, 2), (16, 8), (24, 4), (28, 4), (32, 4), (36, 4))
_USB_ISOCHRONOUS_FIELDS: Final = ((40, 4), (44, 4))
_USB_MMAPPED_FIELDS: Final = ((48, 4), (52, 4), (56, 4), (60, 4))
_ISO_DESCRIPTOR_SIZE: Final = 16
_MAX_ISO_DESCRIPTORS: Final = 128


def _usb_fields(packet: bytes, wire_length: int, byte_order: ByteOrder) -> Sequence[Field]:
    return (*_USB_FIELDS, *_USB_ISOCHRONOUS_FIELDS) if _is_isochronous(packet) else _USB_FIELDS


def _usb_mmapped_fields(packet: bytes, wire_length: int, byte_order: ByteOrder) -> Sequence[Field]:
    fields = [*_usb_fields(packet, wire_length, byte_order), *_USB_MMAPPED_FIELDS]
    if _is_isochronous(packet) and len(packet) >= _USB_HEADER_SIZE:
        end = _USB_HEADER_SIZE + _ISO_DESCRIPTOR_SIZE * _descriptor_count(packet, byte_order)
        for start in range(_USB_HEADER_SIZE, min(end, len(packet)), _ISO_DESCRIPTOR_SIZE):
            fields += [(start, 4), (start + 4, 4), (start + 8, 4)]
    return fields


def _is_isochronous(packet: bytes) -> bool:
    return packet[9:10] == b"\0"


def _descriptor_count(packet: bytes, byte_order: ByteOrder) -> int:
    return _number(packet[60:64], byte_order)


def _number(field: bytes, byte_order: ByteOrder) -> int:
    return int.from_bytes(field, "little" if byte_order == "<" else "big")


def _usb_wire_length(packet: bytes, wire_length: int, byte_order: ByteOrder) -> int:
    """Return the length on the wire of a USB_LINUX_MMAPPED packet, as libpcap corrects it.

    Older releases of libpcap computed the length of a completed incoming isochronous transfer from the length of the
    URB; the descriptors contain the true length.
    """
    header_size = _USB_HEADER_SIZE + _ISO_DESCRIPTOR_SIZE * _descriptor_count(packet, byte_order)
    is_completion = packet[8:9] == b"C" and _is_isochronous(packet) and packet[10:11] >= b"\x80"
    has_data = packet[15:16] == b"\0"
    if not is_completion or not has_data or len(packet) < header_size or header_size > _MAX_USB_HEADER_SIZE:
        return wire_length
    if wire_length != header_size + _number(packet[32:36], byte_order):
        return wire_length
    corrected = min(header_size + _end_of_data(packet, header_size, byte_order), 0xFFFF_FFFF)
    return corrected if corrected >= len(packet) else max(wire_length, len(packet))


_MAX_USB_HEADER_SIZE: Final = _USB_HEADER_SIZE + _MAX_ISO_DESCRIPTORS * _ISO_DESCRIPTOR_SIZE


def _end_of_data(packet: bytes, header_size: int, byte_order: ByteOrder) -> int:
    """Return the end of the last chunk of data that the descriptors describe, from the start of the data."""
    ends = [0]
    for start in range(_USB_HEADER_SIZE, header_size, _ISO_DESCRIPTOR_SIZE):
        offset, size = (_number(packet[start + field : start + field + 4], byte_order) for field in (4, 8))
        ends.append(offset + size if size else 0)
    return max(ends)


def _nflog_fields(packet: bytes, wire_length: int, byte_order: ByteOrder) -> Sequence[Field]:
    """Return the length and type of each attribute of version 0; the values are in network byte order."""
    fields: list[Field] = []
    if len(packet) < 4 or packet[1] != 0:
        return fields
    position, end = 4, min(len(packet), wire_length)
    while position + 4 <= len(packet):
        fields += [(position, 2), (position + 2, 2)]
        size = _number(packet[position : position + 2], byte_order)
        size += -size % 4
        if size < 4 or position + size > end:
            break
        position += size
    return fields


NULL_ORDER: Final = HostOrder(_fixed((0, 4)), converts=True)  # the address family
ENC_ORDER: Final = HostOrder(_fixed((0, 4), (8, 4)), converts=True)  # the address family and the flags
SLL_ORDER: Final = HostOrder(_cooked(14, 16), converts=True, filters_see_host=True)
SLL2_ORDER: Final = HostOrder(_cooked(0, 20), converts=True)
PFLOG_ORDER: Final = HostOrder(_pflog_fields, converts=True)
USB_ORDER: Final = HostOrder(_usb_fields, filters_see_host=True)
USB_MMAPPED_ORDER: Final = HostOrder(_usb_mmapped_fields, filters_see_host=True, wire_length=_usb_wire_length)
NFLOG_ORDER: Final = HostOrder(_nflog_fields, filters_see_host=True)
UNKNOWN_ORDER: Final = HostOrder()
