"""The protocols above the link layer: a protocol alone (`tcp`), and `proto` with a number or name."""

from collections.abc import Callable

from ..._typing import Final
from ..lexer import Token
from .conditions import Condition, all_of, any_of, equals
from .context import Context, written
from .payload_types import (
    APPLETALK,
    APPLETALK_ARP,
    ARP,
    DECNET,
    IPV4,
    IPV6,
    IPX,
    ISO,
    NETBEUI,
    RARP,
    STP,
    is_no_protocol,
    isis_is,
    osi_is,
    payload_is,
)

PAYLOADS: Final = {
    "ip": IPV4,
    "arp": ARP,
    "rarp": RARP,
    "ip6": IPV6,
    "atalk": APPLETALK,
    "aarp": APPLETALK_ARP,
    "decnet": DECNET,
    "sca": 0x6007,
    "lat": 0x6004,
    "mopdl": 0x6001,
    "moprc": 0x6002,
    "iso": ISO,
    "stp": STP,
    "ipx": IPX,
    "netbeui": NETBEUI,
}
"""The protocols of payloads: EtherTypes, and service access points of LLC."""

TRANSPORTS: Final = {
    "tcp": 6,
    "udp": 17,
    "sctp": 132,
    "icmp": 1,
    "igmp": 2,
    "igrp": 9,
    "pim": 103,
    "vrrp": 112,
    "carp": 112,
    "ah": 51,
    "esp": 50,
    "icmp6": 58,
}
"""The numbers of protocols above IP (https://www.iana.org/assignments/protocol-numbers)."""

_ONLY_IPV4: Final = frozenset({"icmp", "igmp", "igrp", "vrrp", "carp"})
_ONLY_IPV6: Final = frozenset({"icmp6"})

OSI: Final = {"esis": 0x82, "isis": 0x83, "clnp": 0x81}
"""The network layer protocol identifiers of OSI protocols (ISO/IEC TR 9577)."""

_ISIS_TYPES: Final = {
    "l1": (26, 24, 18, 15, 17),
    "l2": (27, 25, 20, 16, 17),
    "iih": (17, 15, 16),
    "lsp": (18, 20),
    "snp": (27, 26, 24, 25),
    "csnp": (24, 25),
    "psnp": (26, 27),
}
"""The types of IS-IS packets (ISO/IEC 10589), by the words for them."""

_LINK_PROTOCOL_NAMES: Final = {
    **{name: PAYLOADS[name] for name in PAYLOADS if name != "netbeui"},
    "netbeui": NETBEUI,
    "loopback": 0x9000,
    "lldp": 0x88CC,
    "slow": 0x8809,
}
_FRAGMENT: Final = 44  # the next header before an IPv6 fragment header (RFC 8200)


def ipv4_protocol_is(context: Context, number: int) -> Condition:
    """Return the condition that a packet is IPv4 and carries a protocol."""
    return all_of((payload_is(context, IPV4), equals(context.network(9, 1), number)))


def ipv6_protocol_is(context: Context, number: int) -> Condition:
    """Return the condition that a packet is IPv6 and carries a protocol, directly or after a fragment header."""
    is_ipv6 = payload_is(context, IPV6)
    is_fragment = all_of((equals(context.network(6, 1), _FRAGMENT), equals(context.network(40, 1), number)))
    return all_of((is_ipv6, any_of((equals(context.network(6, 1), number), is_fragment))))


def ip_protocol_is(context: Context, number: int) -> Condition:
    """Return the condition that a packet is IPv4 or IPv6 and carries a protocol."""
    return any_of((ipv4_protocol_is(context, number), ipv6_protocol_is(context, number)))


def protocol_is(context: Context, name: str) -> Condition:
    """Return the condition of a protocol alone, such as `tcp`."""
    if name in PAYLOADS:
        return payload_is(context, PAYLOADS[name])
    if name in TRANSPORTS:
        is_protocol = (
            ipv4_protocol_is if name in _ONLY_IPV4 else ipv6_protocol_is if name in _ONLY_IPV6 else ip_protocol_is
        )
        return is_protocol(context, TRANSPORTS[name])
    if name in OSI:
        return osi_is(context, OSI[name])
    if name in _ISIS_TYPES:
        return any_of([isis_is(context, kind) for kind in _ISIS_TYPES[name]])
    context.reject(
        "qualifier",
        f"'{written(name)}' alone is not a test",
        "write the property to test, such as 'ether host' and an address",
    )


_TESTS: Final[dict[str | None, tuple[Callable[[Context, int], Condition], int]]] = {
    None: (ip_protocol_is, 0xFF),
    "ip": (ipv4_protocol_is, 0xFF),
    "ip6": (ipv6_protocol_is, 0xFF),
    "link": (payload_is, 0xFFFF),
    "iso": (osi_is, 0xFF),
    "isis": (isis_is, 0x1F),
}
"""For `proto` after a protocol: the test, and the greatest number."""


def numbered_protocol(context: Context, protocol: str | None, token: Token) -> Condition:
    """Return the condition of `proto` with a number or name, such as `ip proto 6`."""
    if protocol not in _TESTS:
        rule = "'ip', 'ip6', 'ether', 'iso' or 'isis' can, or nothing"
        if token.kind == "name":  # libpcap looks the name up first
            protocol_number(context, protocol, token)
        context.reject("qualifier", f"'{written(protocol)}' cannot precede 'proto'", rule)
    test, greatest = _TESTS[protocol]
    number = protocol_number(context, protocol, token)
    check_protocol_number(context, number, greatest, token)
    if protocol == "link" and is_no_protocol(context, number):
        rule = "a service access point is at most 255, and an EtherType greater than 1500"
        context.reject("range", f"protocol {number} is out of range", rule, at=token)
    return test(context, number)


def check_protocol_number(context: Context, number: int, greatest: int, token: Token) -> None:
    """Reject the number of a protocol that does not fit its field."""
    if number > greatest:
        context.reject("range", f"protocol {number} is out of range", f"the greatest number is {greatest}", at=token)


def protocol_number(context: Context, protocol: str | None, token: Token) -> int:
    """Return the number of a token after `proto` or `protochain`."""
    if token.kind == "number":
        return token.value
    if token.kind != "name":
        context.reject(
            "qualifier", f"'{token.text}' is not a protocol", "write a number, or a name of protocols(5)", at=token
        )
    number: int | None = None
    rule = ""
    if protocol in (None, "ip", "ip6"):
        number = context.look_up(token, "protocol", "protocol", token.word)
        rule = "write a number, or a name of protocols(5)"
    elif protocol == "link":
        number = _LINK_PROTOCOL_NAMES.get(token.word)
        rule = f"one of {', '.join(sorted(_LINK_PROTOCOL_NAMES))}"
    elif protocol == "iso":
        number = OSI.get(token.word)
        rule = f"one of {', '.join(sorted(OSI))}"
    if number is None:
        context.reject("name", f"unknown protocol '{token.word}'", rule, at=token)
    return number
