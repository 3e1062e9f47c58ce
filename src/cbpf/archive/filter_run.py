"""The run of a job that filters objects: batches go to workers, and their results into a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..errors import ArchiveError
from .batches import Works, batches
from .execution import Execution, run
from .filter_programs import FilterPrograms
from .jobs import DoneObjects, Outcome
from .listing import Object
from .report import ObjectProblem
from .tasks import FilterJob, FilterResult, FilterWork, filter_batch


class FilterRun:
    """The progress of a job, and its counts.

    Args:
        job: The job, whose filters are those of *filters* as they are known so far.
        filters: The filters, which are compiled for a kind of packets when a worker meets it.
        done: The objects that an earlier run has done.
    """

    def __init__(self, job: FilterJob, filters: Sequence[FilterPrograms], done: DoneObjects) -> None:
        self._job = job
        self._filters = filters
        self._done = done
        self.unchanged = self.processed = self.bytes_read = self.packets = self.outputs = 0
        self.selected = [0] * len(filters)
        self.problems = [_problem(outcome) for outcome in done.problems]

    def remaining(self, objects: Iterable[Object]) -> Iterator[Object]:
        """Yield the objects that are to be done, and count the others."""
        for item in objects:
            if item in self._done:
                self.unchanged += 1
            else:
                yield item

    def count_only(self, objects: Iterable[Object]) -> None:
        """Count the objects that a run would read, and their outputs."""
        outputs = sum(folder is not None for folder in (*(folder for _, folder in self._job.routes), self._job.rest))
        for item in self.remaining(objects):
            self.processed += 1
            self.bytes_read += item.size
            self.outputs += outputs

    def execute(self, objects: Iterable[Object], batch_size: int, execution: Execution) -> None:
        """Filter the objects that are to be done."""
        works = Works(
            batches(self.remaining(objects), batch_size), lambda batch: FilterWork(self._current_job(), batch)
        )
        for work, result in run(filter_batch, works, execution):
            if isinstance(result, ArchiveError):
                self._give_up(work, result, works)
                continue
            self._add(result)
            if result.missing is not None:
                for filter_programs in self._filters:
                    filter_programs.add(result.missing)
                works.repeat(result.remaining)
        for filter_programs in self._filters:
            filter_programs.report_misfits()

    def _give_up(self, work: FilterWork, error: ArchiveError, works: Works[FilterWork]) -> None:
        """Record the object of a batch that killed workers; repeat one of several objects with a batch for each."""
        if len(work.objects) > 1:
            for item in work.objects:
                works.repeat((item,))
            return
        self.processed += 1
        self.problems += [ObjectProblem(item.path, "failed", str(error)) for item in work.objects]

    def _current_job(self) -> FilterJob:
        """Return the job with all programs that have been compiled so far."""
        routes = zip(self._filters, self._job.routes, strict=True)
        return self._job._replace(routes=tuple((filter.sent(), folder) for filter, (_, folder) in routes))

    def _add(self, result: FilterResult) -> None:
        for outcome in result.outcomes:
            self.processed += 1
            self.bytes_read += outcome.object.size
            self.packets += outcome.packets
            self.outputs += outcome.outputs
            for index, selected in enumerate(outcome.selected):
                self.selected[index] += selected
            if outcome.status is not None:
                self.problems.append(_problem(outcome))


def _problem(outcome: Outcome) -> ObjectProblem:
    assert outcome.status is not None
    return ObjectProblem(outcome.object.path, outcome.status, outcome.message)
