"""Rules for libpcap's own error messages: each has a pattern of the message.

A rule yields repairs of the text, of which the first that can be compiled is used, and advice for the other cases.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from .mistakes import HEADER_FIELDS, SERVICES, SYNONYMS
from .repairs import WORD_RULES
from .situation import Edit, Repair, Situation
from .structure_rules import identifier_after_protocol

_WILDCARD: Final = re.compile(r"((?:\d{1,3}\.){1,3})[*xX](?:\.[*xX])*(?![\w.*])")
_ADDRESS_RANGE: Final = re.compile(r"((?:\d{1,3}\.){3})(\d{1,3})-((?:(?:\d{1,3}\.){3})?\d{1,3})(?![\w.])")
_MAX_NETWORKS: Final = 8  # of a suggested expression

SemanticRule: TypeAlias = Callable[[Situation, re.Match[str]], Iterator[Repair]]


def _edit(start: int, end: int, text: str) -> Repair:
    return Repair(start, "", Edit(start, end, text))


def _advice(text: str) -> Repair:
    return Repair(0, "", advice=text)


def _carried_word(s: Situation, match: re.Match[str]) -> Iterator[Repair]:
    """Recognise a word in place of a primitive, which libpcap takes for a name with the qualifiers before it."""
    if s.token(-1).word in ("and", "or", "not", "("):
        for rule in WORD_RULES:
            repair = rule(s)
            if repair is not None:
                yield repair
        yield _advice("an identifier without qualifiers has those of the identifier before it")


def _unknown_name(s: Situation, match: re.Match[str]) -> Iterator[Repair]:
    yield from _several_addresses(s)
    yield from _carried_word(s, match)
    word, before = SYNONYMS.get(s.found.text.lower(), ""), s.token(-1)
    if word == "ether host" and before.word in ("src", "dst"):
        yield _edit(before.start, s.found.end, f"ether {before.text}")
    if word:
        yield _edit(s.found.start, s.found.end, word)


def _unknown_port(s: Situation, match: re.Match[str]) -> Iterator[Repair]:
    yield from _carried_word(s, match)
    ports = re.fullmatch(r"(\d+)(?:-|\.\.|_|--)(\d+)", s.found.text)
    if ports and s.token(-1).word == "port":
        yield _edit(s.token(-1).start, s.found.end, f"portrange {ports[1]}-{ports[2]}")
    if s.found.text.lower() in SERVICES:
        yield _edit(s.found.start, s.found.end, SERVICES[s.found.text.lower()])
    yield _advice("a port is a number (0..65535) or a service name of services(5)")


def _port_range(s: Situation, match: re.Match[str]) -> Iterator[Repair]:
    ports = re.fullmatch(r"(\d+)(?:\.\.|--|_|\.)(\d+)", s.found.text)
    if ports:
        yield _edit(s.found.start, s.found.end, f"{ports[1]}-{ports[2]}")
    yield _advice("a range is two ports with a hyphen and no blanks between them, such as 8000-8080")


def _host_bits(s: Situation, match: re.Match[str]) -> Iterator[Repair]:
    try:
        network = ipaddress.ip_network(match[1], strict=False)
    except ValueError:
        return
    end = s.token(2).end if s.token(1).text == "/" else s.found.end
    yield _edit(s.found.start, end, str(network))
    yield _edit(_start_without_kind(s), end, f"net {network}")


def _start_without_kind(s: Situation) -> int:
    """Return the offset of the keyword `host` or `net` before the address, or that of the address."""
    return s.token(-1).start if s.token(-1).word in ("host", "net") else s.found.start


def _networks(prefix: str, first: str = "", last: str = "") -> list[ipaddress.IPv4Network]:
    """Return the networks of all addresses with a prefix such as `192.168.`, or of those from *first* to *last*."""
    if not first:
        octets = prefix.count(".")
        return [ipaddress.IPv4Network(f"{prefix}{'.'.join(['0'] * (4 - octets))}/{8 * octets}")]
    end = last if "." in last else f"{prefix}{last}"
    return list(
        ipaddress.summarize_address_range(ipaddress.IPv4Address(f"{prefix}{first}"), ipaddress.IPv4Address(end))
    )


def _several_addresses(s: Situation) -> Iterator[Repair]:
    """Recognise `192.168.1.*`, `192.168.x.x`, `192.168.1.0-255` and `192.168.1.1-192.168.1.9`."""
    pattern = _WILDCARD.match(s.text, s.found.start) or _ADDRESS_RANGE.match(s.text, s.found.start)
    if pattern is None:
        return
    try:
        networks = _networks(*pattern.groups())
    except ValueError:
        return
    if len(networks) > _MAX_NETWORKS:
        return
    text = " or ".join(map(str, networks))
    yield _edit(_start_without_kind(s), pattern.end(), f"net ({text})" if len(networks) > 1 else f"net {text}")


def _mask_without_net(s: Situation, match: re.Match[str]) -> Iterator[Repair]:
    if s.token(-1).word == "host":
        yield _edit(s.token(-1).start, s.token(-1).end, "net")
    yield _edit(s.found.start, s.found.start, "net ")


def _mac_without_link(s: Situation, match: re.Match[str]) -> Iterator[Repair]:
    head = s.tokens[s.head_index()]
    yield _edit(head.start, head.start, "ether ")
    yield _edit(s.found.start, s.found.start, "ether host ")
    yield _advice("an Ethernet address follows 'ether host', 'ether src' or 'ether dst'")


def _protocol_of_address(s: Situation, match: re.Match[str]) -> Iterator[Repair]:
    """Remove a protocol that has no such addresses, or replace it."""
    head = s.tokens[s.head_index()]
    if head.kind != "protocol":
        return
    other = {"ip": "ip6", "ip6": "ip"}.get(head.word)
    if other:
        yield _edit(head.start, head.end, other)
    yield _edit(head.start, s.tokens[s.head_index() + 1].start, "")


def _transport_protocol(s: Situation) -> Repair:
    """Return the repair of `tcp host A`: `tcp and host A`."""
    head = s.tokens[s.head_index()]
    if head.kind != "protocol":
        return _advice("")
    return _edit(head.end, head.end, " and")


def _modified_host(s: Situation, match: re.Match[str]) -> Iterator[Repair]:
    head, last = s.tokens[s.head_index()], s.token(-1)
    if head.kind == "protocol" and s.found.kind == "number" and last.word not in ("host", "net"):
        yield _edit(s.found.start, s.found.start, "port ")
    if head.kind == "protocol" and last is head:
        yield from filter(None, [identifier_after_protocol(s)])
    yield _transport_protocol(s)


def _wlan_type(s: Situation, match: re.Match[str]) -> Iterator[Repair]:
    """Recognise `icmp type 8` and `ether type 0x800`, which are tests of 802.11 frames to libpcap."""
    for distance in (-1, -2):
        protocol = s.token(distance)
        field = HEADER_FIELDS.get((protocol.word, "type")) if protocol.kind == "protocol" else None
        if field and s.found.kind == "number":
            yield _edit(
                protocol.end if protocol.word == "link" else protocol.start,
                s.found.start,
                " proto " if protocol.word == "link" else f"{field} = ",
            )


def _portless_protocol(s: Situation, match: re.Match[str]) -> Iterator[Repair]:
    yield _transport_protocol(s)
    yield _advice("only tcp, udp and sctp have ports")


def _says(text: str) -> SemanticRule:
    return lambda s, match: iter([_advice(text)])


_RULES: Final[tuple[tuple[str, SemanticRule], ...]] = (
    (r"unknown (host|network|ether host) ", _unknown_name),
    (r"unknown port ", _unknown_port),
    (r"unknown (ip|ip6|ether|osi) proto", _carried_word),
    (r"'.*' is not a valid port|port range .* contains", _port_range),
    (r'non-network bits set in "(.+)"', _host_bits),
    (r"Mask syntax for networks only", _mask_without_net),
    (r"ethernet address used in non-ether expression", _mac_without_link),
    (r"illegal link layer address|'ip6?' modifier applied to ip6? host", _protocol_of_address),
    (r"'\w+' modifier applied to (host|ip)", _modified_host),
    (r"802.11 link-layer types supported only|(invalid|unknown) 802.11 type", _wlan_type),
    (r"illegal qualifier of 'port'|'port' .*illegal", _portless_protocol),
    (r"netmask not known", _says("state the netmask, or test 'ether broadcast'")),
    (r"unknown ether host", _says("write an address such as 00:11:22:33:44:55, or a name of ethers(5)")),
    (r"unknown network", _says("write a network such as 192.0.2.0/24, or a name of networks(5)")),
    (r"unknown (ip|ip6|ether) proto", _says("write a number, or a name of protocols(5)")),
    (r"'gateway' not supported", _says("write ether host MAC and not host ADDRESS")),
)


def semantic_repairs(situation: Situation, message: str) -> Iterator[Repair]:
    """Yield the repairs of the text, and advice, for a message of libpcap at the place of *situation*."""
    for pattern, rule in _RULES:
        match = re.match(pattern, message)
        if match is not None:
            yield from rule(situation, match)
