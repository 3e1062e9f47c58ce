"""The main job: an expression or a program over captures, keeping the records that it accepts."""

import os
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from typing import Final, Literal, TypeAlias, get_args

from .capture.container import NO_PACKET, Interface, Record, packet_count
from .capture.output import Target, Write, open_output
from .capture.pcap import plain_header
from .capture.reader import CaptureReader
from .capture.source import Source
from .capture.writer import PcapngWriter, PcapWriter, Writer
from .dialects import PCAP, Dialect
from .errors import CaptureError, DamagedCapture, ExpressionError, ExpressionWarning, FieldError
from .expression import compile_for
from .fields import within
from .formats import Savefile
from .libpcap import Handle
from .link_types import LinkType, link_type_by_dlt
from .program import Instructions, Program
from .socket_view import socket_view
from .summary import Summary
from .vm import VM, EngineName

ContainerChoice: TypeAlias = Literal["same", "pcap", "pcapng"]
Filter: TypeAlias = str | Instructions | Savefile | VM

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
        self.packets_seen += packet_count(seen)
        self.packets_kept += packet_count(kept)
        self.bytes_seen += _captured_bytes(seen)
        self.bytes_kept += _captured_bytes(kept)

    def summary(self) -> Summary:
        seconds = time.perf_counter() - self.started
        return Summary(self.packets_seen, self.packets_kept, self.bytes_seen, self.bytes_kept, seconds)


def _captured_bytes(records: list[Record]) -> int:
    return sum([data_end - data_start for _, data_start, data_end, _, _, _ in records])


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
) -> Summary:
    """Copies the packets that *filter* accepts from *source* to *target*; records are copied as they are.

    An expression keeps what `tcpdump --nano -O -r` keeps; the container, byte order and time resolution stay those of
    the source, and of a pcapng all blocks that hold no packet. A filter runs on each link type: an expression is
    compiled for each that a packet has. Several sources are read one after the other. All pcap, they must have one
    link type; where their headers differ, the target's holds the packets of all without loss. With a pcapng among
    them, the target is a pcapng of their sections.

      target: a path, "-" for standard output, a binary file object, or None to count only. A path is replaced
        when all is done, so it may be a source.
      filter: an expression, a program, a savefile (its link type must be that of every packet), or a VM, which
        brings its own engine and dialect.
      container: "pcap" or "pcapng" to change it. A pcap of a pcapng needs one link type among the packets kept; it
        counts nanoseconds if an interface that is known when the first packet is kept is finer than microseconds, and
        what is finer than nanoseconds is cut off. A packet that does not fit is a `CaptureError`.
      count: stop when so many packets were kept. invert: keep the others.
      as_socket: the filter sees each packet as a live packet socket would have (`socket_view`); for programs that
        were made for one. What is kept stays as it was captured.

    Raises `CaptureError`, `ExpressionError`, `VerificationError`; and `DamagedCapture` if a source is cut
    short: then its whole packets and all other sources were filtered, the target is in place unless it is one of
    the sources, which stay as they were, and the error's `summary` tells the counts.
    """
    if count is not None:
        _check_count("filter_capture.count", count)
    if container not in get_args(ContainerChoice):
        raise FieldError(f"filter_capture.container: {container!r} is not one of {get_args(ContainerChoice)}")
    sources = _as_sources(source)
    tally = _Tally(count)
    damages: list[DamagedCapture] = []
    with ExitStack() as stack:
        readers = [stack.enter_context(_reader(one, container, park=len(sources) > 1)) for one in sources]
        writer = _writer(readers, container)
        matches = _Matches(filter, engine, dialect, invert=invert, as_socket=as_socket)
        for reader in readers:
            matches.prepare(reader)
        in_place = any(_are_one_file(one, target) for one in sources)
        write = stack.enter_context(open_output(target, keep_damaged=not in_place))
        write(writer.begin())
        for reader in readers:
            try:
                _filter(reader, matches, tally, writer, write)
            except DamagedCapture as damage:
                damages.append(damage)
            finally:
                reader.close()
        write(writer.end())
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


def _reader(source: Source, container: ContainerChoice, *, park: bool) -> CaptureReader:
    reader = CaptureReader(source)
    if park and container == "pcap":
        with suppress(DamagedCapture):  # which comes again in its turn
            reader.look_ahead()
    if park:
        reader.park()
    return reader


def _writer(readers: list[CaptureReader], container: ContainerChoice) -> Writer:
    is_pcap = all(reader.container.kind == "pcap" for reader in readers) if container == "same" else container == "pcap"
    return PcapWriter([(reader.name, reader.container) for reader in readers]) if is_pcap else PcapngWriter()


def _as_sources(source: Source | Iterable[Source]) -> list[Source]:
    if isinstance(source, str | os.PathLike) or hasattr(source, "read") or not isinstance(source, Iterable):
        return [source]  # type: ignore[list-item]
    sources = list(source)
    if not sources:
        raise FieldError("filter_capture.source: is empty; name at least one capture")
    return sources


