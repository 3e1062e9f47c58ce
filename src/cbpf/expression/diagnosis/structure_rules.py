"""Rules for the order and the number of tokens: operands, parentheses, qualifiers, comparisons.

Each rule is a function of a `Situation`; it returns None, or a `Repair`.
"""

import re

from ..._typing import Final
from ..lexer import Token
from ..vocabulary import ARGUMENTS, DIRECTIONS, KINDS, NAMED_NUMBERS, NUMBERED, WLAN
from .display_filter import ports_compared
from .mistakes import HEADER_FIELDS, TCP_FLAGS
from .situation import (
    ARITHMETIC,
    ID_KINDS,
    PORT_PROTOCOLS,
    RELATIONS,
    Edit,
    Repair,
    Situation,
    is_keyword,
    is_service,
    shown,
)

_CONSTANT_TESTS: Final = {
    "tcp-": "tcp[tcpflags] & {} != 0",
    "icmp-": "icmp[icmptype] = {}",
    "icmp6-": "icmp6[icmp6type] = {}",
}
_ALL_FLAGS: Final = 'for all of several flags write "tcp[tcpflags] & (tcp-syn | tcp-ack) = (tcp-syn | tcp-ack)"'


def compared_qualifier(s: Situation) -> Repair | None:
    """Recognise `port = 80`, `port:80`, `port != 80`, `port > 1024` and `vlan = 5`."""
    last = s.token(-1)
    is_argument = last.kind == "keyword" and last.word in {*NUMBERED, *ARGUMENTS, *WLAN}
    if s.found.word not in {*RELATIONS, ":"} or not (s.problem.qualifiers or is_argument):
        return None
    head = last if is_argument else s.tokens[s.head_index()]
    fact = f"{shown(s.found)} cannot follow {shown(last)}"
    if s.found.word in ("=", ":"):
        return Repair(s.found.start, fact, Edit(last.end, s.token(1).start, " "))
    if s.found.word == "!=":
        text = f"not {s.text[head.start : last.end]} "
        return Repair(s.found.start, fact, Edit(head.start, s.token(1).start, text))
    if last.word == "port" and s.token(1).kind == "number":
        template = f"{s.text[head.start : last.end]} {{}}"
        ports = ports_compared(template, s.found.word, str(s.token(1).value))
        if ports:
            return Repair(s.found.start, fact, Edit(head.start, s.token(1).end, ports))
    return Repair(s.found.start, fact)


def compared_protocol(s: Situation) -> Repair | None:
    """Recognise `tcp = 80` and `ip != 10.0.0.1`: a protocol in place of a number."""
    protocol, found, following = s.token(-1), s.found, s.token(1)
    if protocol.kind != "protocol" or found.word not in RELATIONS or not s.is_complete:
        return None
    fact = f"{shown(found)} compares numbers, and {shown(protocol)} is a condition"
    words = _words_between(protocol, following, s.token(2))
    if words is None or found.word not in ("=", "!=") or (found.word == "!=" and "and" in words):
        return Repair(found.start, fact)
    negation = "not " if found.word == "!=" else ""
    return Repair(found.start, fact, Edit(protocol.start, following.start, f"{negation}{protocol.text} {words} "))


def other_direction(s: Situation) -> Repair | None:
    """Recognise `src or host 10.0.0.1`: one direction and a junction."""
    junction, direction = s.token(-1), s.token(-2)
    if s.problem.expected not in ("'src'", "'dst'") or not (s.found.kind in ID_KINDS or s.found.word in KINDS):
        return None
    other = s.problem.expected.strip("'")
    fact = f"no '{other}' after '{direction.text} {junction.text}'"
    return Repair(s.found.start, fact, Edit(s.found.start, s.found.start, f"{other} "))


def missing_operand(s: Situation) -> Repair | None:
    """Recognise `and`, `or` and `not` without an operand."""
    previous, found = s.token(-1), s.found
    if not s.is_operand_expected or not (found.kind == "end" or found.word in ("and", "or", ")")):
        return None
    if previous.word == "(" and found.word == ")":
        return Repair(previous.start, "the parentheses are empty", advice=f"expected {s.problem.expected}")
    if previous.word in ("and", "or") and found.word in ("and", "or"):
        return Repair(found.start, f"{shown(found)} follows {shown(previous)}", Edit(found.start, s.token(1).start, ""))
    if previous.word in ("and", "or", "not"):
        edit = Edit(s.token(-2).end, previous.end, "") if previous.word != "not" and s.found_index > 1 else None
        return Repair(
            found.start,
            f"{shown(previous)} has no operand after it",
            edit,
            "" if edit else f"expected {s.problem.expected}",
        )
    if found.word in ("and", "or"):
        edit = Edit(found.start, s.token(1).start, "") if s.token(1).kind != "end" else None
        return Repair(found.start, f"{shown(found)} has no operand before it", edit)
    return None


