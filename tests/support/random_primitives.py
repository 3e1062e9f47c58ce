"""Seeded random primitives of filter expressions: every primitive of libpcap, with the link types that have it.

A `State` carries the link type that later primitives refer to, because `vlan`, `mpls`, `pppoes`, `geneve` and `lane`
change it for all of the expression that follows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from cbpf.expression.vocabulary import words
from support.random_addresses import (
    MACS,
    decnet,
    ipv4,
    ipv6,
    number,
    port,
    port_range,
    up_to,
    word,
)
from support.random_arithmetic import relation
from support.random_choices import below, pick
from support.random_link_primitives import atm, llc, mtp, pflog, wlan
from support.random_state import State, joined, optional_number

ETHERNET, PPP, SUNATM = 1, 9, 123
ETHER: Final = frozenset({1, 240, 241})
WLAN: Final = frozenset({105, 119, 127, 163})
RADIO: Final = frozenset({119, 127, 163})
MTP: Final = frozenset({139, 140, 197})
ARCNET: Final = frozenset({7, 129})
PFLOG: Final = frozenset({117})
ATM: Final = frozenset({SUNATM})
LLC: Final = frozenset({1, 6, 10, 11, SUNATM}) | WLAN
MACS_OF: Final = ETHER | WLAN | {6, 10, 122, 192}
MPLS: Final = ETHER | {104, 112, 9}
JUNIPER: Final = frozenset(
    {130, 131, 132, 133, 134, 135, 136, 137, 164, 167, 168, 178, 179, 180, 181, 183, 194, 200, 232, 233, 234, 238}
)
WITH_TYPES: Final = frozenset(
    ETHER | WLAN | ARCNET | PFLOG | ATM | JUNIPER
    | {6, 10, 122, 11, 19, 192, 113, 276, 138, 99, 9, 50, 166, 51, 16, 104, 112, 0, 108, 109, 12, 8, 15, 228, 229}
    | {114, 107, 226, 165}
)  # fmt: skip
"""The link types whose packets have a type: all but those of which only the bytes can be tested."""

NETWORK: Final = words("ip ip ip arp rarp ip6 ip6 atalk aarp decnet sca lat mopdl moprc")
LINK_LAYER: Final = words("iso stp ipx netbeui esis isis clnp l1 l2 iih lsp snp csnp psnp")
TRANSPORT: Final = words("tcp tcp udp udp sctp ah esp pim icmp igmp igrp vrrp carp icmp6")
PROTOCOLS: Final = (*NETWORK, *LINK_LAYER, *TRANSPORT, "link", "radio")
DIRECTIONS: Final = ("src", "dst", "src or dst", "dst or src", "src and dst", "dst and src")
WLAN_ADDRESSES: Final = ("addr1", "addr2", "addr3", "addr4", "ra", "ta")

LINK_PROTOCOLS: Final = words("aarp arp atalk decnet ip ip6 lat loopback mopdl moprc rarp sca iso stp ipx netbeui")


def _network_protocol(state: State) -> str:
    return state.pick("ip", "ip6") if state.has_labels else pick(state.random, NETWORK)


def _protocol(state: State) -> str:
    if state.has_labels:
        return state.pick("ip", "ip6", *TRANSPORT)
    return pick(state.random, (*NETWORK, *LINK_LAYER, *TRANSPORT, *TRANSPORT))


def _identified(state: State, qualifiers: str, identifier: Callable[[], str]) -> str:
    """Return qualifiers with one identifier, with several in parentheses, or with later ones that carry them over."""
    fraction = state.random.random()
    if fraction < 0.68:
        return f"{qualifiers} {identifier()}"
    if fraction < 0.78:
        inside = f"{identifier()} {state.pick('and', 'or', 'or')} {state.pick('', '', 'not ')}{identifier()}"
        return f"{qualifiers} ({inside})"
    if fraction < 0.82:
        count = 30 + below(state.random, 10) if state.chance(0.05) else 1 + below(state.random, 9)
        return f"{qualifiers} ({' or '.join(identifier() for _ in range(count))})"
    if fraction < 0.86:
        return f"{qualifiers} not {identifier()}"
    if fraction < 0.94:
        return f"{qualifiers} {identifier()} {state.pick('and', 'or')} {state.pick('', 'not ')}{identifier()}"
    group = f"({identifier()} or {identifier()})"
    return f"{qualifiers} {identifier()} {state.pick('and', 'or')} {state.pick('', 'not ')}{group}"


def _host(state: State) -> str:
    protocols = ("", "", "ip", "ip6") if state.has_labels else ("", "", "", "ip", "ip", "arp", "rarp", "ip6", "decnet")
    protocol = state.pick(*protocols) if not state.errs() else state.pick(*PROTOCOLS)
    direction = state.pick("", "", *DIRECTIONS)
    kind = state.pick("host", "host", "net", "" if direction else "host") if not state.errs(0.01) else "gateway"
    if protocol == "decnet" and kind == "net" and not state.errs():
        kind = "host"

    def identifier() -> str:
        if protocol == "decnet":
            return decnet(state.random)
        is_6 = protocol == "ip6" or (protocol == "" and state.chance(0.35)) or state.errs(0.01)
        return (ipv6 if is_6 else ipv4)(state.random, kind=kind or "host")

    return _identified(state, joined(protocol, direction, kind), identifier)


def _mac(state: State) -> str:
    protocol = "link" if not state.errs() else state.pick("", "ip", "tcp")
    directions = ("", *DIRECTIONS, *(WLAN_ADDRESSES if state.current in WLAN or state.errs() else ()))
    direction = state.pick(*directions)
    kind = "host" if not direction or state.chance(0.5) else ""
    return _identified(state, joined(protocol, direction, kind), lambda: state.pick(*MACS))


def _arcnet(state: State) -> str:
    direction = state.pick("", *DIRECTIONS)
    kind = "host" if not direction or state.chance(0.5) else ""
    form = state.pick("x", "02X")
    return _identified(state, joined("link", direction, kind), lambda: f"${below(state.random, 256):{form}}")


def _port(state: State) -> str:
    protocol = state.pick("", "", "tcp", "udp", "sctp") if not state.errs() else state.pick(*PROTOCOLS)
    direction, kind = state.pick("", "", *DIRECTIONS), state.pick("port", "port", "portrange")
    identifier = port if kind == "port" else port_range
    return _identified(state, joined(protocol, direction, kind), lambda: identifier(state.random))


def _proto(state: State) -> str:
    random, fraction = state.random, state.random.random()
    protocol = state.pick("", "ip", "ip6")
    if state.has_labels or fraction < 0.5:
        names = ("tcp", "udp", "icmp", "igmp", "sctp", "ipv6-icmp")
        name = f"\\{'no-such-protocol' if state.errs() else pick(random, names)}"
        return _identified(
            state, f"{protocol} proto".strip(), lambda: name if state.chance(0.2) else up_to(random, 255)
        )
    if fraction < 0.8:
        numbers = (
            0x800,
            0x86DD,
            0x809B,
            0x80F3,
            0xE0,
            0xFE,
            0xF0,
            6,
            0x42,
            1499,
            1501,
            0x8137,
            0x10000,
            below(random, 0x10000),
        )
        name = f"\\{state.pick(*LINK_PROTOCOLS)}"
        return _identified(
            state, "link proto", lambda: name if state.chance(0.4) else number(random, pick(random, numbers))
        )
    if fraction < 0.97:
        protocol = state.pick("iso", "isis")
        name = state.pick("esis", "isis", "clnp")
        by_name = protocol == "iso" and state.chance(0.4)
        return _identified(state, f"{protocol} proto", lambda: f"\\{name}" if by_name else up_to(random, 31))
    return f"{state.pick(*PROTOCOLS)} {state.pick('proto', 'protochain')} 6" if state.errs(0.2) else "ip proto 47"


def _casts(state: State) -> str:
    cast = state.pick("broadcast", "multicast")
    if state.current in MACS_OF | ARCNET and not state.has_labels and state.chance(0.5):
        return joined(state.pick("", "link"), cast)
    protocol = ("ip" if cast == "broadcast" else state.pick("ip", "ip6")) if not state.errs() else "tcp"
    return f"{protocol} {cast}" if cast == "multicast" or state.has_netmask or state.errs() else "ip multicast"


def _lengths(state: State) -> str:
    return f"{state.pick('less', 'greater')} {number(state.random, below(state.random, 2000))}"


def _byte(state: State) -> str:
    index, value = below(state.random, 40), up_to(state.random, 255)
    return f"byte {number(state.random, index)} {state.pick('=', '=', '<', '>', '&', '|')} {value}"


def _direction(state: State) -> str:
    return state.pick("inbound", "outbound")


def _interface(state: State) -> str:
    return f"ifindex {word(state.random)}"


def _relation(state: State) -> str:
    loads = ["link", "link", *(("radio",) if state.given in RADIO else ())]
    if state.current in WITH_TYPES:
        loads += [
            "ip",
            "ip6",
            "tcp",
            "udp",
            "icmp",
            "icmp6",
            "sctp",
            "igmp",
            "igrp",
            "pim",
            "vrrp",
            "carp",
            "ip",
            "tcp",
        ]
        loads += [] if state.has_labels else [_network_protocol(state) for _ in range(4)]
    return relation(state.random, [name for name in loads if name != "aarp"], PROTOCOLS)


def _vlan(state: State) -> str:
    return joined("vlan", optional_number(state, 4095))


def _mpls(state: State) -> str:
    state.has_labels = True
    return joined("mpls", optional_number(state, 0xFFFFF))


def _pppoes(state: State) -> str:
    state.current = PPP
    return joined("pppoes", optional_number(state, 0xFFFF))


def _geneve(state: State) -> str:
    state.current = ETHERNET
    return joined("geneve", optional_number(state, 0xFFFFFF))


def _lane(state: State) -> str:
    state.current = ETHERNET
    return "lane"


class PrimitiveRule(NamedTuple):
    """A kind of primitive.

    Args:
        write: Return a random primitive of this kind, and change the state as libpcap does.
        weight: The relative frequency among the kinds that are possible.
        link_types: The link types, as DLT_ numbers, that have it; None for all.
        after_labels: Whether it is possible after `mpls`.
        of_given: Whether `link_types` refers to the link type of the packets, and not to that of an inner header.
    """

    write: Callable[[State], str]
    weight: int
    link_types: frozenset[int] | None = None
    after_labels: bool = True
    of_given: bool = False

    def is_possible(self, state: State) -> bool:
        """Return whether libpcap accepts most primitives of this kind in a state."""
        dlt = state.given if self.of_given else state.current
        return (self.link_types is None or dlt in self.link_types) and (self.after_labels or not state.has_labels)


RULES: Final = (
    PrimitiveRule(_protocol, 6, WITH_TYPES),
    PrimitiveRule(_host, 7, WITH_TYPES),
    PrimitiveRule(_port, 5, WITH_TYPES),
    PrimitiveRule(_proto, 4, WITH_TYPES),
    PrimitiveRule(_relation, 6),
    PrimitiveRule(_casts, 2, WITH_TYPES),
    PrimitiveRule(_mac, 3, MACS_OF),
    PrimitiveRule(_arcnet, 3, ARCNET),
    PrimitiveRule(_lengths, 1),
    PrimitiveRule(_byte, 1),
    PrimitiveRule(_direction, 1),
    PrimitiveRule(_interface, 1),
    PrimitiveRule(llc, 3, LLC, after_labels=False),
    PrimitiveRule(wlan, 6, WLAN),
    PrimitiveRule(pflog, 8, PFLOG),
    PrimitiveRule(atm, 8, ATM, of_given=True),
    PrimitiveRule(mtp, 12, MTP, of_given=True),
    PrimitiveRule(_vlan, 2, ETHER | WLAN, after_labels=False),
    PrimitiveRule(_mpls, 2, MPLS),
    PrimitiveRule(lambda state: "pppoed", 1, WITH_TYPES, after_labels=False),
    PrimitiveRule(_pppoes, 1, WITH_TYPES, after_labels=False),
    PrimitiveRule(_geneve, 1, WITH_TYPES),
    PrimitiveRule(_lane, 2, ATM, of_given=True),
)


def primitive(state: State) -> str:
    """Return a random primitive; a few of them do not fit the state or are not valid at all."""
    rules = [rule for rule in RULES if rule.is_possible(state) or state.errs(0.003)]
    weighted = [rule for rule in rules for _ in range(rule.weight)]
    return pick(state.random, weighted).write(state)
