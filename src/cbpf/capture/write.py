"""A capture written from packets of any source in one call."""

from collections.abc import Iterable, Iterator
from itertools import chain

from .._typing import Any
from ..packet.host_order import HOST_BYTE_ORDER, ByteOrder
from ..packet.link_types import LinkType
from .base import Interface
from .output import Target
from .packets import Packet
from .reader import CaptureReader
from .writer import CaptureWriter, WrittenContainer, check_options


@check_options
def write_capture(
    target: Target,
    packets: Iterable[Any],
    *,
    link_type: str | int | LinkType | None = None,
    interfaces: Iterable[Interface] | None = None,
    container: WrittenContainer | None = None,
    compress: str | None = None,
    nanoseconds: bool | None = None,
    byte_order: ByteOrder = HOST_BYTE_ORDER,
) -> None:
    """Write packets as a capture.

    `CaptureWriter` writes packets one by one, with comments. `filter_capture` copies captures as they are.

    Args:
        target: A path, "-" for standard output, a binary file object, or None to write nothing. A regular file is
            replaced when all packets are written, and unchanged after an error.
        packets: `Packets`, a `CaptureReader`, or any iterable of `Packet` objects, objects with the buffer protocol, or
            pairs of one and its length on the wire in bytes. Packets without a time have that of the packet before and
            one microsecond, from 0 on.
        link_type: The link type of all packets, as for `link_type`: a name such as "EN10MB" (the default), a LINKTYPE_
            number, or a `LinkType`.
        interfaces: The interfaces, instead of *link_type*; by default those of a `CaptureReader`, if *packets* is one.
        container: "pcap" or "pcapng"; by default "pcapng" if the name of the file ends in .pcapng, also before the
            suffix of a compression, and otherwise "pcap". A pcap has one link type.
        compress: The compression, as for `filter_capture`; by default, the suffix of the file name decides.
        nanoseconds: Whether times have nanoseconds in the file; by default, if an interface or one of the first 256
            packets requires them. False: times are rounded down to microseconds.
        byte_order: The byte order of the file: "<" (little-endian) or ">" (big-endian), by default that of this host.
            Headers in the byte order of the capturing host, such as that of NULL, are converted to it; those of packets
            for *link_type* must be in it already.

    Raises:
        CaptureError: *target* cannot be written, or a packet does not fit in the format.
        FieldError: An argument is invalid, or a field of a packet, whose number the message has: more bytes than on the
            wire or than the link type allows, an unknown interface, or a time with nanoseconds in a capture that was
            begun without.
        MissingLibrary: The library of the compression is not installed.
        PacketError: A packet is not an object with the buffer protocol.

    >>> import io, cbpf
    >>> file = io.BytesIO()
    >>> write_capture(file, [(bytes(60), 60), (bytes(42), 1500)])
    >>> [(packet.captured_length, packet.wire_length) for packet in cbpf.read_capture(io.BytesIO(file.getvalue()))]
    [(60, 60), (42, 1500)]
    """
    is_reader = isinstance(packets, CaptureReader) and link_type is None and interfaces is None
    with CaptureWriter(
        target,
        link_type=link_type,
        interfaces=() if is_reader else interfaces,
        container=container,
        compress=compress,
        nanoseconds=nanoseconds,
        byte_order=byte_order,
    ) as writer:
        writer.extend(_with_interfaces(packets, writer) if is_reader else packets)  # type: ignore[arg-type]


def _with_interfaces(reader: CaptureReader, writer: CaptureWriter) -> Iterator[Packet]:
    """Yield the packets of a capture, each after adding the interfaces that the capture has described by then."""
    for packet in chain(reader, [None]):
        for interface in reader.container.interfaces[len(writer.interfaces) :]:
            writer.add_interface(interface)
        if packet is not None:
            yield packet