def parentheses(s: Situation) -> Repair | None:
    """Recognise parentheses and brackets that are not balanced."""
    found, opening = s.found, s.problem.opening
    before = [token.text for token in s.tokens[: s.found_index]]
    if found.text == ")" and before.count("(") == before.count(")"):
        return Repair(found.start, "')' has no '(' before it", advice="remove ')', or add '(' before its group")
    if "']'" in s.problem.expected:
        bracket = next(token for token in reversed(s.tokens[: s.found_index]) if token.text == "[")
        fact = f"'[' at {s.place(bracket)} is not closed"
        return Repair(found.start, fact, advice=f"expected {s.problem.expected}")
    if opening is None or not s.is_complete:
        return None
    column = f"'(' at {s.place(opening)} is not closed"
    if found.kind == "end":
        return Repair(found.start, column, Edit(found.start, found.start, ")"))
    if found.text == "]":
        return Repair(found.start, "']' does not close '('", Edit(found.start, found.end, ")"))
    return None


def arithmetic_junction(s: Situation) -> Repair | None:
    """Recognise `tcp-syn or tcp-ack` in arithmetic, and `|` between conditions."""
    found = s.found
    if found.word in ("and", "or") and not s.is_operand_expected and "operator" in s.problem.expected:
        if found.word == "and" and s.token(-1).text in TCP_FLAGS.values():
            return Repair(found.start, f"{shown(found)} joins conditions, not flags", advice=_ALL_FLAGS)
        if not s.problem.after_value:
            operator = "|" if found.word == "or" else "&"
            fact = f"{shown(found)} joins conditions, not numbers"
            return Repair(found.start, fact, Edit(found.start, found.end, operator))
        return None
    if found.text in ("|", "&") and s.is_complete and s.token(1).kind == "end":
        return Repair(found.start, f"{shown(found)} has no operand after it", Edit(found.start, found.end, ""))
    if found.text in ("|", "&") and s.is_complete:
        word = "or" if found.text == "|" else "and"
        fact = f"{shown(found)} joins numbers, not conditions"
        return Repair(found.start, fact, Edit(found.start, found.end, word))
    return None


def misplaced_protocol(s: Situation) -> Repair | None:
    """Recognise `src ip X`, `port tcp 80` and `port src 80`: qualifiers in another order."""
    found, qualifiers = s.found, s.problem.qualifiers
    if qualifiers is None or not (found.kind == "protocol" or (is_keyword(found) and found.word in DIRECTIONS | KINDS)):
        return None
    head, last, following = s.tokens[s.head_index()], s.token(-1), s.token(1)
    if following.kind not in ID_KINDS and not is_keyword(following) and following.text != "(":
        return None
    fact = f"{shown(found)} cannot follow {shown(last)}"
    if found.word in ("ip", "ip6") and following.kind in ("ipv4", "ipv6"):
        kind = "net" if s.token(2).text == "/" else "host"
        text = "" if qualifiers.kind else f" {kind}"
        return Repair(found.start, fact, Edit(last.end, found.end, text))
    if found.kind == "protocol" and qualifiers.protocol is None and qualifiers.kind not in ("proto", "protochain"):
        return Repair(found.start, fact, Edit(head.start, found.end, f"{found.text} {s.text[head.start : last.end]}"))
    if found.word in DIRECTIONS and qualifiers.direction is None and qualifiers.kind in KINDS:
        return Repair(found.start, fact, Edit(last.start, found.end, f"{found.text} {last.text}"))
    return None


def identifier_after_protocol(s: Situation) -> Repair | None:
    """Recognise `tcp 80` and `ip 10.0.0.1`: an identifier without qualifiers after a protocol."""
    protocol, found = s.token(-1), s.found
    if protocol.kind != "protocol" or found.kind not in ID_KINDS or not s.is_complete:
        return None
    fact = f"no word such as 'port' or 'host' between {shown(protocol)} and {shown(found)}"
    if protocol.word in ("icmp", "icmp6") and found.kind == "number":
        field = HEADER_FIELDS[protocol.word, "type"]
        return Repair(found.start, fact, Edit(protocol.start, found.start, f"{field} = "))
    words = _words_between(protocol, found, s.token(1))
    return Repair(found.start, fact, Edit(protocol.end, found.start, f" {words} ")) if words else None


def _words_between(protocol: Token, identifier: Token, following: Token) -> str | None:
    """Return the words that an identifier needs after a protocol, or None."""
    is_net = following.text == "/" or (identifier.kind == "ipv4" and identifier.text.count(".") < 3)
    address = "net" if is_net else "host"
    if protocol.word in PORT_PROTOCOLS:
        if identifier.kind in ("ipv4", "ipv6"):
            return f"and {address}"
        is_port = identifier.kind == "number" or (identifier.kind == "name" and is_service(identifier.text))
        return "port" if is_port else None
    if identifier.kind == "number":
        return "proto" if protocol.word in ("ip", "ip6", "link") else None
    return {"ipv4": address, "ipv6": address, "mac": "host"}.get(identifier.kind)


