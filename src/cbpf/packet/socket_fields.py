"""The view that a live packet socket has of a captured packet, defined once in terms of a small abstract packet.

A `CapturedPacket` chooses the type of its words: ints (`af_packet`), or values of compiled code (the llvm engine). No
`if` in this module depends on a word: decisions about words go through `select` and `remove`.

Sources: Linux skb_vlan_untag, eth_type_trans (net/ethernet/eth.c); pcap-linktype(7), LINKTYPE_LINUX_SLL and
LINKTYPE_LINUX_SLL2.
"""

from collections.abc import Callable, Mapping

from .._named_tuple import NamedTuple
from .._typing import Any, Final, Protocol, TypeVar
from ..isa.enumerations import Extension

Word = TypeVar("Word")
Condition = TypeVar("Condition")

ADDRESSES_LENGTH: Final = 12  # an Ethernet frame begins with two addresses of 6 bytes
_ETHERNET_HEADER_LENGTH: Final = 14
_TAG_LENGTH: Final = 4
TAG_PROTOCOLS: Final = (0x8100, 0x88A8)
_SLL_HEADER_LENGTH: Final = 16
_SLL2_HEADER_LENGTH: Final = 20

_ARPHRD_ETHER: Final = 1
_PACKET_BROADCAST, _PACKET_MULTICAST = 1, 2
_MIN_ETHERTYPE: Final = 0x0600  # smaller numbers are lengths
_ETH_P_802_3, _ETH_P_802_2 = 0x0001, 0x0004  # frames with a length in place of an EtherType


class CapturedPacket(Protocol[Word, Condition]):
    """A captured packet and its wire length. Words are unsigned 32-bit numbers, and offsets and sizes are ints."""

    def has(self, count: int, /) -> Condition:
        """Return whether the packet has *count* bytes or more."""
        ...

    def number(self, offset: int, size: int, /) -> Word:
        """Return the big-endian number in *size* bytes, 1, 2 or 4; 0 if the packet ends before their end."""
        ...

    def bits(self, word: Word, shift: int, mask: int, /) -> Word:
        """Return word >> shift & mask."""
        ...

    def is_one_of(self, word: Word, /, *values: int) -> Condition:
        """Return whether a word is one of these values."""
        ...

    def at_least(self, word: Word, bound: int, /) -> Condition:
        """Return whether a word is *bound* or more."""
        ...

    def both(self, first: Condition, second: Condition, /) -> Condition:
        """Return whether both conditions hold."""
        ...

    def select(self, condition: Condition, then: Word | int, otherwise: Word | int, /) -> Word:
        """Return *then* if the condition holds, else *otherwise*."""
        ...

    def remove(self, start: int, count: int, condition: Condition, /) -> None:
        """Remove *count* bytes, which the packet has, from offset *start* on if the condition holds.

        The wire length decreases by *count*, to 0 at least. A function of `SOCKET_FIELDS` may call this several times
        if *start* is 0 each time.
        """
        ...


class SocketFields(NamedTuple):
    """The metadata of a packet as a socket receives it.

    *extensions* has the words, or ints, that extensions load; all others are 0. *has_device* is a condition, or a bool:
    whether the packet has a network device. The offsets of headers are those of `Metadata`.
    """

    extensions: Mapping[Extension, Any]
    has_device: Any
    network_header: int = 0
    link_header: int | None = None


def _ethernet(packet: CapturedPacket[Word, Condition]) -> SocketFields:
    """Remove the outer VLAN tag."""
    tpid, tci = packet.number(ADDRESSES_LENGTH, 2), packet.number(ADDRESSES_LENGTH + 2, 2)
    is_complete = packet.has(_ETHERNET_HEADER_LENGTH + _TAG_LENGTH)
    is_tagged = packet.both(is_complete, packet.is_one_of(tpid, *TAG_PROTOCOLS))
    packet.remove(ADDRESSES_LENGTH, _TAG_LENGTH, is_tagged)
    extensions = {
        Extension.PROTO: _ethernet_protocol(packet),
        Extension.TYPE: _ethernet_packet_type(packet),
        Extension.LINK_LAYER_TYPE: _ARPHRD_ETHER,
        **_removed_tag(packet, is_tagged, tpid, tci),
    }
    return SocketFields(extensions, True, _ETHERNET_HEADER_LENGTH, 0)


