"""The shrinker: it makes a packet shorter, with more zero bytes and default metadata, while a condition holds.

It does not use the solver: each change is retained if a run on the VM confirms that the condition still holds.
"""

from collections.abc import Callable

from .._typing import Any, TypeAlias
from ..packet.metadata import Metadata
from .limits import Limits
from .symbolic_packet import Model

Confirm: TypeAlias = Callable[[Model], bool]
"""A function that runs the programs on a packet and returns whether the condition of the query holds."""


def shrink(model: Model, confirm: Confirm, shortest: int, max_runs: int, limits: Limits) -> Model:
    """Return a small packet of at least *shortest* bytes that *confirm* accepts.

    It is called at most *max_runs* times, and not after the deadline: a larger packet is an answer, too.
    """
    shrinker = _Shrinker(model, confirm, max_runs, limits)
    shrinker.simplify_metadata()
    shrinker.truncate(shortest)
    shrinker.zero(0, len(shrinker.model.packet))
    shrinker.simplify_metadata()
    return shrinker.model


class _Shrinker:
    """The smallest confirmed packet so far."""

    def __init__(self, model: Model, confirm: Confirm, max_runs: int, limits: Limits) -> None:
        self.model = model
        self._limits = limits
        self._confirm = confirm
        self._remaining_runs = max_runs

    def _attempt(self, **changes: Any) -> bool:
        """Change fields of the packet if it is still confirmed; return whether the packet has these fields now."""
        candidate = self.model._replace(**changes)
        if candidate == self.model:
            return True
        self._remaining_runs -= 1
        if self._remaining_runs < 0 or self._limits.has_timed_out() or not self._confirm(candidate):
            return False
        self.model = candidate
        return True

    def simplify_metadata(self) -> None:
        """Set fields to their defaults, and remove the bytes before the packet that no header needs."""
        if self._attempt(metadata=Metadata(seed=self.model.metadata.seed)):
            return
        for name in Metadata.__match_args__:
            if name not in ("before", "seed"):  # without a seed, runs would not be reproducible
                self._attempt(metadata=self.model.metadata.replace(**{name: getattr(Metadata, name)}))
        metadata = self.model.metadata
        needed = max(0, -metadata.network_header, -(metadata.link_header or 0))
        for before in (b"", metadata.before[len(metadata.before) - needed :]):
            if len(before) >= needed and self._attempt(metadata=metadata.replace(before=before)):
                break

    def truncate(self, shortest: int) -> None:
        """Truncate the packet by bisection; the wire length becomes the captured length where that is confirmed."""
        self._attempt(wire_length=len(self.model.packet))
        step = len(self.model.packet)
        while step:
            length = len(self.model.packet) - step
            if length < shortest or not self._truncate_to(length):
                step //= 2
        self._attempt(wire_length=len(self.model.packet))

    def _truncate_to(self, length: int) -> bool:
        packet = self.model.packet[:length]
        return self._attempt(packet=packet, wire_length=length) or self._attempt(packet=packet)

    def zero(self, start: int, end: int) -> None:
        """Set the bytes start..end-1 to zero, as many at once as possible."""
        packet = self.model.packet
        if not any(packet[start:end]):
            return
        if self._attempt(packet=packet[:start] + bytes(end - start) + packet[end:]) or end - start == 1:
            return
        middle = (start + end) // 2
        self.zero(start, middle)
        self.zero(middle, end)
