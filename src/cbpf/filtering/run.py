"""The loop of a filter run: it filters the records of each source and writes the accepted ones.

`FilterRun._run` is the only loop. It requests one `FilterResult` after another, each for some consecutive records, and
passes the accepted records of each to the sinks:

    NativeRun.results   yields the results of machine code, up to a record that it does not handle; if the output has
                        another format than the capture, or truncated packets, a `Conversion` encodes them
    PythonRun.filter    returns the result of one chunk, filtered in Python; then machine code resumes
    Sink.consume        writes and counts the accepted records of a result

The loop writes each result before it requests the next. So a live pipe makes progress, memory use is bounded by one
chunk or window, and the counts of the run and of its sinks include all earlier results while the next one is computed.

If a filter cannot run on a packet, or the packet does not fit in the format of a target, the accepted records before
that packet are written to this target, and then the run ends with the error. So a stream has received the same bytes
with every engine, in whatever pieces the capture arrived.
"""

import time

from .._stdlib import closing, partial
from .._typing import TYPE_CHECKING, Any, Callable, ClassVar, Generator, Literal, Protocol, Sequence, TypeAlias
from ..capture.base import RecordWriter, end_of
from ..capture.output import Output
from ..capture.reader import CHUNK_SIZE, CaptureReader, Chunk
from ..errors import DamagedCapture
from .bound_filter import BoundFilter, native_classes
from .python_run import PythonRun
from .summary import Summary

if TYPE_CHECKING:
    from ..capture.native.run import NativeRun
    from ..capture.native.scanner import ScannedRecords
    from ..capture.sampling import Sample
    from ..capture.times import TimeBounds, TimeRange

Progress: TypeAlias = Callable[[int], None]
"""A function that is called during a run with the number of bytes read of the sources so far, as they are stored."""


class Accepted(Protocol):
    """The records for one sink; their memory is valid until the next result is requested."""

    @property
    def packets(self) -> int:
        """The number of packets in these records."""

    @property
    def bytes(self) -> int:
        """The number of bytes captured of these packets."""

    def write_to(self, writer: RecordWriter, output: Output) -> None:
        """Write the records."""


class FilterResult(Protocol):
    """The result of filtering some consecutive records."""

    @property
    def packets(self) -> int:
        """The number of packets filtered."""

    @property
    def bytes(self) -> int:
        """The number of bytes captured of these packets."""

    @property
    def accepted(self) -> Sequence[Any]:
        """The records (`Accepted`) that each filter accepted, and last those that no filter accepted."""


class Sink:
    """The output of the packets that a filter accepts, or of those that no filter accepts, with their count.

    *is_full* indicates that it consumes no more packets; the run ends when this holds for all written outputs.
    *divides* indicates that it writes accepted records in several parts.
    """

    is_full = False
    divides: ClassVar[bool] = False

    def __init__(self, writer: RecordWriter, output: Output) -> None:
        self.writer = writer
        self.packets = 0
        self.bytes = 0
        self._output = output

    def begin(self) -> None:
        """Write the bytes that begin the output."""
        self._output.write(self.writer.begin())

    def begin_source(self, reader: CaptureReader) -> None:
        """Write the bytes that precede the records of a source."""
        self._output.write(self.writer.begin_source(reader.container, reader.name))

    def consume(self, accepted: Accepted) -> None:
        """Write and count accepted records."""
        accepted.write_to(self.writer, self._output)
        self.packets += accepted.packets
        self.bytes += accepted.bytes

    def end(self) -> None:
        """Write the bytes that end the output."""
        self._output.write(self.writer.end())


