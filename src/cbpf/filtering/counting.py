"""Counting packets: by filter, by interval of time, and by link type."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

from .._named_tuple import NamedTuple
from .._record import Record
from .._text import Readable
from .._typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias
from .._validators import instance_of, optional
from ..capture.packets import PacketColumns
from ..capture.reader import CaptureReader
from ..capture.sampling import Sample, checked_sample
from ..capture.source_stream import Source
from ..capture.time_text import iso_time
from ..capture.times import TimeLimit, TimeRange, duration_ns, time_range
from ..errors import DamagedCapture, FieldError
from ..expression.address_lists import Expression
from ..isa.dialects import PCAP, Dialect
from .arguments import with_checks
from .bound_filter import BoundFilter, Filter, bind_filters, check_filter, is_native_chosen
from .run import Progress
from .selection import selected_columns
from .sources import as_sources, open_readers, total_size

if TYPE_CHECKING:
    from datetime import timedelta
    from decimal import Decimal

    from .._options import EngineName

_ALL: Final = "all packets"
_NO_INTERVAL: Final = 2**63 - 1  # nanoseconds
MAX_GROUPS: Final = 1_000_000
"""The number of intervals and link types that are counted; each takes about 300 bytes."""


class PacketCount(NamedTuple):
    """The number of packets of one interval and link type that one filter accepts.

    Args:
        filter: The name of the filter: its expression, "all packets" for an empty one, or "program" with its position.
        start_ns: The start of the interval in nanoseconds since 1970 (UTC); None for packets without a time stamp, and
            if packets are not counted by interval.
        link_type: The name of the link type, or None if packets are not counted by link type.
        packets: The number of packets.
        captured_bytes: The bytes captured of the packets, without record headers.
        wire_bytes: The lengths of the packets on the wire, in bytes.
    """

    filter: str
    start_ns: int | None
    link_type: str | None
    packets: int
    captured_bytes: int
    wire_bytes: int

    @property
    def start(self) -> str | None:
        """The start of the interval in ISO 8601 format, with nanoseconds, or None."""
        return None if self.start_ns is None else iso_time(self.start_ns)

    def as_dict(self) -> dict[str, Any]:
        """Return the count as a dictionary.

        Returns:
            The fields by name, and the start also in ISO 8601 format.
        """
        return {"start": self.start, **dict(zip(self._fields, self, strict=True))}


class PacketCounts(Record, Readable):
    """The result of `count_packets`; its text is a table, with a sparkline for each filter if there are intervals.

    Args:
        filters: The names of the filters.
        every_ns: The length of an interval in nanoseconds, or None if packets are not counted by interval.
        rows: The counts by interval, then by link type, then by filter, with a row for each filter. Intervals and link
            types in which no filter accepts a packet have no rows.
        damage: The messages of the `DamagedCapture` of sources that end early, or None.
    """

    filters: tuple[str, ...]
    every_ns: int | None
    rows: tuple[PacketCount, ...]
    damage: Annotated[str | None, optional(instance_of(str))] = None

    def __str__(self) -> str:
        from .count_text import count_text

        return count_text(self)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as a dictionary of JSON types, as `cbpf count --json` prints it.

        Returns:
            The fields by name.
        """
        rows = [row.as_dict() for row in self.rows]
        return {"filters": list(self.filters), "every_ns": self.every_ns, "rows": rows, "damage": self.damage}


_Group: TypeAlias = tuple[int | None, str | None]
"""The number of an interval, and the name of a link type."""


