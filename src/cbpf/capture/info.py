"""What is in a capture: packets, bytes and times summed up, chunk by chunk, for each interface and for all."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import reduce
from itertools import pairwise
from operator import lt
from typing import Annotated, Any, Final, NamedTuple, TypeAlias, get_args

from .._record import Record
from .._validators import instance_of, one_of, optional, text, within
from ..errors import DamagedCapture
from .base import NO_PACKET, SECOND, ByteOrder, Container, ContainerKind, Interface, RecordSpan
from .input import Source
from .pcap import FILE_HEADER_SIZE, Pcap
from .pcapng import INTERFACE, SECTION, other_block
from .reader import CaptureReader

_BYTE_ORDER_NAMES: Final = {"<": "little", ">": "big"}


class PacketTotals(NamedTuple):
    """What packets sum up to.

    packets: how many; captured_bytes, wire_bytes: of all, without headers.
    earliest_ns, latest_ns: of their time stamps, in nanoseconds since 1970 (UTC); None if none has one.
    smallest, largest: captured length in bytes; None if there is no packet.
    cut: how many are shorter than they were on the wire; untimed: how many have no time stamp.
    """

    packets: int = 0
    captured_bytes: int = 0
    wire_bytes: int = 0
    earliest_ns: int | None = None
    latest_ns: int | None = None
    smallest: int | None = None
    largest: int | None = None
    cut: int = 0
    untimed: int = 0

    @property
    def mean(self) -> float | None:
        """The mean captured length, in bytes."""
        return self.captured_bytes / self.packets if self.packets else None

    @property
    def earliest(self) -> str | None:
        """The earliest time stamp as ISO 8601 writes it, with nanoseconds."""
        return None if self.earliest_ns is None else iso_time(self.earliest_ns)

    @property
    def latest(self) -> str | None:
        """The latest one."""
        return None if self.latest_ns is None else iso_time(self.latest_ns)

    @property
    def duration_ns(self) -> int | None:
        """Nanoseconds from the earliest to the latest."""
        if self.earliest_ns is None or self.latest_ns is None:
            return None
        return self.latest_ns - self.earliest_ns

    def plus(self, other: "PacketTotals") -> "PacketTotals":
        """The totals of both."""
        return PacketTotals(
            self.packets + other.packets,
            self.captured_bytes + other.captured_bytes,
            self.wire_bytes + other.wire_bytes,
            _known(min, self.earliest_ns, other.earliest_ns),
            _known(max, self.latest_ns, other.latest_ns),
            _known(min, self.smallest, other.smallest),
            _known(max, self.largest, other.largest),
            self.cut + other.cut,
            self.untimed + other.untimed,
        )

    def as_dict(self) -> dict[str, Any]:
        """Every number by its name, and the times also as text."""
        return {name: getattr(self, name) for name in _TOTALS}


_TOTALS: Final = (
    *("packets", "captured_bytes", "wire_bytes", "smallest", "mean", "largest", "cut"),
    *("earliest_ns", "earliest", "latest_ns", "latest", "duration_ns", "untimed"),
)


def _known(choose: Callable[[Iterable[int]], int], *values: int | None) -> int | None:
    """What min or max chooses of those that are no None."""
    known = [value for value in values if value is not None]
    return choose(known) if known else None


class InterfaceInfo(NamedTuple):
    """An interface, the number of its section, from 1, and its packets."""

    interface: Interface
    section: int
    totals: PacketTotals

    def as_dict(self) -> dict[str, Any]:
        """Every number and text by its name; linktype: the LINKTYPE_ number, resolution: units of time a second."""
        interface = self.interface
        described = {
            "section": self.section,
            "name": interface.name,
            "link_type": interface.link_type.name,
            "linktype": interface.link_type.linktype,
            "snaplen": interface.snaplen,
            "byte_order": _BYTE_ORDER_NAMES[interface.byte_order],
            "resolution": interface.resolution,
            "offset": interface.offset,
        }
        return described | self.totals.as_dict()


_check_count: Final = within(0, 2**63 - 1, "a count")
_Count: TypeAlias = Annotated[int, _check_count]


class CaptureInfo(Record):
    """What a capture is and holds, up to its end, or to where it is damaged.

    name: what errors call it; container, version: its format, such as pcap 2.4.
    variant: "Kuznetzov" for a pcap with the longer records of Alexey Kuznetzov's patched libpcap, or None.
    compression: "gzip", "zstd", "lz4", "xz", "bzip2" or None.
    file_size: bytes of the file as it is, None if it is no regular file.
    capture_size: bytes of the capture, uncompressed, without a record that is not whole.
    byte_orders: "<" and ">", as far as a section has it; sections: how many, one in a pcap.
    interfaces: each with its packets; totals: of all packets.
    out_of_order: how many packets have a time before that of the packet in front of them.
    other_blocks: kinds of blocks of a pcapng beside sections, interfaces and packets, and how many there are of each.
    damage: the text of the `DamagedCapture` that reading it ends with, or None.
    """

    name: Annotated[str, instance_of(str)]
    container: Annotated[ContainerKind, one_of(*get_args(ContainerKind))]
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

    def as_dict(self) -> dict[str, Any]:
        """The same in numbers, texts, lists and dictionaries, as `cbpf info --json` prints it."""
        names = ("name", "container", "version", "variant", "compression", "file_size", "capture_size")
        return (
            {name: getattr(self, name) for name in names}
            | {"byte_orders": [_BYTE_ORDER_NAMES[one] for one in self.byte_orders]}
            | self.totals.as_dict()
            | {"out_of_order": self.out_of_order, "sections": self.sections}
            | {"interfaces": [one.as_dict() for one in self.interfaces]}
            | {"other_blocks": dict(self.other_blocks), "damage": self.damage}
        )


class CaptureSurvey:
    """Sums up a capture while it is read.

    `add_chunk` takes records one by one. Who knows the sums of many gives them to `add`, by interface, `add_order` and
    `add_size`, and each block without a packet to `add_block`.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self._totals: defaultdict[int, PacketTotals] = defaultdict(PacketTotals)
        self._last_ns: int | None = None
        self._out_of_order = 0
        self._section_of: list[int] = []  # by interface
        self._byte_order: ByteOrder = "<"  # of the section
        self._byte_orders: set[ByteOrder] = set()  # of all sections
        self._sections = self._size = 0
        self._blocks: Counter[str] = Counter()
        if isinstance(container, Pcap):
            self._sections, self._section_of, self._size = 1, [1], FILE_HEADER_SIZE
            self._byte_orders = {container.header.layout.byte_order}

    def add_chunk(self, buffer: bytes, records: list[RecordSpan]) -> None:
        """The whole records at the start of a buffer."""
        times = self._container.times_ns(buffer, records)
        groups: defaultdict[int, list[tuple[int, int, int | None]]] = defaultdict(list)
        for (start, data_start, data_end, _, wire_length, interface), time_ns in zip(records, times, strict=True):
            if interface == NO_PACKET:
                self.add_block(buffer, start)
            else:
                groups[interface].append((data_end - data_start, wire_length, time_ns))
        for interface, group in groups.items():
            self.add(interface, _sum(group))
        known = [time_ns for time_ns in times if time_ns is not None]
        if known:
            self.add_order(known[0], known[-1], sum(later < earlier for earlier, later in pairwise(known)))
        self.add_size(records[-1][3])

    def add(self, interface: int, totals: PacketTotals) -> None:
        """Some packets of an interface, by its index."""
        self._totals[interface] = self._totals[interface].plus(totals)

    def add_order(self, first_ns: int, last_ns: int, out_of_order: int) -> None:
        """The times of the first and the last of some packets, and how many are before the one in front of them."""
        self._out_of_order += out_of_order + (self._last_ns is not None and first_ns < self._last_ns)
        self._last_ns = last_ns

    def add_size(self, size: int) -> None:
        """Bytes of whole records."""
        self._size += size

    def add_block(self, buffer: bytes, start: int) -> None:
        """The block at *start* of a buffer, which holds no packet."""
        name, self._byte_order = other_block(buffer, start, self._byte_order)
        if name == SECTION:
            self._sections += 1
            self._byte_orders.add(self._byte_order)
        elif name == INTERFACE:
            self._section_of.append(self._sections)
        else:
            self._blocks[name] += 1

    def info(self, reader: CaptureReader, damage: str | None) -> CaptureInfo:
        """What was found; *reader* tells how the capture is stored."""
        container = self._container
        is_patched = isinstance(container, Pcap) and container.header.layout.record_header_size > 16
        return CaptureInfo(
            name=reader.name,
            container=container.kind,
            version=container.version,
            variant="Kuznetzov" if is_patched else None,
            compression=reader.compression,
            file_size=reader.file_size,
            capture_size=self._size,
            byte_orders=tuple(sorted(self._byte_orders)),
            sections=self._sections,
            interfaces=self._interfaces(),
            totals=reduce(PacketTotals.plus, self._totals.values(), PacketTotals()),
            out_of_order=self._out_of_order,
            other_blocks=tuple(sorted(self._blocks.items())),
            damage=damage,
        )

    def _interfaces(self) -> tuple[InterfaceInfo, ...]:
        described = zip(self._container.interfaces, self._section_of, strict=True)
        return tuple(
            InterfaceInfo(interface, section, self._totals.get(index, PacketTotals()))
            for index, (interface, section) in enumerate(described)
        )


