"""The native scanner: machine code follows the records of a capture and filters them, on all cores.

A capture is a linked list: the header of each record determines the position of the next, and each access to a header
is a cache miss. So the scanner follows many chains of records at once, in lanes, and the file in windows:

    file      |     window 0      |     window 1      |     window 2      | ...     one thread per core takes every
              thread 0             thread 1             thread 0                    n-th window

    window    | lane 0 | lane 1 | lane 2 | ... | lane 15 |     the lanes advance in turn; after 128 records each, the
              o->o->o-> o->o->o-> o->o->o->                    filters run on these records while they are cached
              ^         ^         ^
              begin     guessed boundaries

    chain     lane 0 ends where lane 1 begins, lane 1 where lane 2 begins, ..., window 0 where window 1 begins, ...

Only the first record of the first window is at a known position. Every other lane and window begins at a guessed
boundary: the first position at which four plausible records follow one another. A guess is valid if the lane or window
before it ends exactly there. Otherwise the window is scanned again, with one lane or from the position where the window
before it ended. So an incorrect guess costs time but never affects the result: it is that of one scan from the start.

The scan ends before a record that it does not handle, such as a section header, a corrupt length, or a packet longer
than the snapshot length. Python reads that record, and the scan begins again after it.

`codegen` generates the code that scans one window.
"""

import ctypes
import mmap
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import MappingProxyType

from ..._named_tuple import NamedTuple
from ..._typing import TYPE_CHECKING, Any, Final, TypeAlias
from ...engines.llvm import jit
from ...engines.llvm.context import default_context, raise_interruption
from ...packet.host_order import ByteOrder
from ..base import Interface
from ..mapped_file import AnonymousMapping, MappedFile
from ..read_ahead import forked
from .abi import MAX_LANES, SCRATCH_SIZE, ScanRequest, TimeScale, column_names
from .format_code import ScanOutput
from .output_memory import AcceptedColumns, AcceptedRanges, ColumnMemory, OutputMemory, RangeMemory
from .time_scale import time_limits, time_scale

if TYPE_CHECKING:
    from .codegen import OutputCodegen
    from .extents import AcceptedExtents
    from .record_codegen import RecordCodegen

WINDOW_SIZE: Final = 1 << 24
_READ_WINDOW_SIZE: Final = 1 << 21  # of files that are not mapped: a window stays in the cache until it is scanned
_FIRST_WINDOW_SIZE: Final = 1 << 18  # if the scan may end soon
_MAX_SINGLE_WINDOW_SIZE: Final = 1 << 21  # if the scan may end soon, threads start after windows of this size


class ScanPlan(NamedTuple):
    """The parameters of all scans in a section.

    *code* is the code of `codegen` for *output*, and *settings* are fields of `ScanRequest`. *classes* and *interfaces*
    have an item for each interface of the section. *matches* has the address of the entry point `match` for each filter
    and class of packets. *collects* has a flag for each filter, and a last one for the packets that no filter accepts:
    whether the accepted records are collected.
    """

    code: jit.Code
    settings: dict[str, int]
    classes: bytes
    interfaces: Sequence[Interface]
    matches: Sequence[Sequence[int]]
    collects: Sequence[bool]
    output: ScanOutput


class ScannedRecords(NamedTuple):
    """The result of scanning the records from *first* to *position*; the next scan reuses the memory of *accepted*.

    Positions of packets in columns are counted from address *origin*, which is that of *memory* if the window was read
    into the memory of the scanner; else *memory* is None.
    """

    first: int
    position: int
    packets: int
    bytes: int
    accepted: "Sequence[AcceptedRanges | AcceptedColumns | AcceptedExtents]"
    memory: mmap.mmap | None
    origin: int


