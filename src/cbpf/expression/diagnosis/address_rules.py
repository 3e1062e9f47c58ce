"""Rules for addresses, ports and lists of them in the notations of other programs.

Each rule is a function of a `Situation`; it returns None, or a `Repair`.
"""

import re

from ..._typing import Final
from ..lexer import tokens
from .situation import ID_KINDS, PORT_PROTOCOLS, Edit, Repair, Situation, is_service, quoted, shown

_RANGE_MARKS: Final = ("-", ":", "to", "\u2013", "..", "through")
_LIST: Final = re.compile(r"[{\[]([^{}\[\]()]*)[}\]]")
_COLONS: Final = re.compile(r"(?<![\w.:])[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f.:]*")
_ADDRESS_RULE: Final = (
    "an IPv6 address has eight groups of one to four hex digits, and '::' once in place of groups of zeros; "
    "an Ethernet address has six pairs of hex digits"
)


def port_range(s: Situation) -> Repair | None:
    """Recognise `portrange 80-`, `portrange -80`, `portrange 80 - 90` and `port 80:90`."""
    found, low, high, kind = s.found, s.token(-1), s.token(1), s.token(-2)
    if found.text not in _RANGE_MARKS and not (found.text == "," and kind.word == "portrange"):
        return None
    if low.word == "portrange" and high.kind == "number":
        fact = "the range of ports has no beginning"
        return Repair(found.start, fact, Edit(low.start, high.end, f"portrange 0-{high.text}"))
    if low.kind != "number" or kind.word not in ("port", "portrange"):
        return None
    if high.kind == "number":
        fact = f"'{s.text[low.start : high.end]}' is not a range of ports"
        return Repair(low.start, fact, Edit(kind.start, high.end, f"portrange {low.text}-{high.text}"))
    if kind.word != "portrange":
        return None
    fact = "the range of ports has no end"
    return Repair(found.start, fact, Edit(kind.start, found.end, f"portrange {low.text}-65535"))


def bracketed_list(s: Situation) -> Repair | None:
    """Recognise `port {80, 443}` and `port [80,443]`: a list in other brackets."""
    match = _LIST.match(s.text, s.found.start)
    if match is None or s.problem.qualifiers is None:
        return None
    entries = re.split(r"\s*[,;|]\s*|\s+or\s+|\s+", match[1].strip())
    if not all(len(found := tokens(entry)) == 2 and found[0].kind in ID_KINDS for entry in entries):
        return None
    if s.found.text == "[" and len(entries) == 1:  # an IPv6 address
        return None
    text = f"({' or '.join(entries)})" if len(entries) > 1 else entries[0]
    return Repair(
        s.found.start, f"{shown(s.found)} does not begin a list; '(' does", Edit(s.found.start, match.end(), text)
    )


def joined_port(s: Situation) -> Repair | None:
    """Recognise `tcp/80`, `tcp:80`, `port 80/tcp` and `80/tcp`."""
    found, previous, following = s.found, s.token(-1), s.token(1)
    if s.problem.expected == "'['" and previous.word in PORT_PROTOCOLS and s.token(-2).text == "/":
        number, slash = s.token(-3), s.token(-2)
        edit = Edit(number.start, previous.end, f"{previous.text} port {number.text}")
        return Repair(slash.start, "'/' does not join a port and a protocol", edit) if number.kind == "number" else None
    if found.text not in ("/", ":"):
        return None
    fact = f"{shown(found)} does not join a protocol and a port"
    if previous.word in PORT_PROTOCOLS and following.kind == "number":
        return Repair(found.start, fact, Edit(found.start, found.end, " port "))
    if previous.kind in ID_KINDS and following.word in PORT_PROTOCOLS and s.token(-2).word == "port":
        text = f"{following.word} port {previous.text}"
        return Repair(found.start, fact, Edit(s.token(-2).start, following.end, text))
    return None


def network(s: Situation) -> Repair | None:
    """Recognise `net 10/8`, `net 10.0.0.0/255.0.0.0`, `host 10.0.0.1:80` and `host [::1]`."""
    found, previous, following = s.found, s.token(-1), s.token(1)
    if found.text == "/" and previous.kind == "number" and following.kind == "number" and s.token(-2).word == "net":
        fact = "the address before a prefix length needs its dots"
        return Repair(previous.start, fact, Edit(previous.start, previous.end, f"{previous.text}.0.0.0"))
    if found.kind == "ipv4" and previous.text == "/" and s.token(-2).kind == "ipv4":
        return Repair(previous.start, "a mask follows 'mask', not '/'", Edit(previous.start, previous.end, " mask "))
    if found.kind == "ipv4" and previous.kind == "ipv4" and found.text.startswith("255."):
        return Repair(found.start, "a mask follows 'mask'", Edit(found.start, found.start, "mask "))
    is_port = following.kind == "number" or (following.kind == "name" and is_service(following.text))
    if found.text == ":" and previous.kind in ("ipv4", "name") and is_port:
        fact = "an address and a port are two primitives"
        return Repair(found.start, fact, Edit(found.start, found.end, " and port "))
    if found.text == "[" and following.kind in ("ipv4", "ipv6") and s.token(2).text == "]":
        return _in_brackets(s)
    if found.text == "%" and previous.kind == "ipv6":
        fact = "an address is written without a zone"
        return Repair(found.start, fact, Edit(found.start, following.end, ""))
    return None


def _in_brackets(s: Situation) -> Repair | None:
    """Return the repair of an address in brackets, perhaps with a port after them."""
    found, address = s.found, s.token(1)
    if not (s.problem.qualifiers or s.is_operand_expected):
        return None
    text, end = address.text if s.problem.qualifiers else f"host {address.text}", s.token(2).end
    if s.token(3).text == ":" and s.token(4).kind == "number":
        text, end = f"{text} and port {s.token(4).text}", s.token(4).end
    return Repair(found.start, "an address is written without brackets", Edit(found.start, end, text))


def malformed_address(s: Situation) -> Repair | None:
    """Recognise `host 2001:db8:::1`: colons and hex digits that are not an address."""
    for match in _COLONS.finditer(s.text):
        if match.start() <= s.found.start < match.end() and all(token.text != match[0] for token in s.tokens):
            return Repair(match.start(), f"{quoted(match[0])} is not an address", advice=_ADDRESS_RULE)
    return None
