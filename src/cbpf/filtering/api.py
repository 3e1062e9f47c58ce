"""Filtering captures: copying the packets that an expression or a program accepts."""

from .._named_tuple import NamedTuple
from .._stdlib import contextmanager
from .._typing import TYPE_CHECKING, Final, Iterable, Iterator, Literal, Mapping, TypeAlias
from ..capture.base import UNLIMITED, NullWriter, RecordWriter
from ..capture.output import Target
from ..capture.reader import CaptureReader
from ..capture.registry import format_names, make_writer
from ..capture.source_stream import Source
from ..errors import CaptureError, FieldError
from ..expression.names import SYSTEM_NAMES, Lookups, Resolver
from ..isa.dialects import PCAP, Dialect
from ..isa.program import Program
from .arguments import route_pairs, with_checks
from .bound_filter import Filter, bind_filters, is_native_chosen
from .capture_programs import compile_for_interface
from .run import FilterRun, Progress, Sink
from .sources import as_sources, open_readers, total_size
from .summary import Summary
from .targets import TargetChoice, choose_targets, open_targets, require_different

if TYPE_CHECKING:
    from .._options import EngineName
    from ..capture.sampling import Sample
    from ..capture.times import TimeLimit, TimeRange
    from ..expression.address_lists import Expression
    from .rotation import Rotation

ContainerChoice: TypeAlias = Literal["same", "pcap", "pcapng"]
"""The format of a written capture: that of the source, or one by its name."""