class FilterRun:
    """A run of filters over captures.

    *sinks* has a sink for each filter, and a last one for the packets that no filter accepts; None: these packets are
    neither written nor counted. With *limit*, there is one sink, and the run stops when it has consumed that number of
    packets. *native* permits machine code to scan the captures. Packets of other times than *times*, and those
    outside *sample*, go to no sink.
    """

    def __init__(
        self,
        filters: Sequence[BoundFilter],
        sinks: Sequence[Sink | None],
        *,
        limit: int | None,
        native: bool,
        times: "TimeRange | None",
        sample: "Sample | None",
        progress: Progress | None,
    ) -> None:
        self._started = time.perf_counter()
        self._packets = 0
        self._bytes = 0
        self._filters = filters
        self._sinks = sinks
        self._used_sinks = [sink for sink in sinks if sink is not None]
        self._written_sinks = [sink for sink in self._used_sinks if not sink.writer.discards]
        self._collects = [sink is not None for sink in sinks]
        self._limit = limit
        self._native = native
        self._times = times
        self._sample = sample
        self._progress = progress
        self._bytes_of_earlier_sources = 0  # as they are stored
        self._reported = 0

    def filter(self, readers: list[CaptureReader]) -> list[Summary]:
        """Filter captures one after another, those after a damaged one too; return a summary for each sink."""
        damages: list[DamagedCapture] = []
        for sink in self._used_sinks:
            sink.begin()
        for reader in readers:
            try:
                self._run(reader)
            except DamagedCapture as damage:
                damages.append(damage)
            finally:
                reader.close()
        if not damages:
            for bound_filter in self._filters:
                bound_filter.require_fit(readers)
        for sink in self._used_sinks:
            sink.end()
        summaries = [self._summary(sink) for sink in self._used_sinks]
        if damages:
            raise _combined(damages, summaries)
        return summaries

    def _summary(self, sink: Sink) -> Summary:
        seconds = time.perf_counter() - self._started
        return Summary(self._packets, sink.packets, self._bytes, sink.bytes, seconds)

    def _run(self, reader: CaptureReader) -> None:
        """Filter a capture, from the current position of its reader to its end or to the limit."""
        if self._limit_is_reached():
            return
        for sink in self._used_sinks:
            sink.begin_source(reader)
        for bound_filter in self._filters:
            bound_filter.begin(reader)
        with closing(self._results(reader)) as results:
            for result in results:
                for sink_or_none, accepted in zip(self._sinks, result.accepted, strict=True):
                    if sink_or_none is not None:
                        sink_or_none.consume(accepted)
                self._packets += result.packets
                self._bytes += result.bytes
                self._report_progress(reader)
                if self._limit_is_reached():
                    break
        self._report_progress(reader)
        self._bytes_of_earlier_sources += reader.source_bytes

    def _results(self, reader: CaptureReader) -> Generator[FilterResult, None, None]:
        """Yield the results for all records of a capture, in their order."""
        bounds = None if self._times is None else self._times.bounds(reader.name, reader.first_time_ns)
        python = PythonRun(reader, self._filters, self._collects, bounds, self._sample)
        if self._native:
            yield from self._native_results(reader, python, bounds)
        else:
            for chunk in reader.chunks():
                yield from self._filter(python, chunk)

    def _native_results(
        self, reader: CaptureReader, python: PythonRun, bounds: "TimeBounds | None"
    ) -> Generator[FilterResult, None, None]:
        """Yield results of machine code and of Python in turn."""
        from ..capture.native.format_code import ScanOutput
        from ..capture.native.run import NativeRun
        from ..capture.native.scanner import ScannedRecords

        def take(result: FilterResult) -> bool:
            if self._would_reach_limit(result):
                return False  # Python filters these records again, up to the last packet to accept
            python.skip(result.packets)
            return True

        copies = all(sink.writer.copies(reader.container) for sink in self._used_sinks)
        if not copies:
            yield from self._first_results(reader, python)
        output = ScanOutput(self._scan_kind(reader, copies=copies), bounds, self._sample)
        classify, stops_early = partial(native_classes, self._filters), self._limit is not None
        with (
            NativeRun(reader, classify, self._collects, output, stops_early=stops_early) as native,
            closing(native.results(partial(self._filter, python), take)) as results,
        ):
            converted = None if copies else _conversion(reader, native)
            for result in results:
                if converted is not None and isinstance(result, ScannedRecords):
                    yield converted(result, python.packets - result.packets)
                else:
                    yield result

    def _scan_kind(
        self, reader: CaptureReader, *, copies: bool
    ) -> 'Literal["ranges", "extents", "packets", "records"]':
        """Return the form in which machine code is to return records, which all sinks copy if *copies*."""
        if copies:
            is_divided = self._sample is not None or any(sink.divides for sink in self._used_sinks)
            return "extents" if is_divided else "ranges"
        return "records" if any(sink.writer.edits(reader.container) for sink in self._used_sinks) else "packets"

    def _first_results(self, reader: CaptureReader, python: PythonRun) -> Generator[FilterResult, None, None]:
        """Yield results of Python until all writers have decided the format of records, for one chunk or a few.

        A decision considers all interfaces that the chunk with the first packet describes, also those after it.
        """
        size = 0
        while size < CHUNK_SIZE and any(_is_undecided(sink.writer) for sink in self._used_sinks):
            chunk = reader.read_chunk(CHUNK_SIZE)
            if chunk is None:
                return
            size += end_of(chunk.records)
            yield from self._filter(python, chunk)

    def _filter(self, python: PythonRun, chunk: Chunk) -> Generator[FilterResult, None, None]:
        """Yield the result of a chunk, up to the limit, and then raise the error of a filter, if there is one.

        `_run` does not resume this generator if it reaches the limit before the packet that the error concerns.
        """
        remaining = None if self._limit is None else self._limit - self._used_sinks[0].packets
        result = python.filter(chunk, remaining)
        yield result
        if result.error is not None:
            raise result.error

    def _limit_is_reached(self) -> bool:
        if self._written_sinks and all(sink.is_full for sink in self._written_sinks):
            return True
        return self._limit is not None and self._used_sinks[0].packets >= self._limit

    def _would_reach_limit(self, result: FilterResult) -> bool:
        return self._limit is not None and any(
            sink is not None and sink.packets + accepted.packets >= self._limit
            for sink, accepted in zip(self._sinks, result.accepted, strict=True)
        )

    def _report_progress(self, reader: CaptureReader) -> None:
        """Report the number of bytes read; it never decreases, although bytes read ahead may be read again."""
        self._reported = max(self._reported, self._bytes_of_earlier_sources + reader.source_bytes)
        if self._progress is not None:
            self._progress(self._reported)


def _combined(damages: list[DamagedCapture], summaries: list[Summary]) -> DamagedCapture:
    damage = DamagedCapture("; ".join(map(str, damages)))
    damage.summary, damage.summaries = summaries[0], tuple(summaries)
    return damage


def _is_undecided(writer: RecordWriter) -> bool:
    return writer.record_format is None and not writer.discards


def _conversion(reader: CaptureReader, native: "NativeRun") -> "Callable[[ScannedRecords, int], FilterResult]":
    """Return a function for the result that is written in place of one of the scanner."""
    from .conversion import Conversion

    return Conversion(reader, native).result
