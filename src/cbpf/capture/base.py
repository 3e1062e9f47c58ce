"""The parts that all capture formats share: network interfaces, records in a buffer, and the classes of a format.

A format is a module that defines three things; `registry.FORMATS` lists the last of them:

    Container        reads: `CaptureReader` passes buffers to `scan`, which returns the positions of their records
    RecordWriter     writes: returns the bytes of the output; the caller calls `begin` first, for each source
                     `begin_source` and then `encode` for its accepted records, and `end` last
    CaptureFormat    recognises the format of a capture by its first bytes, and makes containers and writers

A record is the unit of a format: a packet with its header in a pcap, a block in a pcapng, whether or not it has a
packet. A buffer is `bytes` that begins at the start of a record.
"""

from abc import ABC, abstractmethod
from itertools import compress

from .._named_tuple import NamedTuple
from .._stdlib import defaultdict, itemgetter
from .._typing import TYPE_CHECKING, Any, Callable, ClassVar, Final, Hashable, Iterable, Literal, Sequence, TypeAlias
from ..errors import DamagedCapture
from ..packet.host_order import ByteOrder
from ..packet.link_types import LinkType

if TYPE_CHECKING:
    from .live_interface import LiveInterface
    from .native.format_code import NativeEncoding, NativeScan, ScanOutput

RecordSpan: TypeAlias = tuple[int, int, int, int, int, int]
"""The position of a record in a buffer: (start, data_start, data_end, end, wire_length, interface).

The record is buffer[start:end], its packet buffer[data_start:data_end]. *interface* is the index of the packet's
interface in `Container.interfaces`, or NO_PACKET for a record that holds no packet. It is a plain tuple, unpacked by
name wherever it is used: a named tuple costs a third more time per packet read (RATIONALE.md).
"""

NO_PACKET: Final = -1

SECOND: Final = 1_000_000_000  # nanoseconds

UNLIMITED: Final = 1 << 32  # a number of bytes that exceeds the length of each packet

HEAD_SIZE: Final = 24  # bytes of a record that determine its size, in all formats
OTHER_HEAD_SIZE: Final = 4  # bytes of a record without a packet that determine its kind

BEGIN_SIZE: Final = 24  # bytes of a capture that are read before its format is known

LengthOrder: TypeAlias = Literal["captured first", "wire first", "smaller is captured"]
"""The order of the two lengths in a pcap record: exchanged up to version 2.2, and in some files of version 2.3."""

BYTE_ORDER_NAMES: Final[dict[ByteOrder, str]] = {"<": "little", ">": "big"}


class Interface(NamedTuple):
    """A network interface that packets were captured on, and the units in which they were recorded.

    Args:
        link_type: The link type of its packets.
        snaplen: The snapshot length, as libpcap corrects it: the maximum number of bytes captured of a packet.
        byte_order: The byte order of its part of the capture: "<" (little-endian) or ">" (big-endian).
        resolution: The units of time per second in which time stamps are recorded.
        offset: Seconds to add to each time stamp.
        name: The name of the device, or None if the capture does not contain one.
    """

    link_type: LinkType
    snaplen: int
    byte_order: ByteOrder
    resolution: int = 1_000_000
    offset: int = 0
    name: str | None = None

    def time_ns(self, units: int) -> int:
        """Return the time of a record in nanoseconds since 1970 (UTC).

        Args:
            units: The time stamp of the record, in units of the resolution of this interface.

        Returns:
            The time, rounded down to nanoseconds, including the offset of this interface.
        """
        return units * SECOND // self.resolution + self.offset * SECOND

    @property
    def needs_nanoseconds(self) -> bool:
        """Whether a time stamp may be finer than a microsecond."""
        return 1_000_000 % self.resolution != 0

    def as_dict(self) -> dict[str, Any]:
        """Return the interface as a dictionary that can be converted to JSON.

        Returns:
            The fields by name. "link_type" is the name of the link type, "linktype" its LINKTYPE_ number, and
            "byte_order" is "little" or "big".
        """
        return {
            "name": self.name,
            "link_type": self.link_type.name,
            "linktype": self.link_type.linktype,
            "snaplen": self.snaplen,
            "byte_order": BYTE_ORDER_NAMES[self.byte_order],
            "resolution": self.resolution,
            "offset": self.offset,
        }


class Section(NamedTuple):
    """A part of a capture with its own byte order and interfaces.

    Its interfaces begin at index *first_interface* of `Container.interfaces` and end where the next section begins.
    """

    byte_order: ByteOrder
    first_interface: int


class ScannedBuffer(NamedTuple):
    """The complete records at the start of a buffer.

    *needed* is the number of bytes that the record after them has; or the number of bytes of its header, if the header
    is not complete either. *damage* is the error of that record if it is corrupt.
    """

    records: list[RecordSpan]
    needed: int
    damage: DamagedCapture | None


