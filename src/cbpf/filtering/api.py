"""The main job: an expression or a program over captures, keeping the records that it accepts."""

import math
import os
import stat
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import BinaryIO, Final, Literal, NamedTuple, TypeAlias

from .._options import EngineName, Optimizer
from .._validators import within
from ..capture.input import Source
from ..capture.output import Output, Target, open_output
from ..capture.reader import CaptureReader
from ..capture.registry import format_names, make_writer
from ..errors import CaptureError, DamagedCapture, FieldError
from ..expression.address_lists import Expression
from ..isa.dialects import PCAP, Dialect
from ..isa.program import Program
from ..vm import VM, llvm_is_installed
from .bound_filter import BoundFilter, Filter, compile_for_interface
from .run import FilterRun, Progress, Sink, prepare
from .summary import Summary

ContainerChoice: TypeAlias = Literal["same", "pcap", "pcapng"]

_check_count: Final = within(1, 2**63 - 1, "a number of packets")


def filter_capture(
    source: Source | Iterable[Source],
    target: Target,
    filter: Filter,
    *,
    container: ContainerChoice = "same",
    count: int | None = None,
    invert: bool = False,
    engine: EngineName = "auto",
    dialect: Dialect = PCAP,
    as_socket: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Copies the packets that *filter* accepts from *source* to *target*; records are copied as they are.

    An expression keeps what `tcpdump --nano -O -r` keeps; the container, byte order and time resolution stay those of
    the source, and of a pcapng all blocks that hold no packet. A filter runs on each link type: an expression is
    compiled for each that a packet has. Several sources are read one after the other. All pcap, they must have one
    link type; where their headers differ, the target's holds the packets of all without loss. With a pcapng among
    them, the target is a pcapng of their sections.

      target: a path, "-" for standard output, a binary file object, or None to count only. A path is replaced
        when all is done, so it may be a source.
      filter: an expression (an `Expression` if it has lists), a program, a savefile (its link type must be that of
        every packet), or a VM, which brings its own engine and dialect.
      container: "pcap" or "pcapng" to change it. A pcap of a pcapng needs one link type among the packets kept; it
        counts nanoseconds if an interface that is known when the first packet is kept is finer than microseconds, and
        what is finer than nanoseconds is cut off. A packet that does not fit is a `CaptureError`.
      count: stop when so many packets were kept. invert: keep the others.
      as_socket: the filter sees each packet as a live packet socket would have (`socket_view`); for programs that
        were made for one. What is kept stays as it was captured.
      engine: "auto" takes llvm, on all cores, if it is installed and the sources are pipes or have 16 MB or more
        together, else compiled Python.
      progress: is called now and then with the number of bytes that were read of the sources, as they are stored.

    While a large file is filtered by llvm, whoever opens it for writing waits until that is done (45 seconds at most).

    Raises `CaptureError`, `ExpressionError`, `VerificationError`; and `DamagedCapture` if a source is cut
    short: then its whole packets and all other sources were filtered, the target is in place unless it is one of
    the sources, which stay as they were, and the error's `summary` tells the counts.
    """
    if count is not None:
        _check_count("filter_capture.count", count)
    outputs = [_NO_OUTPUT, target] if invert else [target, _NO_OUTPUT]
    choices = _Choices(container, engine, dialect, as_socket, count, progress)
    return _filter("filter_capture", source, [filter], outputs, choices)[0]


def split_capture(
    source: Source | Iterable[Source],
    routes: Mapping[str, Target] | Iterable[tuple[Filter, Target]],
    *,
    rest: Target = None,
    container: ContainerChoice = "same",
    engine: EngineName = "auto",
    dialect: Dialect = PCAP,
    as_socket: bool = False,
    progress: Progress | None = None,
) -> list[Summary]:
    """Copies the packets that each filter accepts to a target of its own, in one pass over *source*.

      routes: filters and their targets, as a mapping or as pairs. A packet goes to each target whose filter accepts it.
      rest: where the packets go that no filter accepts; None: nowhere.

    All else is as in `filter_capture`. Gives a summary for each route, and behind them one for the rest.
    """
    pairs = list(routes.items() if isinstance(routes, Mapping) else routes)
    if not pairs:
        raise FieldError("split_capture.routes: is empty; name at least one filter and its target")
    targets = [target for _, target in pairs] + [rest]
    _require_different(targets)
    choices = _Choices(container, engine, dialect, as_socket, None, progress)
    return _filter("split_capture", source, [filter for filter, _ in pairs], list(targets), choices)


class _Choices(NamedTuple):
    """What callers may choose."""

    container: ContainerChoice
    engine: EngineName
    dialect: Dialect
    as_socket: bool
    wanted: int | None
    progress: Progress | None


def _filter(
    caller: str, source: Source | Iterable[Source], filters: list[Filter], targets: list[object], choices: _Choices
) -> list[Summary]:
    """The pass. *targets*: one for each filter, and behind them one for the rest. Summaries of those that are used."""
    if choices.container not in (names := ("same", *format_names())):
        raise FieldError(f"{caller}.container: {choices.container!r} is not one of {names}")
    sources = _as_sources(source, caller)
    damages: list[DamagedCapture] = []
    with ExitStack() as stack:
        readers = [stack.enter_context(_reader(one, choices.container, park=len(sources) > 1)) for one in sources]
        named = [(reader.name, reader.container) for reader in readers]
        format_name = None if choices.container == "same" else choices.container
        writers = [None if target is _NO_OUTPUT else make_writer(named, format_name) for target in targets]
        copies = all(writer is None or writer.copies(reader.container) for writer in writers for reader in readers)
        native = copies and _is_native(filters, sources, choices)
        engine = "llvm" if native and choices.engine == "auto" else choices.engine
        optimizer: Optimizer = None if native or _size(sources) < _WORTH_OPTIMIZING else "cbpf"
        matchings = [
            BoundFilter(filter, engine, choices.dialect, as_socket=choices.as_socket, optimizer=optimizer)
            for filter in filters
        ]
        for reader in readers:
            prepare(matchings, reader)
        outlets = [
            None if writer is None else Sink(writer, stack.enter_context(_output(target, sources)))
            for writer, target in zip(writers, targets, strict=True)
        ]
        used = [outlet for outlet in outlets if outlet is not None]
        for outlet in used:
            outlet.output.write(outlet.writer.begin())
        one_pass = FilterRun(matchings, outlets, wanted=choices.wanted, native=native, progress=choices.progress)
        for reader in readers:
            try:
                one_pass.run(reader)
            except DamagedCapture as damage:
                damages.append(damage)
            finally:
                reader.close()
        for outlet in used:
            outlet.output.write(outlet.writer.end())
        summaries = [one_pass.summary(outlet) for outlet in used]
        if damages:
            raise _all_damages(damages, summaries)
    return summaries


_NO_OUTPUT: Final = object()  # for packets that are dropped, and not counted either

_NATIVE_SIZE: Final = 16_000_000  # bytes; from there on machine code is faster, its start included


_WORTH_OPTIMIZING: Final = 100_000_000  # bytes; from there on the optimiser's start is less than compiled Python gains


def _is_native(filters: list[Filter], sources: list[Source], choices: _Choices) -> bool:
    """Whether machine code does all the work."""
    if choices.as_socket:
        return False
    engines = {filter.engine if isinstance(filter, VM) else choices.engine for filter in filters}
    if engines <= {"llvm", "auto"} and "auto" in engines:
        return _size(sources) >= _NATIVE_SIZE and llvm_is_installed()
    return engines == {"llvm"}


def _size(sources: list[Source]) -> float:
    """How many bytes there are to read, as far as is known; a pipe may have any number."""
    return sum(map(_size_of, sources))


def _size_of(source: Source) -> float:
    try:
        if not isinstance(source, str | os.PathLike):
            position = source.tell()
            size = source.seek(0, os.SEEK_END) - position
            source.seek(position)
            return size
        status = os.fstat(0) if source == "-" else os.stat(source)
        return status.st_size if stat.S_ISREG(status.st_mode) else math.inf
    except (OSError, ValueError, AttributeError):
        return math.inf


def _output(target: object, sources: list[Source]) -> AbstractContextManager[Output]:
    """A target, which is left as it was if it is a source and that is damaged."""
    in_place = any(_are_one_file(one, target) for one in sources)
    return open_output(target, keep_damaged=not in_place)  # type: ignore[arg-type]


def _require_different(targets: list[Target]) -> None:
    """No two targets may be one file, or one stream."""
    seen: set[object] = set()
    for target in targets:
        place = None if target is None else _place_of(target)
        if place is None:
            continue
        if place in seen:
            raise CaptureError(f"{target}: is the target of two routes; each has one of its own")
        seen.add(place)


def _place_of(target: str | os.PathLike[str] | BinaryIO) -> object:
    """What two names of one file have in common; None for the null device."""
    try:
        if isinstance(target, str | os.PathLike) and target != "-":
            status = os.stat(target)
        else:
            status = os.fstat(sys.stdout.fileno() if target == "-" else target.fileno())  # type: ignore[union-attr]
    except (OSError, ValueError, AttributeError):  # no file yet, or none at all
        return os.path.realpath(target) if isinstance(target, str | os.PathLike) else target
    is_null = stat.S_ISCHR(status.st_mode) and status.st_rdev == os.stat(os.devnull).st_rdev
    return None if is_null else (status.st_dev, status.st_ino)


def _all_damages(damages: list[DamagedCapture], summaries: list[Summary]) -> DamagedCapture:
    damage = DamagedCapture("; ".join(map(str, damages)))
    damage.summary, damage.summaries = summaries[0], tuple(summaries)
    return damage


def _are_one_file(source: Source, target: object) -> bool:
    """Whether both are paths of one existing file."""
    if not (isinstance(source, str | os.PathLike) and isinstance(target, str | os.PathLike)):
        return False
    try:
        return os.path.samefile(source, target)
    except (OSError, ValueError):
        return False


def _reader(source: Source, container: ContainerChoice, *, park: bool) -> CaptureReader:
    reader = CaptureReader(source)
    if park and container == "pcap":
        with suppress(DamagedCapture):  # which comes again in its turn
            reader.look_ahead()
    if park:
        reader.park()
    return reader


def _as_sources(source: Source | Iterable[Source], caller: str) -> list[Source]:
    if isinstance(source, str | os.PathLike) or hasattr(source, "read") or not isinstance(source, Iterable):
        return [source]  # type: ignore[list-item]
    sources = list(source)
    if not sources:
        raise FieldError(f"{caller}.source: is empty; name at least one capture")
    return sources


def compile_for_capture(
    expression: str | Expression, capture: CaptureReader, *, interface: int = 0, dialect: Dialect = PCAP
) -> Program:
    """The program of an expression for the packets of a capture: link type, byte order and snapshot length.

    They are those of one of its interfaces, `capture.interfaces[interface]`; a pcap has one. It is optimised for
    *dialect*, as `compile` does. Raises `ExpressionError`, also for what only a live device knows, as `inbound` on
    Ethernet; and `CaptureError` for no such interface.
    """
    capture.look_ahead()
    if not 0 <= interface < len(capture.interfaces):
        fact = f"has described {len(capture.interfaces)} interfaces so far"
        raise CaptureError(f"{capture.name}: {fact}; an expression for number {interface}, counted from 0, needs it")
    return compile_for_interface(expression, capture.interfaces[interface], dialect)