class _Counter:
    """Accumulates the packets, captured bytes and wire bytes of each group and filter."""

    def __init__(self, filters: int, interval_ns: int | None, *, by_link_type: bool) -> None:
        self._filters = filters
        self._interval_ns = interval_ns
        self._by_link_type = by_link_type
        is_single = interval_ns is None and not by_link_type
        self.totals: dict[_Group, list[list[int]]] = {(None, None): self._zeros()} if is_single else {}

    def _zeros(self) -> list[list[int]]:
        return [[0, 0, 0] for _ in range(self._filters)]

    def add(self, reader: CaptureReader, results: Sequence[PacketColumns]) -> None:
        """Add the packets that each filter accepted."""
        names = [interface.link_type.name if self._by_link_type else None for interface in reader.container.interfaces]
        groups = list(map(names.index, names))
        for number, columns in enumerate(results):
            for interval, group, *counts in interval_sums(columns, groups, self._interval_ns or _NO_INTERVAL):
                key = (None if self._interval_ns is None else interval, names[group])
                if key not in self.totals:
                    self._begin_group(key)
                totals = self.totals[key][number]
                for index, count in enumerate(counts):
                    totals[index] += count

    def _begin_group(self, key: _Group) -> None:
        if len(self.totals) == MAX_GROUPS:
            raise FieldError(
                f"count_packets.every: more than {MAX_GROUPS:,} intervals have packets; choose longer ones"
            )
        self.totals[key] = self._zeros()

    def rows(self, names: Sequence[str]) -> Iterator[PacketCount]:
        """Yield the counts in their order."""
        for key in sorted(self.totals, key=_order):
            interval, link_type = key
            start_ns = None if interval is None or self._interval_ns is None else interval * self._interval_ns
            for name, counts in zip(names, self.totals[key], strict=True):
                yield PacketCount(name, start_ns, link_type, *counts)


def _order(group: _Group) -> tuple[bool, int, str]:
    interval, link_type = group
    return interval is None, interval or 0, link_type or ""


def interval_sums(columns: PacketColumns, groups: Sequence[int], interval_ns: int) -> Iterator[tuple[Any, ...]]:
    """Yield (interval, group, packets, captured bytes, wire bytes) for some of the packets of columns after others.

    Interval n begins n times *interval_ns* after 1970; it is None for packets without a time. *groups* has a number for
    each interface.
    """
    if isinstance(columns.starts, memoryview):
        from ..capture.native.interval_sums import sum_intervals

        yield from sum_intervals(columns, groups, interval_ns)
        return
    for start, end, time_ns, timed, wire_length, interface in zip(
        columns.starts,
        columns.ends,
        columns.times_ns,
        columns.timed,
        columns.wire_lengths,
        columns.interfaces,
        strict=True,
    ):
        yield time_ns // interval_ns if timed else None, groups[interface], 1, end - start, wire_length


