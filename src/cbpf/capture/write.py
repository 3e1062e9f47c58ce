"""A capture written from packets of any source in one call."""

from collections.abc import Iterable, Iterator
from itertools import chain

from .._typing import TYPE_CHECKING, Any
from ..errors import FieldError
from ..packet.host_order import HOST_BYTE_ORDER, ByteOrder
from ..packet.link_types import LinkType
from .base import Interface
from .output import Target
from .packets import Packet
from .reader import CaptureReader
from .writer import CaptureWriter, WrittenContainer, check_options

if TYPE_CHECKING:
    from .arrow_table import ArrowTable


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
            one microsecond, from 0 on. Also an Arrow table of any library (pyarrow, polars, duckdb, pandas), or a
            stream of record batches, with the columns of `cbpf.arrow.read_table`: data (binary), and optionally time
            (timestamp, UTC; 0 if it is null), length, interface and link_type. Other columns are ignored. It needs
            pyarrow (extra `arrow`).
        link_type: The link type of all packets, as for `link_type`: a name such as "EN10MB" (the default), a LINKTYPE_
            number, or a `LinkType`. The interfaces of a table are in the metadata that `cbpf.arrow` writes; without it
            (polars and duckdb discard metadata), there is one for each pair of interface and link_type.
        interfaces: The interfaces, instead of *link_type*; by default those of a `CaptureReader` or a table.
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
            begun without; or a table has no column data, a null in it, or a column of another type.
        MissingLibrary: The library of the compression is not installed, or pyarrow for a table.
        PacketError: A packet is not an object with the buffer protocol.

    >>> import io, cbpf
    >>> file = io.BytesIO()
    >>> write_capture(file, [(bytes(60), 60), (bytes(42), 1500)])
    >>> [(packet.captured_length, packet.wire_length) for packet in cbpf.read_capture(io.BytesIO(file.getvalue()))]
    [(60, 60), (42, 1500)]
    """
    table = _as_table(packets)
    described: tuple[Interface, ...] | None = None
    if link_type is None and interfaces is None:
        if isinstance(packets, CaptureReader):
            described = ()
        elif table is not None:
            described = table.interfaces()
    with CaptureWriter(
        target,
        link_type=link_type,
        interfaces=interfaces if described is None else described,
        container=container,
        compress=compress,
        nanoseconds=nanoseconds,
        byte_order=byte_order,
    ) as writer:
        if table is not None:
            packets = table.packets(writer, described, byte_order, has_one=link_type is not None)
        elif isinstance(packets, CaptureReader) and described is not None:
            packets = _with_interfaces(packets, writer)
        writer.extend(packets)


def _as_table(packets: object) -> "ArrowTable | None":
    """Return the packets of an object that exports an Arrow table; None: it does not export anything."""
    if type(packets).__name__ == "LazyFrame":  # of polars, which also has the methods of a sequence
        raise FieldError(
            "write_capture.packets: expected a frame, got a lazy one; pass the result of its method collect"
        )
    if not hasattr(packets, "__arrow_c_stream__") and not hasattr(packets, "__arrow_c_array__"):
        return None
    from .arrow_table import ArrowTable

    return ArrowTable(packets)


def _with_interfaces(reader: CaptureReader, writer: CaptureWriter) -> Iterator[Packet]:
    """Yield the packets of a capture, each after adding the interfaces that the capture has described by then."""
    for packet in chain(reader, [None]):
        for interface in reader.container.interfaces[len(writer.interfaces) :]:
            writer.add_interface(interface)
        if packet is not None:
            yield packet
