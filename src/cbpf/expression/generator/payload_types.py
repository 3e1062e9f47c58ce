"""The protocol of a payload, as the link layer names it: one function for each family of link layers.

A protocol is an EtherType, or up to 1500 a service access point of LLC (IEEE 802.2), as in libpcap.
"""

import sys
from collections.abc import Callable

from ..._typing import Final
from ...isa.enumerations import Extension
from ...isa.opcodes import WORD_MASK
from .conditions import Condition, all_of, any_of, equals, exceeds, has_bits, negation
from .context import Context
from .link_layers import C_HDLC, HDLC, LOOP, SUNATM, Family, Offset
from .steps import extension

IPV4: Final = 0x0800
ARP: Final = 0x0806
RARP: Final = 0x8035
IPV6: Final = 0x86DD
APPLETALK: Final = 0x809B
APPLETALK_ARP: Final = 0x80F3
XNS: Final = 0x0600
DECNET: Final = 0x6003
PPPOE_DISCOVERY: Final = 0x8863
PPPOE_SESSION: Final = 0x8864
MPLS: Final = 0x8847
PPP_MPLS: Final = 0x0281
ISO: Final = 0xFE
STP: Final = 0x42
IPX: Final = 0xE0
NETBEUI: Final = 0xF0
REMOVED_TAG_TYPES: Final = frozenset({0x8100, 0x88A8})
"""The types of the VLAN tags that Linux moves to the metadata."""
TAG_TYPES: Final = (*sorted(REMOVED_TAG_TYPES), 0x9100)
"""The types of all VLAN tags, in the order of libpcap's tests."""

_IPX_TYPE: Final = 0x8137
_APPLE: Final = 0x080007  # the organisation code of AppleTalk in SNAP headers
_SAME_SAPS: Final = frozenset({0x06, ISO, NETBEUI})  # of IP, ISO and NetBEUI, compared with both access points
_MAX_SAP: Final = 1500  # the maximum length of an IEEE 802.3 frame: a greater number is a type
_WITH_SAPS: Final = frozenset({"ether", "llc", "wlan", "sunatm", "sll"})


def payload_is(context: Context, protocol: int) -> Condition:
    """Return the condition that the payload belongs to a protocol."""
    headers = context.headers
    if headers.labels:
        return _below_labels(context, protocol)
    family = _FAMILIES.get(headers.family)
    if family is None:
        fact = f"the protocols in packets of link type {context.link_type_name} are not known"
        context.reject("link-type", fact, "test their bytes with 'link[...]', or their length with 'len'")
    return family(context, protocol)


def warn_of_tag_in_bytes(context: Context) -> None:
    """Warn, of programs for sockets, that a VLAN tag is tested in the bytes of the packet only."""
    rule = "'vlan' finds it" if context.target.socket else "compile with live=True (--live), and 'vlan' finds it"
    fact = "a VLAN tag is tested in the bytes, but Linux gives the tag of a received packet to live sockets as metadata"
    context.warn(f"{fact}; {rule}", concerns_sockets=True)


def is_no_protocol(context: Context, number: int) -> bool:
    """Return whether a number is neither a type nor a service access point, which has one byte."""
    return 0xFF < number <= _MAX_SAP and context.headers.family in _WITH_SAPS


def snap_is(context: Context, organisation: int, protocol: int) -> Condition:
    """Return the condition that an LLC header with SNAP names an organisation and a protocol."""
    header = 0xAAAA_03 << 40 | organisation << 16 | protocol  # eight bytes, compared from the end
    return all_of((equals(context.payload(4, 4), header & WORD_MASK), equals(context.payload(0, 4), header >> 32)))


def is_data_frame(context: Context) -> Condition:
    """Return the condition that an IEEE 802.11 frame is a data frame."""
    return all_of((negation(has_bits(context.link(0, 1), 4)), has_bits(context.link(0, 1), 8)))


def is_llc_over_atm(context: Context) -> Condition:
    """Return the condition that a SunATM packet contains an LLC header."""
    return equals(context.link(0, 1), 2, 0x0F)


def is_not_lane_control(context: Context) -> Condition:
    """Return the condition that a frame of LAN emulation is not a control frame, which has 0xff00 as its client."""
    return negation(equals(context.load(Offset(0), 4, 2), 0xFF00))


def has_length_field(context: Context) -> Condition:
    """Return the condition that an Ethernet frame has a length in place of a type."""
    return negation(exceeds(context.load(context.headers.type_field, 0, 2), _MAX_SAP))


