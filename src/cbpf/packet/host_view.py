"""A packet of a capture as libpcap presents it to filters on this host.

libpcap reverses some headers that a host of the other byte order wrote, and corrects the length of some USB packets on
the wire, before it filters; `host_order` lists them.
"""

from collections.abc import Callable

from .._named_tuple import NamedTuple
from .._typing import TypeAlias
from .host_order import HOST_BYTE_ORDER, ByteOrder
from .link_types import LinkType


class HostView(NamedTuple):
    """A packet as libpcap presents it to filters on this host.

    Args:
        data: The bytes of the packet, as many as were captured.
        wire_length: The length of the packet on the wire in bytes.
    """

    data: bytes
    wire_length: int


ViewFunction: TypeAlias = Callable[[bytes, int], HostView]
"""Returns the view of a packet, given its bytes and its length on the wire."""


def host_view(packet: bytes, link_type: LinkType, byte_order: ByteOrder, wire_length: int) -> HostView:
    """Return a packet of a capture as libpcap presents it to filters on this host.

    Args:
        packet: The bytes of the packet, as captured.
        link_type: Its link type.
        byte_order: The byte order of its part of the capture (`Interface.byte_order`).
        wire_length: Its length on the wire in bytes, as recorded.

    Returns:
        The packet, in most cases unchanged. Headers of the link types LINUX_SLL (of CAN frames), USB_LINUX,
        USB_LINUX_MMAPPED and NFLOG are in the byte order of this host; isochronous transfers of USB_LINUX_MMAPPED have
        the length that their descriptors contain. Source: libpcap pcap-util.c (pcapint_post_process).

    >>> from cbpf import link_type
    >>> host_view(bytes.fromhex("0200 0007 0008 0001 aabbccdd"), link_type("NFLOG"), ">", 12).data.hex()
    '0200000708000100aabbccdd'
    """
    view = view_function(link_type, byte_order)
    return HostView(packet, wire_length) if view is None else view(packet, wire_length)


def view_function(link_type: LinkType, byte_order: ByteOrder, *, uses_length: bool = True) -> ViewFunction | None:
    """Return the function for the view of packets, or None if it is the packet itself.

    *uses_length* indicates whether the filter reads the length on the wire.
    """
    order = link_type.host_order
    if order is None:
        return None
    reverses = order.filters_see_host and byte_order != HOST_BYTE_ORDER
    correct = order.wire_length if uses_length else None
    if not reverses and correct is None:
        return None

    def view(packet: bytes, wire_length: int) -> HostView:
        length = wire_length if correct is None else correct(packet, wire_length, byte_order)
        return HostView(order.reversed(packet, wire_length, byte_order) if reverses else packet, length)

    return view
