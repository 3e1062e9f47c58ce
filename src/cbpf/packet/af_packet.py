"""Captured packets as a live packet socket delivers them to a filter: the bytes, and the kernel's metadata.

Linux removes the outer VLAN tag of a frame before a filter sees it (packet(7), skb_vlan_untag). A cooked capture has
the kernel's fields in a header before the packet (pcap-linktype(7), LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2).
"""

from collections.abc import Callable
from typing import Final

from .._named_tuple import NamedTuple
from .link_types import LinkType
from .metadata import Device, Metadata, VlanTag

_ADDRESSES_LENGTH: Final = 12  # an Ethernet frame begins with two addresses of 6 bytes
_ETHERNET_HEADER_LENGTH: Final = 14
_TAG_LENGTH: Final = 4
_TAG_PROTOCOLS: Final = (0x8100, 0x88A8)
_SLL_HEADER_LENGTH: Final = 16
_SLL2_HEADER_LENGTH: Final = 20

_ARPHRD_ETHER: Final = 1
_UNKNOWN_DEVICE: Final = 0  # the index of a device that a capture does not record
_PACKET_HOST, _PACKET_BROADCAST, _PACKET_MULTICAST = 0, 1, 2
_ETH_P_802_3, _ETH_P_802_2 = 0x0001, 0x0004  # frames with a length in place of an EtherType


class SocketView(NamedTuple):
    """A packet as a socket sees it.

    Args:
        data: The bytes that the socket can receive.
        wire_length: The length of the packet on the wire in this form, in bytes: without a removed tag or header.
        metadata: The metadata that the kernel has for the packet.
    """

    data: bytes
    wire_length: int
    metadata: Metadata


def socket_view(packet: bytes, link_type: LinkType, wire_length: int | None = None) -> SocketView:
    """Return a captured packet as an AF_PACKET socket would see it.

    - Ethernet: without the outer VLAN tag, if there is one. `protocol` is the EtherType after the tag; `packet_type`
      distinguishes broadcast and multicast from packets to this host.
    - Linux cooked captures (SLL, SLL2): without the cooked header, whose fields become the metadata.
    - RAW, IPV4, IPV6: `protocol` from the IP version.
    - Other link types, and truncated cooked headers: the packet is unchanged, and the metadata have their defaults.

    Args:
        packet: The captured bytes.
        link_type: The link type of the capture, which is the format of the packet's first bytes.
        wire_length: The length of the packet on the wire in bytes; by default the captured length.

    Returns:
        The packet, its wire length and its metadata. The index of a device that the capture does not record is 0.

    >>> from cbpf import link_type
    >>> frame = bytes.fromhex("ffffffffffff 020000000001 8100 0007 0806") + bytes(28)
    >>> view = socket_view(frame, link_type("EN10MB"))
    >>> len(frame), len(view.data), view.metadata.vlan, hex(view.metadata.protocol)
    (46, 42, VlanTag(tci=7, tpid=33024), '0x806')
    """
    length = len(packet) if wire_length is None else wire_length
    return _VIEWS.get(link_type.name, _unchanged_view)(packet, length)


def with_tag(view: SocketView) -> bytes:
    """Return the frame of a view with its removed VLAN tag inserted again after the Ethernet addresses.

    Args:
        view: A view of an Ethernet frame.

    Returns:
        The frame as captured; the data of a view without a tag, unchanged.

    >>> from cbpf import link_type
    >>> frame = bytes.fromhex("ffffffffffff 020000000001 8100 0007 0806") + bytes(28)
    >>> with_tag(socket_view(frame, link_type("EN10MB"))) == frame
    True
    """
    tag = view.metadata.vlan
    if tag is None:
        return view.data
    tag_bytes = tag.tpid.to_bytes(2, "big") + tag.tci.to_bytes(2, "big")
    return view.data[:_ADDRESSES_LENGTH] + tag_bytes + view.data[_ADDRESSES_LENGTH:]


def _ethernet_view(frame: bytes, length: int) -> SocketView:
    tag = None
    if len(frame) >= _ETHERNET_HEADER_LENGTH + _TAG_LENGTH and _half_word(frame, _ADDRESSES_LENGTH) in _TAG_PROTOCOLS:
        tag = VlanTag(_half_word(frame, _ADDRESSES_LENGTH + 2), _half_word(frame, _ADDRESSES_LENGTH))
        frame = frame[:_ADDRESSES_LENGTH] + frame[_ADDRESSES_LENGTH + _TAG_LENGTH :]
        length = max(0, length - _TAG_LENGTH)
    metadata = Metadata(
        protocol=_ethernet_protocol(frame),
        packet_type=_packet_type(frame),
        device=Device(_UNKNOWN_DEVICE, _ARPHRD_ETHER),
        vlan=tag,
        network_header=_ETHERNET_HEADER_LENGTH,
        link_header=0,
    )
    return SocketView(frame, length, metadata)


def _ethernet_protocol(frame: bytes) -> int:
    """Return skb->protocol as eth_type_trans computes it (net/ethernet/eth.c); 0 for a truncated header."""
    if len(frame) < _ETHERNET_HEADER_LENGTH:
        return 0
    protocol = _half_word(frame, _ADDRESSES_LENGTH)
    if protocol >= 0x0600:
        return protocol
    is_raw_802_3 = frame[_ETHERNET_HEADER_LENGTH : _ETHERNET_HEADER_LENGTH + 2] == b"\xff\xff"
    return _ETH_P_802_3 if is_raw_802_3 else _ETH_P_802_2


def _packet_type(frame: bytes) -> int:
    if frame[:6] == b"\xff" * 6:
        return _PACKET_BROADCAST
    return _PACKET_MULTICAST if frame[:1] and frame[0] & 1 else _PACKET_HOST


def _sll_view(packet: bytes, length: int) -> SocketView:
    if len(packet) < _SLL_HEADER_LENGTH:
        return SocketView(packet, length, Metadata())
    device = Device(_UNKNOWN_DEVICE, _half_word(packet, 2))
    metadata = Metadata(protocol=_half_word(packet, 14), packet_type=_half_word(packet, 0) & 7, device=device)
    return SocketView(packet[_SLL_HEADER_LENGTH:], max(0, length - _SLL_HEADER_LENGTH), metadata)


def _sll2_view(packet: bytes, length: int) -> SocketView:
    if len(packet) < _SLL2_HEADER_LENGTH:
        return SocketView(packet, length, Metadata())
    device = Device(int.from_bytes(packet[4:8], "big"), _half_word(packet, 8))
    metadata = Metadata(protocol=_half_word(packet, 0), packet_type=packet[10] & 7, device=device)
    return SocketView(packet[_SLL2_HEADER_LENGTH:], max(0, length - _SLL2_HEADER_LENGTH), metadata)


def _ip_view(packet: bytes, length: int) -> SocketView:
    protocol = {4: 0x0800, 6: 0x86DD}.get(packet[0] >> 4, 0) if packet else 0
    return SocketView(packet, length, Metadata(protocol=protocol))


def _unchanged_view(packet: bytes, length: int) -> SocketView:
    return SocketView(packet, length, Metadata())


def _half_word(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 2], "big")


_VIEWS: Final[dict[str, Callable[[bytes, int], SocketView]]] = {
    "EN10MB": _ethernet_view,
    "LINUX_SLL": _sll_view,
    "LINUX_SLL2": _sll2_view,
    "RAW": _ip_view,
    "IPV4": _ip_view,
    "IPV6": _ip_view,
}
