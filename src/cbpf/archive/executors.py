"""The executors that run batches: processes of this machine, a dask scheduler, or those of the caller."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future

from .._typing import Any, Final, Protocol
from ..errors import ArchiveError, FieldError
from .libraries import load_distributed

_UNSTARTED: Final = "the worker processes end when they start"
_GUARD: Final = 'a script must call this function below: if __name__ == "__main__":'
_CONNECT_TIME: Final = 10  # seconds within which a scheduler answers
_COUNT_PERIOD: Final = 5.0  # seconds after which the workers of a scheduler are counted again


class Pool(Protocol):
    """An executor, and the circumstances of its workers."""

    @property
    def slots(self) -> int:
        """The number of batches that run at the same time."""

    def submit(self, function: Callable[[Any], Any], batch: Any) -> Future[Any]:
        """Start a batch."""

    def renew(self) -> None:
        """Replace workers that cannot be used any more."""

    def close(self, *, is_complete: bool) -> None:
        """End the workers that this object started; those that are busy are stopped unless the run *is_complete*."""


def killed_workers(error: BaseException) -> int:
    """Return the number of workers that were killed while they ran a batch with this error; 0 for any other error.

    An executor of the standard library gives up after one; a dask scheduler tries a batch on several workers.
    """
    if type(error).__name__ == "KilledWorker":
        return int(getattr(error, "allowed_failures", 0)) + 1
    return int(isinstance(error, BrokenExecutor))


class LocalProcesses:
    """Processes of this machine, which import this package again: nothing of this process is copied into them."""

    def __init__(self, count: int) -> None:
        self.slots: Final = count
        self._pool, self._probe = _new_processes(count)

    def submit(self, function: Callable[[Any], Any], batch: Any) -> Future[Any]:
        """Start a batch."""
        return self._pool.submit(function, batch)

    def renew(self) -> None:
        """Start other processes after one was killed; raise `ArchiveError` if not even the first one could begin."""
        if not getattr(self._pool, "_broken", True):
            return
        if self._probe.exception() is not None:
            self._pool.shutdown(wait=True)
            raise ArchiveError(f"{_UNSTARTED}; {_GUARD}")
        self._pool.shutdown(wait=True)
        self._pool, _ = _new_processes(self.slots)

    def close(self, *, is_complete: bool) -> None:
        """End the processes."""
        processes = [*(getattr(self._pool, "_processes", None) or {}).values()]
        if not is_complete:
            for process in processes:
                process.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _new_processes(count: int) -> tuple[Executor, Future[None]]:
    """Return a pool of processes, and a call that succeeds if a process can begin."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin_worker)
    return pool, pool.submit(_do_nothing)


def _do_nothing() -> None:
    """Show that a worker has begun."""


def _begin_worker() -> None:
    """Leave interruptions to the parent process, and end with it."""
    import multiprocessing
    import signal
    from threading import Thread

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def end_if_started_by_import() -> None:
    """End a worker process that imports a script which calls this package without a guard, without a message.

    The process that started it reports the error.
    """
    from multiprocessing import current_process

    if getattr(current_process(), "_inheriting", False):
        raise SystemExit(1)


class Scheduler:
    """The workers of a dask scheduler."""

    def __init__(self, address: str) -> None:
        distributed = load_distributed()
        try:
            self._client = distributed.Client(address, timeout=_CONNECT_TIME, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            fact = " ".join(str(error).split()) or type(error).__name__
            rule = "a scheduler has an address such as tcp://host:8786"
            raise ArchiveError(f"{address}: no dask scheduler answers ({fact}); {rule}") from None
        self._address = address
        self._executor: Executor = self._client.get_executor(pure=False)
        self._slots, self._counted = 1, 0.0

    @property
    def slots(self) -> int:
        """The number of threads of all workers, which may change."""
        if time.monotonic() - self._counted > _COUNT_PERIOD:
            self._counted = time.monotonic()
            self._slots = max(1, sum(self._client.nthreads().values()))
        return self._slots

    def submit(self, function: Callable[[Any], Any], batch: Any) -> Future[Any]:
        """Start a batch."""
        return self._executor.submit(function, batch)

    def renew(self) -> None:
        """Do nothing: the scheduler replaces its workers."""

    def close(self, *, is_complete: bool) -> None:
        """Disconnect; the scheduler cancels the batches that have not ended."""
        self._client.close()


class GivenExecutor:
    """An executor of the caller, or a function that makes one."""

    def __init__(self, executor: Executor | Callable[[], Executor]) -> None:
        self._make = None if isinstance(executor, Executor) else executor
        self._executor = executor if isinstance(executor, Executor) else _made(executor)

    @property
    def slots(self) -> int:
        """The number of workers, or of processors if it is not known."""
        return int(getattr(self._executor, "_max_workers", None) or os.cpu_count() or 1)

    def submit(self, function: Callable[[Any], Any], batch: Any) -> Future[Any]:
        """Start a batch."""
        return self._executor.submit(function, batch)

    def renew(self) -> None:
        """Make another executor; raise `ArchiveError` if the caller passed no function for it."""
        if not getattr(self._executor, "_broken", False):
            return
        if self._make is None:
            rule = "pass a function that makes an executor, to continue with another one"
            raise ArchiveError(f"executor: a worker was killed, after which it runs nothing; {rule}")
        self._executor.shutdown(wait=False)
        self._executor = _made(self._make)

    def close(self, *, is_complete: bool) -> None:
        """End an executor that was made here."""
        if self._make is not None:
            self._executor.shutdown(wait=is_complete)


def _made(make: Callable[[], Executor]) -> Executor:
    executor = make()
    if not isinstance(executor, Executor):
        raise FieldError(f"executor: {make!r} returned {executor!r}, which is not a concurrent.futures.Executor")
    return executor
