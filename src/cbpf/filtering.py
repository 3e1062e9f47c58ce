"""The main job: an expression or a program over captures, keeping the records that it accepts."""

import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Final, TypeAlias

from .capture.output import Target, Write, open_output
from .capture.pcap import Header, Record, encode, file_header, merged_header
from .capture.reader import CaptureReader, Source
from .dialects import PCAP, Dialect
from .errors import CaptureError, DamagedCapture, ExpressionWarning, FieldError
from .expression import compile_for
from .fields import within
from .formats import Savefile
from .libpcap import Handle
from .link_types import LinkType, link_type_by_dlt
from .program import Instructions, Program
from .socket_view import socket_view
from .summary import Summary
from .vm import VM, EngineName

_check_count: Final = within(1, 2**63 - 1, "a number of packets")


Match: TypeAlias = Callable[[bytes, int], int]
"""(packet, wire length) -> verdict."""


class _Tally:
    """The counts of a filter at work."""

    def __init__(self, wanted: int | None) -> None:
        self.started = time.perf_counter()
        self.packets_seen = self.packets_kept = self.bytes_seen = self.bytes_kept = 0
        self.wanted = wanted

    @property
    def is_full(self) -> bool:
        return self.packets_kept == self.wanted

    def add(self, seen: list[Record], kept: list[Record]) -> None:
        self.packets_seen += len(seen)
        self.packets_kept += len(kept)
        self.bytes_seen += _captured_bytes(seen)
        self.bytes_kept += _captured_bytes(kept)

    def summary(self) -> Summary:
        seconds = time.perf_counter() - self.started
        return Summary(self.packets_seen, self.packets_kept, self.bytes_seen, self.bytes_kept, seconds)


def _captured_bytes(records: list[Record]) -> int:
    return sum([data_end - data_start for _, data_start, data_end, _, _ in records])


def filter_capture(
    source: Source | Iterable[Source],
    target: Target,
    filter: str | Instructions | Savefile | VM,
    *,
    count: int | None = None,
    invert: bool = False,
    engine: EngineName = "auto",
    dialect: Dialect = PCAP,
    as_socket: bool = False,
) -> Summary:
    """Copies the packets that *filter* accepts from *source* to *target*; records are copied as they are.

    An expression keeps what `tcpdump --nano -O -r` keeps; the header, byte order and time resolution stay
    those of the source. Several sources are read one after the other and must have one link type; where
    their headers differ, the target's holds the packets of all without loss.

      target: a path, "-" for standard output, a binary file object, or None to count only. A path is replaced
        when all is done, so it may be a source.
      filter: an expression, a program, a savefile (its link type must be that of the source), or a VM, which
        brings its own engine and dialect.
      count: stop when so many packets were kept. invert: keep the others.
      as_socket: the filter sees each packet as a live packet socket would have (`socket_view`); for programs that
        were made for one. What is kept stays as it was captured.

    Raises `CaptureError`, `ExpressionError`, `VerificationError`; and `DamagedCapture` if a source is cut
    short: then its whole packets and all other sources were filtered, the target is in place unless it is one of
    the sources, which stay as they were, and the error's `summary` tells the counts.
    """
    if count is not None:
        _check_count("filter_capture.count", count)
    sources = _as_sources(source)
    tally = _Tally(count)
    damages: list[DamagedCapture] = []
    with ExitStack() as stack:
        readers = [stack.enter_context(_reader(one, park=len(sources) > 1)) for one in sources]
        header = _common_header(readers)
        machines = _machines(filter, readers, engine, dialect)
        in_place = any(_are_one_file(one, target) for one in sources)
        write = stack.enter_context(open_output(target, keep_damaged=not in_place))
        write(header.data)
        for reader, machine in zip(readers, machines, strict=True):
            try:
                match = _match_as_socket(machine, reader.link_type) if as_socket else machine.match
                _filter(reader, header, match, invert, tally, write)
            except DamagedCapture as damage:
                damages.append(damage)
            finally:
                reader.close()
        if damages:
            raise _all_damages(damages, tally)
    return tally.summary()


def _all_damages(damages: list[DamagedCapture], tally: _Tally) -> DamagedCapture:
    damage = DamagedCapture("; ".join(map(str, damages)))
    damage.summary = tally.summary()
    return damage