@with_checks("engine", "dialect", "as_socket", "progress")
def count_packets(
    source: Source | Iterable[Source],
    *filters: Filter,
    every: "timedelta | float | Decimal | str | None" = None,
    by: Literal["link_type"] | None = None,
    since: TimeLimit | None = None,
    until: TimeLimit | None = None,
    sample: int | None = None,
    seed: int = 0,
    engine: "EngineName" = "auto",
    dialect: Dialect = PCAP,
    as_socket: bool = False,
    progress: Progress | None = None,
) -> PacketCounts:
    """Count the packets of captures that each filter accepts, by interval of time and by link type.

    The captures are read once, by machine code as in `filter_capture`. Memory use grows with the number of intervals
    that have packets, and not with the number of packets.

    Args:
        source: A path, "-" for standard input, a binary file object, or several of these.
        filters: The filters, as for `filter_capture`; without one, all packets are counted.
        every: Count by intervals of this length, which begin at multiples of it since 1970 (UTC): a `timedelta`, a
            number of seconds, or text such as "5m" and "1h30m" (units ns, us, ms, s, m, h, d).
        by: "link_type": count by link type.
        since: Count only packets with this time or a later one, in the forms of `read_capture`. Times relative to the
            first packet are relative to that of each source.
        until: Count only packets with an earlier time, in the same forms.
        sample: Count only about one in this number of the packets, 1 to 2**32 - 1, chosen at random by their numbers in
            each source; the counts are those of the sample.
        seed: Another choice of packets, 0 to 2**64 - 1.
        engine: The execution engine of the filters.
        dialect: The dialect whose rules verify and run the filters.
        as_socket: Apply the filters to the view that a live packet socket would have had of each packet
            (`socket_view`).
        progress: Called repeatedly with the number of bytes read of the sources, as they are stored.

    Returns:
        The counts. If a source is truncated or corrupt, its complete packets and all other sources are counted, and
        `PacketCounts.damage` has the message.

    Raises:
        CaptureError: A source cannot be read or does not begin as a capture.
        ExpressionError: A filter is invalid, or fits no interface (`LinkTypeError`).
        FieldError: An argument is out of range, or more than 1,000,000 intervals have packets.
        VerificationError: The dialect rejects a program.

    >>> counts = count_packets("examples/traffic.pcap", "arp", "udp port 53")
    >>> [(row.filter, row.packets) for row in counts.rows]
    [('arp', 18), ('udp port 53', 18)]
    >>> print(count_packets("examples/traffic.pcap", every="10s"))
    time (UTC)            packets  captured  on the wire
    2026-11-20T17:59:40Z       22     2,030        2,030
    2026-11-20T17:59:50Z      116    34,736       34,736
    2026-11-20T18:00:00Z      603   239,649      239,649
    2026-11-20T18:00:10Z      164    32,640       32,640
    <BLANKLINE>
    10 s per bar, from 2026-11-20T17:59:40Z to 2026-11-20T18:00:20Z
    all packets  ▁▂█▃  at most 603 packets
    """
    if by not in (None, "link_type"):
        raise FieldError(f"count_packets.by: {by!r} is not 'link_type'")
    interval_ns = None if every is None else duration_ns("count_packets.every", every)
    times = time_range("count_packets", since, until)
    chosen_sample = checked_sample("count_packets", sample, seed)
    chosen = [check_filter("count_packets.filters", filter) for filter in filters] or [""]
    counter = _Counter(len(chosen), interval_ns, by_link_type=by is not None)
    sources = as_sources(source, "count_packets")
    size = total_size(sources)
    is_native = is_native_chosen(chosen, engine, size)
    bound_filters = bind_filters(chosen, engine, dialect, size, is_native=is_native, as_socket=as_socket)
    with open_readers(sources) as readers:
        damages = _count(counter, readers, bound_filters, times, chosen_sample, progress, is_native=is_native)
    names = tuple(filter_name(filter, number) for number, filter in enumerate(chosen, 1))
    return PacketCounts(names, interval_ns, tuple(counter.rows(names)), "; ".join(damages) or None)


def _count(
    counter: _Counter,
    readers: list[CaptureReader],
    filters: list[BoundFilter],
    times: TimeRange | None,
    sample: Sample | None,
    progress: Progress | None,
    *,
    is_native: bool,
) -> list[str]:
    """Count the packets of captures one after another; return the messages of those that are damaged."""
    damages, earlier_bytes = [], 0
    for bound_filter in filters:
        bound_filter.prepare(readers)
    for reader in readers:
        bounds = None if times is None else times.bounds(reader.name, reader.first_time_ns)
        try:
            with closing(selected_columns(reader, filters, bounds, sample, is_native=is_native)) as results:
                for columns in results:
                    counter.add(reader, columns)
                    if progress is not None:
                        progress(earlier_bytes + reader.source_bytes)
        except DamagedCapture as damage:
            damages.append(str(damage))
        earlier_bytes += reader.source_bytes
        reader.close()
    if not damages:
        for bound_filter in filters:
            bound_filter.require_fit(readers)
    return damages


def filter_name(filter: Filter, number: int) -> str:
    """Return the name of a filter in counts: its expression, or "program" with its position."""
    if isinstance(filter, Expression):
        return f"{filter.text.strip() or _ALL} with lists"
    return (filter.strip() or _ALL) if isinstance(filter, str) else f"program {number}"
