"""What every engine gives: ways to run one program on packets."""

from array import array
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ..packet.batch import Packets
from ..packet.skb import SocketBuffer


class RunFunction(Protocol):
    """Runs the program on a packet: any buffer. Gives its verdict, 0 to 2**32 - 1, and raises for no packet.

    *wire_length* is the length that the packet had, None: as many bytes as it has. *buffer* is the packet
    with its metadata, None: with the default metadata.
    """

    def __call__(self, packet: Any, wire_length: int | None = None, buffer: SocketBuffer | None = None, /) -> int: ...


class Engine(Protocol):
    """One program, ready to run.

    run: the verdict on one packet; a function without a call in between, safe to keep after its engine.
    evaluate: the same with all that is known of the packet.
    match: the same for a packet of a capture: `match(data, wire_length)`.
    native: the machine code of `entries.match` as a ctypes function; None: this engine has none.
    """

    @property
    def run(self) -> Callable[[Any], int]: ...

    @property
    def evaluate(self) -> RunFunction: ...

    @property
    def match(self) -> Callable[[bytes, int], int]: ...

    @property
    def native(self) -> Any: ...

    def verdicts(self, packets: Packets | Iterable[Any]) -> "array[int]":
        """The verdicts on many packets, as unsigned 32-bit numbers."""
        ...


class PerPacketEngine:
    """An engine that is a single function."""

    def __init__(self, run: RunFunction) -> None:
        self.run = self.evaluate = self.match = run
        self.native = None

    def verdicts(self, packets: Packets | Iterable[Any]) -> "array[int]":
        """See `Engine`."""
        if isinstance(packets, Packets):
            return array("I", map(self.evaluate, packets, packets.wire_lengths))
        return array("I", map(self.run, packets))
