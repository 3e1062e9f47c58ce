"""Filtering in Python: the filters run on the packets of a chunk one after another."""

from itertools import compress

from .._named_tuple import NamedTuple
from .._stdlib import and_
from .._typing import TYPE_CHECKING, Sequence
from ..capture.base import (
    NO_PACKET,
    Container,
    Place,
    RecordSpan,
    RecordWriter,
    captured_bytes,
    has_packet,
    interfaces_of,
    packet_count,
    with_packets,
)
from ..capture.output import Output
from ..capture.reader import CaptureReader, Chunk
from ..errors import CaptureError, CbpfError
from .bound_filter import BoundFilter

if TYPE_CHECKING:
    from ..capture.sampling import Sample
    from ..capture.times import TimeBounds


class AcceptedRecords(NamedTuple):
    """The records of a chunk that one filter accepted, or that no filter accepted."""

    source: Container
    buffer: bytes
    records: list[RecordSpan]
    place: Place

    @property
    def packets(self) -> int:
        """The number of packets in these records."""
        return packet_count(self.records)

    @property
    def bytes(self) -> int:
        """The number of bytes captured of these packets."""
        return captured_bytes(self.records)

    def numbers(self, filtered: list[RecordSpan]) -> list[int]:
        """Return the number of each packet in these records, counted from 1 among the packets of *filtered*."""
        starts = {record[0] for record in self.records}
        return [number for number, record in enumerate(with_packets(filtered), 1) if record[0] in starts]

    def write_to(self, writer: RecordWriter, output: Output) -> None:
        """Write the records in the format of *writer*, up to the first that does not fit in it, which is an error."""
        if not self.records:
            return
        try:
            data = writer.encode(self.source, self.buffer, self.records, self.place)
        except CaptureError:
            for record in self.records:
                output.write(writer.encode(self.source, self.buffer, [record], self.place))
            raise
        output.write(data)


class FilteredChunk(NamedTuple):
    """The result of filtering a chunk: the packets and bytes filtered, and the accepted records for each sink.

    *error* is that of the first packet on which a filter could not run, or None: the result ends before that packet.
    """

    packets: int
    bytes: int
    accepted: Sequence[AcceptedRecords]
    error: CbpfError | None