def _removed_tag(
    packet: CapturedPacket[Word, Condition], is_tagged: Condition, tpid: Word, tci: Word
) -> dict[Extension, Any]:
    return {
        Extension.VLAN_TAG: packet.select(is_tagged, tci, 0),
        Extension.VLAN_TAG_PRESENT: packet.select(is_tagged, 1, 0),
        Extension.VLAN_PROTO: packet.select(is_tagged, tpid, 0),
    }


def _ethernet_protocol(packet: CapturedPacket[Word, Condition]) -> Word:
    """Return skb->protocol as eth_type_trans computes it; 0 for a truncated header."""
    number = packet.number(ADDRESSES_LENGTH, 2)
    is_raw_802_3 = packet.is_one_of(packet.number(_ETHERNET_HEADER_LENGTH, 2), 0xFFFF)
    of_length = packet.select(is_raw_802_3, _ETH_P_802_3, _ETH_P_802_2)
    of_header = packet.select(packet.at_least(number, _MIN_ETHERTYPE), number, of_length)
    return packet.select(packet.has(_ETHERNET_HEADER_LENGTH), of_header, 0)


def _ethernet_packet_type(packet: CapturedPacket[Word, Condition]) -> Word:
    multicast = packet.select(packet.is_one_of(packet.bits(packet.number(0, 1), 0, 1), 1), _PACKET_MULTICAST, 0)
    upper, lower = packet.number(0, 4), packet.number(4, 2)
    is_broadcast = packet.both(packet.is_one_of(upper, 0xFFFF_FFFF), packet.is_one_of(lower, 0xFFFF))
    return packet.select(is_broadcast, _PACKET_BROADCAST, multicast)


def _cooked(
    packet: CapturedPacket[Word, Condition], header_length: int, fields: Mapping[Extension, tuple[int, int]]
) -> SocketFields:
    """Remove a cooked header with *fields*, given by their offsets and sizes; a truncated header is not removed."""
    is_complete = packet.has(header_length)
    extensions = {
        extension: packet.select(is_complete, packet.number(*field), 0) for extension, field in fields.items()
    }
    extensions[Extension.TYPE] = packet.bits(extensions[Extension.TYPE], 0, 7)
    packet.remove(0, header_length, is_complete)
    return SocketFields(extensions, is_complete)


def _sll(packet: CapturedPacket[Word, Condition]) -> SocketFields:
    """Remove a cooked header, and a VLAN tag, which libpcap inserts before the protocol (pcap-linux.c)."""
    end = _SLL_HEADER_LENGTH
    tpid, tci, protocol = (packet.number(offset, 2) for offset in (end - 2, end, end + 2))
    is_tagged = packet.both(packet.has(end + _TAG_LENGTH), packet.is_one_of(tpid, *TAG_PROTOCOLS))
    fields = {Extension.TYPE: (0, 2), Extension.LINK_LAYER_TYPE: (2, 2), Extension.PROTO: (end - 2, 2)}
    view = _cooked(packet, end, fields)
    packet.remove(0, _TAG_LENGTH, is_tagged)
    of_tag = _removed_tag(packet, is_tagged, tpid, tci)
    of_tag[Extension.PROTO] = packet.select(is_tagged, protocol, view.extensions[Extension.PROTO])
    return view._replace(extensions={**view.extensions, **of_tag})


def _sll2(packet: CapturedPacket[Word, Condition]) -> SocketFields:
    fields = {
        Extension.PROTO: (0, 2),
        Extension.INTERFACE_INDEX: (4, 4),
        Extension.LINK_LAYER_TYPE: (8, 2),
        Extension.TYPE: (10, 1),
    }
    return _cooked(packet, _SLL2_HEADER_LENGTH, fields)


def _ip(packet: CapturedPacket[Word, Condition]) -> SocketFields:
    version = packet.bits(packet.number(0, 1), 4, 15)
    ipv6 = packet.select(packet.is_one_of(version, 6), 0x86DD, 0)
    protocol = packet.select(packet.is_one_of(version, 4), 0x0800, ipv6)
    return SocketFields({Extension.PROTO: protocol}, False)


SOCKET_FIELDS: Final[dict[str, Callable[[CapturedPacket[Any, Any]], SocketFields]]] = {
    "EN10MB": _ethernet,
    "LINUX_SLL": _sll,
    "LINUX_SLL2": _sll2,
    "RAW": _ip,
    "IPV4": _ip,
    "IPV6": _ip,
}
"""Functions that remove the bytes that a socket does not receive, and return the metadata, by name of the link type.

Packets of other link types are unchanged and have the default metadata.
"""
