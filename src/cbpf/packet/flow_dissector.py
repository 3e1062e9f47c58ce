"""The payload offset of a packet, as Linux computes it for `ld poff`: header by header from the network header.

Linux stops at the innermost transport header that it can reach, and adds the length of that header. The offset is 0 for
an unsupported protocol, and for a packet that ends in the middle of a header that must be read. Linux checks neither IP
versions nor checksums, nor that the packet contains its payload.

Sources: Linux net/core/flow_dissector.c (skb_get_poff, __skb_flow_dissect with the keys control and basic and
no flags), include/uapi/linux (if_ether.h, in.h, ip.h, ipv6.h, if_tunnel.h, if_pppox.h, batadv_packet.h).
Omitted, as they depend on the configuration of a machine: DSA switches, and a BPF flow dissector in the network
namespace. A packet is assumed to be linear in memory; of a packet that is not, Linux does not dissect FCoE.
"""

from collections.abc import Callable

from .._enum import Enum, auto
from .._typing import Final, TypeAlias

_MAX_STEPS: Final = 16  # MAX_FLOW_DISSECT_HDRS = 15 steps after the first

_IPV4: Final = 0x0800
_ETHERNET: Final = 0x6558
_VLAN: Final = 0x8100
_IPV6: Final = 0x86DD
_MPLS: Final = 0x8847
_MPLS_MULTICAST: Final = 0x8848
_PPP: Final = 0x880B
_PROVIDER_VLAN: Final = 0x88A8

_TCP: Final = 6

# The lengths in bytes of transport headers without options, by IP protocol.
_TRANSPORT_LENGTHS: Final = {
    1: 8,  # ICMP
    2: 8,  # IGMP
    17: 8,  # UDP
    33: 12,  # DCCP
    58: 8,  # ICMPv6
    132: 12,  # SCTP
    136: 8,  # UDP-Lite
}
_MIN_TCP_LENGTH: Final = 20
_TCP_DATA_OFFSET: Final = 12  # the byte whose upper half is the length of the header in 32-bit words


def payload_offset(
    data: bytes | memoryview,
    *,
    protocol: int,
    network_header: int,
    packet_start: int = 0,
    vlan_protocol: int | None = None,
) -> int:
    """Return the offset of the payload in bytes from packet byte 0, or 0 for a packet that Linux cannot dissect.

    The offset may be after the packet's end: a UDP packet of 3 bytes still has a header of 8.

    Args:
        data: The bytes before the packet, and the packet.
        protocol: The packet's EtherType, in host order.
        network_header: The index in *data* of the network header.
        packet_start: The index in *data* of packet byte 0.
        vlan_protocol: The EtherType of a VLAN tag that was removed from the packet; dissected before *protocol*.

    >>> udp = bytes.fromhex("45000020 00004000 40110000 7f000001 7f000001  0035 0035 000c 0000  01020304")
    >>> payload_offset(udp, protocol=0x0800, network_header=0)
    28
    >>> payload_offset(bytes(14) + udp, protocol=0x0800, network_header=14)
    42
    >>> payload_offset(udp, protocol=0x0800, network_header=0, packet_start=20)
    8
    >>> payload_offset(udp[:19], protocol=0x0800, network_header=0)
    0
    """
    state = _State(data, network_header, protocol, vlan_protocol)
    try:
        _dissect(state)
    except _DissectionFailed:
        return 0
    # Linux 6.18 truncates both values to 16 bits, and so misreads an offset before the packet, and a packet of 64 KiB.
    start = min(state.position - packet_start & 0xFFFF, len(data) - packet_start & 0xFFFF)
    if state.is_later_fragment:
        return start
    return start + _transport_length(data, packet_start + start, state.ip_protocol)


def _transport_length(data: bytes | memoryview, start: int, ip_protocol: int) -> int:
    """Return the length of the transport header at index *start*; 0 if it is unknown or not captured."""
    if ip_protocol != _TCP:
        return _TRANSPORT_LENGTHS.get(ip_protocol, 0)
    field = start + _TCP_DATA_OFFSET
    return max(_MIN_TCP_LENGTH, (data[field] & 0xF0) >> 2) if field < len(data) else 0


class _DissectionFailed(Exception):
    """The protocol is unsupported, or a header that must be read is truncated or malformed."""


