"""Iterating over the packets of a capture that a filter accepts, or that were captured in some time."""

from collections.abc import Generator
from contextlib import closing

from .._typing import TYPE_CHECKING, Final
from ..capture.native.choice import size_of
from ..capture.packets import PacketColumns
from ..capture.reader import CaptureReader
from ..capture.sampling import Sample, checked_sample
from ..capture.source_stream import Source
from ..capture.times import TimeBounds, TimeLimit, time_range
from ..isa.dialects import PCAP, Dialect
from .arguments import with_checks
from .bound_filter import Filter, bind_filters, check_filter, is_native_chosen
from .selection import selected_columns

if TYPE_CHECKING:
    from .._options import EngineName

_ALL: Final = ""  # the expression that every packet matches


class _Selection:
    """The packets to select: those that a filter accepts, from *since* on and before *until*, in a sample."""

    def __init__(
        self,
        filter: Filter,
        since: TimeLimit | None,
        until: TimeLimit | None,
        sample: Sample | None,
        engine: "EngineName",
        dialect: Dialect,
        *,
        as_socket: bool,
        is_native: bool,
        size: float,
    ) -> None:
        self._times = time_range("read_capture", since, until)
        self.sample = sample
        self.is_native = is_native
        (self.filter,) = bind_filters([filter], engine, dialect, size, is_native=is_native, as_socket=as_socket)

    def bounds(self, reader: CaptureReader) -> TimeBounds | None:
        """Return the bounds of times for a capture, or None if there are none."""
        return None if self._times is None else self._times.bounds(reader.name, reader.first_time_ns)


class _SelectingReader(CaptureReader):
    """An iterator over the packets of a capture that are selected; its chunks still have all records."""

    def __init__(self, source: Source, selection: _Selection) -> None:
        self._selection = selection
        super().__init__(source)
        try:
            selection.filter.prepare([self])
        except BaseException:
            self.close()
            raise

    def inputs(self, *, is_native: bool | None = None) -> Generator[PacketColumns, None, None]:
        """Return the columns of `columns`, which are read as the selection demands."""
        return self.columns()

    def columns(self, *, is_native: bool | None = None) -> Generator[PacketColumns, None, None]:
        """Yield the selected ones of the remaining packets as columns, each valid until the next is requested.

        They are read as the selection demands.
        """
        selection = self._selection
        bounds, is_native = selection.bounds(self), selection.is_native  # that of the filter
        with closing(
            selected_columns(self, [selection.filter], bounds, selection.sample, is_native=is_native, stops_early=True)
        ) as results:
            for (columns,) in results:
                yield columns
        selection.filter.require_fit([self])


@with_checks("engine", "dialect", "as_socket")
def read_capture(
    source: Source,
    *,
    filter: "Filter | None" = None,
    since: TimeLimit | None = None,
    until: TimeLimit | None = None,
    sample: int | None = None,
    seed: int = 0,
    engine: "EngineName" = "auto",
    dialect: Dialect = PCAP,
    as_socket: bool = False,
) -> CaptureReader:
    """Open a capture and return an iterator over its packets, or over those that are selected.

    Packets are decoded by machine code if `cbpf[llvm]` is installed and the source has 16 MB or more, or an unknown
    size as a pipe has; and otherwise by Python, with the same results.

    Args:
        source: A path, "-" for standard input, or a binary file object.
        filter: Only packets that this filter accepts, as `filter_capture` does; None: all packets.
        since: Only packets with this time or a later one: an aware `datetime`; seconds since 1970; text in ISO 8601
            format with an offset from UTC; or relative to the first packet of the capture, a `timedelta` or a text
            such as "+5m" or "+1h30m" (units ns, us, ms, s, m, h, d). A packet without a time stamp has that of
            `Packet.time_ns`.
        until: Only packets with an earlier time, in the same forms.
        sample: Only about one in this number of the packets, 1 to 2**32 - 1, chosen at random by their numbers, so that
            other filters choose the same packets.
        seed: Another choice of packets, 0 to 2**64 - 1.
        engine: The execution engine of the filter.
        dialect: The dialect whose rules verify and run the filter.
        as_socket: Apply the filter to the view that a live packet socket would have had of each packet
            (`socket_view`). The packets are those captured.

    Returns:
        An iterator and context manager. The numbers of packets are those in the capture.

    Raises:
        CaptureError: The source cannot be read or does not begin as a capture. While iterating, `DamagedCapture` is
            raised after the last complete packet if the capture is truncated or corrupt.
        ExpressionError: The filter is invalid, or fits no interface (`LinkTypeError`): for a pcap in this call,
            otherwise while iterating.
        FieldError: An argument is out of range, or a time has no offset from UTC.
        VerificationError: The dialect rejects the program.

    >>> with read_capture("examples/traffic.pcap") as capture:
    ...     print(capture.link_type.name, next(iter(capture)).number)
    EN10MB 1
    >>> [packet.number for packet in read_capture("examples/traffic.pcap", filter="icmp", until="+10s")][:3]
    [40, 42, 58]
    """
    chosen = checked_sample("read_capture", sample, seed)
    if filter is None and since is None and until is None and chosen is None:
        return CaptureReader(source)
    selected = _ALL if filter is None else check_filter("read_capture.filter", filter)
    size = size_of(source)
    is_native = is_native_chosen([selected], engine, size)
    selection = _Selection(
        selected, since, until, chosen, engine, dialect, as_socket=as_socket, is_native=is_native, size=size
    )
    return _SelectingReader(source, selection)