@with_checks("filter", "count", "rotation", "invert", "snaplen", "engine", "dialect", "as_socket", "progress")
def filter_capture(
    source: Source | Iterable[Source],
    target: Target,
    filter: Filter,
    *,
    container: ContainerChoice = "same",
    compress: str | None = None,
    count: int | None = None,
    rotation: "Rotation | None" = None,
    invert: bool = False,
    since: "TimeLimit | None" = None,
    until: "TimeLimit | None" = None,
    sample: int | None = None,
    seed: int = 0,
    snaplen: int | None = None,
    engine: "EngineName" = "auto",
    dialect: Dialect = PCAP,
    as_socket: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Copy the packets that a filter accepts from one or more captures to a target.

    An expression accepts the packets that `tcpdump --nano -O -r` accepts. Records are copied unchanged: the container,
    byte order and time resolution remain those of the source, as do all blocks of a pcapng that hold no packet. The
    filter runs on packets of each link type; an expression is compiled for each link type that a packet has. If it does
    not fit a link type, as `vlan` does not fit a loopback interface, the packets of that link type do not match, with
    an `ExpressionWarning`; it is an error if the expression fits no interface of the sources.

    Several sources are read one after another. If all of them are pcaps, they must have one link type, and the header
    of the target suits the packets of all. Otherwise the target is a pcapng with their sections.

    While a large file is filtered by the llvm engine, a process that opens it for writing waits until the run ends, at
    most 45 seconds (Linux, `/proc/sys/fs/lease-break-time`).

    Args:
        source: A path, "-" for standard input, a binary file object, or several of these.
        target: A path, "-" for standard output, a binary file object, or None to count only. A path is replaced at
            the end of the run, so it may be a source.
        filter: An expression (an `Expression` if it has lists; an empty one fits unknown link types as well), a
            program, a savefile (packets of other link types do not match), or a VM, which determines its own engine and
            dialect.
        container: The format of the target: "same", "pcap" or "pcapng". A pcap made from a pcapng requires one link
            type among the accepted packets. It has nanoseconds if an interface described before the first accepted
            packet has a resolution finer than microseconds; times finer than nanoseconds are truncated.
        compress: The compression of the target: "zstd", "gzip", "lz4", "xz" or "bzip2", with a level after a colon as
            in "zstd:3" (zstd -7 to 22, gzip and bzip2 1 to 9, lz4 1 to 12, xz 0 to 9), or "none". By default, the
            suffix of its file name decides (.zst, .gz, .lz4, .xz or .bz2), and a compressed source that the target
            replaces keeps its compression. The output is a sequence of frames that can be decompressed separately:
            blocks of at most 64 KiB (BGZF) for gzip, otherwise 8 to 24 MiB that end with a record. They are
            compressed by up to four threads.
        count: Stop after this number of accepted packets, 1 to 2**63 - 1; None: no limit.
        rotation: Write one file after another, with names made from *target*, which must be a path. Each file appears
            when it is complete, and after an error those before it remain. None of them may be a source.
        invert: Copy the packets that do not match instead.
        since: Copy only packets with this time or a later one, in the forms of `read_capture`. Times relative to the
            first packet are relative to that of each source.
        until: Copy only packets with an earlier time, in the same forms.
        sample: Copy only about one in this number of the packets, 1 to 2**32 - 1. They are chosen at random by their
            numbers in each source, so runs with other filters choose the same packets.
        seed: Another choice of packets, 0 to 2**64 - 1.
        snaplen: Write only this number of bytes of each packet, 1 to 262,144, and its length on the wire. The filter
            and the counts have all bytes captured. Larger snapshot lengths of the source become this one. Options of
            packets, such as comments, are preserved where the target has the format of the source.
        engine: The execution engine. "auto" is llvm, on all cores, if it is installed and the sources are pipes or have
            16 MB or more in total, and otherwise compiled Python.
        dialect: The dialect whose rules verify and run the program.
        as_socket: Apply the filter to the view that a live packet socket would have had of each packet
            (`socket_view`), for programs written for sockets. Under LINUX, expressions are compiled for live sockets,
            as with `live=True`. The packets are copied as they were captured.
        progress: Called repeatedly with the number of bytes read of the sources, as they are stored.

    Returns:
        The counts of packets and bytes, and the duration.

    Raises:
        CaptureError: A source or the target cannot be read or written, or a packet does not fit in the format.
        DamagedCapture: A source is truncated or corrupt. Its complete packets and all other sources were filtered;
            the target is in place unless it is one of the sources, which remain unchanged; the `summary` of the
            exception has the counts.
        ExpressionError: The expression is invalid, or fits no interface (`LinkTypeError`): for pcaps before the first
            packet, otherwise at the end.
        FieldError: An argument is out of range.
        MissingLibrary: The library for the compression of the source or the target is not installed.
        VerificationError: The dialect rejects the program.

    >>> summary = filter_capture("examples/traffic.pcap", None, "tcp port 443")  # counts only
    >>> summary.packets_accepted, summary.packets_seen
    (74, 905)
    """
    if rotation is not None:
        from .rotation import rotated_path

        target = rotated_path("filter_capture.target", target, rotation)
    outputs = [_NO_OUTPUT, target] if invert else [target, _NO_OUTPUT]
    times = _time_range("filter_capture", since, until)
    chosen = _sample("filter_capture", sample, seed)
    size = UNLIMITED if snaplen is None else snaplen
    options = _RunOptions(
        container, compress, size, engine, dialect, as_socket, count, rotation, times, chosen, progress
    )
    return _filter("filter_capture", source, [filter], outputs, options)[0]


@with_checks("snaplen", "rotation", "engine", "dialect", "as_socket", "progress")
def split_capture(
    source: Source | Iterable[Source],
    routes: Mapping[str, Target] | Iterable[tuple[Filter, Target]],
    *,
    rest: Target = None,
    since: "TimeLimit | None" = None,
    until: "TimeLimit | None" = None,
    sample: int | None = None,
    seed: int = 0,
    snaplen: int | None = None,
    container: ContainerChoice = "same",
    compress: str | None = None,
    rotation: "Rotation | None" = None,
    engine: "EngineName" = "auto",
    dialect: Dialect = PCAP,
    as_socket: bool = False,
    progress: Progress | None = None,
) -> list[Summary]:
    """Copy the packets that each filter accepts to a target of its own, in one pass over the sources.

    A packet goes to every target whose filter accepts it. Everything else is as documented for `filter_capture`.

    Args:
        source: A path, "-" for standard input, a binary file object, or several of these.
        routes: Filters and their targets, as a mapping or as pairs; the targets must differ.
        rest: The target of the packets that no filter accepts; None: these packets are not written.
        since: Copy only packets with this time or a later one to any target.
        until: Copy only packets with an earlier time to any target.
        sample: Copy only about one in this number of the packets to any target.
        seed: Another choice of packets.
        snaplen: Write only this number of bytes of each packet to any target.
        container: The format of the targets: "same", "pcap" or "pcapng".
        compress: The compression of the targets; None: the one that the file name of each requires. More than 32
            targets have smaller frames, so that 256 MiB of memory suffice for those that are incomplete.
        rotation: Write one file after another for each target, which must be a path, or None. Each target begins
            another file by itself, and the run ends when all targets have their last file.
        engine: The execution engine.
        dialect: The dialect whose rules verify and run the programs.
        as_socket: Apply the filters to the view that a live packet socket would have had of each packet.
        progress: Called repeatedly with the number of bytes read of the sources, as they are stored.

    Returns:
        A summary for each route, and a last one for the rest.

    Raises:
        CaptureError: A source or target cannot be read or written, a packet does not fit in the format, or two routes
            have the same target, or the same file in a rotation.
        DamagedCapture: A source is truncated or corrupt; the `summaries` of the exception have the counts.
        ExpressionError: An expression is invalid, or fits no interface.
        FieldError: An argument is out of range, or *routes* is empty.
        MissingLibrary: The library for the compression of a source or a target is not installed.
        VerificationError: The dialect rejects a program.

    >>> arp, tcp, rest = split_capture("examples/traffic.pcap", {"arp": None, "tcp": None})  # counts only
    >>> arp.packets_accepted, tcp.packets_accepted, rest.packets_accepted
    (18, 480, 407)
    """
    pairs = route_pairs("split_capture.routes", routes)
    targets: list[Target] = [target for _, target in pairs] + [rest]
    if rotation is not None:
        from .rotation import rotated_paths

        places = ["split_capture.routes"] * len(pairs) + ["split_capture.rest"]
        targets = rotated_paths(list(zip(places, targets, strict=True)), rotation)
    require_different(targets)
    times = _time_range("split_capture", since, until)
    chosen = _sample("split_capture", sample, seed)
    size = UNLIMITED if snaplen is None else snaplen
    options = _RunOptions(
        container, compress, size, engine, dialect, as_socket, None, rotation, times, chosen, progress
    )
    return _filter("split_capture", source, [filter for filter, _ in pairs], list(targets), options)


class _RunOptions(NamedTuple):
    """The options of `filter_capture` and `split_capture`; *limit* is the number of packets to accept."""

    container: ContainerChoice
    compress: str | None
    snaplen: int
    engine: "EngineName"
    dialect: Dialect
    as_socket: bool
    limit: int | None
    rotation: "Rotation | None"
    times: "TimeRange | None"
    sample: "Sample | None"
    progress: Progress | None


def _time_range(caller: str, since: "TimeLimit | None", until: "TimeLimit | None") -> "TimeRange | None":
    if since is None and until is None:
        return None
    from ..capture.times import time_range

    return time_range(caller, since, until)


def _sample(caller: str, interval: int | None, seed: int) -> "Sample | None":
    if interval is None and seed == 0:
        return None
    from ..capture.sampling import checked_sample

    return checked_sample(caller, interval, seed)


def _filter(
    caller: str, source: Source | Iterable[Source], filters: list[Filter], targets: list[object], options: _RunOptions
) -> list[Summary]:
    """Filter captures, and return a summary for each target except _NO_OUTPUT.

    *targets* has one for each filter, and a last one for the packets that no filter accepts.
    """
    format_name = _format_name(options.container, caller)
    sources = as_sources(source, caller)
    used = [target for target in targets if target is not _NO_OUTPUT]
    choices = choose_targets(used, options.compress)
    with open_readers(sources, format_name) as readers:
        writers = [_make_writer(target, readers, format_name, options.snaplen) for target in targets]
        size = total_size(sources)
        is_native = is_native_chosen(filters, options.engine, size)
        bound_filters = bind_filters(
            filters, options.engine, options.dialect, size, is_native=is_native, as_socket=options.as_socket
        )
        for bound_filter in bound_filters:
            bound_filter.prepare(readers)
        with _open_sinks(list(filter(None, writers)), choices, sources, readers, options.rotation) as used_sinks:
            remaining = iter(used_sinks)
            run = FilterRun(
                bound_filters,
                [None if writer is None else next(remaining) for writer in writers],
                limit=options.limit,
                native=is_native,
                times=options.times,
                sample=options.sample,
                progress=options.progress,
            )
            return run.filter(readers)


@contextmanager
def _open_sinks(
    writers: list[RecordWriter],
    choices: list[TargetChoice],
    sources: list[Source],
    readers: list[CaptureReader],
    rotation: "Rotation | None",
) -> Iterator[list[Sink]]:
    """Open the targets, and yield a sink for each writer."""
    if rotation is None:
        compressions = [reader.compression for reader in readers]
        with open_targets(choices, sources, compressions) as outputs:
            yield [Sink(writer, output) for writer, output in zip(writers, outputs, strict=True)]
        return
    from .rotation import rotating_sinks

    with rotating_sinks(writers, choices, sources, readers, rotation) as sinks:
        yield sinks


_NO_OUTPUT: Final = object()  # the target of packets that are neither written nor counted


def _make_writer(
    target: object, readers: list[CaptureReader], format_name: str | None, snaplen: int
) -> RecordWriter | None:
    """Return the writer for a target, or None for _NO_OUTPUT."""
    if target is _NO_OUTPUT:
        return None
    if target is None:
        return NullWriter()
    return make_writer([(reader.name, reader.container) for reader in readers], format_name, snaplen)


def _format_name(container: ContainerChoice, caller: str) -> str | None:
    """Return the name of the output format, or None for that of the sources."""
    if container == "same":
        return None
    names = format_names()
    if container not in names:
        raise FieldError(f"{caller}.container: {container!r} is not one of {('same', *names)}")
    return container


@with_checks("capture", "interface", "dialect")
def compile_for_capture(
    expression: "str | Expression",
    capture: CaptureReader,
    *,
    interface: int = 0,
    dialect: Dialect = PCAP,
    names: Resolver | None = SYSTEM_NAMES,
) -> Program:
    """Compile an expression for the packets of a capture.

    The program is for the link type, byte order and snapshot length of one interface. It is optimised for *dialect*,
    as `compile` does.

    Args:
        expression: The expression; an `Expression` if it has lists.
        capture: The capture; it is read until it describes an interface, and no packet is lost.
        interface: The index of the interface in `capture.interfaces`; a pcap has one interface.
        dialect: The dialect under which the program will run.
        names: The source of the names in the expression, as for `compile`.

    Returns:
        The program.

    Raises:
        CaptureError: The capture has not described such an interface.
        ExpressionError: The expression is invalid, or tests properties that only a live device has, such as `inbound`
            on Ethernet.

    >>> from cbpf import read_capture
    >>> with read_capture("examples/traffic.pcap") as capture:
    ...     len(compile_for_capture("arp", capture))
    4
    """
    capture.look_ahead()
    if not 0 <= interface < len(capture.interfaces):
        fact = f"has described {len(capture.interfaces)} interfaces so far"
        raise CaptureError(f"{capture.name}: {fact}; interface {interface}, counted from 0, is not among them")
    return compile_for_interface(expression, capture.interfaces[interface], dialect, Lookups(names))