def _are_one_file(source: Source, target: Target) -> bool:
    """Whether both are paths of one existing file."""
    if not (isinstance(source, str | os.PathLike) and isinstance(target, str | os.PathLike)):
        return False
    try:
        return os.path.samefile(source, target)
    except (OSError, ValueError):
        return False


def _reader(source: Source, *, park: bool) -> CaptureReader:
    reader = CaptureReader(source)
    if park:
        reader.park()
    return reader


def _as_sources(source: Source | Iterable[Source]) -> list[Source]:
    if isinstance(source, str | os.PathLike) or hasattr(source, "read") or not isinstance(source, Iterable):
        return [source]  # type: ignore[list-item]
    sources = list(source)
    if not sources:
        raise FieldError("filter_capture.source: is empty; name at least one capture")
    return sources


def _common_header(readers: list[CaptureReader]) -> Header:
    first = readers[0]
    for other in readers[1:]:
        if other.link_type != first.link_type:
            raise CaptureError(
                f"{other.name}: link type {other.link_type.name} is not {first.link_type.name}, that of {first.name};"
                " one pcap has one link type"
            )
    return merged_header([reader.header for reader in readers])


def _machines(
    filter: str | Instructions | Savefile | VM, readers: list[CaptureReader], engine: EngineName, dialect: Dialect
) -> list[VM]:
    """A machine for each capture: what an expression compiles to may depend on its byte order."""
    if isinstance(filter, VM):
        return [filter] * len(readers)
    if isinstance(filter, bytes | bytearray):
        raise FieldError(f"filter_capture.filter: {filter!r} is bytes; an expression is text (parse reads programs)")
    if isinstance(filter, str):
        programs = [compile_for_capture(filter, reader) for reader in readers]
    elif isinstance(filter, Savefile):
        programs = [_program_for(filter, reader) for reader in readers]
    else:
        programs = [Program(filter)] * len(readers)
    machines = {program: VM(program, engine=engine, dialect=dialect) for program in set(programs)}
    return [machines[program] for program in programs]


def compile_for_capture(expression: str, capture: CaptureReader) -> Program:
    """The program of an expression for the packets of a capture: its link type, byte order and snapshot length.

    Raises `ExpressionError`, also for what only a live device knows, as `inbound` on Ethernet.
    """
    header = capture.header
    handle = Handle(header.link_type.dlt, header.snaplen, file_header(header))
    return compile_for(handle, expression, netmask=0)


def _program_for(savefile: Savefile, capture: CaptureReader) -> Program:
    """The program of a savefile, which must have been made for the capture's link type."""
    if savefile.link_type != capture.link_type.dlt:
        made_for = link_type_by_dlt(savefile.link_type).name
        raise CaptureError(
            f"{capture.name}: link type {capture.link_type.name} is not {made_for}, which the savefile was made for"
        )
    if savefile.snaplen < capture.snaplen:
        fact = f"the savefile was made for a snapshot length of {savefile.snaplen}, below {capture.snaplen}"
        warnings.warn(f"{capture.name}: {fact}; packets are kept whole", ExpressionWarning, stacklevel=4)
    return savefile.program


def _filter(reader: CaptureReader, header: Header, match: Match, invert: bool, tally: _Tally, write: Write) -> None:
    """Filters one capture, chunk by chunk; what a chunk holds is written before the next is read."""
    if tally.is_full:
        return
    for buffer, records in reader.chunks():
        kept = [record for record in records if (match(buffer[record[1] : record[2]], record[4]) == 0) is invert]
        if tally.wanted is not None and len(kept) >= tally.wanted - tally.packets_kept:
            kept = kept[: tally.wanted - tally.packets_kept]
            records = records[: records.index(kept[-1]) + 1]
        tally.add(records, kept)
        if kept:
            write(b"".join(_encoded(kept, buffer, reader.header, header)))
        if tally.is_full:
            return


def _match_as_socket(machine: VM, link_type: LinkType) -> Match:
    """The verdict that a filter on a live packet socket would have given on a captured packet."""

    def match(packet: bytes, wire_length: int) -> int:
        view = socket_view(packet, link_type, wire_length)
        return machine.evaluate(view.data, metadata=view.metadata, wire_length=view.wire_length)

    return match


def _encoded(kept: list[Record], buffer: bytes, source: Header, target: Header) -> Iterator[bytes]:
    for record in kept:
        start, _, data_end, end, _ = record
        if source.layout == target.layout and data_end == end:
            yield buffer[start:end]
        else:
            yield encode(record, buffer, source.layout, target.layout)
