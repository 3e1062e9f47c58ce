"""A capture made of packets that come from elsewhere."""

from collections.abc import Iterable
from typing import Any

from .._validators import check_word
from ..errors import FieldError
from ..packet.batch import as_packet
from ..packet.link_types import LinkType
from ..packet.link_types import link_type as find_link_type
from .base import Interface
from .output import Target, open_output
from .pcap import plain_header, plain_record

_MICROSECOND = 1000  # nanoseconds


def write_capture(
    target: Target, packets: Iterable[tuple[Any, int]], *, link_type: str | int | LinkType = "EN10MB"
) -> None:
    """Writes a pcap, little-endian, of packets: each its bytes, and the length that it had on the wire.

    They get the times 0, 1, 2, ... microseconds. *target*: as for `filter_capture`. Raises `CaptureError` if it cannot
    be written, `FieldError` for a packet that the link type does not allow.

    >>> import io, cbpf
    >>> file = io.BytesIO()
    >>> write_capture(file, [(bytes(60), 60), (bytes(42), 1500)])
    >>> [(packet.captured_length, packet.wire_length) for packet in cbpf.read_capture(io.BytesIO(file.getvalue()))]
    [(60, 60), (42, 1500)]
    """
    kind = find_link_type(link_type)
    header = plain_header(Interface(kind, kind.longest_packet, "<"), nanoseconds=False)
    with open_output(target) as output:
        output.write(header.data)
        for number, (packet, wire_length) in enumerate(packets):
            data, wire = bytes(as_packet(packet)), check_word("wire length", wire_length)
            if len(data) > kind.longest_packet:
                fact = f"packet {number + 1}: has {len(data)} bytes"
                raise FieldError(f"{fact}; a packet of {kind.name} has at most {kind.longest_packet}")
            output.write(plain_record("<", False, number * _MICROSECOND, wire, data))
