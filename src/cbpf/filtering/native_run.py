"""Filtering by machine code: the native scanner runs on the file or the buffer of a capture."""

import ctypes
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, closing
from typing import Final, Self

from .._named_tuple import NamedTuple
from ..capture.base import Interface, Section
from ..capture.native.abi import MAX_CLASSES, UNREADY_CLASS
from ..capture.native.mapped_file import MappedFile
from ..capture.native.scanner import ScannedRecords, Scanner, ScanPlan, scan_file
from ..capture.reader import CaptureReader
from ..packet.buffers import address_of
from .bound_filter import BoundFilter
from .capture_programs import PacketKind, packet_kind

_MIN_WINDOW: Final = 1 << 21  # minimum size in bytes of the window of a scanner for buffers


class _PlanKey(NamedTuple):
    """The state that a plan depends on, apart from the filters; a change requires a new plan."""

    section: Section
    interfaces: Sequence[Interface]
    ready: int  # number of kinds of packets for which all filters have machine code


class NativeRun:
    """The filtering of a capture by machine code, as far as the scanner handles its records; a context manager.

    The scanner runs on the file if `CaptureReader.descriptor` returns one, and otherwise on the bytes that the reader
    has buffered. *collects* has a flag for each filter, and a last one for the packets that no filter accepts:
    whether a sink consumes them. *stops_early* avoids work far ahead of the current record.
    """

    def __init__(
        self, reader: CaptureReader, filters: Sequence[BoundFilter], collects: Sequence[bool], *, stops_early: bool
    ) -> None:
        self._reader = reader
        self._filters = filters
        self._collects = collects
        self._starts_small = stops_early
        self._stopped = False
        self._file: MappedFile | None = None
        self._stack = ExitStack()
        self._plan: ScanPlan | None = None
        self._plan_key: _PlanKey | None = None
        self._scanner: Scanner | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def min_bytes(self) -> int:
        """The number of bytes that a scan should cover to be worth its start."""
        return 1 << 20 if self._file is not None else 1 << 13

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
        elif self._reader.buffer:
            yield from self._scan_buffer(plan)

    def _scan_buffer(self, plan: ScanPlan) -> Generator[ScannedRecords, None, None]:
        buffer = self._reader.buffer
        if self._scanner is None or len(buffer) > self._scanner.window:
            self._scanner = Scanner(plan, max(len(buffer), _MIN_WINDOW))
        with address_of(buffer) as address:
            result = self._scanner.scan(address, 0, len(buffer), len(buffer), lanes=1)
            assert result is not None  # a single lane is always a chain
            if result.position:
                yield result

    def advance(self, result: ScannedRecords) -> None:
        """Advance the reader past the records of a result."""
        if self._file is not None:
            self._reader.advance_to(result.position, result.packets)
        else:
            self._reader.advance(result.position, result.packets)

    def stop(self) -> None:
        """Leave all further records to Python."""
        self._stopped = True

    def _current_plan(self) -> ScanPlan | None:
        """Return the plan for the next records, or None if only Python can filter them."""
        container = self._reader.container
        interfaces = tuple(container.section_interfaces)
        ready = self._ready_kinds(interfaces)
        if not ready:
            return None
        key = _PlanKey(container.sections[-1], interfaces, len(ready))
        if self._plan is None or key != self._plan_key:
            native_scan = container.native_scan(self._next_record())
            if native_scan is None:
                return None
            classes = bytes(ready.get(packet_kind(interface), UNREADY_CLASS) for interface in interfaces)
            snaplens = [interface.snaplen for interface in interfaces]
            self._plan = ScanPlan(*native_scan, classes, snaplens, self._matches(ready), self._collects)
            self._plan_key, self._scanner = key, None
        return self._plan

    def _ready_kinds(self, interfaces: Sequence[Interface]) -> dict[PacketKind, int]:
        """Return the kinds of packets for which all filters have machine code, each with the number of its class."""
        kinds = dict.fromkeys(map(packet_kind, interfaces))
        ready = [
            kind for kind in kinds if all(bound_filter.native_match(kind) is not None for bound_filter in self._filters)
        ]
        return {kind: index for index, kind in enumerate(ready[:MAX_CLASSES])}

    def _next_record(self) -> bytes:
        """Return the start of the next record of a file."""
        return b"" if self._file is None else self._file.peek(self._reader.position, 16)

    def _matches(self, kinds: Iterable[PacketKind]) -> list[list[int]]:
        """Return the address of the machine code of each filter for each kind of packets."""
        return [
            [ctypes.cast(bound_filter.native_match(kind), ctypes.c_void_p).value or 0 for kind in kinds]
            for bound_filter in self._filters
        ]
