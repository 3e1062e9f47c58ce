"""Rules for texts whose syntax is right: they depend on the kind of the problem and on the token at its place.

A rule yields repairs of the text, of which the first that solves the problem is used, and advice for the other cases.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator

from ..._typing import Final, TypeAlias
from ..problems import ProblemKind
from .mistakes import HEADER_FIELDS, SERVICES, SYNONYMS
from .repairs import WORD_RULES
from .situation import Edit, Repair, Situation, shown

_WILDCARD: Final = re.compile(r"((?:\d{1,3}\.){1,3})[*xX](?:\.[*xX])*(?![\w.*])")
_ADDRESS_RANGE: Final = re.compile(r"((?:\d{1,3}\.){3})(\d{1,3})-((?:(?:\d{1,3}\.){3})?\d{1,3})(?![\w.])")
_PORTS: Final = re.compile(r"(\d+)(?:-|\.\.|--|_|\.)(\d+)")
_MAX_NETWORKS: Final = 8  # of a suggested expression

SemanticRule: TypeAlias = Callable[[Situation], Iterator[Repair]]


def _edit(start: int, end: int, text: str, fact: str = "") -> Repair:
    """Return a repair; an empty fact is that of the problem."""
    return Repair(start, fact, Edit(start, end, text))


def _advice(text: str) -> Repair:
    return Repair(0, "", advice=text)


def _carried_word(s: Situation) -> Iterator[Repair]:
    """Recognise a word in place of a primitive, which the parser takes for a name with the qualifiers before it."""
    if s.token(-1).word in ("and", "or", "not", "("):
        for rule in WORD_RULES:
            repair = rule(s)
            if repair is not None:
                yield repair
        yield _advice("a word without a keyword before it is a name of the same kind as the one before 'and' or 'or'")


def _another_word(s: Situation) -> Iterator[Repair]:
    """Recognise another name of a keyword after a direction, such as `src mac`."""
    word, before = SYNONYMS.get(s.found.text.lower(), ""), s.token(-1)
    if word == "ether host" and before.word in ("src", "dst"):
        yield _edit(before.start, s.found.end, f"ether {before.text}")
    if word:
        yield _edit(s.found.start, s.found.end, word)
    if word and before.word == "proto":
        yield _edit(s.found.start, s.found.end, f"\\{word}")


def word_before(s: Situation) -> Repair | None:
    """Recognise `src mac X` and `host 192.168.1.*`: the parser reads the word before the unexpected token as a name."""
    if s.found_index == 0 or s.token(-1).kind not in ("name", "ipv4"):
        return None
    at_word = s._replace(found_index=s.found_index - 1)
    for repair in (*_several_addresses(at_word), *_another_word(at_word)):
        assert repair.edit is not None
        written = s.text[at_word.found.start : max(repair.edit.end, at_word.found.end)]
        return repair._replace(start=at_word.found.start, fact=f"'{written}' is not part of the language")
    return None


def _unknown_port(s: Situation) -> Iterator[Repair]:
    """Recognise `port 80-90` and names of services that services(5) does not have."""
    ports = _PORTS.fullmatch(s.found.text)
    if ports and s.token(-1).word == "port":
        fact = f"{shown(s.found)} is a range of ports, and 'port' takes one port"
        yield _edit(s.token(-1).start, s.found.end, f"portrange {ports[1]}-{ports[2]}", fact)
    if s.token(-1).word in ("port", "portrange") and s.found.text.lower() in SERVICES:
        yield _edit(s.found.start, s.found.end, SERVICES[s.found.text.lower()])


def _port_range(s: Situation) -> Iterator[Repair]:
    """Recognise `portrange 80..90`."""
    ports = _PORTS.fullmatch(s.found.text)
    if ports and s.token(-1).word == "portrange":
        yield _edit(s.found.start, s.found.end, f"{ports[1]}-{ports[2]}")


def _hexadecimal(s: Situation) -> Iterator[Repair]:
    """Recognise `ether proto 800`: an EtherType without its 0x."""
    if s.token(-1).word == "proto" and s.token(-2).word == "link" and re.fullmatch("[1-9][0-9]{2,3}", s.found.text):
        yield _edit(s.found.start, s.found.end, f"0x{s.found.text}")


def _host_bits(s: Situation) -> Iterator[Repair]:
    """Recognise `net 10.0.0.1/8`: the network, without the bits after the prefix."""
    if s.token(1).word not in ("/", "mask"):
        return
    try:
        network = ipaddress.ip_network(f"{s.found.text}/{s.token(2).text}", strict=False)
    except ValueError:
        return
    yield _edit(s.found.start, s.token(2).end, str(network))


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


def _mask_without_net(s: Situation) -> Iterator[Repair]:
    """Recognise `host 10.0.0.0/8` and `10.0.0.1/8` without `net`."""
    if s.token(1).text != "/":
        return
    for edit in (repair.edit for repair in _host_bits(s)):
        assert edit is not None
        yield _edit(_start_without_kind(s), edit.end, f"net {edit.text}")


def _mac_without_link(s: Situation) -> Iterator[Repair]:
    """Recognise an Ethernet address without `ether`."""
    if s.found.kind == "mac":
        head = s.tokens[s.head_index()]
        yield _edit(head.start, head.start, "ether ")
        yield _edit(s.found.start, s.found.start, "ether host ")


def _protocol_of_address(s: Situation) -> Iterator[Repair]:
    """Remove a protocol that has no such addresses, or replace it."""
    head = s.tokens[s.head_index()]
    if head.word not in ("ip", "ip6", "link") or s.found.kind not in ("ipv4", "ipv6", "mac"):
        return
    other = {"ip": "ip6", "ip6": "ip"}.get(head.word)
    if other:
        yield _edit(head.start, head.end, other)
    yield _edit(head.start, s.tokens[s.head_index() + 1].start, "")


def _protocol_and_identifier(s: Situation) -> Iterator[Repair]:
    """Recognise `tcp src 80` and `tcp host 10.0.0.1`: a protocol that has no such identifiers."""
    head, last = s.tokens[s.head_index()], s.token(-1)
    if head.kind != "protocol" or head is s.found:
        return
    if s.found.kind == "number" and last.word not in ("host", "net"):
        yield _edit(s.found.start, s.found.start, "port ")
    yield _edit(head.end, head.end, " and")


def _wlan_type(s: Situation) -> Iterator[Repair]:
    """Recognise `icmp type 8` and `ether type 0x800`, although `type` tests frames of IEEE 802.11."""
    for distance in (-1, -2):
        protocol = s.token(distance)
        field = HEADER_FIELDS.get((protocol.word, "type")) if protocol.kind == "protocol" else None
        if field and s.found.kind == "number":
            is_link = protocol.word == "link"
            start, text = (protocol.end, " proto ") if is_link else (protocol.start, f"{field} = ")
            yield _edit(start, s.found.start, text, "'type' tests a field of IEEE 802.11 frames only")


_RULES: Final[dict[ProblemKind, tuple[SemanticRule, ...]]] = {
    "name": (_carried_word, _several_addresses, _unknown_port, _port_range, _another_word, _wlan_type),
    "range": (_port_range, _wlan_type, _hexadecimal),
    "address": (_host_bits,),
    "qualifier": (_mask_without_net, _mac_without_link, _protocol_of_address, _protocol_and_identifier),
    "link-type": (_wlan_type,),
}
"""By kind of problem: the rules, each of which looks at the token at its place."""


def semantic_repairs(situation: Situation, kind: ProblemKind) -> Iterator[Repair]:
    """Yield the repairs of the text, and advice, for a problem of a kind at the place of *situation*."""
    for rule in _RULES.get(kind, ()):
        yield from rule(situation)
