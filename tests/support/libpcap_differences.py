"""The expressions to which cbpf gives another meaning than libpcap 1.10.6, by name.

On each of them cbpf follows libpcap 1.11, its development branch of August 2026. Comparisons with libpcap 1.10.6 leave
these expressions out, and no others.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

import cbpf
from cbpf.expression.generator.identifier_runs import SHORTEST_IPV6_RUN
from cbpf.expression.generator.link_layers import MEASURED_LINK, MEASURED_PAYLOAD, Offset, initial_headers
from cbpf.expression.lexer import Token
from cbpf.expression.libpcap import Handle
from cbpf.expression.syntax_tree import Primitive
from cbpf.expression.vocabulary import FIELDS, words
from cbpf.packet.link_types import link_type
from support.expression_subject import Subject
from support.savefile_headers import file_header

ARCNET: Final = (7, 129)
BACNET_MS_TP: Final = 165
DSA: Final = (281, 284)
HOST_ORDER: Final = (0, 109)
PFLOG: Final = 117
PPI: Final = 192
SLIP: Final = 8
ISIS_WORDS: Final = frozenset(words("l1 l2 iih lsp snp csnp psnp"))
IP_WORDS: Final = frozenset(words("ip tcp udp sctp icmp igmp igrp pim vrrp carp ah esp"))
HOST_KINDS: Final = (None, "host", "net")


class Difference(NamedTuple):
    """A reason why cbpf and libpcap 1.10.6 differ.

    Args:
        name: The name of the reason, in kebab case.
        applies: Whether an expression is concerned.
        explanation: The behaviour of libpcap 1.10.6; cbpf does not have it.
        link_type: The link type of the example.
        example: An expression that differs.
        byte_order: "<" or ">" if the example is about a file of this byte order.
        packet: A packet that only one of the programs accepts; empty if there are no two programs to run.
        metadata: The metadata of the packet.
        reason: The side that cbpf takes: that of libpcap 1.11, or its own.
    """

    name: str
    applies: Callable[[Subject], bool]
    explanation: str
    link_type: str
    example: str
    byte_order: str = ""
    packet: bytes = b""
    metadata: cbpf.Metadata | None = None
    reason: Literal["1.11", "cbpf"] = "1.11"

    @property
    def handle(self) -> Handle:
        """The packets of the example."""
        handle = Handle(link_type(self.link_type).dlt, 262_144)
        return handle._replace(file_header=file_header(handle, self.byte_order)) if self.byte_order else handle


def _exceeds_protocol_numbers(subject: Subject) -> bool:
    kinds = ("proto", "protochain")
    limits = {None: 255, "ip": 255, "ip6": 255, "link": 65535, "iso": 255, "isis": 31}
    return any(
        match.identifier.kind == "number" and match.identifier.value > limits.get(match.qualifiers.protocol, 255)
        for match in subject.matches(*kinds)
    ) or any(
        255 < match.identifier.value <= 1500
        for match in subject.matches(*kinds, protocol="link")
        if match.identifier.kind == "number"
    )


def _has_invalid_decnet_address(subject: Subject) -> bool:
    matches = subject.matches(*HOST_KINDS, protocol="decnet")
    return not all(match.mask is None and _is_decnet_address(match.identifier) for match in matches)


def _is_decnet_address(token: Token) -> bool:
    parts = token.word.split(".")
    return token.kind == "ipv4" and len(parts) == 2 and int(parts[0]) < 64 and int(parts[1]) < 1024


def _moves_link_header(subject: Subject) -> bool:
    is_outer = initial_headers(subject.dlt).link == Offset(0)
    return not subject.is_file and not (is_outer and not subject.primitives("pppoes", "geneve", "lane"))


def _has_long_ipv6_list(subject: Subject) -> bool:
    matches = [match for match in subject.matches(*HOST_KINDS) if match.identifier.kind == "ipv6"]
    return len(matches) >= SHORTEST_IPV6_RUN


def _tests_ip(subject: Subject) -> bool:
    return subject.has_protocol(IP_WORDS | {"ip6", "icmp6"}) or _matches_addresses(subject)


def _tests_ipv4_or_arp(subject: Subject) -> bool:
    return subject.has_protocol(IP_WORDS | {"arp"}) or _matches_addresses(subject)


def _matches_addresses(subject: Subject) -> bool:
    """Return whether the expression tests addresses, ports or protocols of IP, without a protocol before them."""
    kinds = (*HOST_KINDS, "port", "portrange", "proto", "protochain")
    matches = [match for match in subject.matches(*kinds) if match.qualifiers.protocol in (None, "link")]
    return any(match.identifier.kind != "arcnet" for match in matches) or bool(subject.primitives("geneve"))


def _argument(primitive: Primitive, index: int = -1) -> Token:
    return primitive.arguments[index]


def _exceeds_atm_fields(subject: Subject) -> bool:
    limits = {"vpi": 255, "vci": 65535}
    return any(
        token.kind == "number" and token.value > limits[primitive.name]
        for primitive in subject.primitives(*limits)
        for token in primitive.arguments
    )


def _address(group: int) -> bytes:
    return ipaddress.IPv6Address(f"{group:x}::1").packed


def _sparse(length: int, parts: dict[int, str]) -> bytes:
    """Return bytes that are 0 except for parts at given offsets."""
    packet = bytearray(length)
    for offset, part in parts.items():
        data = bytes.fromhex(part)
        packet[offset : offset + len(data)] = data
    return bytes(packet)


_TUNNEL: Final = _sparse(
    258,
    {0: "8a", 6: "86dd", 14: "11", 50: "17c1", 56: "2a", 58: "6558", 244: "08", 246: "02", 255: "06", 257: "50"},
)
"""A Geneve packet with the outer IP header at the start of the packet, and not after the radio header."""

DIFFERENCES: Final = (
    Difference(
        "vxlan",
        lambda subject: any(token.text == "vxlan" for token in subject.tokens),
        "libpcap 1.10.6 does not have the primitive `vxlan`.",
        "EN10MB",
        "vxlan 5",
    ),
    Difference(
        "dsa",
        lambda subject: subject.dlt in DSA,
        "libpcap 1.10.6 does not know the headers of DSA_TAG_BRCM and DSA_TAG_DSA.",
        "DSA_TAG_DSA",
        "vlan 5",
    ),
    Difference(
        "gateway",
        lambda subject: bool(subject.matches("gateway")),
        "libpcap 1.10.6 rejects `gateway`, unless it is built with a library of Ethernet addresses.",
        "EN10MB",
        "gateway eth-ipv4-noipv6.host123.libpcap.test",
    ),
    Difference(
        "block-acknowledgements",
        lambda subject: any(
            token.text in ("bar", "ba")
            for primitive in subject.primitives("type", "subtype")
            for token in primitive.arguments
        ),
        "libpcap 1.10.6 does not know the control frames `bar` and `ba`.",
        "IEEE802_11",
        "type ctl subtype bar",
    ),
    Difference(
        "link-protocol-names",
        lambda subject: any(
            match.identifier.word in ("lldp", "slow") for match in subject.matches("proto", protocol="link")
        ),
        "libpcap 1.10.6 does not know the names `lldp` and `slow` of link protocols.",
        "EN10MB",
        "ether proto lldp",
    ),
    Difference(
        "ms-tp-addresses",
        lambda subject: (
            subject.dlt == BACNET_MS_TP
            and (
                any(token.kind == "arcnet" for token in subject.tokens)
                or bool(subject.primitives("broadcast", "multicast"))
            )
        ),
        "libpcap 1.10.6 has no addresses of BACnet MS/TP.",
        "BACNET_MS_TP",
        "link host $21",
    ),
    Difference(
        "ppi-frames",
        lambda subject: subject.dlt == PPI and bool(subject.primitives("type", "subtype", "dir")),
        "libpcap 1.10.6 rejects the frame types and directions of IEEE 802.11 after a PPI header.",
        "PPI",
        "type data",
    ),
    Difference(
        "protocol-numbers",
        _exceeds_protocol_numbers,
        "libpcap 1.10.6 does not check whether the number of a protocol fits its field.",
        "EN10MB",
        "ip proto 256",
    ),
    Difference(
        "byte-values",
        lambda subject: any(_argument(primitive).value > 255 for primitive in subject.primitives("byte")),
        "libpcap 1.10.6 does not check the value that `byte` compares with.",
        "RAW",
        "byte 1 < 256",
    ),
    Difference(
        "byte-operators",
        lambda subject: any(_argument(primitive, 1).word in ("&", "|") for primitive in subject.primitives("byte")),
        "In libpcap 1.10.6, `byte N & M` and `byte N | M` do not load the byte.",
        "RAW",
        "byte 8 & 5",
        packet=bytes(8) + b"\x01",
    ),
    Difference(
        "atm-numbers",
        _exceeds_atm_fields,
        "libpcap 1.10.6 does not check the numbers of `vpi` and `vci`.",
        "SUNATM",
        "vpi 256",
    ),
    Difference(
        "frame-directions",
        lambda subject: any(
            _argument(primitive).kind == "number" and _argument(primitive).value > 3
            for primitive in subject.primitives("dir")
        ),
        "libpcap 1.10.6 does not check the number of `dir`.",
        "IEEE802_11",
        "dir 4",
    ),
    Difference(
        "decnet-addresses",
        _has_invalid_decnet_address,
        "libpcap 1.10.6 does not check the area and the node of a DECnet address, and accepts numbers and masks.",
        "EN10MB",
        "decnet host 64.120",
    ),
    Difference(
        "unequal-fields",
        lambda subject: any(_argument(primitive, 0).word == "!=" for primitive in subject.primitives(*FIELDS)),
        "In libpcap 1.10.6, `!=` acts as `=` on the fields of ATM and MTP.",
        "MTP2",
        "opc != 5",
        packet=bytes(8),
    ),
    Difference(
        "isis-types",
        lambda subject: subject.has_protocol(ISIS_WORDS) or bool(subject.matches("proto", protocol="isis")),
        "libpcap 1.10.6 compares the type of an IS-IS packet with all eight bits of its byte, of which three are "
        "reserved; for C_HDLC and HDLC it takes the byte before.",
        "EN10MB",
        "iih",
        packet=bytes.fromhex("000000000000000000000000 0000 fefe03 83000000 30"),
    ),
    Difference(
        "arcnet-codes",
        lambda subject: subject.dlt in ARCNET and _tests_ipv4_or_arp(subject),
        "libpcap 1.10.6 also accepts the ARCnet codes of RFC 1051 for IP and ARP, which differ in their headers.",
        "ARCNET",
        "arp",
        packet=bytes.fromhex("0000f1"),
    ),
    Difference(
        "loopback-files",
        lambda subject: subject.is_file and subject.dlt in HOST_ORDER and _tests_ip(subject),
        "In a file, libpcap 1.10.6 expects the address family of NULL and ENC in the byte order of the file only.",
        "NULL",
        "ip",
        "<",
        packet=bytes.fromhex("00000002"),
    ),
    Difference(
        "pflog-files",
        lambda subject: subject.is_file and subject.dlt == PFLOG and _tests_ip(subject),
        "In a file of PFLOG, libpcap 1.10.6 expects the address family of IPv6 on Linux, which writes no such files.",
        "PFLOG",
        "ip6",
        "<",
        packet=bytes.fromhex("001e"),
    ),
    Difference(
        "metadata-offsets",
        lambda subject: _moves_link_header(subject) and bool(subject.primitives("inbound", "outbound", "ifindex")),
        "libpcap 1.10.6 adds the offset of the link header to that of the metadata of a packet.",
        "NETANALYZER",
        "inbound",
        packet=bytes(64),
        metadata=cbpf.Metadata(packet_type=4, device=cbpf.Device(index=2)),
        reason="cbpf",
    ),
    Difference(
        "long-ipv6-lists",
        _has_long_ipv6_list,
        "libpcap tests one address of a list after the other. In a list of 256 or more IPv6 addresses, "
        "cbpf looks for the source first. This differs on packets that end inside the destination address.",
        "EN10MB",
        f"host ({' or '.join(f'{number:x}::1' for number in range(0x2001, 0x2101))})",
        packet=bytes(12) + bytes.fromhex("86dd") + bytes(8) + _address(0x2003) + _address(0x2002)[:4],
        reason="cbpf",
    ),
    Difference(
        "protochain",
        lambda subject: bool(subject.matches("protochain")),
        "libpcap compiles `protochain` to a loop, which no kernel accepts. cbpf looks at the first eight headers.",
        "EN10MB",
        "ip6 protochain 6",
        reason="cbpf",
    ),
    Difference(
        "unmeasured-headers",
        lambda subject: (
            subject.dlt in MEASURED_LINK | MEASURED_PAYLOAD and bool(subject.primitives("pppoes", "geneve"))
        ),
        "libpcap measures headers of variable length for the innermost packet only, so it looks for the outer ones at "
        "the start of the packet.",
        "IEEE802_11_RADIO",
        "geneve and tcp port 80",
        packet=_TUNNEL,
        reason="cbpf",
    ),
    Difference(
        "slip-outbound",
        lambda subject: subject.dlt == SLIP and bool(subject.primitives("outbound")),
        "In libpcap 1.10.6, `outbound` on SLIP accepts every direction but 0.",
        "SLIP",
        "outbound",
        packet=b"\x02",
    ),
)
"""The differences; the first one that applies to an expression counts."""


def differences_of(text: str, handle: Handle) -> list[str]:
    """Return the names of the differences that concern an expression."""
    subject = Subject(text, handle)
    return [difference.name for difference in DIFFERENCES if difference.applies(subject)]


def difference_of(text: str, handle: Handle) -> str | None:
    """Return the name of the first difference that concerns an expression, or None."""
    return next(iter(differences_of(text, handle)), None)
