"""Packets of several captures in the order of time, compared with a merge that looks at one packet at a time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest

from cbpf.capture.merging import TimedBatch, TimedCapture, count_descents, merged

Item = tuple[int, int]  # the capture, and the number of the packet in it


def reference(captures: Sequence[Sequence[int]]) -> list[Item]:
    """Return the order in which the earliest of all next packets is taken, of the first capture among equal times."""
    positions = [0] * len(captures)
    result = []
    while any(position < len(times) for position, times in zip(positions, captures, strict=True)):
        heads = [
            (times[position], index)
            for index, (position, times) in enumerate(zip(positions, captures, strict=True))
            if position < len(times)
        ]
        _, index = min(heads)
        result.append((index, positions[index]))
        positions[index] += 1
    return result


def result(captures: Sequence[Sequence[int]], size: int) -> list[Item]:
    """Return the order of `merged`, of captures whose batches have up to *size* packets."""

    def batches(index: int) -> Iterator[TimedBatch]:
        times = captures[index]
        for first in range(0, len(times), size):
            part = times[first : first + size]
            yield TimedBatch(part, [(index, first + number) for number in range(len(part))])
            yield TimedBatch([], [])

    def opener(index: int) -> TimedCapture:
        return TimedCapture(captures[index][0], index, lambda: batches(index))

    timed = sorted(opener(index)[:2] for index in range(len(captures)) if captures[index])
    return [item for items in merged(opener(index) for _, index in timed) for item in items]


def random_captures(rng: random.Random, *, is_sorted: bool) -> list[list[int]]:
    captures = []
    for _ in range(rng.randrange(1, 6)):
        start, spread = rng.randrange(40), rng.choice([1, 5, 40])
        times = [start + rng.randrange(spread) for _ in range(rng.randrange(25))]
        if is_sorted:
            times.sort()
        elif times:
            times[0] = min(times)  # the first packet is the earliest
        captures.append(times)
    return captures


@pytest.mark.parametrize("is_sorted", [True, False], ids=["sorted", "unsorted"])
@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_random_captures_have_the_order_of_the_reference(size: int, is_sorted: bool) -> None:
    rng = random.Random(size)
    for _ in range(300):
        captures = random_captures(rng, is_sorted=is_sorted)
        assert result(captures, size) == reference(captures), captures


def test_a_packet_that_is_earlier_than_the_first_follows_it() -> None:
    assert result([[5, 1, 6], [2, 7]], 1) == [(1, 0), (0, 0), (0, 1), (0, 2), (1, 1)]


def test_equal_times_are_in_the_order_of_the_captures() -> None:
    assert result([[1, 1], [1], [1, 1]], 1) == [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)]


def test_no_captures_have_no_packets() -> None:
    assert result([], 1) == result([[], []], 1) == []


def test_a_capture_is_opened_when_its_first_packet_is_reached() -> None:
    opened: list[int] = []
    closed: list[int] = []

    def capture(index: int) -> TimedCapture:
        def batches() -> Iterator[TimedBatch]:
            opened.append(index)
            for number in range(4):
                yield TimedBatch([10 * index + number], [(index, number)])
            closed.append(index)

        return TimedCapture(10 * index, index, batches)

    most = max(len(opened) - len(closed) for _ in merged(capture(index) for index in range(20)))
    assert most <= 2
    assert opened == closed == list(range(20))


def test_a_late_first_packet_does_not_gather_the_rest_in_memory() -> None:
    """All later packets of such a capture are due when it is the only one."""
    read = 0

    def batches() -> Iterator[TimedBatch]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield TimedBatch([10**9 if number == 0 else number], [number])

    unreturned = []
    returned = 0
    for items in merged([TimedCapture(10**9, 0, batches)]):
        returned += len(items)
        unreturned.append(read - returned)
    assert returned == 1000
    assert max(unreturned) <= 1


def test_descents_are_counted() -> None:
    assert [count_descents(times) for times in ([], [1], [1, 1, 2], [3, 2, 1, 5, 4])] == [0, 0, 0, 3]