class RecordSource(ABC):
    """The source of the records that a `RecordWriter` encodes: a capture, or packets in memory.

    The records of a source are valid in any capture with an equal *record_format*, so they are copied without being
    encoded again. *interfaces* are those of all sections so far, and *sections* those that have begun so far. *kind* is
    the name of the format. *live* is the interface of a live capture.
    """

    kind: ClassVar[str]
    live: "LiveInterface | None" = None

    def __init__(self, record_format: Hashable) -> None:
        self.record_format = record_format
        self.interfaces: list[Interface] = []
        self.sections: list[Section] = []

    @abstractmethod
    def time_ns(self, buffer: bytes, record: RecordSpan) -> int:
        """Return the time of a packet in nanoseconds since 1970 (UTC)."""

    def comments(self, buffer: bytes, record: RecordSpan) -> Sequence[bytes]:
        """Return the comments of a packet as UTF-8, if it must be encoded; records are copied with theirs."""
        return ()


class Container(RecordSource):
    """A capture in one of the formats, and the state of reading it up to the current record.

    Records are read in their order, either by `scan` or by the native scanner; `advance` then moves the state past
    the latter. A file header of *header_size* bytes (BEGIN_SIZE at most) precedes the records. *version* and *variant*
    describe it in a summary. *interfaces_are_final* indicates that all interfaces are described before the first
    record. *other_blocks* counts the records without a packet that `scan` returned, by name; section headers and
    interface descriptions are not counted.
    """

    header_size: ClassVar[int] = 0
    interfaces_are_final: ClassVar[bool] = False

    def __init__(self, version: str, record_format: Hashable, *, variant: str | None = None) -> None:
        super().__init__(record_format)
        self.version = version
        self.variant = variant
        self.other_blocks: defaultdict[str, int] = defaultdict(int)

    def describe_live(self, live: "LiveInterface | None") -> None:
        """Add the properties of the live interface that this capture is read from, if there is one."""
        if live is not None:
            self.live = live
            self.interfaces = [interface._replace(name=live.name) for interface in self.interfaces]

    @property
    def section_interfaces(self) -> list[Interface]:
        """The interfaces of the current section that have been described so far."""
        return self.interfaces[self.sections[-1].first_interface :] if self.sections else []

    def option_sizes(self, records: Sequence[RecordSpan]) -> Sequence[int]:
        """Return the number of bytes of the options of each packet; empty if no packet has options."""
        return ()

    def comments_in(self, options: bytes, interface: int) -> tuple[str, ...]:
        """Return the comments in the options of a packet; *interface* is the index of its interface."""
        return ()

    @abstractmethod
    def scan(self, buffer: bytes, first: int, name: str) -> ScannedBuffer:
        """Return the complete records at the start of a buffer, and advance the state past them.

        The next buffer must begin at the end of the last record. *first* is the number of the first packet, counted
        from 1, and *name* the name of the capture; both appear in the error of a corrupt record.
        """

    def needed_size(self, head: bytes) -> int:
        """Return the size of the next record, given its first HEAD_SIZE bytes, or 0 if it is corrupt.

        If *head* is shorter and ends before the size is determined, return the number of bytes that determine it.
        """
        return 0

    def advance(self, size: int) -> None:
        """Advance the state past *size* bytes of records, among them no section header or interface description."""

    def place(self, start_of_record: bytes, number: int) -> str:
        """Return the name of an incomplete record in error messages.

        *start_of_record* is the available part of the record. If it is a packet, its number is *number*, counted from
        1.
        """
        return f"packet {number}"

    def count_other(self, head: bytes) -> None:
        """Count a record without a packet that the native scanner read, given its first OTHER_HEAD_SIZE bytes."""

    def times_ns(self, buffer: bytes, records: Sequence[RecordSpan]) -> Sequence[int | None]:
        """Return the time of each record, or None for a record without a packet or without a time stamp."""
        return [self.time_ns(buffer, record) if has_packet(record) else None for record in records]

    def native_scan(self, next_record: bytes, output: "ScanOutput") -> "NativeScan | None":
        """Return the native scan of the current section to an output, or None if only Python can read this format.

        *next_record* holds the first 16 bytes of the next record, or fewer where they are not available.
        """
        return None

    def packet_offset(self, *, timed: bool) -> int:
        """Return the number of bytes before the packet in a record that the native scanner read.

        *timed*: the record has a time stamp.
        """
        return 0

    def record_end(self, fetch: Callable[[slice], bytes], start: int, packet_end: int) -> int:
        """Return the end of a record that the native scanner read; *fetch* returns bytes of its source."""
        return packet_end

    def scan_settings(self, next_record: bytes) -> dict[str, int]:
        """Return the settings of the native scan that depend on the next record: those for another part of a capture.

        *next_record* is that of `native_scan`.
        """
        return {}


