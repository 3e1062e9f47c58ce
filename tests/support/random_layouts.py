"""Seeded random filter expressions whose layout is not canonical: carried identifiers, few or too many parentheses."""

from random import Random
from typing import Final

from support.random_choices import below, chance, pick
from support.random_expressions import COMPARISONS, OPERATORS, expression

_IDENTIFIERS: Final = {
    ("port", "tcp src port", "src or dst port", "udp port"): ("80", "0x1BB", "022", "tcp-ack", "((53))"),
    ("host", "src", "dst host", "src and dst", "dst or src host", "ip host", "arp src"): (
        *("10.0.0.1", "010.1.2.3", "192.0.2", "10", "255.255.255.255"),
    ),
    ("net", "src net", "ip dst net"): ("10.0.0.0/8", "172.16.0.0 mask 255.240.0.0", "192.0.2", "10"),
    ("ip6 host", "host", "ip6 src and dst host", "ip6 net"): ("::1", "2001:DB8:0::1", "::ffff:10.0.0.1", "1::/128"),
    ("ether host", "ether src", "link dst", "wlan src or dst", "wlan addr1"): (
        *("0:1:2:3:4:5", "00-11-22-AA-BB-CC", "aabb.ccdd.eeff", "001122334455", "1.2.3.4.5.6"),
    ),
    ("ip proto", "proto", "ip6 proto"): ("6", "\\tcp", "\\58", "0x11"),
    ("ether proto", "link proto"): ("\\ip", "\\arp", "0x88CC"),
    ("portrange", "udp dst portrange"): ("80-90", "\\80-90", "443"),
}
"""Qualifiers, and identifiers that fit most of them."""
_PRIMITIVES: Final = (
    *("tcp", "vlan", "vlan (5)", "ether broadcast", "multicast", "ip multicast", "is-is", "less 0X40", "byte 0 = 1"),
    *("llc rulenum", "wlan type mgt subtype beacon", "type data", "direction 0x1", "on \\eth0", "vpi (1 or 2)"),
    *("vpi = 1", "vci > 5", "sio (1)", "mpls (5)", "length > 64", "reason match", "oam", "ruleset a", "pppoes"),
)
_VALUES: Final = ("1", "0X1F", "len", "tcp[13]", "ip[2:2]", "ether[0]", "wlan[1:1]", "tcp-syn", "017")


def random_layout(random: Random) -> str:
    """Return an expression; its syntax is valid, and most link types do not have some of its primitives."""
    return _conditions(random, 2)


def _conditions(random: Random, depth: int) -> str:
    text = _condition(random, depth)
    for _ in range(below(random, 4)):
        text = f"{text} {pick(random, ('and', 'or', '&&', '||', 'or'))} {_condition(random, depth)}"
    return text


def _condition(random: Random, depth: int) -> str:
    if depth and chance(random, 0.3):
        return f"{pick(random, ('', '', 'not ', '!'))}({_conditions(random, depth - 1)})"
    negation = "not " if chance(random, 0.1) else ""
    match below(random, 8):
        case 0 | 1 | 2 | 3:
            return negation + _identifiers(random)
        case 4 | 5:
            return f"{negation}{_sum(random, 3)} {pick(random, (*COMPARISONS, '=='))} {_sum(random, 2)}"
        case 6:
            return negation + pick(random, _PRIMITIVES)
    return f"({expression(random, max_primitives=3)})"


def _identifiers(random: Random) -> str:
    """Return qualifiers with identifiers, in parentheses or not."""
    heads = pick(random, tuple(_IDENTIFIERS))
    identifiers = _IDENTIFIERS[heads]
    text = pick(random, identifiers)
    for _ in range(below(random, 3)):
        negation = pick(random, ("", "", "", "not "))
        text = f"{text} {pick(random, ('or', 'or', 'and'))} {negation}{pick(random, identifiers)}"
    return f"{pick(random, heads)} {f'({text})' if chance(random, 0.3) and not text.startswith('(') else text}"


def _sum(random: Random, depth: int) -> str:
    """Return arithmetic in which parentheses are rare, so that precedence decides."""
    text = pick(random, _VALUES)
    for _ in range(below(random, depth + 1)):
        operand = f"({_sum(random, depth - 1)})" if chance(random, 0.3) else pick(random, _VALUES)
        text = f"{text} {pick(random, OPERATORS)} {pick(random, ('', '', '-'))}{operand}"
    if depth > 1 and chance(random, 0.2):
        return f"{pick(random, ('ip', 'link', 'udp'))}[{text}{pick(random, ('', ':2', ':1'))}]"
    return f"-{text}" if chance(random, 0.1) else text
