"""The loop of a live capture: it waits for packets, and passes them to a dumper until the capture is stopped.

    stop()        any thread, also a signal handler: sets a flag and wakes the loop
    step()        one thread: waits, and passes the packets that have arrived to a dumper
    exclusive()   any thread: uses the handle between two steps

A stopped loop first lets the system reject all further packets. Packets are delivered in blocks, each when it is full
or after the block time; the loop continues until it has the last packet that had arrived, or for one block time where
their number is not known.
"""

import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .._typing import Final
from ..capture.live_interface import InterfaceStatistics
from ..errors import CaptureError
from ..isa.program import Program
from .libpcap_handle import BLOCK_MARGIN, Dumper, LibpcapHandle

MAX_PACKETS: Final = 1 << 14  # of a step
_AIMED_PACKETS: Final = 1 << 12  # of a step, if many arrive
_MIN_INTERVAL: Final = 0.01  # seconds between steps
_STATISTICS_INTERVAL: Final = 1.0  # seconds; a counter of 32 bits lasts longer


class _Pace:
    """The times of steps: a step has many packets, and none waits for long."""

    def __init__(self, block_time: float) -> None:
        self._interval = _MIN_INTERVAL
        self._max_interval = max(_MIN_INTERVAL, block_time / 4)  # the packets of a slow flow arrive at longer intervals
        self._next_step = 0.0

    def wait(self) -> None:
        """Wait until the next step."""
        time.sleep(max(0.0, self._next_step - time.monotonic()))

    def follow(self, packets: int, now: float) -> None:
        """Choose the time of the step that follows one with some packets."""
        self._interval = min(max(_MIN_INTERVAL, self._interval * _AIMED_PACKETS / packets), self._max_interval)
        self._next_step = now + self._interval


class CaptureLoop:
    """The loop over the packets of a handle, which it closes.

    *count* is the number of packets after which it ends, and *duration* the time in seconds after which it is stopped;
    None: no limit. *block_time* is that of the handle, in seconds.
    """

    def __init__(self, handle: LibpcapHandle, *, count: int | None, duration: float | None, block_time: float) -> None:
        self.handle = handle
        self.packets = 0
        self._count = count
        self._deadline = None if duration is None else time.monotonic() + duration
        self._block_time = block_time
        self._is_stopping = False
        self._end: float | None = None  # of a stopped capture, at the latest
        self._packets_arrived: int | None = None  # before a stopped capture was stopped, at most
        self._has_ended = False
        self._has_more = False  # packets that have arrived
        self._pace = _Pace(block_time)
        self._next_statistics = 0.0
        self._turn = threading.Lock()  # held while another thread waits for the handle
        self._handle_lock = threading.Lock()
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_writer, False)
        self._poll_packets, self._poll_all = select.poll(), select.poll()
        self._poll_packets.register(handle.descriptor, select.POLLIN)
        self._poll_all.register(handle.descriptor, select.POLLIN)
        self._poll_all.register(self._wake_reader, select.POLLIN)

    def step(self, dumper: Dumper, max_packets: int = MAX_PACKETS) -> int:
        """Wait for packets and pass some to a dumper; return their number, which is 0 at the end of the capture."""
        while not self._has_ended:
            if not self._has_more:
                self._wait()
            with self.exclusive():
                packets = 0 if self._has_ended else self._dispatch(dumper, max_packets)
            if packets:
                return packets
        return 0

    def _dispatch(self, dumper: Dumper, max_packets: int) -> int:
        """Pass packets to a dumper; end the capture after the last one."""
        now = time.monotonic()
        is_late = self._deadline is not None and now >= self._deadline
        if self._end is None and (is_late or self._is_stopping):
            self._packets_arrived = self.handle.reject_all()
            self._end = time.monotonic() + self._block_time + BLOCK_MARGIN
        limit = max_packets if self._count is None else min(max_packets, self._count - self.packets)
        packets = self.handle.dispatch(limit, dumper)
        self._has_more = packets == limit
        self.packets += packets
        if packets:
            self._pace.follow(packets, now)
        if now >= self._next_statistics:
            self.handle.statistics()
            self._next_statistics = now + _STATISTICS_INTERVAL
        if self.packets == self._count or self._is_drained(packets, now):
            self._has_ended = True
        return packets

    def _is_drained(self, packets: int, now: float) -> bool:
        """Return whether a stopped capture has all packets that had arrived, after a step with *packets*."""
        if self._packets_arrived is not None and self.packets >= self._packets_arrived:
            return True
        return self._end is not None and now >= self._end and not packets

    def _wait(self) -> None:
        """Wait until there may be packets, or something to do."""
        if self._is_stopping and self._end is None:
            return  # a stop that no step has noticed
        if self._block_time:
            self._pace.wait()
        times = [self._deadline if self._end is None else self._end]
        if self.handle.max_wait is not None:
            times.append(time.monotonic() + self.handle.max_wait)
        known = [moment for moment in times if moment is not None]
        timeout = max(0.0, min(known) - time.monotonic()) * 1000 if known else None
        (self._poll_packets if self._is_stopping else self._poll_all).poll(timeout)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Use the handle while no step does."""
        with self._turn:
            self._handle_lock.acquire()
        try:
            yield
        finally:
            self._handle_lock.release()

    def replace_filter(self, program: Program, *, is_repeatable: bool) -> int:
        """Replace the filter between two steps, as `LibpcapHandle.replace_filter` does.

        Returns:
            The number of packets, from the first one, that an earlier filter accepted.
        """
        if self._packets_arrived is not None:  # nothing arrives any more
            return self._packets_arrived
        return max(self.packets, self.handle.replace_filter(program, is_repeatable=is_repeatable))

    def statistics(self) -> InterfaceStatistics:
        """Return the counts so far; after the end of the capture the last ones."""
        with self.exclusive():
            return self.handle.statistics()

    def require_open(self) -> None:
        """Raise `CaptureError` if the capture has been closed."""
        if self._wake_writer < 0:
            raise CaptureError(f"{self.handle.interface}: the capture is closed")

    def stop(self) -> None:
        """End the capture when the packets that have arrived are delivered."""
        self._is_stopping = True
        with suppress(OSError):  # the pipe is full or closed
            os.write(self._wake_writer, b"\0")

    def close(self) -> None:
        """End the capture now; a step of another thread returns 0."""
        self._has_ended = True
        self.stop()
        with self.exclusive():
            self._close_handle()
            if self._wake_writer >= 0:
                os.close(self._wake_reader)
                os.close(self._wake_writer)
                self._wake_writer = self._wake_reader = -1

    def _close_handle(self) -> None:
        self.handle.close()


class RehearsalLoop(CaptureLoop):
    """A loop that passes one empty packet to the dumper and ends. The handle is used by another loop, which owns it."""

    def __init__(self, handle: LibpcapHandle) -> None:
        super().__init__(handle, count=1, duration=None, block_time=0)
        self._has_more = True

    def _dispatch(self, dumper: Dumper, max_packets: int) -> int:
        dumper.write_empty_packet()
        self.packets = 1
        self._has_ended = True
        return 1

    def _close_handle(self) -> None:
        pass
