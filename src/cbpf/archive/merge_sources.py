"""The objects of a merge: their first packets, and the batches of their packets."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from operator import sub

from .._named_tuple import NamedTuple
from .._text import counted
from .._typing import TYPE_CHECKING, Any, Final
from ..capture.base import Container
from ..capture.merging import TimedBatch, count_descents
from ..capture.packets import PacketColumns, items_of
from ..capture.reader import CaptureReader
from ..errors import ArchiveError, CaptureError, DamagedCapture
from ..filtering.selection import selected_columns
from .attempts import ObjectReplaced
from .listing import Object
from .report import ObjectProblem
from .stores import Store
from .tasks import fact_of

if TYPE_CHECKING:
    from ..capture.source_stream import Source
    from ..capture.times import TimeBounds
    from ..filtering.bound_filter import BoundFilter

_HEAD_SIZE: Final = 1 << 18  # bytes of an object that are read for its first packet
_MAX_WHOLE_SIZE: Final = 1 << 23  # bytes of an object that is read at once; many may be open


class ObjectHead(NamedTuple):
    """The beginning of an object: the state of its capture there, and the time of its first packet, if it has one."""

    object: Object
    container: Container
    first_ns: int | None


class MergeSelection(NamedTuple):
    """The packets to merge: those that a filter accepts, and those of a period; None: all."""

    filter: BoundFilter | None
    bounds: TimeBounds | None
    is_native: bool


def object_head(store: Store, item: Object) -> ObjectHead:
    """Return the beginning of an object.

    Raises `ArchiveError` if the store does not return it, and `CaptureError` if it is not a capture, or if it is
    damaged before its first packet.
    """
    location = store.locate(item.path)
    if not location.is_local and item.size > _HEAD_SIZE:
        head = io.BytesIO(store.read_begin(item.path, _HEAD_SIZE))
        head.name = item.path
        with suppress(DamagedCapture), CaptureReader(head) as reader:
            first_ns = reader.first_time_ns()
            if first_ns is not None:
                return ObjectHead(item, reader.container, first_ns)
    with store.open(item, max_whole=_MAX_WHOLE_SIZE) as source, CaptureReader(source) as reader:
        return ObjectHead(item, reader.container, reader.first_time_ns())


Convert = Callable[[CaptureReader, PacketColumns], list[Any]]
"""Returns an item for each packet of some columns."""


class MergeSource:
    """An object of a merge, which is read while the packets of its period are merged."""

    def __init__(self, store: Store, item: Object, selection: MergeSelection, convert: Convert) -> None:
        self.object = item
        self.packets = 0
        self.selected = 0
        self.problems: list[ObjectProblem] = []
        self.reader: CaptureReader | None = None
        self._store = store
        self._selection = selection
        self._convert = convert
        self._descents = 0

    def batches(self) -> Iterator[TimedBatch]:
        """Yield the selected packets; afterwards `problems` has the problems of the object."""
        try:
            with ExitStack() as stack:
                try:
                    yield from self._read(stack)
                except CaptureError as error:
                    is_damaged = isinstance(error, DamagedCapture)
                    self._add("damaged" if is_damaged else "foreign", fact_of(error, self.object))
        except ObjectReplaced as error:
            self._add("replaced", fact_of(error, self.object))
        except ArchiveError as error:
            self._add("unreadable", fact_of(error, self.object))
        if self._descents:
            fact = f"{counted(self._descents, 'packet')} earlier than the one before; the order is unchanged"
            self._add("unsorted", fact)

    def _add(self, status: Any, message: str) -> None:
        self.problems.append(ObjectProblem(self.object.path, status, message))

    def _read(self, stack: ExitStack) -> Iterator[TimedBatch]:
        source = stack.enter_context(_unmapped(self._store, self.object))
        self.reader = reader = stack.enter_context(CaptureReader(source))
        last_ns: int | None = None
        for columns in stack.enter_context(closing(self._columns(reader))):
            self.packets = reader.packets_read
            times = items_of(columns.times_ns)
            if times:
                self._descents += count_descents(times if last_ns is None else [last_ns, *times])
                last_ns = times[-1]
                self.selected += len(times)
                yield TimedBatch(times, self._convert(reader, columns))
        self.packets = reader.packets_read

    def _columns(self, reader: CaptureReader) -> Generator[PacketColumns, None, None]:
        accept, bounds, is_native = self._selection
        if accept is None:
            yield from reader.columns(is_native=is_native)
            return
        with closing(selected_columns(reader, [accept], bounds, is_native=is_native)) as results:
            for (columns,) in results:
                yield columns


@contextmanager
def _unmapped(store: Store, item: Object) -> Iterator[Source]:
    """Open an object whose bytes are read piece by piece, so that many can be open; a file is not mapped."""
    with store.open(item, max_whole=_MAX_WHOLE_SIZE) as source:
        if not isinstance(source, str):
            yield source
            return
        with open(source, "rb", buffering=0) as file:
            yield file


def copied_records(reader: CaptureReader, columns: PacketColumns) -> list[bytes]:
    """Return the records of packets of a pcap."""
    starts, ends = items_of(columns.starts), items_of(columns.ends)
    header_size = reader.container.packet_offset(timed=True)
    fetch = columns.source.fetch()
    begins = [start - header_size for start in starts]
    if max(map(sub, ends, starts)) >= reader.container.interfaces[0].snaplen:
        ends = [_record_end(reader.container, fetch, begin, header_size) for begin in begins]
    if 2 * (sum(ends) - sum(begins)) < ends[-1] - begins[0]:  # few of the packets
        return list(map(fetch, map(slice, begins, ends)))
    base = begins[0]
    data = fetch(slice(base, ends[-1]))
    return list(map(data.__getitem__, map(slice, [begin - base for begin in begins], [end - base for end in ends])))


def _record_end(container: Container, fetch: Callable[[slice], bytes], begin: int, header_size: int) -> int:
    """Return the end of a record, whose packet may be longer than the snapshot length."""
    needed = container.needed_size(fetch(slice(begin, begin + header_size)))
    return begin + needed


def packets_of(mapping: Callable[[CaptureReader], list[int]]) -> Convert:
    """Return a function for packets with the interfaces of the output; *mapping* returns those of a capture."""

    def convert(reader: CaptureReader, columns: PacketColumns) -> list[Any]:
        packets = [packet for piece in columns.pieces() for packet in piece]
        interfaces = mapping(reader)
        if interfaces == list(range(len(interfaces))):
            return packets
        return [packet._replace(interface=interfaces[packet.interface]) for packet in packets]

    return convert
