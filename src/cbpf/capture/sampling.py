"""Random samples of packets, the same in each run."""

from .._named_tuple import NamedTuple
from .._typing import Final
from .._validators import within
from ..packet.skb import splitmix64

_check_interval: Final = within(1, 2**32 - 1, "a number of packets")
_check_seed: Final = within(0, 2**64 - 1, "a seed")


class Sample(NamedTuple):
    """About one in *interval* of the packets, chosen by their number in the capture and by *seed*."""

    interval: int
    seed: int

    def contains(self, number: int) -> bool:
        """Return whether a packet is in the sample, given its number, counted from 1."""
        return splitmix64(self.seed, number) % self.interval == 0


def checked_sample(function: str, interval: int | None, seed: int) -> Sample | None:
    """Return the sample of the arguments of a *function*, or None if *interval* is None; raise `FieldError`."""
    _check_seed(f"{function}.seed", seed)
    if interval is None:
        return None
    _check_interval(f"{function}.sample", interval)
    return Sample(interval, seed)
