"""The interface of a live capture, and its counts."""

from collections.abc import Callable

from .._named_tuple import NamedTuple


class InterfaceStatistics(NamedTuple):
    """The counts of a live capture on an interface so far.

    Args:
        received: The number of packets that the filter accepted, including those that were dropped.
        dropped: The number of packets that the system dropped because the buffer was full.
        dropped_by_interface: The number of packets that the interface or its driver dropped, where it counts them.
    """

    received: int = 0
    dropped: int = 0
    dropped_by_interface: int = 0


class LiveInterface(NamedTuple):
    """The interface of a live capture that is read as a pcap: its name, and a function that returns its counts.

    The file object of such a capture has it as the attribute *live_interface*.
    """

    name: str
    statistics: Callable[[], InterfaceStatistics]
