"""The functions that workers run. They receive plain values and the bytes of programs, and never code.

Each function processes one batch of objects. It writes the outputs of each object, which appear when they are complete,
and at the end the receipt of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal

from .._named_tuple import NamedTuple
from .._typing import TYPE_CHECKING, Any, Final
from ..capture.reused_memory import reused_memory
from ..errors import ArchiveError, CaptureError, CbpfError, DamagedCapture
from ..filtering.api import filter_capture, split_capture
from ..filtering.link_programs import MissingProgram
from .attempts import ObjectReplaced
from .filter_programs import Kind, SentFilter, worker_engine
from .jobs import Outcome, Receipts
from .listing import Object
from .names import compression_for, output_name, output_path
from .stores import Store

if TYPE_CHECKING:
    from ..capture.source_stream import Source
    from ..filtering.api import ContainerChoice
    from ..filtering.summary import Summary

_MAX_ATTEMPTS: Final = 3  # to read an object that is replaced meanwhile


class FilterOptions(NamedTuple):
    """The options of `filter_capture` that a job has; times are in nanoseconds since 1970."""

    container: ContainerChoice = "same"
    compress: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    sample: int | None = None
    seed: int = 0
    snaplen: int | None = None
    invert: bool = False


class FilterJob(NamedTuple):
    """A job that filters each object.

    *routes* are filters and the folders of their outputs in *target*, "" for the target itself, or None if there is no
    output; *rest* is the folder of the packets that no filter accepts. Names of outputs are relative to *folder*.
    """

    digest: str
    store: Store
    target: str
    folder: str | None
    routes: tuple[tuple[SentFilter, str | None], ...]
    rest: str | None
    options: FilterOptions


class FilterWork(NamedTuple):
    """A batch of a job."""

    job: FilterJob
    objects: tuple[Object, ...]


class FilterResult(NamedTuple):
    """The result of a batch: the outcomes of its first objects, and those that need programs for another kind."""

    outcomes: list[Outcome]
    remaining: tuple[Object, ...] = ()
    missing: Kind | None = None


def filter_batch(work: FilterWork) -> FilterResult:
    """Filter the objects of a batch, and write its receipt."""
    job, objects = work
    outcomes: list[Outcome] = []
    missing: Kind | None = None
    for item in objects:
        try:
            outcomes.append(filter_object(job, item))
        except MissingProgram as error:
            missing = error.kind
            break
    Receipts(job.store, job.target, job.digest).write(outcomes)
    return FilterResult(outcomes, objects[len(outcomes) :], missing)


def filter_object(job: FilterJob, item: Object) -> Outcome:
    """Filter an object; if it is replaced while it is read, it is read again.

    Raises `MissingProgram` if the job lacks a program for a kind of packets that it has, and `ArchiveError` if an
    output cannot be written.
    """
    for remaining in reversed(range(_MAX_ATTEMPTS)):
        try:
            return _filter(job, item)
        except _Unreadable as error:
            return error.outcome
        except ObjectReplaced as error:
            if not remaining:
                return Outcome(item, status="replaced", message=fact_of(error, item))
        try:
            item = job.store.info(item.path)
        except ArchiveError as error:
            return Outcome(item, status="unreadable", message=fact_of(error, item))
    raise AssertionError("unreachable")


def fact_of(error: Exception, item: Object) -> str:
    """Return the message of an error without the name of the object."""
    return " ".join(str(error).removeprefix(f"{item.path}: ").split())


class _Unreadable(Exception):
    """The object cannot be read, is not a capture, or is damaged before its first packet: no output is written."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class _Unwritable(CbpfError):
    """An output cannot be written, which is not an error of the object."""


def _filter(job: FilterJob, item: Object) -> Outcome:
    name = output_name(item.path, job.folder, job.options.compress, job.options.container)
    folders = [*(folder for _, folder in job.routes), job.rest]
    with ExitStack() as stack:
        targets = [
            None if folder is None else stack.enter_context(job.store.create(output_path(job.target, folder, name)))
            for folder in folders
        ]
        return _filter_to(job, item, name, targets)


def _filter_to(job: FilterJob, item: Object, name: str, targets: list[Any]) -> Outcome:
    """Filter an object to open targets; raise `_Unreadable` if they are to remain empty."""
    damage: CaptureError | None = None
    with _opened(job.store, item) as source, reused_memory():
        try:
            summaries = _summaries(job, source, name, targets)
        except CaptureError as error:
            _require_written(error, item, targets)
            summaries, damage = getattr(error, "summaries", ()), error
    message = "" if damage is None else fact_of(damage, item)
    is_damaged = isinstance(damage, DamagedCapture)
    if not summaries:
        raise _Unreadable(Outcome(item, status="damaged" if is_damaged else "foreign", message=message))
    counts = tuple(summary.packets_accepted for summary in summaries[: len(job.routes)])
    outputs = sum(target is not None for target in targets)
    return Outcome(item, outputs, summaries[0].packets_seen, counts, "damaged" if is_damaged else None, message)


@contextmanager
def _opened(store: Store, item: Object) -> Iterator[Source]:
    """Open an object; raise `_Unreadable` if the store does not return it, and `ObjectReplaced`."""
    try:
        with store.open(item) as source:
            yield source
    except ObjectReplaced:
        raise
    except ArchiveError as error:
        raise _Unreadable(Outcome(item, status="unreadable", message=fact_of(error, item))) from None


def _summaries(job: FilterJob, source: Source, name: str, targets: list[Any]) -> Sequence[Summary]:
    """Filter a capture, and return a summary for each route."""
    options, filters = job.options, [sent.bind() for sent, _ in job.routes]
    arguments: dict[str, Any] = {
        "since": _seconds(options.since_ns),
        "until": _seconds(options.until_ns),
        "sample": options.sample,
        "seed": options.seed,
        "snaplen": options.snaplen,
        "container": options.container,
        "compress": compression_for(name, options.compress),
        "engine": worker_engine(),
    }
    if len(filters) == 1 and job.rest is None:
        return [filter_capture(source, targets[0], filters[0], invert=options.invert, **arguments)]
    return split_capture(source, list(zip(filters, targets[:-1], strict=True)), rest=targets[-1], **arguments)


def _seconds(time_ns: int | None) -> Decimal | None:
    return None if time_ns is None else Decimal(time_ns).scaleb(-9)


def _require_written(error: CaptureError, item: Object, targets: list[Any]) -> None:
    """Raise `ArchiveError` for an error of writing, which ends the run: it is not one of the object."""
    for target in targets:
        name = f"{getattr(target, 'name', 'target')}: "
        if target is not None and isinstance(error.__context__, OSError) and str(error).startswith(name):
            raise _Unwritable(f"the output for {item.path}: {str(error).removeprefix(name)}") from None
