"""Merging the objects of an archive into one capture in the order of time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from .._typing import TYPE_CHECKING, Any, BinaryIO, Final
from ..capture.base import Container, Interface
from ..capture.merging import TimedBatch, TimedCapture, merged
from ..capture.outputs import choose_compressor, open_output
from ..capture.reader import CaptureReader
from ..capture.registry import format_names, make_writer
from ..capture.reused_memory import single_thread
from ..capture.times import TimeLimit
from ..capture.writer import CaptureWriter
from ..errors import ArchiveError, CaptureError, DamagedCapture, FieldError
from ..filtering.bound_filter import BoundFilter, check_filter
from ..isa.dialects import PCAP, Dialect, check_dialect
from .filter_programs import worker_engine
from .listing import Object
from .merge_blocks import MergedBlocks
from .merge_sources import Convert, MergeSelection, MergeSource, ObjectHead, copied_records, object_head, packets_of
from .names import compression_for
from .report import ObjectProblem, Report
from .selection import Selection, objects_without, period
from .stores import Store
from .stores import store as store_of
from .tasks import fact_of

if TYPE_CHECKING:
    from .._options import EngineName
    from ..capture.writer import WrittenContainer
    from ..filtering.api import ContainerChoice
    from ..filtering.bound_filter import Filter
    from .report import ProblemStatus

MAX_OPEN: Final = 500
"""The number of objects whose periods may have a time in common."""


def merge(
    source: str,
    target: str,
    filter: Filter | None = None,
    *,
    since: TimeLimit | None = None,
    until: TimeLimit | None = None,
    container: ContainerChoice = "same",
    compress: str | None = None,
    dialect: Dialect = PCAP,
    storage_options: Mapping[str, Any] | None = None,
    dry_run: bool = False,
) -> Report:
    """Merge the packets of all objects of an archive into one capture in the order of time.

    Packets of equal times are in the order of their objects. Within an object, packets remain in their order; an object
    whose packets are not in the order of time is reported. First the beginning of each object is read. Then an object
    is read when the merge reaches its first packet, so memory use depends on the number of objects with packets of one
    time, about 2 MB each, and at most 500. The output appears when it is complete.

    Args:
        source: A path or URL of objects, as for `filter`, or a manifest.
        target: The path or URL of the capture, which must not be an object of the source.
        filter: Only packets that this filter accepts, as for `filter_capture`; None: all packets.
        since: Only packets with this time or a later one: an aware `datetime`, seconds since 1970, or text in ISO 8601
            format with an offset from UTC. If *source* is a manifest, objects without such packets are not read.
        until: Only packets with an earlier time, in the same forms.
        container: The format of the output. "same" is a pcap if all objects are pcaps of one link type, and otherwise a
            pcapng, which has each interface once.
        compress: The compression of the output, as for `filter_capture`; by default that of the name.
        dialect: The dialect whose rules verify and run the filter.
        storage_options: The options of the drivers of fsspec for source and target.
        dry_run: Only count the objects that a run would read.

    Returns:
        The numbers of objects and packets, and the objects with problems.

    Raises:
        ArchiveError: The source names no object, none of them is a capture, the periods of too many overlap, or the
            target cannot be written.
        CaptureError: A packet does not fit in the format.
        ExpressionError: The filter is invalid.
        FieldError: An argument is invalid.
        MissingLibrary: A library is not installed.
        VerificationError: The dialect rejects the program.
    """
    if container not in ("same", *format_names()):
        raise FieldError(f"merge.container: {container!r} is not one of {('same', *format_names())}")
    check_dialect(dialect, "merge.dialect")
    store = store_of(storage_options)
    bounds = period("merge", since, until)
    accept = filter if filter is not None or bounds is None else ""
    engine = worker_engine()
    bound = None if accept is None else _checked_filter(accept, engine, dialect)
    chosen = compression_for(target, compress)
    choose_compressor(None, chosen)
    selection = MergeSelection(bound, bounds, engine == "llvm")
    objects = Selection(store, source, bounds)
    listed = objects_without(target, objects, store, source)
    if dry_run:
        sizes = [item.size for item in listed]
        return Report("merge", source, objects.objects, objects.pruned, 0, len(sizes), sum(sizes), dry_run=True)
    run = _Merge(store, selection)
    run.read_heads(listed)
    if not run.heads:
        raise ArchiveError(f"{source}: {run.problems[0] if run.problems else 'no object has packets in the period'}")
    with store.create(target) as stream, single_thread():
        run.write(stream, container, chosen)
        run.require_fit()
    return Report(
        "merge",
        source,
        objects.objects,
        objects.pruned,
        processed=run.processed,
        bytes_read=run.bytes_read,
        packets=run.packets,
        selected=None if filter is None else run.selected,
        outputs=1,
        problems=tuple(run.problems),
    )


def _checked_filter(filter: Filter, engine: EngineName, dialect: Dialect) -> BoundFilter:
    """Return a filter for all objects; raise its errors before anything is read."""
    check_filter("merge.filter", filter)
    BoundFilter(filter, engine, dialect).require_fit([])
    return BoundFilter(filter, engine, dialect)


class _Merge:
    """The objects of a merge, and the counts of those that were read."""

    def __init__(self, store: Store, selection: MergeSelection) -> None:
        self.heads: list[ObjectHead] = []
        self.problems: list[ObjectProblem] = []
        self.processed = self.bytes_read = self.packets = self.selected = 0
        self._store = store
        self._selection = selection
        self._containers: dict[Hashable, Container] = {}  # one of each kind, which all of its objects share
        self._open = 0
        self._last: CaptureReader | None = None

    def require_fit(self) -> None:
        """Raise the error of the filter if it fits no interface of the objects."""
        if self._selection.filter is not None and self._last is not None:
            self._selection.filter.require_fit([self._last])

    def read_heads(self, objects: Iterable[Object]) -> None:
        """Read the beginning of each object."""
        for item in objects:
            self.processed += 1
            self.bytes_read += item.size
            try:
                head = object_head(self._store, item)
                key = (head.container.kind, head.container.record_format, tuple(head.container.interfaces))
                self.heads.append(head._replace(container=self._containers.setdefault(key, head.container)))
            except CaptureError as error:
                status: ProblemStatus = "damaged" if isinstance(error, DamagedCapture) else "foreign"
                self.problems.append(ObjectProblem(item.path, status, fact_of(error, item)))
            except ArchiveError as error:
                self.problems.append(ObjectProblem(item.path, "unreadable", fact_of(error, item)))

    def write(self, stream: BinaryIO, container: ContainerChoice, compress: str) -> None:
        """Write the packets of all objects to a stream."""
        containers = [head.container for head in self.heads]
        kinds = {(item.kind, item.interfaces[0].link_type if item.kind == "pcap" else None) for item in containers}
        is_pcap = kinds == {next(iter(kinds))} and containers[0].kind == "pcap"
        name: WrittenContainer = ("pcap" if is_pcap else "pcapng") if container == "same" else container
        if name == "pcap" and is_pcap and len({item.record_format for item in containers}) == 1:
            self._write_copies(stream, compress, containers)
        elif name == "pcapng":
            self._write_blocks(stream, compress)
        else:
            self._write_packets(stream, compress, containers)

    def _write_copies(self, stream: BinaryIO, compress: str, containers: list[Container]) -> None:
        """Write records of pcaps of one layout unchanged."""
        writer = make_writer([(head.object.path, head.container) for head in self.heads], "pcap")
        with open_output(stream, choose_compressor(stream, compress)) as output:
            output.write(writer.begin())
            for records in merged(self._captures(copied_records)):
                output.write(b"".join(records))
            output.write(writer.end())

    def _write_blocks(self, stream: BinaryIO, compress: str) -> None:
        """Write packets as blocks of a pcapng."""
        blocks = MergedBlocks()
        with open_output(stream, choose_compressor(stream, compress)) as output:
            output.write(blocks.begin())
            for packets in merged(self._captures(blocks.blocks)):
                output.write(blocks.descriptions() + b"".join(packets))

    def _write_packets(self, stream: BinaryIO, compress: str, containers: list[Container]) -> None:
        """Write packets of several layouts as a pcap."""
        make_writer([(head.object.path, head.container) for head in self.heads], "pcap")  # rejects several link types
        nanoseconds = any(item.kind != "pcap" or item.interfaces[0].needs_nanoseconds for item in containers)
        with CaptureWriter(
            stream, interfaces=(), container="pcap", compress=compress, nanoseconds=nanoseconds
        ) as writer:
            interfaces = _Interfaces(writer)
            for packets in merged(self._captures(packets_of(interfaces.of))):
                writer.extend(packets)

    def _captures(self, convert: Convert) -> Iterator[TimedCapture]:
        """Yield the objects that have packets, in the order of their first packets."""
        numbered = [(head.first_ns, number) for number, head in enumerate(self.heads) if head.first_ns is not None]
        for first_ns, number in sorted(numbered):
            yield TimedCapture(first_ns, number, self._opener(self.heads[number].object, convert))

    def _opener(self, item: Object, convert: Convert) -> Callable[[], Iterator[TimedBatch]]:
        def batches() -> Iterator[TimedBatch]:
            source = MergeSource(self._store, item, self._selection, convert)
            with self._counted_open(item):
                yield from source.batches()
            self._last = source.reader or self._last
            self.packets += source.packets
            self.selected += source.selected
            self.problems += source.problems

        return batches

    @contextmanager
    def _counted_open(self, item: Object) -> Iterator[None]:
        self._open += 1
        if self._open > MAX_OPEN:
            fact = f"more than {MAX_OPEN} objects have packets of the same time"
            raise ArchiveError(f"{item.path}: {fact}; merge some of them first")
        try:
            yield
        finally:
            self._open -= 1


class _Interfaces:
    """The interfaces of the output: equal ones of several objects are one."""

    def __init__(self, writer: CaptureWriter) -> None:
        self._writer = writer
        self._indices: dict[Interface, int] = {}

    def of(self, reader: CaptureReader) -> list[int]:
        """Return the index in the output for each interface that a capture has described so far."""
        return [self._index(interface) for interface in reader.container.interfaces]

    def _index(self, interface: Interface) -> int:
        if interface not in self._indices:
            self._indices[interface] = self._writer.add_interface(interface)
        return self._indices[interface]