def bare_identifier(s: Situation) -> Repair | None:
    """Recognise an address or number without qualifiers."""
    found = s.found
    if s.problem.after_value and s.found_index and s.token(-1).kind == "number" and found.kind == "end":
        found = s.token(-1)
        if s.found_index > 1 and s.token(-2).word not in ("and", "or", "not", "("):
            return None
    elif not s.is_operand_expected:
        return None
    constant = next((test for prefix, test in _CONSTANT_TESTS.items() if found.text.startswith(prefix)), None)
    if constant and (found.kind == "number" or found.text in NAMED_NUMBERS):
        edit = Edit(found.start, found.end, constant.format(found.text))
        return Repair(found.start, f"{shown(found)} is a number, not a condition", edit)
    is_net = s.text.startswith("/", found.end) or (found.kind == "ipv4" and found.text.count(".") < 3)
    address = "net" if is_net else "host"
    kinds = {"ipv4": address, "ipv6": address, "mac": "ether host", "number": "port"}
    kind = kinds.get(found.kind) or ("host" if found.kind == "name" and _is_host_name(found.text) else None)
    if kind is None:
        return None
    fact = f"no word such as '{kind}' before {shown(found)}"
    return Repair(found.start, fact, Edit(found.start, found.start, f"{kind} "), is_guess=found.kind == "number")


def _is_host_name(name: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}", name))


def value_alone(s: Situation) -> Repair | None:
    """Recognise `ip[8]` and `tcp[13] & 2` without a comparison."""
    if not s.problem.after_value:
        return None
    last = s.token(-1)
    fact = "a value alone is not a condition: compare it with a number"
    if s.found.kind == "number":
        return Repair(s.found.start, fact, Edit(last.end, s.found.start, " = "))
    return Repair(s.found.start, fact, Edit(last.end, last.end, " != 0"))


def missing_junction(s: Situation) -> Repair | None:
    """Recognise two operands without `and` or `or` between them."""
    found = s.found
    if not s.is_complete or (found.kind in ("end", "unknown", "operator", "invalid") and found.text not in ("(", "!")):
        return None
    previous = s.token(-1)
    if found.word == "not" and s.token(1).kind == "end":
        return Repair(found.start, f"{shown(found)} has no operand after it", Edit(found.start, found.end, ""))
    if previous.kind == found.kind == "number" and s.token(-2).word == "portrange":
        fact = "a range is two ports with a hyphen and no blanks between them"
        return Repair(found.start, fact, Edit(previous.end, found.start, "-"))
    is_same = found.kind in ID_KINDS and previous.kind in ID_KINDS
    if found.text.startswith("\\") or (found.kind in ID_KINDS and not is_same):
        return None
    conjunction, disjunction = (Edit(found.start, found.start, word) for word in ("and ", "or "))
    are_exclusive = not s.accepts(conjunction.apply(s.text)) and s.accepts(disjunction.apply(s.text))
    fact = f"no 'and' or 'or' before {shown(found)}"
    return Repair(found.start, fact, disjunction if is_same or are_exclusive else conjunction, is_guess=True)


def number_after_keyword(s: Situation) -> Repair | None:
    """Recognise `vlan 1-5` and `geneve x`: a keyword with an optional number, and another word."""
    keyword, found = s.token(-1), s.found
    if keyword.kind != "keyword" or keyword.word not in NUMBERED or found.kind != "name":
        return None
    return Repair(found.start, f"{shown(found)} is not a number", advice=f"{shown(keyword)} takes one number, or none")


def protocol_as_number(s: Situation) -> Repair | None:
    """Recognise `ether[12:2] = ip`: a protocol in arithmetic."""
    if s.problem.expected != "'['":
        return None
    protocol = s.token(-1)
    advice = f"a byte of its header is a number, such as '{protocol.text}[0]'"
    return Repair(protocol.start, f"{shown(protocol)} is a protocol, not a number", advice=advice)


def operator_after_condition(s: Situation) -> Repair | None:
    """Recognise `tcp + udp` and `tcp port 80 > 5`: an operator of arithmetic after a condition."""
    if not s.is_complete or s.found.kind != "operator" or s.found.word not in RELATIONS | ARITHMETIC:
        return None
    verb = "compares" if s.found.word in RELATIONS else "computes with"
    fact = f"{shown(s.found)} {verb} numbers, and a condition is before it"
    return Repair(s.found.start, fact, advice=f"expected {s.problem.expected}")