class _Next(Enum):
    """How dissection continues after a header."""

    BY_ETHER_TYPE = auto()  # FLOW_DISSECT_RET_PROTO_AGAIN
    BY_IP_PROTOCOL = auto()  # FLOW_DISSECT_RET_IPPROTO_AGAIN
    STOP = auto()  # FLOW_DISSECT_RET_OUT_GOOD


class _State:
    """The progress of a dissection.

    `position` is the index in data of the first byte that is not yet dissected, and `protocol` the EtherType of the
    header there. `ip_protocol` is the last IP protocol seen, 0 before the first. `is_later_fragment`: the transport
    header is in another packet. `protocol_after_tag` is the EtherType after a VLAN tag that is not in data, or None
    once that tag was counted.
    """

    __slots__ = ("data", "ip_protocol", "is_later_fragment", "position", "protocol", "protocol_after_tag")

    def __init__(self, data: bytes | memoryview, position: int, protocol: int, vlan_protocol: int | None) -> None:
        self.data = data
        self.position = position
        self.protocol = protocol if vlan_protocol is None else vlan_protocol
        self.protocol_after_tag = None if vlan_protocol is None else protocol
        self.ip_protocol = 0
        self.is_later_fragment = False

    def peek(self, size: int) -> bytes | memoryview:
        """Return the next *size* bytes without moving past them."""
        end = self.position + size
        if self.position < 0 or end > len(self.data):
            raise _DissectionFailed
        return self.data[self.position : end]

    def read(self, size: int) -> bytes | memoryview:
        """Return the next *size* bytes, and move past them."""
        header = self.peek(size)
        self.position += size
        return header


_HeaderParser: TypeAlias = Callable[[_State], _Next]


def _dissect(state: _State) -> None:
    """Move past each header before the transport header, or past as many headers as Linux dissects."""
    following = _Next.BY_ETHER_TYPE
    for _ in range(_MAX_STEPS):
        if following is _Next.BY_ETHER_TYPE:
            following = _BY_ETHER_TYPE.get(state.protocol, _unsupported)(state)
        if following is _Next.BY_IP_PROTOCOL:  # immediately after an IP header: both are one step in the kernel
            following = _BY_IP_PROTOCOL.get(state.ip_protocol, _stop)(state)
        if following is _Next.STOP:
            return


def _half_word(header: bytes | memoryview, offset: int) -> int:
    """Return the 16-bit number at *offset*, in network order."""
    return header[offset] << 8 | header[offset + 1]


def _stop(state: _State) -> _Next:
    """Stop before a transport header, or before a protocol whose payload offset is its own start."""
    return _Next.STOP


def _unsupported(state: _State) -> _Next:
    raise _DissectionFailed


# -- by EtherType ------------------------------------------------------------------------------------------


def _ipv4(state: _State) -> _Next:
    header = state.peek(20)
    length = (header[0] & 0x0F) * 4
    if length < 20:
        raise _DissectionFailed
    state.position += length  # the options may be truncated
    state.ip_protocol = header[9]
    fragment = _half_word(header, 6)
    state.is_later_fragment = fragment & 0x1FFF != 0
    more_fragments = fragment & 0x2000 != 0
    return _Next.STOP if state.is_later_fragment or more_fragments else _Next.BY_IP_PROTOCOL


def _ipv6(state: _State) -> _Next:
    state.ip_protocol = state.read(40)[6]
    return _Next.BY_IP_PROTOCOL


def _vlan(state: _State) -> _Next:
    if state.protocol_after_tag is not None:
        state.protocol, state.protocol_after_tag = state.protocol_after_tag, None
    else:
        state.protocol = _half_word(state.read(4), 2)
    return _Next.BY_ETHER_TYPE


def _pppoe(state: _State) -> _Next:
    """Dissect a PPPoE session header: version and type (both 1), code 0, session, length, PPP protocol."""
    header = state.read(8)
    ppp_protocol = _half_word(header, 6)
    if _half_word(header, 0) != 0x1100 or ppp_protocol & 0x0101 != 0x0001:
        raise _DissectionFailed
    if ppp_protocol not in _PPP_PROTOCOLS:
        return _Next.STOP
    state.protocol = _PPP_PROTOCOLS[ppp_protocol]
    return _Next.BY_ETHER_TYPE


def _mpls(state: _State) -> _Next:
    """Move past one label, whose bytes need not exist."""
    state.position += 4
    return _Next.STOP


def _tipc(state: _State) -> _Next:
    state.peek(16)
    return _Next.STOP