def _llc(context: Context, protocol: int) -> Condition:
    if protocol in _SAME_SAPS:
        return equals(context.payload(0, 2), protocol * 0x101)
    if protocol <= _MAX_SAP:
        return equals(context.payload(0, 1), protocol)
    if protocol == APPLETALK:
        return snap_is(context, _APPLE, protocol)
    return equals(context.payload(6, 2), protocol)


def _ether(context: Context, protocol: int) -> Condition:
    def type_is(number: int) -> Condition:
        in_bytes = equals(context.load(context.headers.type_field, 0, 2), number)
        if number not in REMOVED_TAG_TYPES or not context.is_before_headers:
            return in_bytes
        if not context.may_lack_tag:
            warn_of_tag_in_bytes(context)
            return in_bytes
        removed_type = (extension(Extension.VLAN_PROTO),)
        return any_of((equals(removed_type, number), all_of((equals(removed_type, 0), in_bytes))))

    prefix: Condition = True
    if context.headers.outer == SUNATM and not context.headers.is_inner:
        prefix = is_not_lane_control(context)
    if protocol in _SAME_SAPS:
        test = all_of((has_length_field(context), equals(context.payload(0, 2), protocol * 0x101)))
    elif protocol == IPX:
        inside = any_of(
            (
                snap_is(context, 0, _IPX_TYPE),
                equals(context.payload(0, 1), IPX),
                equals(context.payload(0, 2), 0xFFFF),
            )
        )
        test = any_of((type_is(_IPX_TYPE), all_of((has_length_field(context), inside))))
    elif protocol in (APPLETALK, APPLETALK_ARP):
        organisation = _APPLE if protocol == APPLETALK else 0
        snap = all_of((has_length_field(context), snap_is(context, organisation, protocol)))
        test = any_of((type_is(protocol), snap))
    elif protocol <= _MAX_SAP:
        test = all_of((has_length_field(context), equals(context.load(context.headers.type_field, 2, 1), protocol)))
    else:
        test = type_is(protocol)
    return all_of((prefix, test))


def _linux_cooked(context: Context, protocol: int) -> Condition:
    def type_is(number: int) -> Condition:
        return equals(context.load(context.headers.type_field, 0, 2), number)

    is_llc, is_novell = 4, 1  # LINUX_SLL_P_802_2 and LINUX_SLL_P_802_3 (libpcap pcap/sll.h)
    if protocol in _SAME_SAPS:
        return all_of((type_is(is_llc), equals(context.payload(0, 2), protocol * 0x101)))
    if protocol == IPX:
        inside = any_of((equals(context.payload(0, 1), IPX), snap_is(context, 0, _IPX_TYPE)))
        return any_of((type_is(_IPX_TYPE), type_is(is_novell), all_of((type_is(is_llc), inside))))
    if protocol in (APPLETALK, APPLETALK_ARP):
        organisation = _APPLE if protocol == APPLETALK else 0
        return any_of((type_is(protocol), all_of((type_is(is_llc), snap_is(context, organisation, protocol)))))
    if protocol <= _MAX_SAP:
        return all_of((type_is(is_llc), equals(context.payload(0, 1), protocol)))
    return type_is(protocol)


def _type(context: Context, protocol: int) -> Condition:
    return equals(context.load(context.headers.type_field, 0, 2), protocol)


def _hdlc(context: Context, protocol: int) -> Condition:
    return _type(context, 0xFEFE if protocol == ISO else protocol)


_PPP: Final = {
    IPV4: 0x21,
    IPV6: 0x57,
    DECNET: 0x27,
    APPLETALK: 0x29,
    XNS: 0x25,
    ISO: 0x23,
    STP: 0x31,
    IPX: 0x2B,
}
"""The numbers of protocols in PPP (RFC 1661), by EtherType or service access point."""


def _ppp(context: Context, protocol: int) -> Condition:
    return _type(context, _PPP.get(protocol, protocol))


def _ppp_bsd(context: Context, protocol: int) -> Condition:
    if protocol != IPV4:
        return _ppp(context, protocol)
    return any_of(_type(context, number) for number in (0x21, 0x2D, 0x2F))


_AF_INET: Final = 2
_AF_INET6: Final = 10  # of Linux
_AF_INET6_OF_FILES: Final = (30, 24, 28)  # of macOS and the BSDs, where files with such headers come from


def _families_of(context: Context, protocol: int) -> tuple[int, ...]:
    if protocol == IPV4:
        return (_AF_INET,)
    if protocol != IPV6:
        return ()
    return (_AF_INET6,) if context.target.file_order is None else _AF_INET6_OF_FILES


def _loopback(context: Context, protocol: int) -> Condition:
    words = [word for number in _families_of(context, protocol) for word in _loopback_words(context, number)]
    return any_of(equals(context.link(0, 4), word) for word in words)


