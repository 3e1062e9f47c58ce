"""What a filter did."""

from typing import NamedTuple


class Summary(NamedTuple):
    """What a filter saw and kept: packets, captured bytes (without headers), and how long it took."""

    packets_seen: int
    packets_accepted: int
    bytes_seen: int
    bytes_accepted: int
    seconds: float