def _batman(state: _State) -> _Next:
    """Dissect a unicast header of batman-adv version 15, and the Ethernet header of the frame inside."""
    header = state.read(24)
    if _half_word(header, 0) != 0x400F:
        raise _DissectionFailed
    state.protocol = _half_word(header, 22)
    return _Next.BY_ETHER_TYPE


def _redundancy_tag(state: _State) -> _Next:
    """Dissect a tag of PRP or HSR: path and size, sequence number, EtherType."""
    state.protocol = _half_word(state.read(6), 4)
    return _Next.BY_ETHER_TYPE


def _last_header(size: int) -> _HeaderParser:
    """Return the parser of a header of *size* bytes, after which the payload begins."""

    def parse(state: _State) -> _Next:
        state.read(size)
        return _Next.STOP

    return parse


_PPP_PROTOCOLS: Final = {0x0021: _IPV4, 0x0057: _IPV6, 0x0281: _MPLS, 0x0283: _MPLS_MULTICAST}

_BY_ETHER_TYPE: Final[dict[int, _HeaderParser]] = {
    _IPV4: _ipv4,
    0x0806: _stop,  # ARP
    0x4305: _batman,
    0x8035: _stop,  # RARP
    _VLAN: _vlan,
    _IPV6: _ipv6,
    _MPLS: _mpls,
    _MPLS_MULTICAST: _mpls,
    0x8864: _pppoe,
    _PROVIDER_VLAN: _vlan,
    0x88CA: _tipc,
    0x88F7: _last_header(34),  # PTP, IEEE 1588
    0x88FB: _redundancy_tag,  # PRP
    0x8902: _stop,  # CFM, IEEE 802.1ag
    0x8906: _last_header(38),  # FCoE
    0x892F: _redundancy_tag,  # HSR
}


# -- by IP protocol ----------------------------------------------------------------------------------------


def _ipv6_option(state: _State) -> _Next:
    """Dissect hop-by-hop options, routing or destination options; after IPv4, stop before them."""
    if state.protocol != _IPV6:
        return _Next.STOP
    header = state.peek(2)
    state.ip_protocol = header[0]
    state.position += (header[1] + 1) * 8
    return _Next.BY_IP_PROTOCOL


def _ipv6_fragment(state: _State) -> _Next:
    if state.protocol == _IPV6:
        header = state.read(8)
        state.ip_protocol = header[0]
        state.is_later_fragment = _half_word(header, 2) & 0xFFF8 != 0
    return _Next.STOP


def _gre(state: _State) -> _Next:
    """Dissect GRE of version 0, or PPTP, which is version 1 with a key; stop before any other, or source routing."""
    header = state.peek(4)
    flags, protocol = _half_word(header, 0), _half_word(header, 2)
    version = flags & 0x0007
    has_checksum, has_routing, has_key, has_sequence = (flags & bit != 0 for bit in (0x8000, 0x4000, 0x2000, 0x1000))
    if has_routing or version > 1 or (version == 1 and not (has_key and protocol == _PPP)):
        return _Next.STOP
    if has_key:
        state.peek(8 + 4 * has_checksum)
    state.position += 4 + 4 * (has_checksum + has_key + has_sequence)
    state.protocol = protocol
    if version == 1:
        return _pptp(state, has_acknowledgement=flags & 0x0080 != 0)
    if protocol == _ETHERNET:
        state.protocol = _half_word(state.read(14), 12)
    return _Next.BY_ETHER_TYPE


def _pptp(state: _State, *, has_acknowledgement: bool) -> _Next:
    """Dissect the rest of a PPTP header, and the PPP header: address, control, protocol."""
    state.position += 4 * has_acknowledgement
    state.protocol = {0x0021: _IPV4, 0x0057: _IPV6}.get(_half_word(state.read(4), 2), _PPP)
    return _Next.BY_ETHER_TYPE


def _tunnel_of(protocol: int) -> _HeaderParser:
    """Return the parser of a tunnel without a header of its own, whose content has the EtherType *protocol*."""

    def parse(state: _State) -> _Next:
        state.protocol = protocol
        return _Next.BY_ETHER_TYPE

    return parse


_BY_IP_PROTOCOL: Final[dict[int, _HeaderParser]] = {
    0: _ipv6_option,
    4: _tunnel_of(_IPV4),
    41: _tunnel_of(_IPV6),
    43: _ipv6_option,
    44: _ipv6_fragment,
    47: _gre,
    60: _ipv6_option,
    137: _tunnel_of(_MPLS),
}
