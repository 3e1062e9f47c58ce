"""The loop of a live capture, with a handle and a clock of the tests: its steps, and its end."""

import os
from typing import Any

import pytest

import cbpf
from cbpf.capture.live_interface import InterfaceStatistics
from cbpf.live import capture_loop
from cbpf.live.capture_loop import MAX_PACKETS, CaptureLoop
from cbpf.live.libpcap_handle import BLOCK_MARGIN

BLOCK_TIME = 0.1
DUMPER: Any = None


class Clock:
    """A clock that only sleeping advances."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Handle:
    """A handle whose packets arrive at a constant rate; its descriptor can always be read."""

    def __init__(self, clock: Clock, rate: float = 0, arrived: int | None = None) -> None:
        self.descriptor = os.open(os.devnull, os.O_RDONLY)
        self.max_wait = None
        self.interface = "fake"
        self.rate = rate
        self.steps: list[int] = []
        self.times: list[float] = []
        self._clock = clock
        self._start = clock.now
        self._arrived = arrived

    def dispatch(self, limit: int, _: object) -> int:
        arrived = int(self.rate * (self._clock.now - self._start)) if self._arrived is None else self._arrived
        packets = min(limit, arrived - sum(self.steps))
        if not packets:
            self._clock.now += 0.001  # as if poll had waited
            return 0
        self.steps.append(packets)
        self.times.append(self._clock.now)
        return packets

    def statistics(self) -> InterfaceStatistics:
        return InterfaceStatistics()

    def reject_all(self) -> int | None:
        return self._arrived

    def close(self) -> None:
        os.close(self.descriptor)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(capture_loop, "time", made)
    return made


def loop_of(handle: Handle, **options: Any) -> CaptureLoop:
    fake: Any = handle
    return CaptureLoop(fake, **{"count": None, "duration": None, "block_time": BLOCK_TIME, **options})


@pytest.mark.parametrize(
    ("rate", "interval"),
    [
        (100, BLOCK_TIME / 4),
        (100_000, BLOCK_TIME / 4),
        (200_000, 4096 / 200_000),  # the number of packets that a step aims at
        (400_000, 4096 / 400_000),
        (1_000_000, 0.01),  # the shortest interval
    ],
)
def test_steps_have_many_packets_without_delaying_them(clock: Clock, rate: float, interval: float) -> None:
    handle = Handle(clock, rate)
    loop = loop_of(handle)
    for _ in range(50):
        assert loop.step(DUMPER) <= MAX_PACKETS
    intervals = [later - earlier for earlier, later in zip(handle.times, handle.times[1:], strict=False)]
    assert max(intervals) <= BLOCK_TIME / 4 + 0.01
    assert intervals[-1] == pytest.approx(interval, abs=0.0011 if rate > 1000 else 0.01)
    loop.close()


def test_the_interval_follows_the_rate(clock: Clock) -> None:
    handle = Handle(clock, 1000)
    loop = loop_of(handle)
    for _ in range(20):
        loop.step(DUMPER)
    slow = handle.times[-1] - handle.times[-2]
    handle.rate = 1_000_000  # also for the time before: packets are waiting
    loop.step(DUMPER)
    while loop.step(DUMPER) == MAX_PACKETS:
        assert handle.times[-1] == handle.times[-2]  # no wait while packets have arrived
    for _ in range(20):
        loop.step(DUMPER)
    assert handle.times[-1] - handle.times[-2] < slow / 2
    loop.close()


def test_an_immediate_capture_does_not_sleep(clock: Clock) -> None:
    handle = Handle(clock, 1_000_000)
    loop = loop_of(handle, block_time=0)
    for _ in range(4):
        clock.now += 0.001
        before = clock.now
        assert loop.step(DUMPER) == pytest.approx(1000, abs=1)
        assert clock.now == before
    loop.close()


def test_a_stopped_loop_ends_with_the_last_packet_that_had_arrived(clock: Clock) -> None:
    handle = Handle(clock, arrived=5)
    loop = loop_of(handle)
    loop.stop()
    before = clock.now
    assert [loop.step(DUMPER), loop.step(DUMPER)] == [5, 0]
    assert clock.now == before
    loop.close()


def test_a_stopped_loop_lets_no_further_packet_arrive_for_another_filter(clock: Clock) -> None:
    handle = Handle(clock, arrived=MAX_PACKETS + 5)  # it has no method that sets a filter
    loop = loop_of(handle)
    loop.stop()
    assert loop.step(DUMPER) == MAX_PACKETS
    assert loop.replace_filter(cbpf.Program(), is_repeatable=True) == MAX_PACKETS + 5
    assert [loop.step(DUMPER), loop.step(DUMPER)] == [5, 0]
    loop.close()


def test_a_stopped_loop_waits_for_a_block_where_the_number_of_packets_is_unknown(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = Handle(clock, arrived=5)
    monkeypatch.setattr(handle, "reject_all", lambda: None)
    loop = loop_of(handle)
    loop.stop()
    before = clock.now
    assert [loop.step(DUMPER), loop.step(DUMPER)] == [5, 0]
    assert clock.now - before >= BLOCK_TIME + BLOCK_MARGIN
    loop.close()
