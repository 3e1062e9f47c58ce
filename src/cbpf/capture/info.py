"""A summary of a capture: its format, and the totals of its packets, for each interface and for all."""

from bisect import bisect
from collections import defaultdict
from functools import reduce
from itertools import pairwise
from operator import lt, sub

from .._named_tuple import NamedTuple
from .._record import Record
from .._stdlib import closing
from .._text import Readable
from .._typing import TYPE_CHECKING, Annotated, Any, Callable, Final, Iterable, TypeAlias
from .._validators import checked, function, instance_of, integer, optional, text, within
from ..errors import DamagedCapture
from ..packet.host_order import ByteOrder
from .base import BYTE_ORDER_NAMES, OTHER_HEAD_SIZE, Container, Interface
from .packets import PacketColumns
from .reader import CaptureReader
from .source_stream import Source
from .time_text import iso_time

if TYPE_CHECKING:
    from .sampling import Sample
    from .times import TimeBounds, TimeLimit


def _text_of(time_ns: int | None) -> str | None:
    return None if time_ns is None else iso_time(time_ns)


class PacketTotals(NamedTuple):
    """The totals of a number of packets.

    Args:
        packets: The number of packets.
        captured_bytes: The bytes captured of all packets, without record headers.
        wire_bytes: The lengths of all packets on the wire, in bytes.
        earliest_ns: The earliest time stamp, in nanoseconds since 1970 (UTC), or None if no packet has one.
        latest_ns: The latest time stamp, in nanoseconds since 1970 (UTC), or None if no packet has one.
        smallest: The smallest captured length in bytes, or None if there is no packet.
        largest: The largest captured length in bytes, or None if there is no packet.
        truncated: The number of packets that were captured shorter than they were on the wire.
        untimed: The number of packets without a time stamp.
    """

    packets: int = 0
    captured_bytes: int = 0
    wire_bytes: int = 0
    earliest_ns: int | None = None
    latest_ns: int | None = None
    smallest: int | None = None
    largest: int | None = None
    truncated: int = 0
    untimed: int = 0

    @property
    def mean(self) -> float | None:
        """The mean captured length in bytes, or None if there is no packet."""
        return self.captured_bytes / self.packets if self.packets else None

    @property
    def earliest(self) -> str | None:
        """The earliest time stamp in ISO 8601 format, with nanoseconds, or None if no packet has one."""
        return _text_of(self.earliest_ns)

    @property
    def latest(self) -> str | None:
        """The latest time stamp in ISO 8601 format, with nanoseconds, or None if no packet has one."""
        return _text_of(self.latest_ns)

    @property
    def duration_ns(self) -> int | None:
        """The nanoseconds from the earliest to the latest time stamp, or None if no packet has one."""
        if self.earliest_ns is None or self.latest_ns is None:
            return None
        return self.latest_ns - self.earliest_ns

    def plus(self, other: "PacketTotals") -> "PacketTotals":
        """Add the totals of other packets.

        Args:
            other: The totals of the other packets.

        Returns:
            The totals of all packets.
        """
        return PacketTotals(
            self.packets + other.packets,
            self.captured_bytes + other.captured_bytes,
            self.wire_bytes + other.wire_bytes,
            _chosen(min, self.earliest_ns, other.earliest_ns),
            _chosen(max, self.latest_ns, other.latest_ns),
            _chosen(min, self.smallest, other.smallest),
            _chosen(max, self.largest, other.largest),
            self.truncated + other.truncated,
            self.untimed + other.untimed,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the totals as a dictionary.

        Returns:
            Each total by its name, and the time stamps also in ISO 8601 format.
        """
        return {name: getattr(self, name) for name in _TOTALS}


_TOTALS: Final = (
    *("packets", "captured_bytes", "wire_bytes", "smallest", "mean", "largest", "truncated"),
    *("earliest_ns", "earliest", "latest_ns", "latest", "duration_ns", "untimed"),
)


def _chosen(choose: Callable[[Iterable[int]], int], *values: int | None) -> int | None:
    """Return the minimum or maximum of the values that are not None, if there is one."""
    present = [value for value in values if value is not None]
    return choose(present) if present else None


class InterfaceInfo(NamedTuple):
    """An interface of a capture and the totals of its packets.

    Args:
        interface: The interface.
        section: The number of the section that describes it, counted from 1; always 1 in a pcap.
        totals: The totals of the packets captured on it.
    """

    interface: Interface
    section: int
    totals: PacketTotals

    def as_dict(self) -> dict[str, Any]:
        """Return the interface as a dictionary.

        Returns:
            The fields of the interface and of the totals by name. "linktype" is the LINKTYPE_ number, "resolution" the
            units of time per second, "byte_order" is "little" or "big".
        """
        return {"section": self.section} | self.interface.as_dict() | self.totals.as_dict()


_check_count: Final = within(0, 2**63 - 1, "a count")
_Count: TypeAlias = Annotated[int, _check_count]


class CaptureInfo(Record, Readable):
    """A summary of a capture, up to its end or to the first truncated or corrupt record.

    With *since_ns*, *until_ns* or *sample*, the totals are those of the packets of a period or a sample; all other
    fields describe the whole capture. `str` returns the lines that `cbpf info` prints.

    Args:
        name: The name of the source in error messages.
        container: The name of the format: "pcap" or "pcapng".
        version: The version of the format, such as "2.4"; for a pcapng, the version of the first section.
        variant: "Kuznetzov" for a pcap with the longer records of Alexey Kuznetzov's patched libpcap, or None.
        compression: The compression format: "gzip", "zstd", "lz4", "xz", "lzma", "bzip2", or None.
        file_size: The size of the file as stored, in bytes, or None if the source is not a regular file.
        capture_size: The size of the capture in bytes, uncompressed, without an incomplete record at the end.
        byte_orders: The byte orders that sections have: "<", ">" or both.
        sections: The number of sections; 1 in a pcap.
        interfaces: The interfaces, each with the totals of its packets.
        totals: The totals of all packets.
        out_of_order: The number of packets with a time stamp earlier than that of the preceding packet.
        other_blocks: The kinds of pcapng blocks other than sections, interfaces and packets, each with its count.
        damage: The message of the `DamagedCapture` that ends the capture, or None.
        since_ns: The totals and `out_of_order` are those of packets with this time or a later one, in nanoseconds since
            1970 (UTC); None: no such limit.
        until_ns: The totals and `out_of_order` are those of packets with an earlier time; None: no such limit.
        sample: The totals and `out_of_order` are those of a sample of about one in this number of packets; None: they
            are those of all packets.
        seed: The seed of the sample, or None if there is none.
    """

    name: Annotated[str, instance_of(str)]
    container: Annotated[str, text]
    version: Annotated[str, text]
    variant: Annotated[str | None, optional(text)]
    compression: Annotated[str | None, optional(text)]
    file_size: Annotated[int | None, optional(_check_count)]
    capture_size: _Count
    byte_orders: tuple[ByteOrder, ...]
    sections: _Count
    interfaces: tuple[InterfaceInfo, ...]
    totals: PacketTotals
    out_of_order: _Count
    other_blocks: tuple[tuple[str, int], ...]
    damage: Annotated[str | None, optional(instance_of(str))]
    since_ns: Annotated[int | None, optional(integer)] = None
    until_ns: Annotated[int | None, optional(integer)] = None
    sample: Annotated[int | None, optional(integer)] = None
    seed: Annotated[int | None, optional(integer)] = None

    def __str__(self) -> str:
        from .info_text import info_text

        return info_text(self)

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as a dictionary of JSON types, as `cbpf info --json` prints it.

        Returns:
            The fields by name, merged with those of the totals of all packets.
        """
        names = ("name", "container", "version", "variant", "compression", "file_size", "capture_size")
        return (
            {name: getattr(self, name) for name in names}
            | {"since_ns": self.since_ns, "since": _text_of(self.since_ns)}
            | {"until_ns": self.until_ns, "until": _text_of(self.until_ns)}
            | {"sample": self.sample, "seed": self.seed}
            | {"byte_orders": [BYTE_ORDER_NAMES[byte_order] for byte_order in self.byte_orders]}
            | self.totals.as_dict()
            | {"out_of_order": self.out_of_order, "sections": self.sections}
            | {"interfaces": [interface.as_dict() for interface in self.interfaces]}
            | {"other_blocks": dict(self.other_blocks), "damage": self.damage}
        )


class CaptureInfoBuilder:
    """Accumulates the totals of a capture while it is read, and makes its summary."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._totals: defaultdict[int, PacketTotals] = defaultdict(PacketTotals)  # by index of the interface
        self._last_ns: int | None = None
        self._out_of_order = 0

    def add(self, columns: PacketColumns) -> None:
        """Add packets; of records without a packet, those that machine code read are counted here."""
        if isinstance(columns.starts, memoryview):
            self._add_native(columns)
            return
        times = [time if timed else None for time, timed in zip(columns.times_ns, columns.timed, strict=True)]
        groups: defaultdict[int, list[tuple[int, int, int | None]]] = defaultdict(list)
        lengths = map(sub, columns.ends, columns.starts)
        for interface, *values in zip(columns.interfaces, lengths, columns.wire_lengths, times, strict=True):
            groups[interface].append(tuple(values))
        for interface, group in groups.items():
            self._totals[interface] = self._totals[interface].plus(_sum(group))
        self._add_order([time_ns for time_ns in times if time_ns is not None])

    def _add_native(self, columns: PacketColumns) -> None:
        """Add packets that machine code read."""
        from .native.totals import sum_columns

        sums = sum_columns(columns, len(self._container.interfaces))
        for interface, totals in sums.totals.items():
            self._totals[interface] = self._totals[interface].plus(PacketTotals(*totals))
        if sums.first_ns is not None:
            self._out_of_order += sums.out_of_order + (self._last_ns is not None and sums.first_ns < self._last_ns)
            self._last_ns = sums.last_ns
        for start in sums.other_records:
            self._container.count_other(columns.source.fetch()(slice(start, start + OTHER_HEAD_SIZE)))

    def _add_order(self, times: list[int]) -> None:
        """Count the time stamps that are earlier than the preceding one."""
        if times:
            self._out_of_order += sum(later < earlier for earlier, later in pairwise(times))
            self._out_of_order += self._last_ns is not None and times[0] < self._last_ns
            self._last_ns = times[-1]

    def info(
        self, reader: CaptureReader, bounds: "TimeBounds | None", sample: "Sample | None", damage: str | None
    ) -> CaptureInfo:
        """Return the summary of the chunks added so far; the fields of the source are those of *reader*."""
        container = self._container
        return CaptureInfo(
            name=reader.name,
            container=container.kind,
            version=container.version,
            variant=container.variant,
            compression=reader.compression,
            file_size=reader.file_size,
            capture_size=reader.position,
            byte_orders=tuple(sorted({section.byte_order for section in container.sections})),
            sections=len(container.sections),
            interfaces=self._interfaces(),
            totals=reduce(PacketTotals.plus, self._totals.values(), PacketTotals()),
            out_of_order=self._out_of_order,
            other_blocks=tuple(sorted(container.other_blocks.items())),
            damage=damage,
            since_ns=None if bounds is None else bounds.since_ns,
            until_ns=None if bounds is None else bounds.until_ns,
            sample=None if sample is None else sample.interval,
            seed=None if sample is None else sample.seed,
        )

    def _interfaces(self) -> tuple[InterfaceInfo, ...]:
        first_interfaces = [section.first_interface for section in self._container.sections]
        return tuple(
            InterfaceInfo(interface, bisect(first_interfaces, index), self._totals.get(index, PacketTotals()))
            for index, interface in enumerate(self._container.interfaces)
        )


def _sum(packets: list[tuple[int, int, int | None]]) -> PacketTotals:
    """Return the totals of packets, each given by its captured length, its wire length, and its time or None."""
    lengths, wire_lengths, times = zip(*packets, strict=True)
    stamps = [time_ns for time_ns in times if time_ns is not None]
    return PacketTotals(
        len(packets),
        sum(lengths),
        sum(wire_lengths),
        min(stamps, default=None),
        max(stamps, default=None),
        min(lengths),
        max(lengths),
        sum(map(lt, lengths, wire_lengths)),
        len(packets) - len(stamps),
    )


@checked(progress=optional(function))
def capture_info(
    source: Source,
    *,
    since: "TimeLimit | None" = None,
    until: "TimeLimit | None" = None,
    sample: int | None = None,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> CaptureInfo:
    """Summarise a capture, which is read once from start to end.

    Args:
        source: A path, "-" for standard input, or a binary file object.
        since: Sum up only packets with this time or a later one, in the forms of `read_capture`. The size, the
            interfaces and the other blocks remain those of the whole capture.
        until: Sum up only packets with an earlier time, in the same forms.
        sample: Sum up only about one in this number of the packets, 1 to 2**32 - 1, chosen at random by their numbers.
        seed: Another choice of packets, 0 to 2**64 - 1.
        progress: Called repeatedly with the number of bytes read of the source, as they are stored.

    Returns:
        The summary, up to the first truncated or corrupt record, which `CaptureInfo.damage` describes.

    Raises:
        CaptureError: The source cannot be read or does not begin as a capture.
        FieldError: A time is not valid, or has no offset from UTC; or *sample* or *seed* is out of range.

    >>> info = capture_info("examples/traffic.pcap")
    >>> info.container, info.totals.packets, info.interfaces[0].interface.link_type.name
    ('pcap', 905, 'EN10MB')
    """
    times = None
    if since is not None or until is not None:
        from .times import time_range

        times = time_range("capture_info", since, until)
    chosen = None
    if sample is not None or seed != 0:
        from .sampling import checked_sample

        chosen = checked_sample("capture_info", sample, seed)
    with CaptureReader(source) as reader:
        bounds = None if times is None else times.bounds(reader.name, reader.first_time_ns)
        builder, damage = CaptureInfoBuilder(reader.container), None
        try:
            with closing(reader.selected("records", bounds, chosen)) as results:
                for columns in results:
                    builder.add(columns)
                    if progress is not None:
                        progress(reader.source_bytes)
        except DamagedCapture as error:
            damage = str(error)
        return builder.info(reader, bounds, chosen, damage)
