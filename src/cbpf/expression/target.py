"""The packets that an expression is compiled for."""

from .._named_tuple import NamedTuple
from .._typing import TYPE_CHECKING, Final, Literal, TypeAlias
from .._validators import check_word
from ..errors import FieldError
from ..packet.link_types import LinkType, link_type, link_types

if TYPE_CHECKING:
    from ..capture.base import Interface

ByteOrder: TypeAlias = Literal["little", "big"]

SocketStart: TypeAlias = Literal["link", "network"]
"""The header from which the program of a live socket loads: that of the link layer, or that of the network layer."""


class Target(NamedTuple):
    """The packets that an expression is compiled for: those of a device or of a capture file.

    Args:
        dlt: The link type as a DLT_ number.
        snaplen: The snapshot length in bytes, which is the verdict on accepted packets.
        netmask: The IPv4 netmask of the network, 32 bits; None if it is not known.
        file_order: The byte order of the capture file; None for a device. A file has no metadata such as the direction
            of a packet, and the headers of some link types are in its byte order.
        socket: For the filter of a live Linux socket, which has metadata, or for a program that runs on captured
            packets as such a socket sees them: the header from which the program loads; otherwise None. "link"
            is for packet sockets, whose packets begin with the link header; with a Linux cooked link type, for those
            that receive packets without it. "network" is for UDP, TCP and raw sockets, whose packets begin at a later
            header: all loads go through the kernel's window at the network header.
    """

    dlt: int
    snaplen: int
    netmask: int | None = None
    file_order: ByteOrder | None = None
    socket: SocketStart | None = None


_REPRESENTATIVES: Final = ("EN10MB", "IEEE802_11", "LINUX_SLL2", "PFLOG", "SUNATM", "MTP2_WITH_PHDR")
"""Link types of which one fits each kind of primitive; the first fits most expressions."""


def link_types_to_try(*, all_types: bool) -> tuple[LinkType, ...]:
    """Return link types that an expression may fit, the most frequent ones first: all, or one for each primitive."""
    return (*map(link_type, _REPRESENTATIVES), *(link_types() if all_types else ()))


def interface_target(interface: "Interface", *, netmask: int | None = 0, as_socket: bool = False) -> Target:
    """Return the packets of an interface in a capture file, or those that a live packet socket would have seen."""
    file_order: ByteOrder = "little" if interface.byte_order == "<" else "big"
    socket: SocketStart | None = "link" if as_socket else None
    return Target(interface.link_type.dlt, interface.snaplen, netmask, file_order=file_order, socket=socket)


def netmask_number(path: str, netmask: int | str | None) -> int | None:
    """Return a netmask as a number; *path* names the argument in errors. Raises `FieldError`."""
    if isinstance(netmask, str):
        import ipaddress

        try:
            return int(ipaddress.IPv4Address(netmask))
        except ValueError:
            raise FieldError(f"{path}: {netmask!r} is not an IPv4 netmask such as 255.255.255.0") from None
    number: int | None = None if netmask is None else check_word(path, netmask)
    return number
