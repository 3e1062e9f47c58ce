"""A packet that shows something, made small: shorter, with more zeros, and with the usual metadata.

Nothing is asked of a solver here: each change is kept if the packet still shows it, on the VM.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from ..packet.metadata import Metadata
from .symbolic_packet import Model

Confirm: TypeAlias = Callable[[Model], bool]


def shrink(sample: Model, shows: Confirm, shortest: int, most_runs: int) -> Model:
    """A small packet, of *shortest* bytes at least, that still *shows* it, as so many runs at most find it."""
    shrinking = _Shrinker(sample, shows, most_runs)
    shrinking.simplify_metadata()
    shrinking.shorten(shortest)
    shrinking.clear(0, len(shrinking.sample.packet))
    shrinking.simplify_metadata()
    return shrinking.sample


class _Shrinker:
    """The smallest packet so far."""

    def __init__(self, sample: Model, shows: Confirm, most_runs: int) -> None:
        self.sample = sample
        self._shows = shows
        self._runs_left = most_runs

    def _attempt(self, **changes: Any) -> bool:
        """Takes the packet with some fields changed, if it still shows what it must."""
        candidate = self.sample._replace(**changes)
        if candidate == self.sample:
            return True
        self._runs_left -= 1
        if self._runs_left < 0 or not self._shows(candidate):
            return False
        self.sample = candidate
        return True

    def simplify_metadata(self) -> None:
        """Gives each field its default, and leaves no more bytes before the packet than its headers need."""
        if self._attempt(metadata=Metadata(seed=self.sample.metadata.seed)):
            return
        for name in Metadata.__match_args__:
            if name not in ("before", "seed"):  # without a seed, no run would show anything twice
                self._attempt(metadata=self.sample.metadata.replace(**{name: getattr(Metadata, name)}))
        known = self.sample.metadata
        needed = max(0, -known.network_header, -(known.link_header or 0))
        for before in (b"", known.before[len(known.before) - needed :]):
            if len(before) >= needed and self._attempt(metadata=known.replace(before=before)):
                break

    def shorten(self, shortest: int) -> None:
        """Cuts the packet at its end, by halves; the wire length follows where it may."""
        self._attempt(wire_length=len(self.sample.packet))
        step = len(self.sample.packet)
        while step:
            length = len(self.sample.packet) - step
            if length < shortest or not self._cut(length):
                step //= 2
        self._attempt(wire_length=len(self.sample.packet))

    def _cut(self, length: int) -> bool:
        packet = self.sample.packet[:length]
        return self._attempt(packet=packet, wire_length=length) or self._attempt(packet=packet)

    def clear(self, start: int, end: int) -> None:
        """Makes bytes zero, as many at a time as possible."""
        packet = self.sample.packet
        if not any(packet[start:end]):
            return
        if self._attempt(packet=packet[:start] + bytes(end - start) + packet[end:]) or end - start == 1:
            return
        middle = (start + end) // 2
        self.clear(start, middle)
        self.clear(middle, end)
