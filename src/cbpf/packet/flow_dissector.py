"""Where a packet's payload begins, as Linux's `ld poff` finds it: header by header, from the network header.

Linux stops at the innermost transport header that it can reach, and adds that header's length. What it does
not know, and what ends in the middle of a header that it must read, has payload offset 0. It checks little:
neither IP versions, nor checksums, nor whether the payload is there.

Sources: Linux net/core/flow_dissector.c (skb_get_poff, __skb_flow_dissect with the keys control and basic and
no flags), include/uapi/linux (if_ether.h, in.h, ip.h, ipv6.h, if_tunnel.h, if_pppox.h, batadv_packet.h).
Left out, as they are settings of a machine: DSA switches, and a BPF flow dissector in the network namespace.
A packet is taken to lie in one piece in memory; where it does not, Linux does not understand FCoE.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, TypeAlias

_MOST_STEPS: Final = 16  # MAX_FLOW_DISSECT_HDRS = 15 steps after the first

_IPV4: Final = 0x0800
_ETHERNET: Final = 0x6558
_VLAN: Final = 0x8100
_IPV6: Final = 0x86DD
_MPLS: Final = 0x8847
_MPLS_MULTICAST: Final = 0x8848
_PPP: Final = 0x880B
_PROVIDER_VLAN: Final = 0x88A8

_TCP: Final = 6

# The lengths of transport headers without options, by IP protocol.
_TRANSPORT_LENGTHS: Final = {
    1: 8,  # ICMP
    2: 8,  # IGMP
    17: 8,  # UDP
    33: 12,  # DCCP
    58: 8,  # ICMPv6
    132: 12,  # SCTP
    136: 8,  # UDP-Lite
}
_TCP_LENGTH: Final = 20
_TCP_DATA_OFFSET: Final = 12  # the byte whose upper half is the header's length in words


def payload_offset(
    data: bytes | memoryview,
    *,
    protocol: int,
    network_header: int,
    packet_start: int = 0,
    vlan_protocol: int | None = None,
) -> int:
    """The offset of the payload from packet byte 0, or 0 if Linux does not understand the packet.

    *data* is the bytes in front of the packet and the packet, which begins at index *packet*; the network
    header is at index *network_header*. *protocol* is the packet's EtherType in host order. *vlan_protocol* is
    the EtherType of a VLAN tag that was taken out of the packet: it counts first, then *protocol*.

    The offset may lie past the packet's end: a UDP packet of 3 bytes still has a header of 8.

    >>> udp = bytes.fromhex("45000020 00004000 40110000 7f000001 7f000001  0035 0035 000c 0000  01020304")
    >>> payload_offset(udp, protocol=0x0800, network_header=0)
    28
    >>> payload_offset(bytes(14) + udp, protocol=0x0800, network_header=14)
    42
    >>> payload_offset(udp, protocol=0x0800, network_header=0, packet=20)
    8
    >>> payload_offset(udp[:19], protocol=0x0800, network_header=0)
    0
    """
    at = _Dissection(data, network_header, protocol, vlan_protocol)
    try:
        _dissect(at)
    except _NotUnderstood:
        return 0
    # Linux 6.18 cuts both to 16 bits: so an offset in front of the packet, and a packet of 64 KiB, are seen wrongly.
    start = min(at.position - packet_start & 0xFFFF, len(data) - packet_start & 0xFFFF)
    return start if at.is_later_fragment else start + _transport_length(data, packet_start + start, at.ip_protocol)


def _transport_length(data: bytes | memoryview, start: int, ip_protocol: int) -> int:
    """The length of the transport header at index *start*; 0 where Linux does not know it, or cannot read it."""
    if ip_protocol != _TCP:
        return _TRANSPORT_LENGTHS.get(ip_protocol, 0)
    place = start + _TCP_DATA_OFFSET
    return max(_TCP_LENGTH, (data[place] & 0xF0) >> 2) if place < len(data) else 0


class _NotUnderstood(Exception):
    """Linux does not know the protocol, or a header that must be read ends early or is malformed."""


class _ParserResult(Enum):
    """How to go on after a header."""

    BY_ETHER_TYPE = auto()
    BY_IP_PROTOCOL = auto()
    STOP = auto()


class _Dissection:
    """How far dissection has come: `position` is the index in data of the first byte not yet understood.

    `protocol` is the EtherType of what stands there, `ip_protocol` the last IP protocol seen, 0 before the
    first. `is_later_fragment`: the transport header is in another packet. `taken_out`: the protocol behind a
    VLAN tag that is not in data, until that tag was counted.
    """

    __slots__ = ("data", "ip_protocol", "is_later_fragment", "position", "protocol", "taken_out")

    def __init__(self, data: bytes | memoryview, position: int, protocol: int, vlan_protocol: int | None) -> None:
        self.data = data
        self.position = position
        self.protocol = protocol if vlan_protocol is None else vlan_protocol
        self.taken_out = None if vlan_protocol is None else protocol
        self.ip_protocol = 0
        self.is_later_fragment = False

    def peek(self, size: int) -> bytes | memoryview:
        """The next *size* bytes."""
        end = self.position + size
        if self.position < 0 or end > len(self.data):
            raise _NotUnderstood
        return self.data[self.position : end]

    def take(self, size: int) -> bytes | memoryview:
        """The next *size* bytes, and goes past them."""
        header = self.peek(size)
        self.position += size
        return header


_HeaderParser: TypeAlias = Callable[[_Dissection], _ParserResult]


def _dissect(at: _Dissection) -> None:
    """Goes past each header up to the transport header; a packet of too many headers ends before one of them."""
    step = _ParserResult.BY_ETHER_TYPE
    for _ in range(_MOST_STEPS):
        if step is _ParserResult.BY_ETHER_TYPE:
            step = _BY_ETHER_TYPE.get(at.protocol, _unknown)(at)
        if step is _ParserResult.BY_IP_PROTOCOL:  # at once after an IP header: both are one step to the kernel
            step = _BY_IP_PROTOCOL.get(at.ip_protocol, _stop)(at)
        if step is _ParserResult.STOP:
            return


def _half(header: bytes | memoryview, offset: int) -> int:
    """The 16-bit number at *offset*."""
    return header[offset] << 8 | header[offset + 1]


def _stop(at: _Dissection) -> _ParserResult:
    """What stands here is not looked into: a transport header, or a protocol whose offset is its own start."""
    return _ParserResult.STOP


def _unknown(at: _Dissection) -> _ParserResult:
    raise _NotUnderstood


# -- by EtherType ------------------------------------------------------------------------------------------


def _ipv4(at: _Dissection) -> _ParserResult:
    header = at.peek(20)
    length = (header[0] & 0x0F) * 4
    if length < 20:
        raise _NotUnderstood
    at.position += length  # the options may be cut off
    at.ip_protocol = header[9]
    fragment = _half(header, 6)
    at.is_later_fragment = fragment & 0x1FFF != 0
    more_fragments = fragment & 0x2000 != 0
    return _ParserResult.STOP if at.is_later_fragment or more_fragments else _ParserResult.BY_IP_PROTOCOL


def _ipv6(at: _Dissection) -> _ParserResult:
    at.ip_protocol = at.take(40)[6]
    return _ParserResult.BY_IP_PROTOCOL


def _vlan(at: _Dissection) -> _ParserResult:
    if at.taken_out is not None:
        at.protocol, at.taken_out = at.taken_out, None
    else:
        at.protocol = _half(at.take(4), 2)
    return _ParserResult.BY_ETHER_TYPE


def _pppoe(at: _Dissection) -> _ParserResult:
    """A session packet: version and type 1, code 0, session, length, PPP protocol."""
    header = at.take(8)
    kind = _half(header, 6)
    if _half(header, 0) != 0x1100 or kind & 0x0101 != 0x0001:
        raise _NotUnderstood
    if kind not in _PPP_PROTOCOLS:
        return _ParserResult.STOP
    at.protocol = _PPP_PROTOCOLS[kind]
    return _ParserResult.BY_ETHER_TYPE


def _mpls(at: _Dissection) -> _ParserResult:
    """One label, unread."""
    at.position += 4
    return _ParserResult.STOP


def _tipc(at: _Dissection) -> _ParserResult:
    at.peek(16)
    return _ParserResult.STOP


def _batman(at: _Dissection) -> _ParserResult:
    """A unicast packet of batman-adv version 15, with the Ethernet header of what it carries."""
    header = at.take(24)
    if _half(header, 0) != 0x400F:
        raise _NotUnderstood
    at.protocol = _half(header, 22)
    return _ParserResult.BY_ETHER_TYPE


def _redundancy_tag(at: _Dissection) -> _ParserResult:
    """PRP and HSR: path and size, sequence number, EtherType."""
    at.protocol = _half(at.take(6), 4)
    return _ParserResult.BY_ETHER_TYPE


def _past(size: int) -> _HeaderParser:
    """A header of *size* bytes, behind which the payload begins."""

    def header(at: _Dissection) -> _ParserResult:
        at.take(size)
        return _ParserResult.STOP

    return header


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
    0x88F7: _past(34),  # PTP, IEEE 1588
    0x88FB: _redundancy_tag,  # PRP
    0x8902: _stop,  # CFM, IEEE 802.1ag
    0x8906: _past(38),  # FCoE
    0x892F: _redundancy_tag,  # HSR
}


# -- by IP protocol ----------------------------------------------------------------------------------------


def _ipv6_option(at: _Dissection) -> _ParserResult:
    """Hop-by-hop options, routing, destination options; behind IPv4 they are no headers."""
    if at.protocol != _IPV6:
        return _ParserResult.STOP
    header = at.peek(2)
    at.ip_protocol = header[0]
    at.position += (header[1] + 1) * 8
    return _ParserResult.BY_IP_PROTOCOL


def _ipv6_fragment(at: _Dissection) -> _ParserResult:
    if at.protocol == _IPV6:
        header = at.take(8)
        at.ip_protocol = header[0]
        at.is_later_fragment = _half(header, 2) & 0xFFF8 != 0
    return _ParserResult.STOP


def _gre(at: _Dissection) -> _ParserResult:
    """GRE of version 0, or PPTP, which is version 1 with a key; with source routing or else its own start counts."""
    header = at.peek(4)
    flags, protocol = _half(header, 0), _half(header, 2)
    version = flags & 0x0007
    has_checksum, has_routing, has_key, has_sequence = (flags & bit != 0 for bit in (0x8000, 0x4000, 0x2000, 0x1000))
    if has_routing or version > 1 or (version == 1 and not (has_key and protocol == _PPP)):
        return _ParserResult.STOP
    if has_key:
        at.peek(8 + 4 * has_checksum)
    at.position += 4 + 4 * (has_checksum + has_key + has_sequence)
    at.protocol = protocol
    if version == 1:
        return _pptp(at, has_acknowledgement=flags & 0x0080 != 0)
    if protocol == _ETHERNET:
        at.protocol = _half(at.take(14), 12)
    return _ParserResult.BY_ETHER_TYPE


def _pptp(at: _Dissection, *, has_acknowledgement: bool) -> _ParserResult:
    """The rest of a PPTP header, and PPP's: address, control, protocol."""
    at.position += 4 * has_acknowledgement
    at.protocol = {0x0021: _IPV4, 0x0057: _IPV6}.get(_half(at.take(4), 2), _PPP)
    return _ParserResult.BY_ETHER_TYPE


def _tunnel_of(protocol: int) -> _HeaderParser:
    """Nothing but a packet of EtherType *protocol*."""

    def header(at: _Dissection) -> _ParserResult:
        at.protocol = protocol
        return _ParserResult.BY_ETHER_TYPE

    return header


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
