"""Reading a capture by machine code: the native scanner runs on the file or the buffer of a capture."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing

from ..._named_tuple import NamedTuple
from ..._typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias, TypeVar
from ...packet.buffers import address_of
from ..base import Interface, Section, packet_count
from ..mapped_file import MappedFile
from ..packets import BufferSource, ColumnSource, NativeFunctions, PacketColumns, columns_within
from .abi import MAX_LANES
from .format_code import ScanOutput
from .output_memory import AcceptedColumns
from .scanner import ScannedRecords, Scanner, ScanPlan, scan_file

if TYPE_CHECKING:
    from ..reader import CaptureReader, Chunk
    from ..sampling import Sample
    from ..times import TimeBounds
    from .extents import RangeMemory

_MIN_WINDOW: Final = 1 << 21  # minimum size in bytes of the window of a scanner for buffers
_MIN_LANES_SIZE: Final = 1 << 20  # bytes of a buffer from which several lanes are faster; smaller ones are cached
_MIN_CHUNK_SIZE: Final = 1 << 12  # bytes that Python reads between native scans
_MAX_CHUNK_SIZE: Final = 1 << 20

_Result = TypeVar("_Result")


class PacketClasses(NamedTuple):
    """The class of each interface of a section, and the addresses of the machine code of each filter for each class.

    A class is a number, or `abi.UNREADY_CLASS` for packets that Python is to read.
    """

    classes: bytes
    matches: tuple[tuple[int, ...], ...]


Classify: TypeAlias = Callable[[Sequence[Interface]], PacketClasses | None]
"""Returns the classes of the interfaces of a section, or None if Python is to read all their packets."""


def all_packets(interfaces: Sequence[Interface]) -> PacketClasses | None:
    """Return the classes for a scan without filters, whose only output has all packets."""
    return PacketClasses(bytes(len(interfaces)), ()) if interfaces else None


class _PlanKey(NamedTuple):
    """The state that a plan depends on, apart from the filters; a change requires a new plan."""

    section: Section
    interfaces: Sequence[Interface]
    classes: PacketClasses


class NativeRun:
    """The reading of a capture by machine code, as far as the scanner handles its records; a context manager.

    The scanner runs on the file if `CaptureReader.descriptor` returns one, and otherwise on the bytes that the reader
    has buffered. *collects* has a flag for each filter, and a last one for the packets that no filter accepts: whether
    they are collected for *output*. *stops_early* avoids work far ahead of the current record.
    """

    def __init__(
        self,
        reader: "CaptureReader",
        classify: Classify,
        collects: Sequence[bool],
        output: ScanOutput,
        *,
        stops_early: bool,
    ) -> None:
        self._reader = reader
        self._classify = classify
        self._collects = collects
        self._output = output
        self._starts_small = stops_early
        self._stopped = False
        self._file: MappedFile | None = None
        self._stack = ExitStack()
        self._reads_ahead = False
        self._plan: ScanPlan | None = None
        self._plan_key: _PlanKey | None = None
        self._scanner: Scanner | None = None
        self._range_memory: RangeMemory | None = None
        self._scanned_buffer = memoryview(b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def results(
        self, read_chunk: "Callable[[Chunk], Iterator[_Result]]", take: Callable[[ScannedRecords], bool]
    ) -> "Generator[ScannedRecords | _Result, None, None]":
        """Yield the results of machine code and of Python for all records, in their order.

        Machine code reads the records up to one that it does not handle, and *read_chunk* yields the results of a chunk
        that begins with that record. If the scan covered enough bytes to be worth its start, a record of which only a
        part was read is completed for another scan, and any other record is a chunk of its own. After shorter scans, a
        chunk is about twice as large as the previous one, so that frequent records of this kind do not require a scan
        each. *take* is called with each result of machine code before it is yielded; if it returns False, that result
        is dropped, and Python reads these records and all further ones.
        """
        chunk_size = 0  # in bytes; 0: a single record
        while True:
            size = 0
            with closing(self.scan()) as results:
                for scanned in results:
                    result = self._prepared(scanned)
                    if not take(result):
                        self._stopped = True
                        break
                    self.advance(result)
                    size += result.bytes
                    yield result
            is_long = size >= self._min_bytes
            if is_long and self._completes_record():
                continue
            chunk_size = 0 if is_long else min(2 * chunk_size + _MIN_CHUNK_SIZE, _MAX_CHUNK_SIZE)
            chunk = self._reader.read_chunk(chunk_size)
            if chunk is None:
                return
            yield from read_chunk(chunk)

    def _prepared(self, result: ScannedRecords) -> ScannedRecords:
        """Return the packets of a result that are in the sample, if there is one; extents are prepared to be copied."""
        has_extents = self._output.kind == "extents"
        if self._output.sample is not None:
            from .sampler import sampled

            result = sampled(self._output.sample, result, self._reader.packets_read, has_extents=has_extents)
        if has_extents:
            from .extents import RangeMemory, with_extents

            self._range_memory = self._range_memory or RangeMemory()
            result = with_extents(result, self._range_memory)
        return result

    def _completes_record(self) -> bool:
        """Complete a buffered record of which only a part was read; return whether more bytes were read."""
        return self._file is None and not self._stopped and self._reader.complete_record()

    @property
    def _min_bytes(self) -> int:
        """The number of bytes that a scan should cover to be worth its start."""
        return 1 << 20 if self._file is not None else 1 << 13

    def columns(self, result: ScannedRecords, output: int, before: int) -> PacketColumns:
        """Return the packets of an output; *before* is the number of packets in the capture before this result."""
        from .data_copier import append_data
        from .packet_maker import native_pieces

        accepted = result.accepted[output]
        assert isinstance(accepted, AcceptedColumns)
        columns = PacketColumns(
            self._source_of(result),
            before,
            **{"times_ns": (), "numbers": (), "timed": (), **accepted.columns},
            comments_in=self._reader.container.comments_in,
            native=NativeFunctions(native_pieces, append_data),
        )
        sizes = accepted.columns.get("option_sizes", memoryview(b""))
        return columns._replace(option_sizes=()) if sizes.tobytes() == bytes(sizes.nbytes) else columns

    def _source_of(self, result: ScannedRecords) -> ColumnSource:
        if result.memory is None and self._file is not None:
            return self._file
        return BufferSource(self._scanned_buffer if result.memory is None else result.memory, result.origin)

    def scan(self) -> Generator[ScannedRecords, None, None]:
        """Yield results from the current record on, up to one that the scanner does not handle, or the end.

        The caller must `advance` past each result before it requests the next. A scan of buffered bytes yields one
        result at most.
        """
        if self._stopped:
            return
        if self._file is None and (descriptor := self._reader.descriptor()) is not None:
            self._file = self._stack.enter_context(MappedFile(descriptor, self._reader.name))
        plan = self._current_plan()
        if plan is None:
            return
        if self._file is not None:
            starts_small, self._starts_small = self._starts_small, True  # a later scan may end soon again
            with closing(scan_file(self._file, self._reader.position, plan, starts_small=starts_small)) as results:
                yield from results
            return
        if not self._reads_ahead:
            self._reads_ahead = True
            self._stack.enter_context(self._reader.reading_ahead())
        if self._reader.buffer:
            yield from self._scan_buffer(plan)

    def _scan_buffer(self, plan: ScanPlan) -> Generator[ScannedRecords, None, None]:
        self._scanned_buffer = buffer = self._reader.buffer
        if self._scanner is None or len(buffer) > self._scanner.window:
            self._scanner = Scanner(plan, max(len(buffer), _MIN_WINDOW))
        lanes = MAX_LANES if len(buffer) >= _MIN_LANES_SIZE else 1
        settings = self._reader.container.scan_settings(self._next_record())
        with address_of(buffer) as address:
            result = self._scanner.scan(address, 0, len(buffer), len(buffer), lanes=lanes, settings=settings)
            assert result is not None  # it begins at a known boundary
            if result.position:
                yield result

    def advance(self, result: ScannedRecords) -> None:
        """Advance the reader past the records of a result."""
        if self._file is not None:
            self._reader.advance_to(result.position, result.packets)
        else:
            self._reader.advance(result.position, result.packets)

    def _current_plan(self) -> ScanPlan | None:
        """Return the plan for the next records, or None if only Python can read them."""
        container = self._reader.container
        interfaces = tuple(container.section_interfaces)
        classes = self._classify(interfaces)
        if classes is None:
            return None
        key = _PlanKey(container.sections[-1], interfaces, classes)
        if self._plan is None or key != self._plan_key:
            native_scan = container.native_scan(self._next_record(), self._output)
            if native_scan is None:
                return None
            self._plan = ScanPlan(
                *native_scan, classes.classes, interfaces, classes.matches, self._collects, self._output
            )
            self._plan_key, self._scanner = key, None
        return self._plan

    def _next_record(self) -> bytes:
        """Return the start of the next record."""
        if self._file is None:
            return self._reader.buffer[:16].tobytes()
        return self._file.peek(self._reader.position, 16)


def all_columns(
    reader: "CaptureReader",
    kind: Literal["packets", "inputs", "records"] = "packets",
    bounds: "TimeBounds | None" = None,
    sample: "Sample | None" = None,
) -> Generator[PacketColumns, None, None]:
    """Yield the remaining packets in the bounds and the sample as columns, each valid until the next is requested.

    With "inputs", those that machine code read have only the columns that filters need. With "records", they have a row
    for each record without a packet (`abi.NO_INTERFACE`).
    """
    before = 0

    def read_chunk(chunk: "Chunk") -> Iterator[PacketColumns]:
        nonlocal before
        yield columns_within(reader.container, chunk.buffer, chunk.records, before, bounds, sample)
        before += packet_count(chunk.records)

    with (
        NativeRun(reader, all_packets, [True], ScanOutput(kind, bounds, sample), stops_early=True) as native,
        closing(native.results(read_chunk, lambda result: True)) as results,
    ):
        for result in results:
            if isinstance(result, ScannedRecords):
                yield native.columns(result, 0, before)
                before += result.packets
            else:
                yield result
