"""Batches run by workers: a few at a time, each until it has a result or has killed several workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from itertools import islice

from .._record import Record
from .._typing import Any, Final, TypeAlias, TypeVar
from ..errors import ArchiveError, CbpfError, FieldError
from .executors import GivenExecutor, LocalProcesses, Pool, Scheduler, end_if_started_by_import, killed_workers

MAX_KILLED_WORKERS: Final = 3
"""The number of killed workers after which a batch is given up."""

_BATCHES_PER_WORKER: Final = 2  # one runs, and one waits

_Batch = TypeVar("_Batch")
_Result = TypeVar("_Result")

ExecutorChoice: TypeAlias = Executor | Callable[[], Executor]
"""An executor, or a function that makes one, also to replace one whose worker was killed."""


class Execution(Record):
    """The workers that run batches; by default, this process runs them.

    Args:
        workers: A number of processes of this machine; 1: this process. A script that uses more than one must do so
            below `if __name__ == "__main__":`, because each process imports it.
        scheduler: The address of a dask scheduler, such as "tcp://host:8786".
        executor: A `concurrent.futures.Executor`, or a function that makes one.
    """

    workers: int | None = None
    scheduler: str | None = None
    executor: ExecutorChoice | None = None

    def __post_init__(self) -> None:
        given = [name for name in self.__match_args__ if getattr(self, name) is not None]
        if len(given) > 1:
            raise FieldError(f"{given[0]} and {given[1]} are mutually exclusive")
        if self.workers is not None and (isinstance(self.workers, bool) or not isinstance(self.workers, int)):
            raise FieldError(f"workers: expected a number of processes, got {self.workers!r}")
        if self.workers is not None and not 1 <= self.workers <= 1024:
            raise FieldError(f"workers: {self.workers} is out of range (1..1024)")
        if self.executor is not None and not isinstance(self.executor, Executor) and not callable(self.executor):
            raise FieldError(f"executor: {self.executor!r} is neither an executor nor a function that makes one")

    @property
    def is_here(self) -> bool:
        """Whether this process runs the batches."""
        return self.scheduler is None and self.executor is None and self.workers in (None, 1)

    def pool(self) -> Pool:
        """Start the workers, or connect to them.

        Returns:
            The workers.

        Raises:
            ArchiveError: The scheduler does not answer.
            MissingLibrary: The scheduler needs dask.distributed.
        """
        if self.scheduler is not None:
            return Scheduler(self.scheduler)
        if self.executor is not None:
            return GivenExecutor(self.executor)
        return LocalProcesses(self.workers or 1)


def run(
    function: Callable[[_Batch], _Result], batches: Iterable[_Batch], execution: Execution
) -> Iterator[tuple[_Batch, _Result | ArchiveError]]:
    """Run a function on batches, and yield each with its result, in the order in which they end.

    At most two batches for each worker are started before one ends, so memory use does not depend on their number. If a
    worker is killed, the batches that it may have run are run again, one at a time. A batch during which three workers
    were killed has an error as its result, and the others are not affected.

    Args:
        function: A function that other processes can import; its exceptions end the run.
        batches: The batches, which are requested when a worker is free. Another is requested from an iterator that has
            ended after each result, which may have led to more batches.
        execution: The workers.

    Yields:
        A batch, and its result or its error.

    Raises:
        ArchiveError: The workers cannot be used.
        MissingLibrary: A library is not installed, here or where the workers run.
    """
    end_if_started_by_import()
    remaining = iter(batches)
    if execution.is_here:
        for batch in remaining:
            yield batch, function(batch)
        return
    first = list(islice(remaining, 1))
    if not first:
        return
    pool = execution.pool()
    is_complete = False
    try:
        yield from _Run(function, _Continued(first, remaining), pool).results()
        is_complete = True
    finally:
        pool.close(is_complete=is_complete)


class _Continued(Iterator[_Batch]):
    """Some batches, and then those of an iterator, also if it has more after it has ended."""

    def __init__(self, first: list[_Batch], remaining: Iterator[_Batch]) -> None:
        self._first = first
        self._remaining = remaining

    def __next__(self) -> _Batch:
        return self._first.pop() if self._first else next(self._remaining)


class _Run:
    """The batches of a run: those that were started, and the suspects, which had been when a worker was killed."""

    def __init__(self, function: Callable[[Any], Any], batches: Iterator[Any], pool: Pool) -> None:
        self._function = function
        self._batches = batches
        self._pool = pool
        self._running: dict[Future[Any], tuple[Any, int]] = {}  # batches, with the number of workers killed
        self._suspects: deque[tuple[Any, int]] = deque()

    def results(self) -> Iterator[tuple[Any, Any]]:
        """Yield each batch with its result."""
        while self._start():
            is_alone = len(self._running) == 1
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            has_killed = False
            for future in done:
                batch, killed = self._running.pop(future)
                error = _error_of(future)
                if error is None:
                    yield batch, future.result()
                    continue
                has_killed = True
                killed += killed_workers(error)
                if is_alone and killed >= MAX_KILLED_WORKERS:
                    yield batch, ArchiveError(f"was given up: {killed} workers were killed while they read its batch")
                else:
                    self._suspects.append((batch, killed))
            if has_killed:
                self._pool.renew()

    def _start(self) -> bool:
        """Start batches for the workers that are free; return whether any have not ended."""
        if self._suspects:
            if not self._running:
                self._submit(*self._suspects.popleft())
            return True
        room = _BATCHES_PER_WORKER * self._pool.slots - len(self._running)
        for batch in islice(self._batches, max(room, 0)):
            self._submit(batch, 0)
        return bool(self._running)

    def _submit(self, batch: Any, killed: int) -> None:
        try:
            future = self._pool.submit(self._function, batch)
        except BrokenExecutor:  # a worker was killed while it was idle
            self._pool.renew()
            future = self._pool.submit(self._function, batch)
        self._running[future] = batch, killed


def _error_of(future: Future[Any]) -> BaseException | None:
    """Return the error of a batch that killed workers, or None if it has a result; raise any other error."""
    try:
        error = future.exception()
    except CancelledError:
        raise ArchiveError("the workers cannot be reached any more: a batch was cancelled") from None
    if error is None or killed_workers(error):
        return error
    if isinstance(error, ImportError) and not isinstance(error, CbpfError):
        raise ArchiveError(f"a worker cannot import a module for a batch: {error}") from error
    raise error
