"""Notes: properties that nearly every filter has, and that surprise on some networks or on some captures."""

from collections.abc import Iterator, Sequence

from ..._typing import Final
from ..generator.payload_types import TAG_TYPES
from ..generator.relations import compares_tag_type
from ..syntax_tree import Arithmetic, Condition, Length, Match, Primitive, Protocol, Relation
from .findings import Draft
from .tree_view import TreeView, values

_PORTS: Final = frozenset({"port", "portrange"})
_AFTER_IPV6: Final = frozenset({"tcp", "udp", "sctp", "ah", "esp", "pim", "icmp6"})
"""The protocols that are searched after an IPv6 header as well."""

_OTHER_HARDWARE: Final = frozenset({7, 129, 138, 113, 276})
"""The link types of networks whose hardware addresses may not have 6 bytes: ARCnet, FireWire, Linux cooked."""


def any_transport(view: TreeView) -> Iterator[Draft]:
    """Find ports of all transport protocols."""
    ports = [match for match in _ports(view) if match.qualifiers.protocol is None]
    yield from _draft(
        ports,
        "a port without a protocol matches TCP, UDP and SCTP",
        "write 'tcp port' or 'udp port' for one of them",
    )


def later_fragments(view: TreeView) -> Iterator[Draft]:
    """Find ports, which only the first fragment of an IPv4 packet has."""
    yield from _draft(
        list(_ports(view)),
        "the fragments of an IPv4 packet after the first one have no ports, and do not match",
        "'ip[6:2] & 0x1fff != 0' matches them",
    )


def extension_headers(view: TreeView) -> Iterator[Draft]:
    """Find transport protocols of IPv6, which are recognised only directly after the header."""
    protocols = (node for node in view.every(Protocol) if node.name in _AFTER_IPV6)
    nodes: list[Condition] = [*_ports(view), *protocols]
    yield from _draft(
        nodes,
        "IPv6 packets with extension headers before the transport header do not match",
        "the protocol is read from the IPv6 header only; for one without ports, also from a fragment header after it",
    )


def arp_of_host(view: TreeView) -> Iterator[Draft]:
    """Find IPv4 addresses that are also compared with those in ARP and RARP."""
    hosts = [match for match in _ipv4_hosts(view) if match.qualifiers.protocol is None]
    with_ip = {id(match): match.replace(qualifiers=match.qualifiers._replace(protocol="ip")) for match in hosts}
    yield from _draft(
        hosts,
        "an address without a protocol also matches ARP and RARP",
        "write 'ip host' or 'ip net' for IPv4 alone",
        view.text_with(with_ip) if hosts else "",
    )


def arp_hardware(view: TreeView) -> Iterator[Draft]:
    """Find addresses in ARP on networks that may have other hardware addresses than Ethernet."""
    if view.dlt in _OTHER_HARDWARE:
        yield from _draft(
            [match for match in _ipv4_hosts(view) if match.qualifiers.protocol in (None, "arp", "rarp")],
            "addresses in ARP are expected after hardware addresses of 6 bytes",
            "networks with other hardware addresses have them at other offsets",
        )


def icmp_of_ipv4(view: TreeView) -> Iterator[Draft]:
    """Find `icmp` in filters without `icmp6`."""
    names = {node.name for node in view.every(Protocol)}
    if "icmp6" not in names:
        icmp = [node for node in view.every(Protocol) if node.name == "icmp"]
        yield from _draft(icmp, "'icmp' is the protocol of IPv4", "write 'icmp6' for ICMP in IPv6")


def wire_length(view: TreeView) -> Iterator[Draft]:
    """Find lengths, which are those on the wire."""
    nodes: list[Condition | Arithmetic] = [node for node in view.every(Primitive) if node.name in ("less", "greater")]
    nodes += [value for relation in view.every(Relation) for value in values(relation) if isinstance(value, Length)]
    yield from _draft(
        nodes,
        "the length is that on the wire, and not that of the captured bytes",
        "'less N' means 'len <= N', and 'greater N' means 'len >= N'",
    )


def tags_of_live_devices(view: TreeView) -> Iterator[Draft]:
    """Find tests of VLAN tags in the bytes of a frame."""
    nodes: list[Condition] = [node for node in view.every(Relation) if compares_tag_type(node)]
    nodes += [
        match
        for match in view.every(Match)
        if match.qualifiers.protocol == "link" and match.identifier.value in TAG_TYPES
    ]
    yield from _draft(
        nodes,
        "on a live Linux device, the VLAN tag is not in the bytes of the packet",
        "'vlan', compiled with live=True (--live), finds the tag there as well",
    )


def _ports(view: TreeView) -> Iterator[Match]:
    return (match for match in view.every(Match) if match.qualifiers.kind in _PORTS)


def _ipv4_hosts(view: TreeView) -> Iterator[Match]:
    for match in view.every(Match):
        if match.qualifiers.kind in (None, "host", "net") and match.identifier.kind in ("ipv4", "number"):
            yield match


def _draft(nodes: "Sequence[Condition | Arithmetic]", fact: str, rule: str, suggestion: str = "") -> Iterator[Draft]:
    """Yield one finding for all nodes, if there are any."""
    if nodes:
        yield Draft(nodes[0].span, fact, rule, tuple(node.span for node in nodes[1:]), suggestion)
