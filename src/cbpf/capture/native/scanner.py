"""Sweeps: filters run over the records of a capture by native code, window by window, on all cores.

`sweep_code` has what one sweep does. Here windows of a file are swept side by side, each from a guessed boundary; a
window counts only if the one before it ended exactly there, else it is swept again from where that one ended. So the
result is always that of one walk from the start.
"""

import ctypes
import mmap
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from ...engines.llvm import jit as native
from ...engines.llvm.context import PacketContext, default_context, raise_interruption
from ..base import ByteOrder
from .abi import BATCH, MOST_LANES, SCRATCH_SIZE, FilterOutput, ScanRequest, ranges_needed
from .mapped_file import AnonymousMapping, MappedFile

if TYPE_CHECKING:
    from .codegen import RecordCodegen

WINDOW: Final = 1 << 24
_READ_WINDOW: Final = 1 << 21  # of a file that is not mapped: it should stay in the cache between reading and sweeping
_FIRST_WINDOW: Final = 1 << 18  # where few packets are wanted, they are soon found
_LAST_ALONE: Final = 1 << 21  # up to this window no thread works ahead where a sweep may end soon


class ScanPlan(NamedTuple):
    """What all sweeps of a stretch of a capture have in common.

    code: of `sweep_code`; settings: fields of `Job`; classes, snaplens: of a pcapng's interfaces.
    matches: for each filter, and in it for each class of packets, the address of its `entries.match`.
    wanted: for each filter, and behind them for the packets that none of them keeps, whether they are collected.
    """

    code: native.Code
    settings: dict[str, int]
    classes: bytes
    snaplens: Sequence[int]
    matches: Sequence[Sequence[int]]
    wanted: Sequence[bool]


class Accepted(NamedTuple):
    """What one filter kept: so many packets and bytes captured, and *range_count* ranges of memory (struct iovec).

    sums: how long each BATCH of them is together, 64 bits each.
    """

    packets: int
    bytes: int
    ranges: int
    range_count: int
    sums: int


class ScannedRecords(NamedTuple):
    """What a sweep found: the records from *first* to *position*; ranges are those of the next sweep's memory."""

    first: int
    position: int
    packets: int
    bytes: int
    kept: tuple[Accepted, ...]


