"""Packets in memory as the source of a `RecordWriter`, and the check of their fields."""

from collections.abc import Iterable, Sequence

from .._named_tuple import NamedTuple
from .._typing import Any, ClassVar, Final
from .._validators import integer, iterable, text
from ..errors import FieldError, PacketError
from ..packet.host_order import ByteOrder, HostOrder
from ..packet.packet_bytes import as_packet
from .base import SECOND, Interface, RecordSource, RecordSpan, Section

MICROSECOND: Final = 1000  # nanoseconds

_TIME_SIZE: Final = 16  # bytes
_MAX_TIME: Final = 1 << 8 * _TIME_SIZE - 1  # nanoseconds; the formats permit less
_MAX_LENGTH: Final = 0xFFFF_FFFF  # bytes
_MAX_COMMENT: Final = 0xFFFF  # bytes
_SIZE_SIZE: Final = 2  # bytes


class Row(NamedTuple):
    """A packet whose fields were checked; its headers are in the byte order of its source."""

    time_ns: int
    wire_length: int
    data: bytes
    interface: int
    comments: tuple[bytes, ...] = ()


class PacketSource(RecordSource):
    """Packets in memory: a record is the time in _TIME_SIZE bytes, the comments and the packet.

    Each comment follows its number of bytes in _SIZE_SIZE bytes.

    All interfaces have one byte order, and times in microseconds, or in nanoseconds from `use_nanoseconds` on.
    """

    kind: ClassVar = "packets"

    def __init__(self, byte_order: ByteOrder) -> None:
        super().__init__(self.kind)
        self.sections.append(Section(byte_order, 0))
        self.resolution = SECOND // MICROSECOND
        self.given: list[Interface] = []
        """The interfaces as they were added."""
        self._limits: list[int] = []  # bytes of a packet, by interface
        self._orders: list[HostOrder | None] = []  # headers that packets need reversed, by interface

    def add(self, interface: Interface) -> int:
        """Add an interface and return its index; raise `FieldError` if its packets cannot be written."""
        index = len(self.interfaces)
        if not isinstance(interface, Interface):
            raise FieldError(f"interface {index}: {interface!r} is not an Interface")
        order = interface.link_type.host_order if interface.byte_order != self.sections[0].byte_order else None
        if order is not None and not order.converts:
            fact = f"link type {interface.link_type.name} has headers in the byte order of the capturing host"
            raise FieldError(f"interface {index}: {fact}; write its byte order, {interface.byte_order!r}")
        self.given.append(interface)
        self._limits.append(min(interface.snaplen, interface.link_type.max_packet_length))
        self._orders.append(order)
        self.interfaces.append(self._adapted(interface))
        return index

    def _adapted(self, interface: Interface) -> Interface:
        return interface._replace(byte_order=self.sections[0].byte_order, resolution=self.resolution, offset=0)

    def use_nanoseconds(self) -> None:
        """Let all times have nanoseconds."""
        self.resolution = SECOND
        self.interfaces = [self._adapted(interface) for interface in self.given]

    def row(self, number: int, data: Any, time_ns: Any, wire_length: Any, interface: Any, comments: Any) -> Row:
        """Return a packet as a row; raise `FieldError` or `PacketError`, with its number, if a field is invalid.

        Without a wire length, it is that of *data*.
        """
        packet = data if type(data) is bytes else _as_bytes(number, data)
        captured = len(packet)
        wire = captured if wire_length is None else wire_length
        are_integers = type(wire) is type(interface) is type(time_ns) is int
        if not are_integers or not 0 <= interface < len(self._limits):
            time_ns, wire, interface = self._integers(f"packet {number}", time_ns, wire, interface)
        if (
            not captured <= wire <= _MAX_LENGTH
            or captured > self._limits[interface]
            or not -_MAX_TIME < time_ns < _MAX_TIME
        ):
            raise FieldError(f"packet {number}: {self._fault(captured, wire, time_ns, interface)}")
        order = self._orders[interface]
        if order is not None:
            packet = order.reversed(packet, wire, self.given[interface].byte_order)
        return Row(time_ns, wire, packet, interface, () if comments is None else _as_comments(number, comments))

    def _integers(self, place: str, time_ns: Any, wire: Any, interface: Any) -> tuple[int, int, int]:
        """Return the numbers of a packet as ints of their type; raise `FieldError` if one is not an integer."""
        index = integer(f"{place}: interface", interface)
        if not 0 <= index < len(self.given):
            raise FieldError(f"{place}: interface {index}; the capture has {len(self.given)}, counted from 0")
        return integer(f"{place}: time", time_ns), integer(f"{place}: wire length", wire), index

    def _fault(self, captured: int, wire: int, time_ns: int, interface: int) -> str:
        """Return the fact and the rule for numbers of a packet that are out of range."""
        if captured > self._limits[interface]:
            kind = f"interface {interface}, link type {self.given[interface].link_type.name},"
            return f"{captured} bytes; a packet of {kind} has at most {self._limits[interface]}"
        if not -_MAX_TIME < time_ns < _MAX_TIME:
            return f"time is a number of {time_ns.bit_length()} bits; no format has space for it"
        if not 0 <= wire <= _MAX_LENGTH:
            return f"wire length: {wire} is not an unsigned 32-bit number"
        return f"{captured} bytes, but {wire} on the wire; a packet has as many captured bytes at most"

    def time_ns(self, buffer: bytes, record: RecordSpan) -> int:
        """Return the time of a packet in nanoseconds since 1970 (UTC)."""
        start, _, _, _, _, _ = record
        return int.from_bytes(buffer[start : start + _TIME_SIZE], "little", signed=True)

    def comments(self, buffer: bytes, record: RecordSpan) -> Sequence[bytes]:
        """Return the comments of a packet as UTF-8."""
        start, data_start, _, _, _, _ = record
        comments = []
        position = start + _TIME_SIZE
        while position < data_start:
            begin = position + _SIZE_SIZE
            position = begin + int.from_bytes(buffer[position:begin], "little")
            comments.append(buffer[begin:position])
        return comments


def _as_bytes(number: int, data: Any) -> bytes:
    try:
        return bytes(as_packet(data))
    except PacketError as error:
        raise PacketError(f"packet {number}: {str(error).removeprefix('packet: ')}") from None


def _as_comments(number: int, comments: Any) -> tuple[bytes, ...]:
    values = [comments] if isinstance(comments, str | bytes) else iterable(f"packet {number}: comment", comments)
    return tuple(_as_comment(number, value) for value in values)


def _as_comment(number: int, value: Any) -> bytes:
    comment: bytes = text(f"packet {number}: comment", value).encode()
    if len(comment) > _MAX_COMMENT:
        raise FieldError(f"packet {number}: comment of {len(comment)} bytes; it has at most {_MAX_COMMENT}")
    return comment


def as_records(rows: Iterable[Row]) -> tuple[bytes, list[RecordSpan]]:
    """Return packets as records of a `PacketSource`: a buffer, and their positions in it."""
    parts: list[bytes] = []
    records: list[RecordSpan] = []
    start = 0
    for time_ns, wire_length, data, interface, comments in rows:
        text = b"".join([len(comment).to_bytes(_SIZE_SIZE, "little") + comment for comment in comments])
        parts += (time_ns.to_bytes(_TIME_SIZE, "little", signed=True), text, data)
        data_start = start + _TIME_SIZE + len(text)
        end = data_start + len(data)
        records.append((start, data_start, end, end, wire_length, interface))
        start = end
    return b"".join(parts), records