def _sum(packets: list[tuple[int, int, int | None]]) -> PacketTotals:
    """The totals of packets: of each its captured length, its wire length, and its time, if it has one."""
    lengths, wire_lengths, times = zip(*packets, strict=True)
    known = [time_ns for time_ns in times if time_ns is not None]
    return PacketTotals(
        len(packets),
        sum(lengths),
        sum(wire_lengths),
        min(known, default=None),
        max(known, default=None),
        min(lengths),
        max(lengths),
        sum(map(lt, lengths, wire_lengths)),
        len(packets) - len(known),
    )


_CYCLE_YEARS: Final = 400  # after which the Gregorian calendar begins anew
_CYCLE: Final = 146_097 * 86_400  # seconds


def iso_time(time_ns: int) -> str:
    """Nanoseconds since 1970 as ISO 8601 has them, in UTC; years beyond 0 to 9999 with a sign.

    >>> iso_time(1_700_000_000_123_456_789), iso_time(2**63 * SECOND)
    ('2023-11-14T22:13:20.123456789Z', '+292277026596-12-04T15:30:08.000000000Z')
    """
    seconds, nanoseconds = divmod(time_ns, SECOND)
    cycles, seconds = divmod(seconds, _CYCLE)
    year, month, day, hour, minute, second = time.gmtime(seconds)[:6]
    year += cycles * _CYCLE_YEARS
    shown = f"{year:04}" if 0 <= year <= 9999 else f"{year:+05}"
    return f"{shown}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z"


def capture_info(source: Source) -> CaptureInfo:
    """What a capture is and holds: a path, "-" for standard input, or a binary file object, read once as a stream.

    Damage ends it, and is told in `CaptureInfo.damage`; raises `CaptureError` if it is no capture.

    >>> info = capture_info("examples/traffic.pcap")
    >>> info.container, info.totals.packets, info.interfaces[0].interface.link_type.name
    ('pcap', 905, 'EN10MB')
    """
    with CaptureReader(source) as reader:
        survey, damage = CaptureSurvey(reader.container), None
        try:
            for buffer, records in reader.chunks():
                survey.add_chunk(buffer, records)
        except DamagedCapture as error:
            damage = str(error)
        return survey.info(reader, damage)