class PythonRun:
    """The filtering of a capture in Python.

    *collects* has a flag for each filter, and a last one for the packets that no filter accepts: whether a sink
    consumes them. Packets outside *bounds* or *sample* are accepted by none of them.
    """

    def __init__(
        self,
        reader: CaptureReader,
        filters: Sequence[BoundFilter],
        collects: Sequence[bool],
        bounds: "TimeBounds | None" = None,
        sample: "Sample | None" = None,
    ) -> None:
        self._reader = reader
        self._filters = filters
        self._collects = collects
        self._bounds = bounds
        self._sample = sample
        self.packets = 0  # of this capture, before the current chunk

    def skip(self, packets: int) -> None:
        """Count packets that machine code filtered; error messages contain the number of a packet."""
        self.packets += packets

    def filter(self, chunk: Chunk, remaining: int | None) -> FilteredChunk:
        """Run all filters on a chunk, up to the first packet on which one of them cannot run.

        With *remaining*, there is one sink, and the result ends with its *remaining*-th packet.
        """
        for bound_filter in self._filters:
            bound_filter.compile_first(self._reader)  # this chunk may have described the first interface
        flags, error = self._run_filters(chunk)
        records = chunk.records[: len(flags[0])]
        flags.append(_rejected_by_all(flags, records) if self._collects[-1] else [])
        if self._bounds is not None:
            timely = self._timely(self._bounds, chunk.buffer, records)
            flags = [list(map(and_, sink_flags, timely)) for sink_flags in flags]
        if self._sample is not None:
            sampled = self._sampled(self._sample, records)
            flags = [list(map(and_, sink_flags, sampled)) for sink_flags in flags]
        accepted = [list(compress(records, sink_flags)) for sink_flags in flags]
        if remaining is not None:
            records, accepted = self._truncate(records, accepted, remaining)
        place = _namer(self._reader.name, records, self.packets)
        count = packet_count(records)
        self.packets += count
        return FilteredChunk(
            count,
            captured_bytes(records),
            [AcceptedRecords(self._reader.container, chunk.buffer, sink_records, place) for sink_records in accepted],
            error,
        )

    def _run_filters(self, chunk: Chunk) -> tuple[list[list[bool]], CbpfError | None]:
        """Return for each filter whether it accepts each record, up to the first error, and that error."""
        try:
            return [self._flags(bound_filter, chunk) for bound_filter in self._filters], None
        except CbpfError:
            return self._run_filters_to_error(chunk)

    def _run_filters_to_error(self, chunk: Chunk) -> tuple[list[list[bool]], CbpfError | None]:
        flags: list[list[bool]] = [[] for _ in self._filters]
        for record in chunk.records:
            single = chunk._replace(records=[record])
            try:
                accepted = [self._flags(bound_filter, single) for bound_filter in self._filters]
            except CbpfError as error:
                return flags, error
            for filter_flags, record_flags in zip(flags, accepted, strict=True):
                filter_flags += record_flags
        return flags, None

    def _flags(self, bound_filter: BoundFilter, chunk: Chunk) -> list[bool]:
        """Return whether the filter accepts each record; records without a packet are accepted."""
        buffer, records = chunk
        interfaces = set(interfaces_of(records))
        matches = {index: bound_filter.match_function(self._reader, index) for index in interfaces - {NO_PACKET}}
        if len(interfaces) == 1 and matches:
            (match,) = matches.values()
            return [match(buffer[start:end], wire_length) != 0 for _, start, end, _, wire_length, _ in records]
        return [
            interface == NO_PACKET or matches[interface](buffer[start:end], wire_length) != 0
            for _, start, end, _, wire_length, interface in records
        ]

    def _timely(self, bounds: "TimeBounds", buffer: bytes, records: list[RecordSpan]) -> list[bool]:
        """Return whether each record is within bounds, or holds no packet."""
        container = self._reader.container
        return [not has_packet(record) or bounds.contain(container.time_ns(buffer, record)) for record in records]

    def _sampled(self, sample: "Sample", records: list[RecordSpan]) -> list[bool]:
        """Return whether each record is in a sample, or holds no packet."""
        number, sampled = self.packets, []
        for record in records:
            is_packet = has_packet(record)
            number += is_packet
            sampled.append(not is_packet or sample.contains(number))
        return sampled

    def _truncate(
        self, records: list[RecordSpan], accepted: list[list[RecordSpan]], remaining: int
    ) -> tuple[list[RecordSpan], list[list[RecordSpan]]]:
        """Return the records, and those accepted by the only sink, up to its *remaining*-th packet."""
        sink = self._collects.index(True)
        if packet_count(accepted[sink]) < remaining:
            return records, accepted
        truncated = _through_packet(accepted[sink], remaining)
        accepted = [truncated if index == sink else others for index, others in enumerate(accepted)]
        return records[: records.index(truncated[-1]) + 1], accepted


def _rejected_by_all(flags: list[list[bool]], records: list[RecordSpan]) -> list[bool]:
    """Return for each record whether all filters reject it, or whether it holds no packet."""
    return [
        interface == NO_PACKET or not any(accepted)
        for interface, accepted in zip(interfaces_of(records), zip(*flags, strict=True), strict=True)
    ]


def _through_packet(records: list[RecordSpan], count: int) -> list[RecordSpan]:
    """Return the records up to the *count*-th packet among them."""
    for end, interface in enumerate(interfaces_of(records), 1):
        count -= interface != NO_PACKET
        if not count:
            return records[:end]
    return records


def _namer(name: str, records: list[RecordSpan], packets_before: int) -> Place:
    """Return a function that names one of these records in errors; *packets_before* precede the first of them."""

    def place(record: RecordSpan) -> str:
        return f"{name}: packet {packets_before + packet_count(records[: records.index(record) + 1])}"

    return place
