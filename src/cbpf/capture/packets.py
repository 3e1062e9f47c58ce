"""Packets of a capture as objects, and as columns, of which the objects are made without a step of Python for each."""

from itertools import accumulate, repeat

from .._named_tuple import NamedTuple
from .._stdlib import partial
from .._typing import TYPE_CHECKING, Any, Callable, Final, Iterator, Protocol, Sequence, TypeAlias
from .base import Container, RecordSpan, with_packets

if TYPE_CHECKING:
    import datetime as datetime_module
    from array import array

    from .sampling import Sample
    from .times import TimeBounds

PIECE_SIZE: Final = 340
"""The number of packets that are made at once. Two pieces, of which the second replaces the first, are fewer than the
700 objects that start Python's garbage collector."""


class Packet(NamedTuple):
    """A packet of a capture.

    Args:
        number: The position of the packet in the capture, counted from 1.
        time_ns: The time stamp in nanoseconds since 1970 (UTC); 0 for a packet without one (of a pcapng Simple Packet
            Block), which `capture_info` counts.
        wire_length: The length of the packet on the wire, in bytes.
        data: The bytes that were captured.
        interface: The index of its interface in `CaptureReader.interfaces`.
        comments: The comments about it in a pcapng. Bytes that are not UTF-8 are replaced by U+FFFD.
    """

    number: int
    time_ns: int
    wire_length: int
    data: bytes
    interface: int = 0
    comments: tuple[str, ...] = ()

    @property
    def captured_length(self) -> int:
        """The number of bytes captured."""
        return len(self.data)

    @property
    def time(self) -> float:
        """The time stamp in seconds since 1970 (UTC), precise to about a microsecond."""
        return self.time_ns / 1e9

    @property
    def datetime(self) -> "datetime_module.datetime":
        """The time stamp as an aware `datetime` (UTC), rounded down to microseconds.

        Raises `OverflowError` for a year outside 1 to 9999.
        """
        from datetime import UTC, datetime, timedelta

        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.time_ns // 1000)


_new_packet: Final[Callable[[Sequence[Any]], Packet]] = partial(tuple.__new__, Packet)  # in C, unlike `Packet._make`

Fetch: TypeAlias = Callable[[slice], bytes]
"""Returns a copy of some bytes of a capture, or of a part of it."""


class ColumnSource(Protocol):
    """The bytes that columns refer to."""

    def fetch(self) -> Fetch:
        """Return a function for some of the bytes, to be called at once: later, they may be invalid."""

    def address(self) -> int | None:
        """Return the address of the bytes, to be used at once, or None if machine code may not read them."""


class BufferSource(NamedTuple):
    """Bytes in memory: those of a `memoryview`, or of an object whose slices are `bytes`."""

    buffer: Any
    base: int | None = None

    def fetch(self) -> Fetch:
        """Return a function for some of the bytes."""
        if isinstance(buffer := self.buffer, memoryview):
            return lambda positions: buffer[positions].tobytes()
        return buffer.__getitem__  # type: ignore[no-any-return]

    def address(self) -> int | None:
        """Return the address of the bytes, if it is known."""
        return self.base


class NativeFunctions(NamedTuple):
    """Machine code that makes packets of columns, and code that appends their bytes and lengths."""

    pieces: "Callable[[PacketColumns], Iterator[list[Packet]]]"
    append_data: "Callable[[PacketColumns, bytearray, array[int]], None]"