class Scanner:
    """Scans one window at a time, of at most *window* bytes, and owns the memory of the results."""

    def __init__(self, plan: ScanPlan, window: int = WINDOW_SIZE) -> None:
        self.window = window
        self.memory = AnonymousMapping(self.window)
        self._scan = plan.code.function(ctypes.c_uint32, ctypes.c_void_p)
        self._outputs = _output_memory(plan, window)
        self._owned: list[Any] = []  # memory that the request refers to
        self._request = self._make_request(plan)

    def _make_request(self, plan: ScanPlan) -> ScanRequest:
        request = ScanRequest(**plan.settings)
        request.interfaces = len(plan.classes)
        request.classes = self._own(ctypes.create_string_buffer(plan.classes, len(plan.classes) or 1))
        snaplens = [interface.snaplen for interface in plan.interfaces]
        request.snaplens = self._own((ctypes.c_uint32 * len(snaplens))(*snaplens))
        if plan.output != ScanOutput():
            scales = list(map(time_scale, plan.interfaces))
            request.scales = self._own((TimeScale * len(scales))(*scales))
        if plan.output.bounds is not None:
            request.since, request.until = time_limits(plan.output.bounds)
        request.filters = len(plan.matches)
        request.class_count = len(plan.matches[0]) if plan.matches else 0
        matches = [address for filter_matches in plan.matches for address in filter_matches]
        request.matches = self._own((ctypes.c_void_p * len(matches))(*matches))
        contexts = [self._own(default_context()) for _ in matches]
        request.contexts = self._own((ctypes.c_void_p * len(matches))(*contexts))
        outputs = self._outputs.outputs
        request.rows = self._outputs.rows
        request.outputs = ctypes.addressof(outputs)
        request.lane_outputs = self._own((outputs._type_ * (len(outputs) * MAX_LANES))())
        request.scratch = self._own(ctypes.create_string_buffer(SCRATCH_SIZE))
        return request

    def _own(self, data: Any) -> int:
        self._owned.append(data)
        return ctypes.addressof(data)

    def scan(
        self,
        base: int,
        begin: int,
        stop: int,
        end: int,
        *,
        guess: bool = False,
        lanes: int = MAX_LANES,
        settings: Mapping[str, int] = MappingProxyType({}),
    ) -> ScannedRecords | None:
        """Scan the records that start from *begin* on and before *stop*, up to the first one not handled.

        *base* is the address of position 0, and *end* the end of the readable bytes. With *guess*, *begin* is not a
        known boundary: the scan begins at the first plausible one from there on; return None if there is none. If the
        lanes do not form a chain, the window is scanned again with one lane. One lane suffices from the start for few
        bytes. *settings* replace fields of the request.
        """
        request = self._request
        for name, number in settings.items():
            setattr(request, name, number)
        request.base = base % (1 << 64)  # *base* may be negative for a window far into a file
        request.begin, request.stop, request.end = begin, stop, end
        request.guess = guess
        memory = self.memory.mapped if self.memory.holds(base + begin) else None
        request.origin = request.base if memory is None else self.memory.address
        for lane_count in (lanes, 1):
            request.lanes, request.packets, request.bytes = lane_count, 0, 0
            self._outputs.reset()
            self._scan(ctypes.addressof(request))
            raise_interruption()
            if request.chained:
                accepted = self._outputs.accepted()
                counts = request.packets, request.bytes
                return ScannedRecords(request.first, request.position, *counts, accepted, memory, request.origin)
        return None


def _output_memory(plan: ScanPlan, window: int) -> OutputMemory:
    kind = plan.output.kind
    if kind == "ranges":
        return RangeMemory(window, plan.collects)
    return ColumnMemory(window, plan.collects, column_names(kind))


class _ScannedWindow(NamedTuple):
    """The result of a window; *scanner* owns its memory, *base* and *end* are the results of `MappedFile.window`."""

    scanner: Scanner
    records: ScannedRecords | None
    base: int
    end: int


_Window: TypeAlias = tuple[int, int]
"""The start and the end of a window, in bytes."""


class _Worker:
    """A thread that scans windows of a file in their order, at most two ahead of the one being consumed.

    The thread waits until `assign` gives it windows.
    """

    def __init__(self, plan: ScanPlan, file: MappedFile) -> None:
        """Start the thread; raises `RuntimeError` if the system provides none."""
        self._plan = plan
        self._file = file
        self._process = os.getpid()
        self._windows: Sequence[_Window] = ()
        self._first_is_boundary = False
        self._free: SimpleQueue[Scanner | None] = SimpleQueue()
        self._done: SimpleQueue[_ScannedWindow | BaseException] = SimpleQueue()
        self._thread = threading.Thread(target=self._scan_windows, daemon=True)
        self._thread.start()

    def assign(self, windows: Sequence[_Window], *, first_is_boundary: bool) -> None:
        """Let the thread scan windows; *first_is_boundary*: the first of them begins with a record."""
        self._windows = windows
        self._first_is_boundary = first_is_boundary
        for _ in range(min(2, len(windows))):
            self._free.put(Scanner(self._plan))

    def _scan_windows(self) -> None:
        try:
            scanner = self._free.get()  # which `assign` provides
            for index, (begin, stop) in enumerate(self._windows):
                if index:
                    scanner = self._free.get()
                if scanner is None:
                    return
                base, end = self._file.window(begin, stop, scanner.memory)
                guess = index > 0 or not self._first_is_boundary
                self._done.put(_ScannedWindow(scanner, scanner.scan(base, begin, stop, end, guess=guess), base, end))
        except BaseException as error:  # raised again by `result`
            self._done.put(error)

    def result(self) -> _ScannedWindow:
        """Return the result of the next window; raise `CaptureError` in a child process, which has no such thread."""
        if os.getpid() != self._process:
            raise forked(self._file.name)
        result = self._done.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def release(self, scanner: Scanner) -> None:
        """Let the thread reuse the memory of a result."""
        self._free.put(scanner)

    def stop(self) -> None:
        """End the thread after its current window."""
        with suppress(Empty):
            while True:
                self._free.get_nowait()
        self._free.put(None)
        if self._thread is not threading.current_thread():  # its garbage collector may end a scan nobody refers to
            self._thread.join()