class Scanner:
    """The memory of one sweep at a time, for windows up to a size."""

    def __init__(self, plan: ScanPlan, window: int = WINDOW) -> None:
        self._run = plan.code.function(ctypes.c_uint32, ctypes.c_void_p)
        self.window = window
        self.memory = AnonymousMapping(window)
        outputs = len(plan.wanted)
        self._ranges = [_room(16 * ranges_needed(window)) if wanted else None for wanted in plan.wanted]
        self._sums = [_room(8 * (ranges_needed(window) // BATCH + 1)) for _ in plan.wanted]
        self._outputs = (FilterOutput * outputs)()
        self._owned: list[Any] = []
        self._job = ScanRequest(**plan.settings)
        self._job.interfaces = len(plan.classes)
        self._job.classes = self._own(ctypes.create_string_buffer(plan.classes, len(plan.classes) or 1))
        self._job.snaplens = self._own((ctypes.c_uint32 * len(plan.snaplens))(*plan.snaplens))
        self._job.filters = len(plan.matches)
        self._job.class_count = len(plan.matches[0]) if plan.matches else 0
        matches = [address for classes in plan.matches for address in classes]
        self._job.matches = self._own((ctypes.c_void_p * len(matches))(*matches))
        circumstances: list[PacketContext] = [default_context() for _ in matches]
        addresses = map(self._own, circumstances)
        self._job.circumstances = self._own((ctypes.c_void_p * len(matches))(*addresses))
        self._job.outputs = ctypes.addressof(self._outputs)
        self._job.lane_outputs = self._own((FilterOutput * (outputs * MOST_LANES))())
        self._job.scratch = self._own(ctypes.create_string_buffer(SCRATCH_SIZE))

    def _own(self, data: Any) -> int:
        self._owned.append(data)
        return ctypes.addressof(data)

    def scan(
        self, base: int, begin: int, stop: int, end: int, *, guess: bool = False, lanes: int = MOST_LANES
    ) -> ScannedRecords | None:
        """The records that start from *begin* on and before *stop*, as far as they are usual and end before *end*.

        *base* is the address of position 0. With *guess* the first is searched; None: there seems to be none. One lane
        is enough for what is in the cache.
        """
        job = self._job
        job.base, job.begin, job.stop, job.end, job.guess = base % (1 << 64), begin, stop, end, guess
        for several in (lanes, 1):
            job.lanes, job.packets, job.bytes = several, 0, 0
            for output, ranges, sums in zip(self._outputs, self._ranges, self._sums, strict=True):
                output.ranges = None if ranges is None else ctypes.addressof(ranges)
                output.sums = ctypes.addressof(sums)
                output.count = output.packets = output.bytes = 0
            self._run(ctypes.addressof(job))
            raise_interruption()
            if job.chained:
                kept = [Accepted(one.packets, one.bytes, one.ranges or 0, one.count, one.sums) for one in self._outputs]
                return ScannedRecords(job.first, job.position, job.packets, job.bytes, tuple(kept))
        return None


def _room(size: int) -> Any:
    """Memory that takes room only where it is written, and is freed with the object."""
    return ctypes.c_char.from_buffer(mmap.mmap(-1, size))


_Done: TypeAlias = "tuple[Scanner, ScannedRecords | None, int, int] | BaseException"


class _Worker:
    """A thread that sweeps every n-th window, some ahead of the one that is asked for."""

    def __init__(
        self, plan: ScanPlan, file: MappedFile, windows: Sequence[tuple[int, int]], *, first_is_known: bool
    ) -> None:
        self._file = file
        self._windows = windows
        self._first_is_known = first_is_known
        self._free: SimpleQueue[Scanner | None] = SimpleQueue()
        self.done: SimpleQueue[_Done] = SimpleQueue()
        for _ in range(min(2, len(windows))):
            self._free.put(Scanner(plan))
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            for index, (begin, stop) in enumerate(self._windows):
                sweeper = self._free.get()
                if sweeper is None:
                    return
                base, end = self._file.window(begin, stop, sweeper.memory)
                guess = index > 0 or not self._first_is_known
                self.done.put((sweeper, sweeper.scan(base, begin, stop, end, guess=guess), base, end))
        except BaseException as error:  # raised again by whoever asks
            self.done.put(error)

    def give_back(self, sweeper: Scanner) -> None:
        """Its memory may be used again."""
        self._free.put(sweeper)

    def stop(self) -> None:
        """Ends the thread after the window that it is at."""
        with suppress(Empty):
            while True:
                self._free.get_nowait()
        self._free.put(None)
        self._thread.join()


def scan_file(
    file: MappedFile, begin: int, plan: ScanPlan, *, cautiously: bool = False
) -> Generator[ScannedRecords, None, None]:
    """What the windows of a file hold from *begin* on, in order; ends at its end or before a record that is not usual.

    What was found must be used before the next is asked for. *cautiously*: it may end soon; the first windows are
    small, and no thread works ahead.
    """
    if cautiously:
        position = yield from _scan_alone(file, begin, plan)
        if position is None:
            return
        begin = position
    yield from _scan_windows(file, list(_windows(begin, file)), plan)


def _scan_alone(file: MappedFile, begin: int, plan: ScanPlan) -> Generator[ScannedRecords, None, int | None]:
    """The first windows, each larger than the last; where the next begins, or None before an unusual record."""
    length = _FIRST_WINDOW
    while begin < file.size and length <= _LAST_ALONE:
        stop = min(begin + length, file.size)
        sweeper = Scanner(plan, length)  # which holds what is found
        base, end = file.window(begin, stop, sweeper.memory)
        found = sweeper.scan(base, begin, stop, end)
        assert found is not None  # as no boundary is guessed
        yield found
        if found.position < stop:
            return None
        begin, length = found.position, 2 * length
    return begin


def _scan_windows(
    file: MappedFile, windows: Sequence[tuple[int, int]], plan: ScanPlan
) -> Generator[ScannedRecords, None, None]:
    """Each thread sweeps every n-th window; here they become a chain."""
    threads = min(len(os.sched_getaffinity(0)), len(windows))
    workers: list[_Worker] = []
    position = windows[0][0] if windows else 0
    try:
        # One by one, so that those that were started are stopped where the next cannot be.
        workers.extend(
            _Worker(plan, file, windows[number::threads], first_is_known=number == 0) for number in range(threads)
        )
        for number, (begin, stop) in enumerate(windows):
            worker = workers[number % threads]
            done = worker.done.get()
            if isinstance(done, BaseException):
                raise done
            sweeper, found, base, end = done
            if position < stop:
                if not file.still_has(base):
                    base, end = file.window(begin, stop, sweeper.memory)
                    found = None
                if found is None or found.first != position:
                    found = sweeper.scan(base, position, stop, end)
                if found is not None:
                    yield found
                    position = found.position
                if position < stop:
                    return
            worker.give_back(sweeper)
    finally:
        for worker in workers:
            worker.stop()


def _windows(begin: int, file: MappedFile) -> Iterator[tuple[int, int]]:
    length = WINDOW if file.is_mapped else _READ_WINDOW
    while begin < file.size:
        yield begin, min(begin + length, file.size)
        begin += length


def load_scanner(records: str, byte_order: ByteOrder, codegen: "Callable[[], RecordCodegen]") -> native.Code:
    """Return the scanner for records of this kind and byte order, from the code cache if it is there.

    *records* names the kind in the cache; *codegen* is called if the code must be compiled.
    """
    is_swapped = (byte_order == "<") is not (sys.byteorder == "little")

    def write() -> str:
        from .codegen import scanner_code

        return scanner_code(codegen(), swapped=is_swapped)

    return native.load_cached(f"scan {records}, swapped {is_swapped}", write)