class PacketColumns(NamedTuple):
    """Some packets of a capture in their order, as columns with an item for each packet.

    The bytes of a packet are *start* to *end* of *source*. *numbers* are the numbers of the packets less *before*. A
    time stamp is in nanoseconds since 1970; *timed* is 0 for a packet that has none. *option_sizes* has the number of
    bytes of the options of each packet, which follow it at the next multiple of 4 bytes from its start, and is empty if
    no packet has options; *comments_in* is that of the `Container`. Columns of machine code are `memoryview`, and
    *native* has the machine code for them. Where only the inputs of filters are needed, *times_ns*, *numbers* and
    *timed* may be empty.
    """

    source: ColumnSource
    before: int
    starts: Sequence[int]
    ends: Sequence[int]
    times_ns: Sequence[int]
    numbers: Sequence[int]
    wire_lengths: Sequence[int]
    interfaces: Sequence[int]
    timed: Sequence[int]
    option_sizes: Sequence[int] = ()
    comments_in: Callable[[bytes, int], tuple[str, ...]] | None = None
    native: "NativeFunctions | None" = None

    def pieces(self) -> Iterator[list[Packet]]:
        """Return the packets, up to PIECE_SIZE at once."""
        if self.native is None:
            return map(self.piece, self.rows_of_pieces())
        return self.native.pieces(self)

    def rows_of_pieces(self) -> Iterator[slice]:
        """Yield the rows of each piece."""
        for first in range(0, len(self.starts), PIECE_SIZE):
            yield slice(first, min(first + PIECE_SIZE, len(self.starts)))

    def piece(self, rows: slice) -> list[Packet]:
        """Return the packets of some rows."""
        numbers = map(self.before.__add__, items_of(self.numbers[rows]))
        times, wire_lengths, interfaces = (
            items_of(column[rows]) for column in (self.times_ns, self.wire_lengths, self.interfaces)
        )
        fields = zip(numbers, times, wire_lengths, self.data(rows), interfaces, repeat(()))
        packets = list(map(_new_packet, fields))
        self.add_comments(packets, rows)
        return packets

    def add_comments(self, packets: list[Packet], rows: slice) -> None:
        """Give the packets of some rows their comments; the rows need the same source as before."""
        if not self.option_sizes or self.comments_in is None:
            return
        fetch = self.source.fetch()
        for index, size in enumerate(items_of(self.option_sizes[rows])):
            if size:
                row = rows.start + index
                start = self.ends[row] + (self.starts[row] - self.ends[row]) % 4
                comments = self.comments_in(fetch(slice(start, start + size)), self.interfaces[row])
                packets[index] = packets[index]._replace(comments=comments)

    def inputs(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield the inputs of a filter for each packet: its bytes, its length on the wire, and its interface."""
        for rows in self.rows_of_pieces():
            columns = (items_of(column[rows]) for column in (self.wire_lengths, self.interfaces))
            yield from zip(self.data(rows), *columns, strict=True)

    def distinct_interfaces(self) -> list[int]:
        """Return the interfaces of the packets, each once, in the order of their first packets."""
        column = self.interfaces
        if isinstance(column, memoryview) and column.tobytes() == column[:1].tobytes() * len(column):
            column = column[:1]
        return list(dict.fromkeys(column))

    def data(self, rows: slice) -> Iterator[bytes]:
        """Return the bytes of some packets; they are to be consumed at once."""
        return map(self.source.fetch(), map(slice, items_of(self.starts[rows]), items_of(self.ends[rows])))


def items_of(column: Sequence[int]) -> Sequence[int]:
    """Return the items of a column in a form that is fast to iterate over."""
    return column.tolist() if isinstance(column, memoryview) else column


def columns_of_records(
    container: Container, buffer: bytes, records: list[RecordSpan], before: int, numbers: Sequence[int] | None = None
) -> PacketColumns:
    """Return the packets in records as columns; *numbers* are by default those of consecutive packets."""
    records = with_packets(records)
    numbers = range(1, len(records) + 1) if numbers is None else numbers
    _, starts, ends, _, wire_lengths, interfaces = zip(*records, strict=True) if records else [()] * 6
    times = container.times_ns(buffer, records)
    if timed := None not in times:
        stamps: Sequence[Any] = times
    else:
        stamps = [
            container.time_ns(buffer, record) if time_ns is None else time_ns
            for record, time_ns in zip(records, times, strict=True)
        ]
    flags = [True] * len(times) if timed else [time_ns is not None for time_ns in times]
    columns = (starts, ends, stamps, numbers, wire_lengths, interfaces, flags, container.option_sizes(records))
    return PacketColumns(BufferSource(buffer), before, *columns, container.comments_in)


def columns_within(
    container: Container,
    buffer: bytes,
    records: list[RecordSpan],
    before: int,
    bounds: "TimeBounds | None",
    sample: "Sample | None",
) -> PacketColumns:
    """Return the packets in records that are in bounds of time and in a sample; *before* packets precede the records.

    None: all times, or all packets.
    """
    if bounds is None and sample is None:
        return columns_of_records(container, buffer, records, before)
    packets = list(enumerate(with_packets(records), 1))
    if sample is not None:
        packets = [(number, record) for number, record in packets if sample.contains(before + number)]
    if bounds is not None:
        packets = [(number, record) for number, record in packets if bounds.contain(container.time_ns(buffer, record))]
    numbers = [number for number, _ in packets]
    return columns_of_records(container, buffer, [record for _, record in packets], before, numbers)


def columns_of_packets(packets: list[Packet]) -> PacketColumns:
    """Return packets as columns, without their comments."""
    numbers, times, wire_lengths, data, interfaces, _ = zip(*packets, strict=True) if packets else [()] * 6
    ends = list(accumulate(map(len, data)))
    starts, buffer = [0, *ends][: len(ends)], b"".join(data)
    flags = [True] * len(ends)
    return PacketColumns(BufferSource(buffer), 0, starts, ends, times, numbers, wire_lengths, interfaces, flags)
