"""The main job: an expression or a program over captures, keeping the records that it accepts."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

from .capture.output import Target, Write, open_output
from .capture.pcap import Header, Record, encode, merged_header
from .capture.reader import CaptureReader, Source
from .dialects import PCAP, Dialect
from .errors import CaptureError, DamagedCapture, FieldError
from .expression import compile, require_packet_only
from .fields import within
from .program import Instructions, Program
from .vm import VM, EngineName

_check_count: Final = within(1, 2**63 - 1, "a number of packets")


class Summary(NamedTuple):
    """What a filter saw and kept: packets, captured bytes (without headers), and how long it took."""

    packets_seen: int
    packets_kept: int
    bytes_seen: int
    bytes_kept: int
    seconds: float


class _Tally:
    """The counts of a filter at work."""

    def __init__(self, count: int | None) -> None:
        self.started = time.perf_counter()
        self.packets_seen = self.packets_kept = self.bytes_seen = self.bytes_kept = 0
        self.wanted = count

    @property
    def full(self) -> bool:
        return self.packets_kept == self.wanted

    def summary(self) -> Summary:
        seconds = time.perf_counter() - self.started
        return Summary(self.packets_seen, self.packets_kept, self.bytes_seen, self.bytes_kept, seconds)


def filter_capture(
    source: Source | Sequence[Source],
    target: Target,
    filter: str | Instructions,
    *,
    count: int | None = None,
    invert: bool = False,
    engine: EngineName = "auto",
    dialect: Dialect = PCAP,
) -> Summary:
    """Copies the packets that *filter* accepts from *source* to *target*; records are copied as they are.

    An expression keeps what `tcpdump --nano -O -r` keeps; the header, byte order and time resolution stay
    those of the source. Several sources are read one after the other and must have one link type; where
    their headers differ, the target's holds the packets of all without loss.

      target: a path, "-" for standard output, a binary file object, or None to count only. A path is replaced
        when all is done, so it may be a source.
      count: stop when so many packets were kept. invert: keep the others.

    Raises `CaptureError`, `ExpressionError`, `VerificationError`; and `DamagedCapture` if a source is cut
    short: then its whole packets were filtered, and the target is in place. Its `summary` tells them.
    """
    if count is not None:
        _check_count("filter_capture.count", count)
    tally = _Tally(count)
    with ExitStack() as stack:
        readers = [stack.enter_context(CaptureReader(one)) for one in _as_sources(source)]
        header = _common_header(readers)
        virtual_machine = VM(_program(filter, header), engine=engine, dialect=dialect)
        write = stack.enter_context(open_output(target))
        try:
            write(header.data)
            for reader in readers:
                _filter(reader, header, virtual_machine, invert, tally, write)
        except DamagedCapture as damage:
            damage.summary = tally.summary()
            raise
    return tally.summary()


def _as_sources(source: Source | Sequence[Source]) -> list[Source]:
    sources = list(source) if isinstance(source, list | tuple) else [source]
    if not sources:
        raise FieldError("filter_capture.source: is empty; name at least one capture")
    return sources  # type: ignore[return-value]


def _common_header(readers: list[CaptureReader]) -> Header:
    first = readers[0]
    for other in readers[1:]:
        if other.link_type != first.link_type:
            raise CaptureError(
                f"{other.name}: link type {other.link_type.name} is not {first.link_type.name}, that of {first.name};"
                " one pcap has one link type"
            )
    return merged_header([reader.header for reader in readers])


def _program(filter: str | Instructions, header: Header) -> Program:
    if not isinstance(filter, str):
        return Program(filter)
    program = compile(filter, link_type=header.link_type, snaplen=header.snaplen, netmask=0)
    require_packet_only(filter, program)
    return program


def _filter(
    reader: CaptureReader, header: Header, virtual_machine: VM, invert: bool, tally: _Tally, write: Write
) -> None:
    """Filters one capture, chunk by chunk; what a chunk holds is written before the next is read."""
    for buffer, records in reader.chunks():
        if tally.full:
            return
        kept = list(_kept(buffer, records, virtual_machine, invert, tally))
        if kept:
            write(b"".join(_encoded(kept, buffer, reader.header, header)))


def _kept(buffer: bytes, records: list[Record], virtual_machine: VM, invert: bool, tally: _Tally) -> Iterator[Record]:
    match = virtual_machine.match
    for record in records:
        _, data_start, data_end, _, wire_length = record
        tally.packets_seen += 1
        tally.bytes_seen += data_end - data_start
        if (match(buffer[data_start:data_end], wire_length) == 0) is invert:
            tally.packets_kept += 1
            tally.bytes_kept += data_end - data_start
            yield record
            if tally.full:
                return


def _encoded(kept: Iterable[Record], buffer: bytes, source: Header, target: Header) -> Iterator[bytes]:
    for record in kept:
        if source.layout == target.layout and record.data_end == record.end:
            yield buffer[record.start : record.end]
        else:
            yield encode(record, buffer, source.layout, target.layout)
