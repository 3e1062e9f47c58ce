"""Seeded random filter expressions for comparisons: a seed gives one expression, in every version of Python.

They contain common primitives (hosts, networks, ports, protocols, fragments, lengths, VLANs) and uncommon arithmetic.
Addresses and ports are chosen from small sets, so that tests are repeated within an expression.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from support.random_choices import below, pick

HOSTS: Final = ("192.0.2.1", "192.0.2.2", "198.51.100.7", "10.1.2.3", "255.255.255.255", "0.0.0.0")
NETWORKS: Final = ("10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24", "172.16.0.0/12", "128.0.0.0/1", "192.0.2.4/30")
HOSTS_6: Final = ("2001:db8::1", "fe80::1", "::1")
NETWORKS_6: Final = ("2001:db8::/32", "fe80::/10", "ff00::/8", "2001:db8::/97")
PORTS: Final = (22, 53, 80, 443, 8080, 0, 65535)
PROTOCOLS: Final = ("tcp", "udp", "icmp", "icmp6", "ip", "ip6", "arp", "sctp", "igmp", "esp", "stp", "rarp")
DIRECTIONS: Final = ("", "", "src ", "dst ", "src and dst ", "src or dst ")
LOADS: Final = ("ip", "tcp", "udp", "icmp", "ether", "ip6", "arp")
COMPARISONS: Final = ("=", "!=", "<", ">", "<=", ">=")
OPERATORS: Final = ("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>")


def _address(random: Random) -> str:
    direction = pick(random, DIRECTIONS)
    match below(random, 6):
        case 0 | 1 | 2:
            return f"{direction}host {pick(random, HOSTS)}"
        case 3:
            return f"{direction}net {pick(random, NETWORKS)}"
        case 4:
            return f"ip6 {direction}host {pick(random, HOSTS_6)}"
        case _:
            return f"ip6 {direction}net {pick(random, NETWORKS_6)}"


def _port(random: Random) -> str:
    protocol, direction = pick(random, ("", "tcp ", "udp ")), pick(random, DIRECTIONS)
    if random.random() < 0.8:
        return f"{protocol}{direction}port {pick(random, PORTS)}"
    low, high = sorted((below(random, 9000), below(random, 9000)))
    return f"{protocol}{direction}portrange {low}-{high}"


def _protocol(random: Random) -> str:
    match below(random, 8):
        case 0:
            return f"ether proto {below(random, 0x10000)}"
        case 1:
            return f"ip proto {below(random, 256)}"
        case 2:
            return pick(random, ("ether broadcast", "ether multicast", "ip multicast", "ip6 multicast"))
        case 3:
            return f"ether {pick(random, ('src', 'dst', 'host'))} 02:00:00:00:00:0{1 + below(random, 3)}"
    return pick(random, PROTOCOLS)


def _length(random: Random) -> str:
    return f"{pick(random, ('less', 'greater'))} {below(random, 1600)}"


def _fields(random: Random) -> str:
    """Return a comparison of one field, with or without a mask."""
    kind = pick(random, LOADS)
    field = f"{kind}[{below(random, 20)}:{pick(random, (1, 2, 4))}]"
    mask = (
        f" & {pick(random, (1, 2, 7, 0xF, 0xF0, 0x3FFF, 0x1FFF, 0xFF00, 0xFFFFFF00))}" if random.random() < 0.6 else ""
    )
    return f"{field}{mask} {pick(random, COMPARISONS)} {pick(random, (0, 0, 1, 2, 5, 64, 255, 256, 4660))}"


def _arithmetic(random: Random) -> str:
    return f"{_sum(random, 3)} {pick(random, COMPARISONS)} {_sum(random, 2)}"


def _sum(random: Random, depth: int) -> str:
    fraction = random.random()
    if depth == 0 or fraction < 0.3:
        return str(pick(random, (1, 2, 3, 4, 7, 15, 16, 31, 255, 1000, 0x12345678)))
    if fraction < 0.6:
        return f"{pick(random, LOADS)}[{below(random, 24)}:{pick(random, (1, 2, 4))}]"
    if fraction < 0.65:
        return "len"
    if fraction < 0.72:
        return f"{pick(random, LOADS)}[{_sum(random, depth - 1)}]"
    operator = pick(random, OPERATORS)
    right = str(1 + below(random, 31)) if operator in ("<<", ">>", "/", "%") else _sum(random, depth - 1)
    return f"({_sum(random, depth - 1)} {operator} {right})"


_PRIMITIVES: Final[tuple[Callable[[Random], str], ...]] = (
    *(_address,) * 6,
    *(_port,) * 6,
    *(_protocol,) * 4,
    *(_fields,) * 3,
    *(_length,) * 1,
    *(_arithmetic,) * 2,
)


def expression(random: Random, *, max_primitives: int = 8) -> str:
    """Return an expression of 1 to *max_primitives* primitives; libpcap may reject it (exclusive protocols)."""
    text = _joined(random, 1 + below(random, max_primitives))
    fraction = random.random()
    if fraction < 0.05:
        return f"vlan and ({text})"
    return f"vlan {below(random, 4096)} and ({text})" if fraction < 0.08 else text


def _joined(random: Random, count: int) -> str:
    if count == 1:
        primitive = pick(random, _PRIMITIVES)(random)
        return f"not ({primitive})" if random.random() < 0.15 else primitive
    left = 1 + below(random, count - 1)
    parts = f"({_joined(random, left)}) {pick(random, ('and', 'or'))} ({_joined(random, count - left)})"
    return f"not ({parts})" if random.random() < 0.1 else parts
