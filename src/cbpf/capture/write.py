"""A capture written from packets in memory."""

from collections.abc import Iterable
from typing import Any

from .._validators import check_word, one_of
from ..errors import FieldError
from ..packet.batch import as_packet
from ..packet.host_order import HOST_BYTE_ORDER, ByteOrder
from ..packet.link_types import LinkType
from ..packet.link_types import link_type as find_link_type
from .base import Interface
from .output import Target
from .outputs import open_output
from .pcap import plain_header, plain_record

_MICROSECOND = 1000  # nanoseconds

_check_byte_order = one_of("<", ">")


def write_capture(
    target: Target,
    packets: Iterable[tuple[Any, int]],
    *,
    link_type: str | int | LinkType = "EN10MB",
    byte_order: ByteOrder = HOST_BYTE_ORDER,
) -> None:
    """Write packets as a pcap with time stamps of 0, 1, 2, ... microseconds.

    `filter_capture` and `split_capture` copy packets with their time stamps.

    Args:
        target: A path, "-" for standard output, a binary file object, or None to write nothing. A regular file is
            replaced when all packets are written, and unchanged after an error.
        packets: Pairs of a packet, an object with the buffer protocol, and its length on the wire in bytes (an
            unsigned 32-bit number, which may differ from the number of bytes given).
        link_type: The link type of all packets, as for `link_type`: a name such as "EN10MB", a LINKTYPE_ number, or a
            `LinkType`.
        byte_order: The byte order of the pcap: "<" (little-endian) or ">" (big-endian), by default that of this host.
            Headers in the byte order of the capturing host, such as that of NULL, must be in it as well: pass
            `Interface.byte_order` for packets of another capture.

    Raises:
        CaptureError: *target* cannot be written.
        FieldError: The link type or the byte order is unknown, an item of *packets* is not a pair, a packet is longer
            than the link type allows, or a wire length is not an unsigned 32-bit number.
        PacketError: A packet is not an object with the buffer protocol.

    >>> import io, cbpf
    >>> file = io.BytesIO()
    >>> write_capture(file, [(bytes(60), 60), (bytes(42), 1500)])
    >>> [(packet.captured_length, packet.wire_length) for packet in cbpf.read_capture(io.BytesIO(file.getvalue()))]
    [(60, 60), (42, 1500)]
    """
    packet_type = find_link_type(link_type)
    max_length = packet_type.max_packet_length
    _check_byte_order("write_capture.byte_order", byte_order)
    header = plain_header(Interface(packet_type, max_length, byte_order), nanoseconds=False)
    with open_output(target) as output:
        output.write(header.data)
        for index, pair in enumerate(packets):
            packet, wire_length = _checked_pair(index, pair)
            data, wire = bytes(as_packet(packet)), check_word("wire length", wire_length)
            if len(data) > max_length:
                fact = f"packet {index + 1}: {len(data)} bytes"
                raise FieldError(f"{fact}; a packet of link type {packet_type.name} has at most {max_length}")
            output.write(plain_record(byte_order, False, index * _MICROSECOND, wire, data))


def _checked_pair(index: int, pair: Any) -> tuple[Any, Any]:
    try:
        packet, wire_length = pair
    except (TypeError, ValueError):
        fact = f"packet {index + 1}: {type(pair).__name__}"
        raise FieldError(f"{fact}; expected a pair of the packet and its length on the wire") from None
    return packet, wire_length
