"""Packets of several captures in the order of time, of which a few batches are in memory at a time.

Each capture is a sequence of batches. A round determines the time up to which the packets of all captures are known,
which is the last one in some batch, or the first one of a capture that is not open yet. The packets up to then are in
their order after a sort of sorted parts, which costs about one comparison each.

Within a capture, packets retain their order: one that is earlier than a packet before it follows that packet at once.
Packets of equal times are in the order of the captures.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from operator import gt

from .._named_tuple import NamedTuple
from .._typing import Any


class TimedBatch(NamedTuple):
    """Some consecutive packets of a capture: their times in nanoseconds, and an item for each."""

    times_ns: Sequence[int]
    items: list[Any]


class TimedCapture(NamedTuple):
    """A capture to be merged: the time of its first packet, its position among the captures, and its batches.

    *open* is called when the packets before that time have been returned.
    """

    first_ns: int
    position: int
    open: Callable[[], Iterator[TimedBatch]]


class _OpenCapture:
    """The packets of an open capture that were read but not yet returned.

    *keys* are their times, or the latest time before, if that is later; *latest* is the last key.
    """

    def __init__(self, position: int, batches: Iterator[TimedBatch]) -> None:
        self.position = position
        self.keys: list[int] = []
        self.items: list[Any] = []
        self.latest: int | None = None
        self.has_ended = False
        self._batches = batches
        self._begin = 0

    def fill(self) -> None:
        """Read until there is a packet, or the capture has ended."""
        while self._begin == len(self.keys) and not self.has_ended:
            batch = next(self._batches, None)
            if batch is None:
                self.has_ended = True
            elif batch.items:
                self._begin, self.items, times = 0, batch.items, list(batch.times_ns)
                is_sorted = (self.latest is None or times[0] >= self.latest) and not any(map(gt, times, times[1:]))
                self.keys = times if is_sorted else _latest_times(times, self.latest)
                self.latest = self.keys[-1]

    def take(self, until_ns: int | None, *, is_inclusive: bool) -> tuple[list[int], list[Any]]:
        """Remove and return the keys and packets before a time, or up to it if *is_inclusive*; None: all of them."""
        begin = self._begin
        if until_ns is None:
            end = len(self.keys)
        else:
            end = (bisect_right if is_inclusive else bisect_left)(self.keys, until_ns, begin)
        self._begin = end
        return self.keys[begin:end], self.items[begin:end]


def _latest_times(times: list[int], latest: int | None) -> list[int]:
    """Return the latest time up to each packet."""
    keys = accumulate(times, max, initial=times[0] if latest is None else latest)
    next(keys)
    return list(keys)


def count_descents(times_ns: Sequence[int]) -> int:
    """Return the number of packets that are earlier than the packet before."""
    return sum(map(gt, times_ns, times_ns[1:]))


def merged(captures: Iterable[TimedCapture]) -> Iterator[list[Any]]:
    """Yield the items of the packets of captures in the order of time, some at a time.

    Args:
        captures: The captures, in the order of their first times, and of their positions where these are equal.

    Yields:
        The items of some consecutive packets.
    """
    remaining = iter(captures)
    pending = next(remaining, None)
    opened: list[_OpenCapture] = []
    while True:
        for capture in opened:
            capture.fill()
        opened = [capture for capture in opened if capture.keys and not _is_exhausted(capture)]
        limits = [(capture.latest, capture.position) for capture in opened if not capture.has_ended]
        if pending is not None:
            limits.append((pending.first_ns, pending.position))
        limit, position = min(limits) if limits else (None, 0)
        parts = [capture.take(limit, is_inclusive=capture.position <= position) for capture in opened]
        if items := _in_order([part for part in parts if part[0]]):
            yield items
        if pending is not None and (limit, position) == (pending.first_ns, pending.position):
            opened.append(_OpenCapture(pending.position, pending.open()))
            opened.sort(key=lambda capture: capture.position)
            pending = next(remaining, None)
        elif limit is None:
            return


def _is_exhausted(capture: _OpenCapture) -> bool:
    return capture.has_ended and capture._begin == len(capture.keys)


def _in_order(parts: list[tuple[list[int], list[Any]]]) -> list[Any]:
    """Return the items of parts that are sorted by their keys; those of equal keys in the order of the parts."""
    if len(parts) == 1:
        return parts[0][1]
    keys = [key for part_keys, _ in parts for key in part_keys]
    items = [item for _, part_items in parts for item in part_items]
    return list(map(items.__getitem__, sorted(range(len(keys)), key=keys.__getitem__)))
