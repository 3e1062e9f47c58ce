"""What a live packet socket would have seen of a captured packet: its bytes, and what the kernel knew beside them.

Linux takes the outer VLAN tag out of a frame before a filter sees it (packet(7), skb_vlan_untag); a cooked capture has
the kernel's own fields in front of the packet (pcap-linktype(7), LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2).
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from .link_types import LinkType
from .metadata import Device, Metadata, VlanTag

_ADDRESSES: Final = 12  # an Ethernet frame begins with two addresses of 6 bytes
_ETHERNET_HEADER: Final = 14
_TAG: Final = 4
_TAG_TYPES: Final = (0x8100, 0x88A8)

_ETHERNET, _ANY = 1, 0  # ARPHRD_ETHER; the index of a device that a capture does not name
_BROADCAST, _MULTICAST = 1, 2  # PACKET_BROADCAST, PACKET_MULTICAST
_P_802_3, _P_802_2 = 0x0001, 0x0004  # ETH_P_802_3, ETH_P_802_2: frames with a length where others have a type


class SocketView(NamedTuple):
    """A packet as a socket sees it: its bytes, the length it had on the wire in this form, and the metadata."""

    data: bytes
    wire_length: int
    metadata: Metadata


def socket_view(packet: bytes, link_type: LinkType, wire_length: int | None = None) -> SocketView:
    """The packet of a capture as an AF_PACKET socket would see it.

    Ethernet: the outer VLAN tag is taken out; `protocol` is the EtherType behind it; `packet_type` tells broadcast and
    multicast from the rest. Linux cooked captures (SLL, SLL2): the packet without its header, whose fields become the
    metadata. RAW, IPV4, IPV6: `protocol` by the IP version. For other link types the metadata are the defaults.
    """
    length = len(packet) if wire_length is None else wire_length
    return _VIEWS.get(link_type.name, _other)(packet, length)


def with_tag(view: SocketView) -> bytes:
    """The frame with its VLAN tag, if one was taken out, put back where it was."""
    tag = view.metadata.vlan
    if tag is None:
        return view.data
    inserted = tag.tpid.to_bytes(2, "big") + tag.tci.to_bytes(2, "big")
    return view.data[:_ADDRESSES] + inserted + view.data[_ADDRESSES:]


def _ethernet(packet: bytes, length: int) -> SocketView:
    tag = None
    if len(packet) >= _ETHERNET_HEADER + _TAG and _number(packet, _ADDRESSES) in _TAG_TYPES:
        tag = VlanTag(_number(packet, _ADDRESSES + 2), _number(packet, _ADDRESSES))
        packet = packet[:_ADDRESSES] + packet[_ADDRESSES + _TAG :]
        length = max(0, length - _TAG)
    metadata = Metadata(
        protocol=_ethernet_protocol(packet),
        packet_type=_packet_type(packet),
        device=Device(_ANY, _ETHERNET),
        vlan=tag,
        network_header=_ETHERNET_HEADER,
        link_header=0,
    )
    return SocketView(packet, length, metadata)


def _ethernet_protocol(frame: bytes) -> int:
    """skb->protocol, by eth_type_trans (net/ethernet/eth.c)."""
    if len(frame) < _ETHERNET_HEADER:
        return 0
    protocol = _number(frame, _ADDRESSES)
    if protocol >= 0x0600:
        return protocol
    return _P_802_3 if frame[_ETHERNET_HEADER : _ETHERNET_HEADER + 2] == b"\xff\xff" else _P_802_2


def _packet_type(frame: bytes) -> int:
    if frame[:6] == b"\xff" * 6:
        return _BROADCAST
    return _MULTICAST if frame[:1] and frame[0] & 1 else 0


def _cooked(packet: bytes, length: int) -> SocketView:
    if len(packet) < 16:
        return SocketView(packet, length, Metadata())
    device = Device(_ANY, _number(packet, 2))
    metadata = Metadata(protocol=_number(packet, 14), packet_type=_number(packet, 0) & 7, device=device)
    return SocketView(packet[16:], max(0, length - 16), metadata)


def _cooked_version_2(packet: bytes, length: int) -> SocketView:
    if len(packet) < 20:
        return SocketView(packet, length, Metadata())
    device = Device(int.from_bytes(packet[4:8], "big"), _number(packet, 8))
    metadata = Metadata(protocol=_number(packet, 0), packet_type=packet[10] & 7, device=device)
    return SocketView(packet[20:], max(0, length - 20), metadata)


def _internet(packet: bytes, length: int) -> SocketView:
    protocol = {4: 0x0800, 6: 0x86DD}.get(packet[0] >> 4, 0) if packet else 0
    return SocketView(packet, length, Metadata(protocol=protocol))


def _other(packet: bytes, length: int) -> SocketView:
    return SocketView(packet, length, Metadata())


def _number(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 2], "big")


_VIEWS: Final[dict[str, Callable[[bytes, int], SocketView]]] = {
    "EN10MB": _ethernet,
    "LINUX_SLL": _cooked,
    "LINUX_SLL2": _cooked_version_2,
    "RAW": _internet,
    "IPV4": _internet,
    "IPV6": _internet,
}
