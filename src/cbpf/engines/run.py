"""What every engine gives: a function that runs one program on one packet."""

from typing import Any, Protocol

from ..socket_buffer import SocketBuffer


class Run(Protocol):
    """Runs the program on a packet: any buffer. Gives its verdict, 0 to 2**32 - 1, and raises for no packet.

    *wire_length* is the length that the packet had, None: as many bytes as it has. *buffer* is the packet
    with its metadata, None: with the default metadata.
    """

    def __call__(self, packet: Any, wire_length: int | None = None, buffer: SocketBuffer | None = None, /) -> int: ...
