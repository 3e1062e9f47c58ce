"""A capture that is written packet by packet."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import repeat

from .._named_tuple import NamedTuple
from .._typing import Any, Final, Literal, Self, TypeAlias
from .._validators import checked, flag, iterable, one_of, optional
from ..errors import CaptureError, DamagedCapture, FieldError
from ..packet.batch import Packets
from ..packet.host_order import HOST_BYTE_ORDER, ByteOrder
from ..packet.link_types import LinkType
from ..packet.link_types import link_type as find_link_type
from .base import SECOND, Interface, RecordSpan
from .output import Output, Target, file_names
from .outputs import choose_compressor, open_output
from .packet_source import MICROSECOND, PacketSource, Row, as_records
from .packets import Packet
from .registry import format_name_for_file, format_names, make_writer

WrittenContainer: TypeAlias = Literal["pcap", "pcapng"]
"""The format of a capture to write."""

_BUFFER_SIZE: Final = 1 << 16  # bytes that are written at once
_MAX_ROWS: Final = 256  # packets that are encoded at once


def _check_container(path: str, value: object) -> object:
    if value is None or value in format_names():
        return value
    raise FieldError(f"{path}: {value!r} is not one of {format_names()}")


check_options: Final = checked(container=_check_container, nanoseconds=optional(flag), byte_order=one_of("<", ">"))
"""A decorator that checks the options of captures that are written."""


class CaptureWriter:
    """A capture that is written packet by packet.

    It is a context manager. A regular file appears at the end of the block; if the block raises an exception, no file
    is created, and an older file is unchanged. After a `DamagedCapture` from the source of the packets, the file has
    the packets before the damage.

    Packets keep their times, both lengths, interfaces and comments. An invalid packet is not written, but the writer
    can still be used. `filter_capture` copies captures as they are, with all blocks of a pcapng.

    Args:
        target: A path, "-" for standard output, a binary file object, or None to write nothing.
        link_type: The link type of the only interface, as for `link_type`; by default "EN10MB".
        interfaces: The interfaces, instead of *link_type*; packets refer to their indices. Those of a capture are
            `CaptureReader.interfaces`.
        container: "pcap" or "pcapng"; by default "pcapng" if the name of the file ends in .pcapng, also before the
            suffix of a compression, and otherwise "pcap". A pcap has one link type and no comments.
        compress: The compression, as for `filter_capture`; by default, the suffix of the file name decides.
        nanoseconds: Whether times have nanoseconds in the file; False: they are rounded down to microseconds. By
            default, they have nanoseconds if an interface or a packet of the first call of `append` or `extend` (of its
            first 256 packets) requires them.
        byte_order: The byte order of the file, "<" (little-endian) or ">" (big-endian), by default that of this host.
            Headers in the byte order of the capturing host are converted to it; those of the interface for *link_type*
            are in it already.

    Raises:
        CaptureError: *target* cannot be written.
        FieldError: An argument is invalid.
        MissingLibrary: The library of the compression is not installed.

    >>> import io, cbpf
    >>> file = io.BytesIO()
    >>> with CaptureWriter(file, container="pcapng") as writer:
    ...     writer.append(bytes(60), time_ns=1_700_000_000_000_000_001, comment="the first")
    ...     writer.extend([bytes(42), bytes(64)])
    >>> [(packet.time_ns, packet.wire_length) for packet in cbpf.read_capture(io.BytesIO(file.getvalue()))]
    [(1700000000000000001, 60), (1700000000000001001, 42), (1700000000000002001, 64)]
    """

    @check_options
    def __init__(
        self,
        target: Target,
        *,
        link_type: str | int | LinkType | None = None,
        interfaces: Iterable[Interface] | None = None,
        container: WrittenContainer | None = None,
        compress: str | None = None,
        nanoseconds: bool | None = None,
        byte_order: ByteOrder = HOST_BYTE_ORDER,
    ) -> None:
        self._source = PacketSource(byte_order)
        for interface in _interfaces(link_type, interfaces, byte_order):
            self._source.add(interface)
        self._nanoseconds = nanoseconds
        self._writer = make_writer([("target", self._source)], _format_name(container, target))
        self._is_begun = False
        self._is_closed = False
        self._count = 0
        self._next_time = 0  # of a packet without one
        self._buffer = bytearray()
        compressor = choose_compressor(target, compress)
        self._stack = ExitStack()
        self._output = self._stack.enter_context(self._opened(open_output(target, compressor)))

    @contextmanager
    def _opened(self, opening: Any) -> Iterator[Output]:
        with opening as output:
            try:
                yield output
            except DamagedCapture:
                self._end(output)
                raise
            self._end(output)

    def _end(self, output: Output) -> None:
        self._begin(())
        self._write_buffer(output)
        output.write(self._writer.end())

    def __enter__(self) -> Self:
        self._require_open()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._is_closed = True
        self._stack.__exit__(*exception)

    def close(self) -> None:
        """Write the end of the capture. A regular file appears now; the end of the block calls this method.

        Raises:
            CaptureError: The target cannot be written.
        """
        self.__exit__(None, None, None)

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """The interfaces of the packets, as they were given."""
        return tuple(self._source.given)

    @property
    def packets_written(self) -> int:
        """The number of packets so far."""
        return self._count

    def add_interface(self, interface: Interface) -> int:
        """Add an interface for later packets.

        Args:
            interface: The interface, whose link type, snapshot length and name are written.

        Returns:
            Its index, to which packets refer.

        Raises:
            FieldError: It is not an `Interface`, its link type has headers that cannot be converted to the byte order
                of the file, or the writer is closed.
        """
        self._require_open()
        return self._source.add(interface)

    def append(
        self,
        packet: Any,
        *,
        time_ns: int | None = None,
        wire_length: int | None = None,
        interface: int | None = None,
        comment: str | Iterable[str] | None = None,
    ) -> None:
        """Write a packet.

        Args:
            packet: A `Packet`, whose fields apply unless they are given, or an object with the buffer protocol.
            time_ns: The time in nanoseconds since 1970 (UTC); by default one microsecond after the packet before, and 0
                for the first. A pcap has times up to 2106, a pcapng to the year 2554 at least, none before 1970.
            wire_length: The length on the wire in bytes; by default the number of bytes of the packet.
            interface: The index of its interface; by default 0.
            comment: A comment, or several, for a pcapng; each has at most 65,535 bytes of UTF-8. By default, those of
                a `Packet`, which a pcap does not store.

        Raises:
            CaptureError: The packet does not fit in the format, or the target cannot be written.
            FieldError: A field is invalid; the message has the number of the packet.
            PacketError: *packet* is not an object with the buffer protocol.
        """
        fields = _Fields(packet, time_ns, wire_length, interface, comment)
        self._write([self._row(self._count + 1, fields, self._next_time)])

    def extend(self, packets: Iterable[Any]) -> None:
        """Write packets.

        Args:
            packets: `Packets`, a `CaptureReader`, or any iterable of `Packet` objects, objects with the buffer
                protocol, or pairs of one and its length on the wire. Their interfaces must have been added.

        Raises:
            CaptureError: A packet does not fit in the format, or the target cannot be written. The packets before it
                are written, as with the other exceptions.
            FieldError: A field of a packet is invalid.
            PacketError: A packet is not an object with the buffer protocol.
        """
        for rows in self._batches(iterable("packets", packets)):
            self._write(rows)

    def _batches(self, packets: Iterable[Any]) -> Iterator[list[Row]]:
        """Yield the rows of packets, those before an error too."""
        rows: list[Row] = []
        next_time = self._next_time
        try:
            for fields in _fields(packets):
                row = self._row(self._count + len(rows) + 1, fields, next_time)
                next_time = row.time_ns + MICROSECOND
                rows.append(row)
                if len(rows) == _MAX_ROWS:
                    yield rows
                    rows = []
        except Exception:  # also one of the iterable of the caller
            yield rows
            raise
        yield rows

    def _row(self, number: int, fields: "_Fields", next_time: int) -> Row:
        packet, time_ns, wire_length, interface, comments = fields
        if isinstance(packet, Packet):
            time_ns = packet.time_ns if time_ns is None else time_ns
            wire_length = packet.wire_length if wire_length is None else wire_length
            interface = packet.interface if interface is None else interface
            comments = packet.comments if comments is None and self._writer.has_comments else comments
            packet = packet.data
        time_ns = next_time if time_ns is None else time_ns
        row = self._source.row(number, packet, time_ns, wire_length, interface or 0, comments)
        if row.comments and not self._writer.has_comments:
            raise FieldError(f"packet {number}: has a comment; a pcapng has comments, but this format has none")
        return row if not row.time_ns % MICROSECOND else self._with_nanoseconds(number, row)

    def _with_nanoseconds(self, number: int, row: Row) -> Row:
        """Return a row whose time has nanoseconds as it is to be written."""
        if self._nanoseconds is False:
            return row._replace(time_ns=row.time_ns - row.time_ns % MICROSECOND)
        if self._is_begun and self._source.resolution != SECOND:
            rule = "the capture was begun with microseconds; pass nanoseconds=True"
            raise FieldError(f"packet {number}: time is {row.time_ns} ns; {rule}")
        return row

    def _begin(self, rows: Iterable[Row]) -> None:
        """Write the beginning, and decide whether times have nanoseconds, if that has not been done."""
        if self._is_begun:
            return
        self._is_begun = True
        nanoseconds = self._nanoseconds
        if nanoseconds is None:
            nanoseconds = any(interface.needs_nanoseconds for interface in self._source.given)
            nanoseconds |= any(row.time_ns % MICROSECOND for row in rows)
        if nanoseconds:
            self._source.use_nanoseconds()
        self._buffer += self._writer.begin() + self._writer.begin_source(self._source, "target")

    def _write(self, rows: list[Row]) -> None:
        if not rows:
            return
        self._require_open()
        self._begin(rows)
        buffer, records = as_records(rows)

        def place(record: RecordSpan) -> str:
            return f"packet {self._count + 1}"

        try:
            data = self._writer.encode(self._source, buffer, records, place)
        except CaptureError:
            for record, row in zip(records, rows, strict=True):
                self._add(self._writer.encode(self._source, buffer, [record], place), [row])
            raise
        self._add(data, rows)

    def _add(self, data: bytes, rows: list[Row]) -> None:
        """Append packets in the format of the output."""
        self._buffer += data
        self._count += len(rows)
        self._next_time = rows[-1].time_ns + MICROSECOND
        if len(self._buffer) >= _BUFFER_SIZE:
            self.flush()

    def flush(self) -> None:
        """Write all packets so far to the target; the compression retains those of an incomplete frame.

        Raises:
            CaptureError: The target cannot be written.
            FieldError: The writer is closed.
        """
        self._require_open()
        self._write_buffer(self._output)

    def _write_buffer(self, output: Output) -> None:
        data, self._buffer = bytes(self._buffer), bytearray()
        output.write(data)

    def _require_open(self) -> None:
        if self._is_closed:
            raise FieldError(f"{self._output.name or 'target'}: the writer is closed")


def _interfaces(
    link_type: str | int | LinkType | None, interfaces: Iterable[Interface] | None, byte_order: ByteOrder
) -> Iterable[Interface]:
    """Return the interfaces of a writer that is called with these arguments."""
    if interfaces is not None:
        if link_type is not None:
            raise FieldError("link_type: cannot be combined with interfaces, which have link types")
        return iterable("interfaces", interfaces)
    packet_type = find_link_type("EN10MB" if link_type is None else link_type)
    return [Interface(packet_type, packet_type.max_packet_length, byte_order)]


def _format_name(container: str | None, target: Target) -> str:
    if container is not None:
        return container
    return next(map(format_name_for_file, reversed(file_names(target))), format_names()[0])


class _Fields(NamedTuple):
    """A packet and its fields; None for those that a `Packet` has, or that have defaults."""

    packet: Any
    time_ns: Any = None
    wire_length: Any = None
    interface: Any = None
    comments: Any = None


def _fields(packets: Iterable[Any]) -> Iterator[_Fields]:
    """Yield the fields of packets."""
    if isinstance(packets, Packets):
        times = repeat(None) if packets.times_ns is None else packets.times_ns
        interfaces = repeat(None) if packets.interfaces is None else packets.interfaces
        yield from map(_Fields, packets, times, packets.wire_lengths, interfaces)
        return
    for packet in packets:
        is_pair = isinstance(packet, tuple | list) and not isinstance(packet, Packet) and len(packet) == 2
        yield _Fields(packet[0], None, packet[1]) if is_pair else _Fields(packet)
