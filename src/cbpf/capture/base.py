"""What all capture formats have in common: interfaces, records in a buffer, and how they are found."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from ..errors import DamagedCapture
from ..packet.link_types import LinkType

ByteOrder: TypeAlias = Literal["<", ">"]
ContainerKind: TypeAlias = Literal["pcap", "pcapng"]

RecordSpan: TypeAlias = tuple[int, int, int, int, int, int]
"""Positions in a buffer, a length and an index: (start, data_start, data_end, end, wire_length, interface).

The record is buffer[start:end], its packet buffer[data_start:data_end]. *interface* is the index of its interface in
`Container.interfaces`, or NO_PACKET for a block that holds none. A plain tuple, as millions are made.
"""

NO_PACKET: Final = -1

SECOND: Final = 1_000_000_000  # nanoseconds


class Interface(NamedTuple):
    """Where packets were captured, and how they were recorded.

    snaplen: the most bytes of a packet, as libpcap corrects it; byte_order: of the capture there, "<" or ">".
    resolution: units of time a second; offset: seconds to add to every time; name: of the device, if it is told.
    """

    link_type: LinkType
    snaplen: int
    byte_order: ByteOrder
    resolution: int = 1_000_000
    offset: int = 0
    name: str | None = None

    def time_ns(self, units: int) -> int:
        """Nanoseconds since 1970 of a record's time; what is finer is cut off."""
        return units * SECOND // self.resolution + self.offset * SECOND

    @property
    def needs_nanoseconds(self) -> bool:
        """Whether a time may have a part that is no whole microsecond."""
        return 1_000_000 % self.resolution != 0


Scan: TypeAlias = tuple[list[RecordSpan], int, DamagedCapture | None]
"""The whole records of a buffer; how many bytes the one behind them needs, as far as is known; what is wrong there."""


class Container(Protocol):
    """A capture format, and where in a capture of it the reader is."""

    @property
    def kind(self) -> ContainerKind:
        """Its name."""

    @property
    def version(self) -> str:
        """That of the format, of a pcapng in its first section: "2.4"."""

    @property
    def interfaces(self) -> list[Interface]:
        """Those described so far."""

    def scan(self, buffer: bytes, first: int, name: str) -> Scan:
        """The whole records of *buffer*, from its start on.

        The next buffer begins where the last of them ended. *first* is the number of the first packet, counted from 1,
        and *name* that of the capture, for the error.
        """

    def passed(self, size: int) -> None:
        """So many bytes of records were read by other means; no section began and no interface was described there."""

    def place(self, start_of_record: bytes, number: int) -> str:
        """What an error calls a record that is not whole; *number* is its own if it holds a packet."""

    def time_ns(self, buffer: bytes, record: RecordSpan) -> int:
        """Nanoseconds since 1970 of a packet."""

    def times_ns(self, buffer: bytes, records: Sequence[RecordSpan]) -> Sequence[int | None]:
        """The same of each record; None for one that holds no packet, or tells no time."""


def packet_count(records: Sequence[RecordSpan]) -> int:
    """How many of these hold a packet."""
    return len(records) - [record[5] for record in records].count(NO_PACKET)
