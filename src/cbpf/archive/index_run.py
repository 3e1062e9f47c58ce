"""Indexing an archive: a manifest with the times and packets of each object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from .._named_tuple import NamedTuple
from .._stdlib import partial
from .._typing import Any, Final
from .._validators import flag, integer, within
from ..capture.native.choice import is_worthwhile
from ..capture.reused_memory import reused_memory
from ..errors import ArchiveError
from .attempts import ObjectReplaced
from .batches import DEFAULT_SIZE, batches
from .compaction import compact
from .digests import digest
from .execution import Execution, ExecutorChoice, run
from .indexing import index_object
from .known_objects import KnownObjects
from .libraries import load_pyarrow
from .listing import Object, scope_of
from .manifest import Manifest, is_manifest
from .names import require_own_folder
from .report import ObjectProblem, Report
from .rows import Row
from .stores import Store
from .stores import store as store_of

_MAX_PARTS: Final = 16
"""The number of parts of a manifest after which they are made one."""

_check_size: Final = within(1, 2**63 - 1, "a number of bytes")


def index(
    source: str,
    manifest: str,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    executor: ExecutorChoice | None = None,
    batch_size: int = DEFAULT_SIZE,
    storage_options: Mapping[str, Any] | None = None,
    dry_run: bool = False,
) -> Report:
    """Make a manifest of the objects of an archive, or bring one up to date.

    A manifest has a row for each object: its version, its earliest and latest time, its packets, bytes and link types,
    whether it is in the order of time, and its packets by minute. As the source of another operation it replaces the
    listing, and leaves out the objects without packets in a period. It is a folder of Parquet files, which other tools
    read as well.

    Objects that the manifest has with the same version are not read again, so the same call brings it up to date, and
    continues a run that was interrupted. The rows of objects that *source* names no more are removed. A damaged object
    has the row of its complete packets, and any other file has a row without packets.

    Args:
        source: A path or URL: of an object; of a folder, for all objects below it; with a pattern ("*", "?", "[...]",
            "**"); the beginning of names; or "@" and the path of a list of these.
        manifest: The path or URL of the folder of the manifest, which is made if it does not exist, and must not
            contain the objects of the source. Several sources can be indexed into one manifest.
        workers: The number of processes of this machine; by default, this process reads the objects. A script with more
            than one calls this function below `if __name__ == "__main__":`.
        scheduler: The address of a dask scheduler, such as "tcp://host:8786", whose workers read the objects.
        executor: A `concurrent.futures.Executor` whose workers read the objects, or a function that makes one.
        batch_size: The number of bytes of the objects, as they are stored, that a worker reads at a time, by default
            256,000,000.
        storage_options: The options of the drivers of fsspec for source and manifest, such as `{"anon": True}`.
        dry_run: Read and write nothing, but report the objects that would be read.

    Returns:
        The numbers of objects and packets, and the objects with problems.

    Raises:
        ArchiveError: The source names no object, the manifest cannot be written or has another version, or the workers
            cannot be used.
        FieldError: An argument is invalid.
        MissingLibrary: A library is not installed.

    >>> import tempfile, cbpf
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = cbpf.archive.index("examples/*.pcap", f"{folder}/manifest")
    >>> report.objects, report.packets, report.problems
    (1, 905, ())
    """
    load_pyarrow()
    store = store_of(storage_options)
    execution = Execution(workers, scheduler, executor)
    size = _check_size("index.batch_size", integer("index.batch_size", batch_size))
    is_dry = flag("index.dry_run", dry_run)
    if is_manifest(store, source):
        raise ArchiveError(f"{source}: is a manifest; name the folder or the objects that it describes")
    require_own_folder(store, source, manifest)
    listed = _begun(store.list(source))  # an error in the source is found before anything is written
    folder = None
    if not is_dry:
        folder = Manifest.open_or_create(store, manifest)
    elif is_manifest(store, manifest):
        folder = Manifest.open(store, manifest)
    task = _Index(store, source, folder)
    task.read(task.remaining(listed), size, execution) if not is_dry else task.count_only(listed)
    return task.report(is_dry)


def _begun(objects: Iterator[Object]) -> Iterator[Object]:
    """Return the same objects, the first of which has been requested."""
    return chain([next(objects)], objects)


class _Index:
    """The progress of a run, and its counts."""

    def __init__(self, store: Store, source: str, manifest: Manifest | None) -> None:
        self._store = store
        self._source = source
        self._manifest = manifest
        self._known = None if manifest is None else KnownObjects(manifest)
        self._objects = self._unchanged = self._processed = self._bytes = self._packets = self._removed = 0
        self._problems: list[ObjectProblem] = []

    def remaining(self, objects: Iterable[Object]) -> Iterator[Object]:
        """Yield the objects that are to be read, and count all."""
        for listed in objects:
            self._objects += 1
            if self._known is not None and self._known.is_unchanged(listed.path, listed.etag):
                self._unchanged += 1
            else:
                yield listed

    def count_only(self, objects: Iterable[Object]) -> None:
        """Count the objects that a run would read."""
        for listed in self.remaining(objects):
            self._processed += 1
            self._bytes += listed.size

    def read(self, objects: Iterable[Object], batch_size: int, execution: Execution) -> None:
        """Read objects, whose rows the workers write, and tidy the manifest."""
        assert self._manifest is not None
        number = self._manifest.last_run() + 1
        task = partial(index_batch, self._manifest, number)
        for batch, result in run(task, batches(objects, batch_size), execution):
            if isinstance(result, ArchiveError):
                self._problems += [ObjectProblem(listed.path, "failed", str(result)) for listed in batch]
                continue
            self._processed += len(batch)
            self._bytes += result.bytes_read
            self._packets += result.packets
            self._problems += result.problems
        self._tidy(self._manifest, number + 1)

    def _tidy(self, manifest: Manifest, number: int) -> None:
        """Remove the rows that are out of date, and make one part of many."""
        assert self._known is not None
        scopes = [] if self._source.startswith("@") else [scope_of(self._store.locate(self._source))]
        known = self._known

        def is_current(path: str) -> bool:
            return known.was_seen(path) or not any(scope.contains(path) for scope in scopes)

        is_outdated = known.stale or (scopes and not all(map(is_current, known.unseen_paths(manifest))))
        if is_outdated or len(manifest.part_paths()) > _MAX_PARTS:
            self._removed = compact(manifest, number, is_current)

    def report(self, is_dry: bool) -> Report:
        """Return the report of the run."""
        return Report(
            "index",
            self._source,
            objects=self._objects,
            unchanged=self._unchanged,
            processed=self._processed,
            bytes_read=self._bytes,
            packets=self._packets,
            problems=tuple(self._problems),
            dry_run=is_dry,
            removed=self._removed,
        )


class IndexResult(NamedTuple):
    """The result of a batch.

    Args:
        bytes_read: The bytes of its objects, as they are stored.
        packets: The number of packets in its objects.
        problems: Its objects with problems.
    """

    bytes_read: int
    packets: int
    problems: list[ObjectProblem]


def index_batch(manifest: Manifest, run: int, batch: tuple[Object, ...]) -> IndexResult:
    """Read the objects of a batch, and write a part with their rows.

    The name of the part depends on the objects, so a batch that runs again writes the same part.
    """
    rows: list[Row] = []
    problems: list[ObjectProblem] = []
    is_native = is_worthwhile(sum(listed.size for listed in batch))
    for listed in batch:
        try:
            with reused_memory():
                rows.append(index_object(manifest.store, listed, is_native=is_native))
        except ObjectReplaced as error:
            problems.append(ObjectProblem(listed.path, "replaced", _fact(error, listed)))
        except ArchiveError as error:
            problems.append(ObjectProblem(listed.path, "unreadable", _fact(error, listed)))
    problems += [ObjectProblem(row.path, row.status, row.message) for row in rows if row.status != "ok"]
    if rows:
        text = "\n".join(f"{listed.path} {listed.etag}" for listed in batch)
        manifest.write(run, digest(text, 8).hex(), rows)
    return IndexResult(sum(listed.size for listed in batch), sum(row.packets for row in rows), problems)


def _fact(error: ArchiveError, listed: Object) -> str:
    return str(error).removeprefix(f"{listed.path}: ")
