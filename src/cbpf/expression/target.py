"""The packets that an expression is compiled for."""

from typing import Literal, NamedTuple, TypeAlias

ByteOrder: TypeAlias = Literal["little", "big"]


class Target(NamedTuple):
    """The packets that an expression is compiled for: those of a device or of a capture file.

    Args:
        dlt: The link type as a DLT_ number.
        snaplen: The snapshot length in bytes, which is the verdict on accepted packets.
        netmask: The IPv4 netmask of the network, 32 bits; None if it is not known.
        file_order: The byte order of the capture file; None for a device. A file has no metadata such as the direction
            of a packet, and the headers of some link types are in its byte order.
    """

    dlt: int
    snaplen: int
    netmask: int | None = None
    file_order: ByteOrder | None = None