class _Matches:
    """A filter at work on each interface: its program, where that depends on the link type, and its machine."""

    def __init__(self, filter: Filter, engine: EngineName, dialect: Dialect, *, invert: bool, as_socket: bool) -> None:
        if isinstance(filter, bytes | bytearray):
            message = f"{filter!r} is bytes; an expression is text (parse reads programs)"
            raise FieldError(f"filter_capture.filter: {message}")
        self._filter = filter if isinstance(filter, str | Savefile | VM) else Program(filter)
        self._engine: EngineName = engine
        self._dialect = dialect
        self._as_socket = as_socket
        self.invert = invert
        self._machines: dict[Program, VM] = {}
        self._known: dict[tuple[LinkType, str], Match] = {}

    def prepare(self, reader: CaptureReader) -> None:
        """Raises what is wrong with the filter, as far as the first interface can tell, if that is known."""
        if isinstance(self._filter, Program):
            self._machine(self._filter)
        if reader.container.interfaces:
            self.on(reader.container.interfaces[0], reader.name)

    def on(self, interface: Interface, name: str) -> Match:
        """The filter for packets of an interface; *name* is that of its capture.

        Interfaces of one link type and byte order share it: snapshot lengths change only the verdict's amount.
        """
        key = interface.link_type, interface.byte_order
        if key not in self._known:
            machine = self._filter if isinstance(self._filter, VM) else self._machine(self._program(interface, name))
            match = _match_as_socket(machine, interface.link_type) if self._as_socket else machine.match
            self._known[key] = match
        return self._known[key]

    def _machine(self, program: Program) -> VM:
        if program not in self._machines:
            self._machines[program] = VM(program, engine=self._engine, dialect=self._dialect)
        return self._machines[program]

    def _program(self, interface: Interface, name: str) -> Program:
        filter = self._filter
        if isinstance(filter, str):
            return self._compiled(filter, interface, name)
        if isinstance(filter, Savefile):
            return _program_for(filter, interface, name)
        assert isinstance(filter, Program)
        return filter

    def _compiled(self, expression: str, interface: Interface, name: str) -> Program:
        try:
            return _compile_for_interface(expression, interface)
        except ExpressionError as error:
            if not self._known:
                raise
            raise ExpressionError(f"{name}: link type {interface.link_type.name}: {error}") from None


def compile_for_capture(expression: str, capture: CaptureReader, *, interface: int = 0) -> Program:
    """The program of an expression for the packets of a capture: link type, byte order and snapshot length.

    They are those of one of its interfaces, `capture.interfaces[interface]`; a pcap has one. Raises `ExpressionError`,
    also for what only a live device knows, as `inbound` on Ethernet; and `CaptureError` for no such interface.
    """
    capture.look_ahead()
    if not 0 <= interface < len(capture.interfaces):
        fact = f"has described {len(capture.interfaces)} interfaces so far"
        raise CaptureError(f"{capture.name}: {fact}; an expression for number {interface}, counted from 0, needs it")
    return _compile_for_interface(expression, capture.interfaces[interface])


def _compile_for_interface(expression: str, interface: Interface) -> Program:
    header = plain_header(interface, nanoseconds=False)
    handle = Handle(interface.link_type.dlt, interface.snaplen, header.data)
    return compile_for(handle, expression, netmask=0)


def _program_for(savefile: Savefile, interface: Interface, name: str) -> Program:
    """The program of a savefile, which must have been made for the interface's link type."""
    if savefile.link_type != interface.link_type.dlt:
        made_for = link_type_by_dlt(savefile.link_type).name
        raise CaptureError(
            f"{name}: link type {interface.link_type.name} is not {made_for}, which the savefile was made for"
        )
    if savefile.snaplen < interface.snaplen:
        fact = f"the savefile was made for a snapshot length of {savefile.snaplen}, below {interface.snaplen}"
        warnings.warn(f"{name}: {fact}; packets are kept whole", ExpressionWarning, stacklevel=4)
    return savefile.program


def _filter(reader: CaptureReader, matches: _Matches, tally: _Tally, writer: Writer, write: Write) -> None:
    """Filters one capture, chunk by chunk; what a chunk holds is written before the next is read."""
    if tally.is_full:
        return
    container = reader.container
    write(writer.begin_source(container, reader.name))
    seen_before = tally.packets_seen
    for buffer, records in reader.chunks():
        matches.prepare(reader)
        kept = _kept(buffer, records, reader, matches)
        if tally.wanted is not None and packet_count(kept) >= tally.wanted - tally.packets_kept:
            kept = _through_packet(kept, tally.wanted - tally.packets_kept)
            records = records[: records.index(kept[-1]) + 1]
        if kept:
            place = _place(reader.name, records, tally.packets_seen - seen_before)
            write(writer.records(container, buffer, kept, place))
        tally.add(records, kept)
        if tally.is_full:
            return


def _kept(buffer: bytes, records: list[Record], reader: CaptureReader, matches: _Matches) -> list[Record]:
    """The records whose packets the filter accepts, and those without a packet."""
    invert = matches.invert
    found = {0} if reader.container.kind == "pcap" else {record[5] for record in records}
    of = {index: matches.on(reader.container.interfaces[index], reader.name) for index in found - {NO_PACKET}}
    if len(found) == 1 and of:
        (match,) = of.values()
        return [record for record in records if (match(buffer[record[1] : record[2]], record[4]) == 0) is invert]
    return [
        record
        for record in records
        if record[5] == NO_PACKET or (of[record[5]](buffer[record[1] : record[2]], record[4]) == 0) is invert
    ]


def _through_packet(records: list[Record], count: int) -> list[Record]:
    """The records up to the packet that is the *count*-th among them."""
    for end, record in enumerate(records, 1):
        count -= record[5] != NO_PACKET
        if not count:
            return records[:end]
    return records


def _place(name: str, records: list[Record], before: int) -> Callable[[Record], str]:
    """What an error calls one of these records, with *before* packets in front of the first."""

    def place(record: Record) -> str:
        return f"{name}: packet {before + packet_count(records[: records.index(record) + 1])}"

    return place


def _match_as_socket(machine: VM, link_type: LinkType) -> Match:
    """The verdict that a filter on a live packet socket would have given on a captured packet."""

    def match(packet: bytes, wire_length: int) -> int:
        view = socket_view(packet, link_type, wire_length)
        return machine.evaluate(view.data, metadata=view.metadata, wire_length=view.wire_length)

    return match
