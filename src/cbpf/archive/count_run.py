"""Counting the packets of an archive: from the manifest alone where it has the answer, else by reading the objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from .._typing import TYPE_CHECKING, Any, Final
from .._validators import flag, integer, within
from ..capture.times import TimeBounds, TimeLimit, duration_ns
from ..errors import ArchiveError
from ..filtering.counting import PacketCounts, filter_name
from ..isa.dialects import PCAP, Dialect, check_dialect
from ..isa.instructions import RetConstant
from ..isa.program import Program
from .batches import DEFAULT_SIZE, Works, batches
from .count_tasks import CountJob, CountWork, Totals, count_batch
from .execution import Execution, ExecutorChoice, run
from .filter_programs import FilterPrograms
from .listing import Object
from .manifest import Manifest
from .report import ObjectProblem, Report
from .rows import MINUTE
from .selection import Selection, period
from .stores import store as store_of

if TYPE_CHECKING:
    from datetime import timedelta
    from decimal import Decimal

    from ..filtering.bound_filter import Filter
    from .stores import Store

_check_size: Final = within(1, 2**63 - 1, "a number of bytes")
_ALL: Final = Program([RetConstant(0xFFFFFFFF)])


def count(
    source: str,
    *filters: Filter,
    every: timedelta | float | Decimal | str | None = None,
    since: TimeLimit | None = None,
    until: TimeLimit | None = None,
    dialect: Dialect = PCAP,
    workers: int | None = None,
    scheduler: str | None = None,
    executor: ExecutorChoice | None = None,
    batch_size: int = DEFAULT_SIZE,
    storage_options: Mapping[str, Any] | None = None,
    dry_run: bool = False,
) -> Report:
    """Count the packets of the objects of an archive that each filter accepts, by interval of time.

    Without a filter, and with times and intervals of whole minutes, a manifest has the answer, and no object is read.
    With times, a manifest leaves out the objects without packets in the period. Of a damaged object, the complete
    packets are counted.

    An expression is compiled by this process for each link type that occurs; workers receive programs. Packets of a
    link type that it does not fit do not match, with an `ExpressionWarning`.

    Args:
        source: A path or URL: of an object; of a folder, for all objects below it; with a pattern ("*", "?", "[...]",
            "**"); the beginning of names; "@" and the path of a list of these; or a manifest.
        filters: The filters, as for `filter_capture`; without one, all packets are counted.
        every: Count by intervals of this length, which begin at multiples of it since 1970 (UTC), as for
            `count_packets`.
        since: Count only packets with this time or a later one: an aware `datetime`, seconds since 1970, or text in ISO
            8601 format with an offset from UTC.
        until: Count only packets with an earlier time, in the same forms.
        dialect: The dialect whose rules verify and run the programs.
        workers: The number of processes of this machine; by default, this process reads the objects. A script with more
            than one calls this function below `if __name__ == "__main__":`.
        scheduler: The address of a dask scheduler, such as "tcp://host:8786", whose workers read the objects.
        executor: A `concurrent.futures.Executor` whose workers read the objects, or a function that makes one.
        batch_size: The number of bytes of the objects, as they are stored, that a worker reads at a time, by default
            256,000,000.
        storage_options: The options of the drivers of fsspec, such as `{"anon": True}`.
        dry_run: Read no object, but report the number of objects that would be read.

    Returns:
        The numbers of objects, the objects with problems, and in `Report.counts` the numbers of packets; None for a dry
        run.

    Raises:
        ArchiveError: The source names no object, or the workers cannot be used.
        ExpressionError: An expression is invalid, or fits no link type that occurs.
        FieldError: An argument is invalid, or more than 1,000,000 intervals have packets.
        MissingLibrary: A library is not installed.
        VerificationError: The dialect rejects a program.

    >>> import cbpf
    >>> report = cbpf.archive.count("examples/*.pcap", "arp", "udp port 53")
    >>> [(row.filter, row.packets) for row in report.counts.rows]
    [('arp', 18), ('udp port 53', 18)]
    """
    every_ns = None if every is None else duration_ns("count.every", every)
    bounds = period("count", since, until)
    dialect = check_dialect(dialect, "count.dialect")
    programs = [FilterPrograms("count.filters", filter, dialect) for filter in filters]
    names = tuple(filter_name(filter, number) for number, filter in enumerate(filters or ("",), 1))
    execution = Execution(workers, scheduler, executor)
    size = _check_size("count.batch_size", integer("count.batch_size", batch_size))
    is_dry = flag("count.dry_run", dry_run)
    store = store_of(storage_options)
    selection = Selection(store, source, bounds)
    counted = _Count(programs, every_ns, bounds, dialect)
    objects: Iterable[Object] = selection
    if selection.manifest is not None and not filters and _is_in_minutes(every_ns, bounds):
        objects = counted.rows_of(selection.manifest, selection)
    if is_dry:
        counted.count_only(objects)
    else:
        counted.execute(store, objects, size, execution)
    return counted.report(source, selection, names, is_dry=is_dry)


def _is_in_minutes(every_ns: int | None, bounds: TimeBounds | None) -> bool:
    """Return whether an interval and bounds are multiples of a minute."""
    return not any((number or 0) % MINUTE for number in (every_ns, *(bounds or ())))


class _Count:
    """The progress of a count, and its sums."""

    def __init__(
        self, filters: list[FilterPrograms], every_ns: int | None, bounds: TimeBounds | None, dialect: Dialect
    ) -> None:
        self._filters = filters or [FilterPrograms("count.filters", _ALL, dialect)]
        self._every_ns = every_ns
        self._bounds = bounds
        self._totals = Totals(len(self._filters))
        self._processed = self._bytes = self._known = 0
        self._problems: list[ObjectProblem] = []
        if every_ns is None:
            for number in range(len(self._filters)):
                self._totals.add(None, number, (0, 0, 0))

    def rows_of(self, manifest: Manifest, selection: Selection) -> Iterator[Object]:
        """Add the packets that a manifest has counted, and yield the objects that it has not counted by minute."""
        total = selection.objects = manifest.count()
        if not total:
            raise ArchiveError(f"{manifest.url}: the manifest is empty")
        selection.pruned = total
        for row in manifest.rows(self._bounds):
            selection.pruned -= 1
            if row.minutes is None:
                yield row.object
                continue
            self._known += 1
            self._totals.add_row(row, self._every_ns, self._bounds)
            if row.status != "ok":
                self._problems.append(ObjectProblem(row.path, row.status, row.message))

    def count_only(self, objects: Iterable[Object]) -> None:
        """Count the objects that a run would read."""
        for item in objects:
            self._processed += 1
            self._bytes += item.size

    def execute(self, store: Store, objects: Iterable[Object], batch_size: int, execution: Execution) -> None:
        """Count the packets of objects."""

        def work(batch: tuple[Object, ...]) -> CountWork:
            sent = tuple(programs.sent() for programs in self._filters)
            return CountWork(CountJob(store, sent, self._every_ns, self._bounds), batch)

        works = Works(batches(objects, batch_size), work)
        for done, result in run(count_batch, works, execution):
            if isinstance(result, ArchiveError):
                self._problems += [ObjectProblem(item.path, "failed", str(result)) for item in done.objects]
                continue
            self._processed += result.processed
            self._bytes += result.bytes_read
            self._problems += result.problems
            self._totals.add_all(result.totals)
            if result.missing is not None:
                for programs in self._filters:
                    programs.add(result.missing)
                works.repeat(result.remaining)
        for programs in self._filters:
            programs.report_misfits()

    def report(self, source: str, selection: Selection, names: tuple[str, ...], *, is_dry: bool) -> Report:
        """Return the report of the run."""
        counts = PacketCounts(names, self._every_ns, self._totals.rows(names))
        return Report(
            "count",
            source,
            objects=selection.objects,
            pruned=selection.pruned,
            unchanged=self._known,
            processed=self._processed,
            bytes_read=self._bytes,
            packets=None,
            problems=tuple(self._problems),
            counts=None if is_dry else counts,
            dry_run=is_dry,
        )
