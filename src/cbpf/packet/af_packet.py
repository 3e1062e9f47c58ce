"""Captured packets as a live packet socket delivers them to a filter: the bytes, and the kernel's metadata.

Linux removes the outer VLAN tag of a frame before a filter sees it (packet(7), skb_vlan_untag). A cooked capture has
the kernel's fields in a header before the packet (pcap-linktype(7), LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2).
"""

from functools import lru_cache

from .._named_tuple import NamedTuple
from ..isa.enumerations import Extension
from .link_types import LinkType
from .metadata import Device, Metadata, VlanTag
from .socket_fields import ADDRESSES_LENGTH, SOCKET_FIELDS


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
    - Linux cooked captures (SLL, SLL2): without the cooked header, whose fields become the metadata; of SLL, also
      without the VLAN tag that libpcap inserts into it.
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
    fields_of = SOCKET_FIELDS.get(link_type.name)
    if fields_of is None:
        return SocketView(packet, length, Metadata())
    received = _ReceivedPacket(packet, length)
    extensions, has_device, network_header, link_header = fields_of(received)
    values = tuple(extensions.items())
    return SocketView(received.data, received.wire_length, _metadata(values, has_device, network_header, link_header))


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
    return view.data[:ADDRESSES_LENGTH] + tag_bytes + view.data[ADDRESSES_LENGTH:]


class _ReceivedPacket:
    """A `CapturedPacket` whose words are ints, and whose conditions are bools."""

    def __init__(self, data: bytes, wire_length: int) -> None:
        self.data = data
        self.wire_length = wire_length

    def has(self, count: int) -> bool:
        return len(self.data) >= count

    def number(self, offset: int, size: int) -> int:
        end = offset + size
        return int.from_bytes(self.data[offset:end]) if len(self.data) >= end else 0

    def bits(self, word: int, shift: int, mask: int) -> int:
        return word >> shift & mask

    def is_one_of(self, word: int, *values: int) -> bool:
        return word in values

    def at_least(self, word: int, bound: int) -> bool:
        return word >= bound

    def both(self, first: bool, second: bool) -> bool:
        return first and second

    def select(self, condition: bool, then: int, otherwise: int) -> int:
        return then if condition else otherwise

    def remove(self, start: int, count: int, condition: bool) -> None:
        if condition:
            self.data = self.data[:start] + self.data[start + count :]
            self.wire_length = max(0, self.wire_length - count)


@lru_cache(256)
def _metadata(
    extensions: tuple[tuple[Extension, int], ...], has_device: bool, network_header: int, link_header: int | None
) -> Metadata:
    """Return the metadata of these fields; the packets of a capture have few different ones."""
    values = dict(extensions)
    device = Device(values.get(Extension.INTERFACE_INDEX, 0), values.get(Extension.LINK_LAYER_TYPE, 0))
    tag = VlanTag(values.get(Extension.VLAN_TAG, 0), values.get(Extension.VLAN_PROTO, 0))
    return Metadata(
        protocol=values[Extension.PROTO],
        packet_type=values.get(Extension.TYPE, 0),
        device=device if has_device else None,
        vlan=tag if values.get(Extension.VLAN_TAG_PRESENT) else None,
        network_header=network_header,
        link_header=link_header,
    )
