"""Filtering the objects of an archive: one output for each object and filter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .._typing import TYPE_CHECKING, Any
from .._validators import flag, within
from ..capture.outputs import choose_compressor
from ..capture.registry import format_names
from ..capture.sampling import checked_sample
from ..capture.times import TimeBounds, TimeLimit
from ..errors import FieldError
from ..filtering.arguments import route_pairs
from ..isa.dialects import PCAP, Dialect, check_dialect
from .batches import DEFAULT_SIZE
from .execution import Execution, ExecutorChoice
from .filter_programs import FilterPrograms
from .filter_run import FilterRun
from .jobs import DoneObjects, Receipts, job_digest
from .listing import Object
from .names import output_name, require_different, require_folder, require_outside, source_folder
from .report import Report
from .selection import Selection, period
from .stores import store as store_of
from .tasks import FilterJob, FilterOptions

if TYPE_CHECKING:
    from ..filtering.api import ContainerChoice
    from ..filtering.bound_filter import Filter


def filter(
    source: str,
    target: str,
    filter: Filter,
    *,
    since: TimeLimit | None = None,
    until: TimeLimit | None = None,
    sample: int | None = None,
    seed: int = 0,
    invert: bool = False,
    snaplen: int | None = None,
    container: ContainerChoice = "same",
    compress: str | None = None,
    dialect: Dialect = PCAP,
    workers: int | None = None,
    scheduler: str | None = None,
    executor: ExecutorChoice | None = None,
    batch_size: int = DEFAULT_SIZE,
    storage_options: Mapping[str, Any] | None = None,
    dry_run: bool = False,
) -> Report:
    """Copy the packets that a filter accepts from each object of an archive to an object of its own.

    The output of an object has its name, relative to the source, in the folder *target*; it is the capture that
    `filter_capture` writes. It appears when it is complete, and after the outputs of a batch a receipt appears in the
    folder ".cbpf" of the target. The same call continues a run that was interrupted: objects with a receipt are not
    read again unless they were replaced. Of a damaged object, the complete packets are filtered. If an object is
    replaced while it is read, it is read again.

    An expression is compiled by this process for each link type that occurs; workers receive programs. Packets of a
    link type that it does not fit do not match, with an `ExpressionWarning`.

    Args:
        source: A path or URL: of an object; of a folder, for all objects below it; with a pattern ("*", "?", "[...]",
            "**"); the beginning of names; "@" and the path of a list of these; or a manifest. Names of outputs for a
            list or a manifest are the whole paths of the objects.
        target: The path or URL of a folder, which must not be inside of the source.
        filter: An expression, a program, a savefile or a VM, as for `filter_capture`.
        since: Copy only packets with this time or a later one: an aware `datetime`, seconds since 1970, or text in ISO
            8601 format with an offset from UTC. If *source* is a manifest, objects without such packets are not read.
        until: Copy only packets with an earlier time, in the same forms.
        sample: Copy only about one in this number of the packets.
        seed: Another choice of packets.
        invert: Copy the packets that do not match instead.
        snaplen: Write only this number of bytes of each packet.
        container: The format of the outputs: "same", "pcap" or "pcapng". Another one than "same" is also the suffix of
            their names.
        compress: The compression of the outputs, as for `filter_capture`, which is also the suffix of their names; by
            default that of the name of the object.
        dialect: The dialect whose rules verify and run the program.
        workers: The number of processes of this machine; by default, this process reads the objects. A script with more
            than one calls this function below `if __name__ == "__main__":`.
        scheduler: The address of a dask scheduler, such as "tcp://host:8786", whose workers read the objects.
        executor: A `concurrent.futures.Executor` whose workers read the objects, or a function that makes one.
        batch_size: The number of bytes of the objects, as they are stored, that a worker processes at a time, by
            default 256,000,000.
        storage_options: The options of the drivers of fsspec for source and target, such as `{"anon": True}`.
        dry_run: Only report the objects that a run would read, and the number of outputs.

    Returns:
        The numbers of objects and packets, and the objects with problems.

    Raises:
        ArchiveError: The source names no object, the target cannot be written, two objects have the same output, or the
            workers cannot be used.
        ExpressionError: The expression is invalid, or fits no link type that occurs.
        FieldError: An argument is invalid.
        MissingLibrary: A library is not installed.
        VerificationError: The dialect rejects the program.
    """
    operation = _Operation("filter", source, target, storage_options)
    options = operation.options(since, until, sample, seed, snaplen, container, compress)._replace(
        invert=flag("filter.invert", invert)
    )
    programs = [FilterPrograms("filter.filter", filter, check_dialect(dialect, "filter.dialect"))]
    execution = Execution(workers, scheduler, executor)
    return operation.run(programs, [""], None, options, execution, batch_size, dry_run=dry_run)


def split(
    source: str,
    target: str,
    routes: Mapping[str, str] | Iterable[tuple[Filter, str]],
    *,
    rest: str | None = None,
    since: TimeLimit | None = None,
    until: TimeLimit | None = None,
    sample: int | None = None,
    seed: int = 0,
    snaplen: int | None = None,
    container: ContainerChoice = "same",
    compress: str | None = None,
    dialect: Dialect = PCAP,
    workers: int | None = None,
    scheduler: str | None = None,
    executor: ExecutorChoice | None = None,
    batch_size: int = DEFAULT_SIZE,
    storage_options: Mapping[str, Any] | None = None,
    dry_run: bool = False,
) -> Report:
    """Copy the packets that each filter accepts from each object of an archive to an object of its own, in one pass.

    The outputs of a filter are in its own folder in *target*, with the names that `filter` gives them. A packet goes to
    the output of every filter that accepts it. All else is as documented for `filter`.

    Args:
        source: A path or URL of objects, as for `filter`.
        target: The path or URL of a folder, which must not be inside of the source.
        routes: Filters and the names of their folders in *target*, as a mapping or as pairs.
        rest: The name of the folder for the packets that no filter accepts; None: these packets are not written.
        since: Copy only packets with this time or a later one.
        until: Copy only packets with an earlier time.
        sample: Copy only about one in this number of the packets.
        seed: Another choice of packets.
        snaplen: Write only this number of bytes of each packet.
        container: The format of the outputs: "same", "pcap" or "pcapng".
        compress: The compression of the outputs; by default that of the name of the object.
        dialect: The dialect whose rules verify and run the programs.
        workers: The number of processes of this machine.
        scheduler: The address of a dask scheduler.
        executor: A `concurrent.futures.Executor`, or a function that makes one.
        batch_size: The number of bytes of the objects that a worker processes at a time, by default 256,000,000.
        storage_options: The options of the drivers of fsspec for source and target.
        dry_run: Only report the objects that a run would read, and the number of outputs.

    Returns:
        The numbers of objects and packets, those of each filter in `Report.routes`, and the objects with problems.

    Raises:
        ArchiveError: The source names no object, the target cannot be written, two objects have the same output, or the
            workers cannot be used.
        ExpressionError: An expression is invalid, or fits no link type that occurs.
        FieldError: An argument is invalid, *routes* is empty, or two routes have the same folder.
        MissingLibrary: A library is not installed.
        VerificationError: The dialect rejects a program.
    """
    pairs = route_pairs("split.routes", routes)
    folders = [_folder_name("split.routes", folder) for _, folder in pairs]
    rest_folder = None if rest is None else _folder_name("split.rest", rest)
    names = folders + ([] if rest_folder is None else [rest_folder])
    if len({*names}) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise FieldError(f"split.routes: {repeated!r} is the folder of two routes; each requires a folder of its own")
    operation = _Operation("split", source, target, storage_options)
    options = operation.options(since, until, sample, seed, snaplen, container, compress)
    checked_dialect = check_dialect(dialect, "split.dialect")
    programs = [FilterPrograms("split.routes", filter, checked_dialect) for filter, _ in pairs]
    execution = Execution(workers, scheduler, executor)
    return operation.run(programs, folders, rest_folder, options, execution, batch_size, dry_run=dry_run)


def _folder_name(path: str, name: object) -> str:
    """Return the name of a folder in the target; raise `FieldError` if it is none."""
    if not isinstance(name, str) or not name.strip("/"):
        raise FieldError(f"{path}: {name!r} is not the name of a folder")
    if ".." in name.split("/") or name.startswith((".", "/")):
        raise FieldError(f"{path}: {name!r} is not the name of a folder in the target")
    return name.rstrip("/")


class _Operation:
    """The parts of `filter` and `split` that are the same."""

    def __init__(self, name: str, source: str, target: str, storage_options: Mapping[str, Any] | None) -> None:
        for argument, value in (("source", source), ("target", target)):
            if not isinstance(value, str) or not value:
                raise FieldError(f"{name}.{argument}: {value!r} is not a path or URL")
        self._name = name
        self._source = source
        self._store = store_of(storage_options)
        self._target = self._store.locate(target)

    def options(
        self,
        since: TimeLimit | None,
        until: TimeLimit | None,
        sample: int | None,
        seed: int,
        snaplen: int | None,
        container: ContainerChoice,
        compress: str | None,
    ) -> FilterOptions:
        """Return the options of a job; raise `FieldError` or `MissingLibrary` for one that cannot be used."""
        bounds = period(self._name, since, until) or TimeBounds(None, None)
        if container not in ("same", *format_names()):
            raise FieldError(f"{self._name}.container: {container!r} is not one of {('same', *format_names())}")
        checked_sample(self._name, sample, seed)
        choose_compressor(None, compress)
        if snaplen is not None:
            within(1, 262_144, "a snapshot length")(f"{self._name}.snaplen", snaplen)
        return FilterOptions(container, compress, *bounds, sample, seed, snaplen)

    def run(
        self,
        programs: list[FilterPrograms],
        folders: list[str],
        rest: str | None,
        options: FilterOptions,
        execution: Execution,
        batch_size: int,
        *,
        dry_run: bool,
    ) -> Report:
        """Filter the objects that no earlier run has done, or only count them."""
        within(1, 1 << 50, "a number of bytes")(f"{self._name}.batch_size", batch_size)
        store, target = self._store, self._target.path.rstrip("/")
        bounds = TimeBounds(options.since_ns, options.until_ns)
        selection = Selection(store, self._source, bounds if any(bound is not None for bound in bounds) else None)
        folder = None if selection.manifest else source_folder(store, self._source)
        require_outside(store, self._source, folder, self._target)
        require_folder(self._target)
        parts = [self._name, [filter.identity for filter in programs], folders, rest, options._asdict(), folder]
        job = FilterJob(
            job_digest(parts),
            store,
            target,
            folder,
            tuple((filter.sent(), name) for filter, name in zip(programs, folders, strict=True)),
            rest,
            options,
        )
        done = DoneObjects(Receipts(store, target, job.digest).read())
        filter_run = FilterRun(job, programs, done)
        objects = self._with_names(selection, job)
        if dry_run:
            filter_run.count_only(objects)
        else:
            filter_run.execute(objects, batch_size, execution)
        return self._report(selection, filter_run, folders, dry_run=dry_run)

    def _with_names(self, objects: Selection, job: FilterJob) -> Iterable[Object]:
        """Return objects of which no two have the same output; they are checked first if that is possible at all."""
        options = job.options
        if not self._source.startswith("@") and options.compress is None and options.container == "same":
            return objects
        listed = list(objects)
        names = (output_name(item.path, job.folder, options.compress, options.container) for item in listed)
        require_different(zip((item.path for item in listed), names, strict=True))
        return listed

    def _report(self, selection: Selection, run: FilterRun, folders: list[str], *, dry_run: bool) -> Report:
        return Report(
            self._name,
            self._source,
            objects=selection.objects,
            pruned=selection.pruned,
            unchanged=run.unchanged,
            processed=run.processed,
            bytes_read=run.bytes_read,
            packets=run.packets,
            selected=sum(run.selected),
            outputs=run.outputs,
            problems=tuple(run.problems),
            dry_run=dry_run,
            routes=tuple(zip(folders, run.selected, strict=True)) if folders != [""] else (),
        )