def scan_file(
    file: MappedFile, begin: int, plan: ScanPlan, *, starts_small: bool = False
) -> Generator[ScannedRecords, None, None]:
    """Yield the results of the windows of a file from *begin* on, up to its end or the first record not handled.

    Each result is valid until the next is requested. With *starts_small*, for scans that may end soon, the first
    windows are small, and no thread works ahead of them.
    """
    if starts_small:
        position = yield from _scan_single_windows(file, begin, plan)
        if position is None:
            return
        begin = position
    yield from _scan_windows(file, list(_windows(begin, file)), plan)


def _scan_single_windows(file: MappedFile, begin: int, plan: ScanPlan) -> Generator[ScannedRecords, None, int | None]:
    """Scan windows of doubling size; return the position of the next, or None after a record not handled."""
    length = _FIRST_WINDOW_SIZE
    while begin < file.size and length <= _MAX_SINGLE_WINDOW_SIZE:
        stop = min(begin + length, file.size)
        scanner = Scanner(plan, length)  # owns the memory of the result
        base, end = file.window(begin, stop, scanner.memory)
        records = scanner.scan(base, begin, stop, end)
        assert records is not None  # *begin* is a known boundary
        yield records
        if records.position < stop:
            return None
        begin, length = records.position, 2 * length
    return begin


def _scan_in_this_thread(
    file: MappedFile, windows: Sequence[_Window], plan: ScanPlan
) -> Generator[ScannedRecords, None, None]:
    """Scan windows one after another, each from the end of the previous one."""
    scanner = Scanner(plan)
    position, _ = windows[0]
    for _, stop in windows:
        if position < stop:  # else the last record of the window before covers this window
            base, end = file.window(position, stop, scanner.memory)
            records = scanner.scan(base, position, stop, end)
            assert records is not None  # *position* is a known boundary
            yield records
            position = records.position
            if position < stop:
                return


def _start_workers(plan: ScanPlan, file: MappedFile, count: int) -> Iterator[_Worker]:
    """Yield workers as they start; fewer than *count* if the system provides no more threads."""
    with suppress(RuntimeError):  # a limit of processes or of memory
        for _ in range(count):
            yield _Worker(plan, file)


def _scan_windows(
    file: MappedFile, windows: Sequence[_Window], plan: ScanPlan
) -> Generator[ScannedRecords, None, None]:
    """Scan windows on all cores, and yield the results that form a chain from the start of the first window."""
    workers: list[_Worker] = []
    position = windows[0][0] if windows else 0
    try:
        # one by one, so `finally` stops those that did start
        workers.extend(_start_workers(plan, file, min(len(os.sched_getaffinity(0)), len(windows))))
        if not workers:
            if windows:
                yield from _scan_in_this_thread(file, windows, plan)
            return
        for index, worker in enumerate(workers):
            worker.assign(windows[index :: len(workers)], first_is_boundary=index == 0)
        for index, (begin, stop) in enumerate(windows):
            worker = workers[index % len(workers)]
            scanner, records, base, end = worker.result()
            if position < stop:  # else the last record of the window before covers this window
                if not file.is_readable(base):
                    base, end = file.window(begin, stop, scanner.memory)
                    records = None
                if records is None or records.first != position:
                    records = scanner.scan(base, position, stop, end)
                if records is not None:
                    yield records
                    position = records.position
                if position < stop:
                    return
            worker.release(scanner)
    finally:
        for worker in workers:
            worker.stop()


def _windows(begin: int, file: MappedFile) -> Iterator[_Window]:
    length = WINDOW_SIZE if file.is_mapped else _READ_WINDOW_SIZE
    while begin < file.size:
        yield begin, min(begin + length, file.size)
        begin += length


def load_scanner(
    records: str, byte_order: ByteOrder, codegen: "Callable[[], RecordCodegen]", output: ScanOutput
) -> jit.Code:
    """Return the code that scans records of a layout in a byte order, from the code cache if possible.

    *records* is the name of the layout in the key of the cache; *codegen* is called if the code must be generated. The
    code remains loaded for later captures of this process: there are few combinations.
    """
    is_swapped = (byte_order == "<") is not (sys.byteorder == "little")
    bounded = output.bounds is not None
    key = f"scan {records} to {output.kind}, bounded {bounded}, swapped {is_swapped}"
    if key not in _loaded:
        _loaded[key] = _load_scanner(key, codegen, output, is_swapped=is_swapped)
    return _loaded[key]


_loaded: Final[dict[str, jit.Code]] = {}


def _load_scanner(
    key: str, codegen: "Callable[[], RecordCodegen]", output: ScanOutput, *, is_swapped: bool
) -> jit.Code:

    def write() -> str:
        from .codegen import scanner_code

        return scanner_code(codegen(), _output_codegen(output), swapped=is_swapped, bounded=output.bounds is not None)

    return jit.load_cached(key, write)


def _output_codegen(output: ScanOutput) -> "OutputCodegen":
    if output.kind == "ranges":
        from .range_output import RangeOutputCodegen

        return RangeOutputCodegen()
    from .column_output import ColumnOutputCodegen

    return ColumnOutputCodegen(output.kind)
