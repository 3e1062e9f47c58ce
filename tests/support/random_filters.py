"""Seeded random filter expressions over all link types, with the packets for which they are compiled.

The expressions contain every primitive of libpcap in every notation, headers inside headers, qualifiers that are
carried over, and mistakes, so that errors are compared as well.
"""

from __future__ import annotations

import re
from random import Random
from typing import Final, NamedTuple

from cbpf.expression.lexer import tokens
from cbpf.expression.libpcap import NETMASK_UNKNOWN, Handle
from cbpf.expression.parser import parse
from cbpf.expression.primitives import SyntaxProblem
from cbpf.expression.syntax_tree import Match, Primitive, Protocol, Relation
from cbpf.packet.link_types import link_type as find_link_type
from cbpf.packet.link_types import link_types
from support.expression_nodes import conditions_of
from support.random_choices import below, chance, pick
from support.random_primitives import JUNIPER, MTP, WITH_TYPES, primitive
from support.random_state import State
from support.savefile_headers import file_header

ALL_TYPES: Final = tuple(link_type.dlt for link_type in link_types())
MOST_TYPES: Final = sorted((WITH_TYPES | MTP) - JUNIPER)
COMMON_TYPES: Final = (1, 1, 105, 127)
UNKNOWN_TYPES: Final = (13, 17, 20, 52, 100, 304, 1000)
NETMASKS: Final = (*(NETMASK_UNKNOWN,) * 4, 0xFFFFFF00, 0xFF000000, 0xFFFF0000, 0)
SNAPLENS: Final = (*(262_144,) * 8, 1, 96, 65_535, 0x7FFFFFFF)

SPELLINGS: Final = {
    "and": ("and", "and", "&&"),
    "or": ("or", "or", "||"),
    "not": ("not", "not", "!"),
    "link": ("ether", "ether", "link", "ppp", "slip", "fddi", "tr", "wlan"),
    "esis": ("esis", "es-is"),
    "isis": ("isis", "is-is"),
    "dir": ("dir", "direction"),
    "len": ("len", "length"),
    "rset": ("rset", "ruleset"),
    "rnr": ("rnr", "rulenum"),
    "srnr": ("srnr", "subrulenum"),
    "=": ("=", "=="),
    **{f"addr{n}": (f"addr{n}", f"address{n}") for n in range(1, 5)},
}
_WORD: Final = re.compile(
    rf"(?<![\\\w-])(?:{'|'.join(word for word in SPELLINGS if word != '=')})(?![\w-])|(?<= )=(?= )"
)


class Case(NamedTuple):
    """An expression, and the packets for which it is compiled."""

    text: str
    handle: Handle
    netmask: int

    @classmethod
    def for_device(cls, text: str, link_type: str) -> Case:
        """Return a given expression for a live device, with the default snapshot length."""
        return cls(text, Handle(find_link_type(link_type).dlt, SNAPLENS[0]), NETMASK_UNKNOWN)

    def __str__(self) -> str:
        packets = "device" if self.handle.file_header is None else f"file {self.handle.file_header[:4].hex()}"
        return (
            f"DLT {self.handle.dlt} ({packets}), snaplen {self.handle.snaplen}, netmask {self.netmask:#x}: {self.text}"
        )


def random_filter(random: Random, *, dlt: int | None = None) -> Case:
    """Return a random expression for a link type, by default for a random one; libpcap accepts about half of them."""
    dlt = random_dlt(random) if dlt is None else dlt
    handle = Handle(dlt, pick(random, SNAPLENS))
    if dlt not in UNKNOWN_TYPES and chance(random, 0.25):
        handle = handle._replace(file_header=file_header(handle, pick(random, ("<", ">"))))
    netmask = pick(random, NETMASKS)
    state = State(random, dlt, has_netmask=netmask != NETMASK_UNKNOWN, careless=chance(random, 0.75))
    return Case(random_expression(state), handle, netmask)


def random_dlt(random: Random) -> int:
    """Return a DLT_ number, usually of a link type that has a type field."""
    fraction = random.random()
    if fraction < 0.25:
        return pick(random, COMMON_TYPES)
    if fraction < 0.93:
        return pick(random, MOST_TYPES if fraction < 0.85 else sorted(JUNIPER))
    return pick(random, ALL_TYPES) if fraction < 0.99 else pick(random, UNKNOWN_TYPES)


def random_expression(state: State) -> str:
    """Return a random expression for the link type of a state."""
    random = state.random
    text = _conditions(state, pick(random, (1, 1, 2, 2, 3, 3, 4, 6)))
    if state.errs(0.012):
        text = _with_syntax_error(random, text)
    return _WORD.sub(lambda match: pick(random, SPELLINGS[match[0]]), text)


def _conditions(state: State, count: int) -> str:
    """Return a number of primitives, joined by operators; parentheses are random."""
    text = _negated(state, primitive(state))
    while count > 1:
        taken = 1 if state.chance(0.6) else 1 + below(state.random, count - 1)
        operand = _conditions(state, taken)
        if taken > 1 or state.chance(0.2):
            operand = _negated(state, f"({operand})")
        text = f"{text} {state.pick('and', 'and', 'or')} {operand}"
        count -= taken
    return text


def _negated(state: State, text: str) -> str:
    return f"not {text}" if state.chance(0.12) else text


def _with_syntax_error(random: Random, text: str) -> str:
    """Return a text with a token deleted, doubled or moved; the original if no syntax error results.

    Other texts may contain new host names, and the test would query a name server.
    """
    words = [token.text for token in tokens(text)[:-1]]
    place = below(random, len(words))
    match below(random, 3):
        case 0:
            del words[place]
        case 1:
            words.insert(below(random, len(words)), words[place])
        case _:
            words.insert(below(random, len(words)), words.pop(place))
    changed = " ".join(words)
    try:
        parse(changed)
    except SyntaxProblem:
        return changed
    return text


def kinds_of_primitives(text: str) -> set[str]:
    """Return the names of the kinds of primitives in an expression that libpcap accepts, to count them."""
    kinds: set[str] = set()
    for condition in conditions_of(parse(text)):
        match condition:
            case Match(qualifiers=qualifiers, identifier=identifier):
                protocol, direction, kind = qualifiers
                kinds |= {f"{protocol or ''} {kind or 'host'} {identifier.kind}", f"direction {direction}"}
            case Protocol(name=name):
                kinds.add(name)
            case Primitive(name=name, protocol=protocol):
                kinds.add(f"{protocol or ''} {name}")
            case Relation():
                kinds.add("relation")
    return kinds
