"""Counting the packets of a batch of objects: the function that workers run, and the sums of its results."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from .._named_tuple import NamedTuple
from .._typing import Final, TypeAlias
from ..capture.reused_memory import reused_memory
from ..capture.times import TimeBounds
from ..errors import ArchiveError, CaptureError, FieldError
from ..filtering.counting import MAX_GROUPS, PacketCount, count_packets
from ..filtering.link_programs import MissingProgram
from .attempts import ObjectReplaced
from .filter_programs import Kind, SentFilter, worker_engine
from .listing import Object
from .report import ObjectProblem
from .rows import MINUTE, Row
from .stores import Store, read_current
from .tasks import fact_of

Sums: TypeAlias = tuple[int, int, int]
"""Packets, captured bytes and wire bytes."""

_NOTHING: Final[Sums] = (0, 0, 0)


class CountJob(NamedTuple):
    """The options of a count: *every_ns* is the length of an interval in nanoseconds, or None."""

    store: Store
    filters: tuple[SentFilter, ...]
    every_ns: int | None
    bounds: TimeBounds | None


class CountWork(NamedTuple):
    """A batch of a count."""

    job: CountJob
    objects: tuple[Object, ...]


class CountResult(NamedTuple):
    """The result of a batch: the sums of its first objects, and those that need programs for another kind.

    *totals* has the sums of each filter by the start of an interval, and *bytes_read* those of the objects.
    """

    totals: dict[int | None, list[Sums]]
    processed: int
    bytes_read: int
    problems: list[ObjectProblem]
    remaining: tuple[Object, ...] = ()
    missing: Kind | None = None


class Totals:
    """The sums of filters by interval; an interval is given by its start in nanoseconds since 1970, or None."""

    def __init__(self, filters: int) -> None:
        self._filters = filters
        self.by_start: dict[int | None, list[Sums]] = {}

    def add(self, start_ns: int | None, number: int, sums: Sums) -> None:
        """Add packets of an interval that a filter accepts, given by its number."""
        if start_ns not in self.by_start:
            if len(self.by_start) == MAX_GROUPS:
                fact = f"more than {MAX_GROUPS:,} intervals have packets"
                raise FieldError(f"count.every: {fact}; choose longer ones")
            self.by_start[start_ns] = [_NOTHING] * self._filters
        total = self.by_start[start_ns]
        total[number] = (total[number][0] + sums[0], total[number][1] + sums[1], total[number][2] + sums[2])

    def add_all(self, other: dict[int | None, list[Sums]]) -> None:
        """Add the sums of other objects."""
        for start_ns, sums_of_filters in other.items():
            for number, sums in enumerate(sums_of_filters):
                self.add(start_ns, number, sums)

    def add_row(self, row: Row, every_ns: int | None, bounds: TimeBounds | None) -> None:
        """Add the packets of the minutes of a row; the interval and the bounds are multiples of a minute."""
        untimed = [row.packets, row.captured_bytes, row.wire_bytes]
        for minute, *sums in row.minutes or ():
            untimed = [total - part for total, part in zip(untimed, sums, strict=True)]
            time = minute * MINUTE
            if bounds is None or bounds.contain(time):
                start = None if every_ns is None else time - time % every_ns
                self.add(start, 0, (sums[0], sums[1], sums[2]))
        if row.untimed and (bounds is None or bounds.contain(0)):
            self.add(None, 0, (untimed[0], untimed[1], untimed[2]))

    def rows(self, names: Iterable[str]) -> tuple[PacketCount, ...]:
        """Return the counts in the order of time, with a row for each filter; those without a time are at the end."""
        filters = list(names)
        return tuple(
            PacketCount(name, start_ns, None, *sums)
            for start_ns in sorted(self.by_start, key=lambda start: (start is None, start or 0))
            for name, sums in zip(filters, self.by_start[start_ns], strict=True)
        )


def count_batch(work: CountWork) -> CountResult:
    """Count the packets of the objects of a batch."""
    job, objects = work
    totals, problems = Totals(len(job.filters)), list[ObjectProblem]()
    processed, missing = 0, None
    for item in objects:
        try:
            counts, problem = _count_object(job, item)
        except MissingProgram as error:
            missing = error.kind
            break
        totals.add_all(counts)
        problems += [problem] if problem is not None else []
        processed += 1
    size = sum(item.size for item in objects[:processed])
    return CountResult(totals.by_start, processed, size, problems, objects[processed:], missing)


def _count_object(job: CountJob, item: Object) -> tuple[dict[int | None, list[Sums]], ObjectProblem | None]:
    """Return the sums of an object, and its problem if it has one."""
    try:
        return read_current(job.store, item, lambda current: _count(job, current))
    except ObjectReplaced as error:
        return {}, ObjectProblem(item.path, "replaced", fact_of(error, item))
    except ArchiveError as error:
        return {}, ObjectProblem(item.path, "unreadable", fact_of(error, item))


def _count(job: CountJob, item: Object) -> tuple[dict[int | None, list[Sums]], ObjectProblem | None]:
    limits = (None, None) if job.bounds is None else job.bounds
    since, until = (None if limit is None else Decimal(limit).scaleb(-9) for limit in limits)
    every = None if job.every_ns is None else Decimal(job.every_ns).scaleb(-9)
    filters = [sent.bind() for sent in job.filters]
    with job.store.open(item) as source, reused_memory():
        try:
            counts = count_packets(source, *filters, every=every, since=since, until=until, engine=worker_engine())
        except CaptureError as error:
            return {}, ObjectProblem(item.path, "foreign", fact_of(error, item))
    totals = Totals(len(filters))
    for index, row in enumerate(counts.rows):
        totals.add(row.start_ns, index % len(filters), (row.packets, row.captured_bytes, row.wire_bytes))
    damage = counts.damage
    if damage is None:
        return totals.by_start, None
    return totals.by_start, ObjectProblem(item.path, "damaged", fact_of(CaptureError(damage), item))