Place: TypeAlias = Callable[[RecordSpan], str]
"""Returns the name of a record in error messages: the capture and the packet number."""


class RecordWriter(ABC):
    """A writer of one format: returns the bytes to write for the accepted records of one source after another.

    *record_format* is that of the output, to compare with `RecordSource.record_format`, or None until it is decided.
    *snaplen* is the maximum number of bytes that it writes of a packet. *has_comments* indicates that it writes the
    comments of packets, *discards* that it writes nothing.
    """

    record_format: Hashable | None
    snaplen: int = UNLIMITED
    has_comments: ClassVar[bool] = False
    discards: ClassVar[bool] = False

    def begin(self) -> bytes:
        """Return the bytes that begin the output."""
        return b""

    def begin_source(self, source: RecordSource, name: str) -> bytes:
        """Return the bytes that precede the records of a source; *name* appears in errors."""
        return b""

    def continued(self, source: RecordSource, name: str) -> bytes:
        """Return the bytes that begin another file, for the records of a source after those encoded so far."""
        return self.begin() + self.begin_source(source, name)

    def copies(self, source: RecordSource) -> bool:
        """Return whether the records of a source may be copied without being encoded again."""
        return self.snaplen == UNLIMITED and self.record_format == source.record_format

    def edits(self, source: RecordSource) -> bool:
        """Return whether `encode` changes records of a source that hold no packet, so it must receive them too."""
        return False

    @abstractmethod
    def encode(self, source: RecordSource, buffer: bytes, records: list[RecordSpan], place: Place) -> bytes:
        """Return the bytes to write for records of a buffer.

        Raises `CaptureError`, with the *place* of the record, if the format cannot represent a packet.
        """

    def native_encoding(self, source: RecordSource) -> "NativeEncoding | None":
        """Return machine code that encodes packets as `encode` does, or None if `encode` must encode the next one.

        The result applies until *record_format* or the number of the source's interfaces changes.
        """
        return None

    def end(self) -> bytes:
        """Return the bytes that end the output."""
        return b""


class NullWriter(RecordWriter):
    """The writer of packets that are only counted: it accepts the records of any sources, and returns no bytes."""

    record_format = None
    discards = True

    def copies(self, source: RecordSource) -> bool:
        """Return True: no record needs to be encoded."""
        return True

    def encode(self, source: RecordSource, buffer: bytes, records: list[RecordSpan], place: Place) -> bytes:
        """Return no bytes."""
        return b""


class CaptureFormat(NamedTuple):
    """A capture format, as `registry.FORMATS` lists it.

    Args:
        name: The name of the format, which is the `kind` of its containers.
        recognizes: Returns whether a capture begins with the magic number of this format.
        open: Returns the container for the first bytes (BEGIN_SIZE or fewer) and the name of a capture;
            raises `CaptureError` if they are not a valid start.
        writer: Returns a writer for these sources, each with its name, that writes at most a number of bytes of a
            packet.
        suffixes: The suffixes of the names of its files.
        needs_interfaces: Whether the writer considers the interfaces of all sources before it writes a record.
    """

    name: str
    recognizes: Callable[[bytes], bool]
    open: Callable[[bytes, str], Container]
    writer: Callable[[Sequence[tuple[str, RecordSource]], int], RecordWriter]
    suffixes: tuple[str, ...] = ()
    needs_interfaces: bool = False


def has_packet(record: RecordSpan) -> bool:
    """Return whether a record holds a packet."""
    _, _, _, _, _, interface = record
    return interface != NO_PACKET


_interface_of: Final = itemgetter(5)


def interfaces_of(records: Iterable[RecordSpan]) -> list[int]:
    """Return the index of the interface of each record; NO_PACKET for one without a packet."""
    return list(map(_interface_of, records))


def with_packets(records: list[RecordSpan]) -> list[RecordSpan]:
    """Return the records that hold a packet."""
    return list(compress(records, [interface != NO_PACKET for interface in interfaces_of(records)]))


def packet_count(records: Sequence[RecordSpan]) -> int:
    """Return the number of records that hold a packet."""
    return len(records) - interfaces_of(records).count(NO_PACKET)


def captured_bytes(records: Iterable[RecordSpan]) -> int:
    """Return the number of bytes captured of the packets in these records."""
    return sum([data_end - data_start for _, data_start, data_end, _, _, _ in records])


def end_of(records: Sequence[RecordSpan]) -> int:
    """Return the position after the last record."""
    _, _, _, end, _, _ = records[-1]
    return end
