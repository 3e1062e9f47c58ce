"""One pass over captures: every packet is shown to all filters, and what each keeps goes to its outlet.

A chunk of records is filtered by Python, packet by packet. Where all filters have machine code and the outlets take
records as they are, whole stretches are swept instead (`capture.sweep`); records that are not usual, and there are
few, come to Python as chunks all the same.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Final, TypeAlias

from ..capture.base import NO_PACKET, CaptureWriter, RecordSpan, captured_bytes, packet_count
from ..capture.output import Output
from ..capture.reader import CHUNK_SIZE, CaptureReader, Chunk
from ..errors import CaptureError, CbpfError, ExpressionError
from .bound_filter import BoundFilter
from .summary import Summary

if TYPE_CHECKING:
    from ..capture.native.scanner import ScannedRecords

Progress: TypeAlias = Callable[[int], None]
"""Told how many bytes of the sources, as they are stored, have been read."""

_LONGEST_DETOUR: Final = CHUNK_SIZE


class Sink:
    """Where the packets go that a filter keeps, or those that none keeps."""

    def __init__(self, writer: CaptureWriter, output: Output) -> None:
        self.writer = writer
        self.output = output
        self.packets = 0
        self.bytes = 0

    def consume(
        self, reader: CaptureReader, buffer: bytes, kept: list[RecordSpan], place: Callable[[RecordSpan], str]
    ) -> None:
        """Writes records of a chunk."""
        if kept:
            self.output.write(self.writer.encode(reader.container, buffer, kept, place))
            self.packets += packet_count(kept)
            self.bytes += captured_bytes(kept)


def prepare(matchings: Sequence[BoundFilter], reader: CaptureReader) -> None:
    """Raises what is wrong with a filter, as far as the first interface of a capture can tell, if that is known."""
    interfaces = reader.container.interfaces
    for matching in matchings:
        matching.prepare(interfaces[0] if interfaces else None, reader.name)


class FilterRun:
    """A pass at work.

    outlets: one for each filter, and behind them one for the packets that no filter keeps; None: they are dropped.
    wanted: the pass ends when the one outlet has so many packets. native: whether machine code may be used.
    """

    def __init__(
        self,
        matchings: Sequence[BoundFilter],
        outlets: Sequence[Sink | None],
        *,
        wanted: int | None,
        native: bool,
        progress: Progress | None,
    ) -> None:
        self.started = time.perf_counter()
        self.packets = 0
        self.bytes = 0
        self.matchings = matchings
        self.outlets = outlets
        self._used = [outlet for outlet in outlets if outlet is not None]
        self.wanted = wanted
        self._native = native
        self._progress = progress
        self._passed = 0  # bytes of the sources before this one
        self._told = 0

    def summary(self, outlet: Sink) -> Summary:
        """What this pass saw, and an outlet took."""
        seconds = time.perf_counter() - self.started
        return Summary(self.packets, outlet.packets, self.bytes, outlet.bytes, seconds)

    @property
    def is_full(self) -> bool:
        """Whether all that was wanted is there."""
        return self.wanted is not None and self._used[0].packets >= self.wanted

    def run(self, reader: CaptureReader) -> None:
        """Filters a capture; what a part of it holds is written before the next part is read."""
        if self.is_full:
            return
        for outlet in self._used:
            outlet.output.write(outlet.writer.begin_source(reader.container, reader.name))
        count = self.packets
        prepare(self.matchings, reader)
        for chunk in self._swept(reader) if self._native and self._copies(reader) else reader.chunks():
            self._filter(reader, chunk, count)
            self.tell(reader)
            if self.is_full:
                break
        self.tell(reader)
        self._passed += reader.source_bytes

    def _copies(self, reader: CaptureReader) -> bool:
        return all(outlet.writer.copies(reader.container) for outlet in self._used)

    def tell(self, reader: CaptureReader) -> None:
        """Tells how far the sources were read; what was read ahead, and is read again, does not count twice."""
        self._told = max(self._told, self._passed + reader.source_bytes)
        if self._progress is not None:
            self._progress(self._told)

    # By Python

    def _filter(self, reader: CaptureReader, chunk: Chunk, before: int) -> None:
        """Shows the packets of a chunk to all filters; *before*: packets seen in front of this capture."""
        buffer, records = chunk
        prepare(self.matchings, reader)
        flags, error = self._flags_of_all(reader, chunk)
        if error is not None:
            records = records[: len(flags[0])]
        if self.outlets[-1] is not None:
            flags.append(_of_none(flags, records))
        kept = [list(compress(records, one)) for one in flags]
        if self.wanted is not None:
            records, kept = self._through_last_wanted(records, kept)
        place = _place(reader.name, records, self.packets - before)
        for outlet, ours in zip(self.outlets, kept, strict=False):
            if outlet is not None:
                outlet.consume(reader, buffer, ours, place)
        self.packets += packet_count(records)
        self.bytes += captured_bytes(records)
        if error is not None and not self.is_full:
            raise error

    def _flags_of_all(self, reader: CaptureReader, chunk: Chunk) -> tuple[list[list[bool]], CbpfError | None]:
        """The flags of all filters, up to a packet of a kind that a filter cannot be compiled for, and why."""
        try:
            return [self._flags(matching, reader, chunk) for matching in self.matchings], None
        except (ExpressionError, CaptureError) as error:
            if self.wanted is None:
                raise  # else it matters only where we come to it
            first = min(index for index, record in enumerate(chunk.records) if not self._is_known(reader, record))
            chunk = chunk._replace(records=chunk.records[:first])
            return [self._flags(matching, reader, chunk) for matching in self.matchings], error

    def _is_known(self, reader: CaptureReader, record: RecordSpan) -> bool:
        """Whether all filters are ready for a record."""
        try:
            for matching in self.matchings:
                if record[5] != NO_PACKET:
                    matching.on(reader.container.interfaces[record[5]], reader.name)
        except (ExpressionError, CaptureError):
            return False
        return True

    def _flags(self, matching: BoundFilter, reader: CaptureReader, chunk: Chunk) -> list[bool]:
        """For each record whether the filter keeps it, or it holds no packet."""
        buffer, records = chunk
        found = {record[5] for record in records}
        of = {index: matching.on(reader.container.interfaces[index], reader.name) for index in found - {NO_PACKET}}
        if len(found) == 1 and of:
            (match,) = of.values()
            return [match(buffer[record[1] : record[2]], record[4]) != 0 for record in records]
        return [
            record[5] == NO_PACKET or of[record[5]](buffer[record[1] : record[2]], record[4]) != 0 for record in records
        ]

    def _through_last_wanted(
        self, records: list[RecordSpan], kept: list[list[RecordSpan]]
    ) -> tuple[list[RecordSpan], list[list[RecordSpan]]]:
        """The records, and what is kept of them, up to the last packet that is wanted."""
        assert self.wanted is not None
        number = next(number for number, outlet in enumerate(self.outlets) if outlet is not None)
        missing = self.wanted - self._used[0].packets
        ours = kept[number]
        if packet_count(ours) < missing:
            return records, kept
        ours = _through_packet(ours, missing)
        kept = [ours if at == number else one for at, one in enumerate(kept)]
        return records[: records.index(ours[-1]) + 1], kept

    # By machine code

    def _swept(self, reader: CaptureReader) -> Iterator[Chunk]:
        """Sweeps what can be swept; gives the rest as chunks."""
        from .native_run import NativeRun

        wanted = [outlet is not None for outlet in self.outlets]
        detour = 0
        with NativeRun(reader, self.matchings, wanted, cautiously=self.wanted is not None) as sweeping:
            while True:
                before = self.bytes
                sweeping.sweep(self)
                detour = 0 if self.bytes - before >= sweeping.step else min(2 * detour + 4096, _LONGEST_DETOUR)
                chunk = reader.read_chunk(detour)
                if chunk is None:
                    return
                yield chunk

    def exceeds(self, found: "ScannedRecords") -> bool:
        """Whether more was found than is wanted, or just enough: then Python counts out where it ends."""
        if self.wanted is None:
            return False
        return any(
            outlet is not None and outlet.packets + kept.packets >= self.wanted
            for outlet, kept in zip(self.outlets, found.kept, strict=True)
        )

    def take(self, found: "ScannedRecords") -> None:
        """Writes what a sweep kept."""
        for outlet, kept in zip(self.outlets, found.kept, strict=True):
            if outlet is not None:
                outlet.output.write_ranges(kept.ranges, kept.range_count, kept.sums)
                outlet.packets += kept.packets
                outlet.bytes += kept.bytes
        self.packets += found.packets
        self.bytes += found.bytes


def _of_none(flags: list[list[bool]], records: list[RecordSpan]) -> list[bool]:
    """For each record whether no filter keeps it, or it holds no packet."""
    return [
        record[5] == NO_PACKET or not any(of_filters)
        for record, of_filters in zip(records, zip(*flags, strict=True), strict=True)
    ]


def _through_packet(records: list[RecordSpan], count: int) -> list[RecordSpan]:
    """The records up to the packet that is the *count*-th among them."""
    for end, record in enumerate(records, 1):
        count -= record[5] != NO_PACKET
        if not count:
            return records[:end]
    return records


def _place(name: str, records: list[RecordSpan], before: int) -> Callable[[RecordSpan], str]:
    """What an error calls one of these records, with *before* packets in front of the first."""

    def place(record: RecordSpan) -> str:
        return f"{name}: packet {before + packet_count(records[: records.index(record) + 1])}"

    return place