def _loopback_words(context: Context, family: int) -> tuple[int, ...]:
    """Return the first words of packets of an address family, which is in the byte order of the capturing host."""
    little = int.from_bytes(family.to_bytes(4, "little"), "big")
    if context.headers.link_type == LOOP:
        return (family,)
    if context.target.file_order is not None:
        return (little, family)
    return (little if sys.byteorder == "little" else family,)


def _raw(context: Context, protocol: int) -> Condition:
    version = {IPV4: 0x40, IPV6: 0x60}.get(protocol)
    return False if version is None else equals(context.link(0, 1), version, 0xF0)


_ARCNET: Final = {IPV4: (212,), ARP: (213,), RARP: (214,), IPV6: (196,), APPLETALK: (221,)}
"""The protocol numbers of ARCnet (RFC 1201), by EtherType."""


def _arcnet(context: Context, protocol: int) -> Condition:
    numbers = _ARCNET.get(protocol, ())
    return any_of(equals(context.load(context.headers.type_field, 0, 1), number) for number in numbers)


_FRAME_RELAY: Final = {IPV4: (0x03CC,), IPV6: (0x038E,), ISO: (0x0381, 0x0382, 0x0383)}
"""The control byte and the NLPID of frame relay (RFC 2427), by EtherType or service access point."""


def _frame_relay(context: Context, protocol: int) -> Condition:
    return any_of(equals(context.link(2, 2), number) for number in _FRAME_RELAY.get(protocol, ()))


def _pflog(context: Context, protocol: int) -> Condition:
    return any_of(equals(context.link(1, 1), number) for number in _families_of(context, protocol))


def _ipnet(context: Context, protocol: int) -> Condition:
    family = {IPV4: 2, IPV6: 26}.get(protocol)  # of Solaris
    return False if family is None else equals(context.load(context.headers.type_field, 0, 1), family)


_FAMILIES: Final[dict[Family, Callable[[Context, int], Condition]]] = {
    "ether": _ether,
    "llc": _llc,
    "wlan": lambda context, protocol: all_of((is_data_frame(context), _llc(context, protocol))),
    "sunatm": lambda context, protocol: all_of((is_llc_over_atm(context), _llc(context, protocol))),
    "sll": _linux_cooked,
    "type": _type,
    "hdlc": _hdlc,
    "ppp": _ppp,
    "pppbsd": _ppp_bsd,
    "loop": _loopback,
    "raw": _raw,
    "ipv4": lambda context, protocol: protocol == IPV4,
    "ipv6": lambda context, protocol: protocol == IPV6,
    "arcnet": _arcnet,
    "ltalk": lambda context, protocol: protocol == APPLETALK,
    "frelay": _frame_relay,
    "pflog": _pflog,
    "ipnet": _ipnet,
    "juniper": lambda context, protocol: equals(context.link(0, 4), 0x4D474300, 0xFFFFFF00),
    "bacnet": lambda context, protocol: equals(context.link(0, 4), 0x55FF0000, 0xFFFF0000),
}


def _below_labels(context: Context, protocol: int) -> Condition:
    """Return the condition for a payload below MPLS labels, which do not name the protocol: the version of IP."""
    version = {IPV4: 0x40, IPV6: 0x60}.get(protocol)
    if version is None:
        context.reject(
            "nesting", "only IPv4 and IPv6 can be recognised after 'mpls'", "write other tests before 'mpls'"
        )
    is_last_label = has_bits(context.network(-2, 1), 1)
    return all_of((is_last_label, equals(context.network(0, 1), version, 0xF0)))


def osi_is(context: Context, protocol: int) -> Condition:
    """Return the condition that the payload is a protocol of OSI, by its network layer identifier (ISO/IEC 9577)."""
    link_type = context.headers.link_type
    if context.headers.family == "frelay":
        return equals(context.link(2, 2), 0x0300 + protocol)
    padding = 1 if link_type in (C_HDLC, HDLC) else 0
    return all_of(
        (
            payload_is(context, ISO),
            equals(context.load(context.headers.plain_network_header, padding, 1), protocol),
        )
    )


def isis_is(context: Context, kind: int) -> Condition:
    """Return the condition that the payload is an IS-IS packet of a type (ISO/IEC 10589)."""
    padding = 1 if context.headers.link_type in (C_HDLC, HDLC) else 0
    is_isis = osi_is(context, 0x83)
    field = context.load(context.headers.plain_network_header, 4 + padding, 1)
    return all_of((is_isis, equals(field, kind, 0x1F)))
