"""Seeded random numbers, addresses and identifiers of filter expressions, in all notations that libpcap reads.

A small share is invalid in libpcap's view: bits outside a mask, numbers that are too large, unsuitable forms.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from random import Random
from typing import Final

from support.random_choices import below, chance, pick

WORDS: Final = (0, 1, 2, 5, 7, 15, 16, 20, 64, 127, 255, 256, 0x1FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)
ADDRESSES: Final = (0, 0x0A000001, 0x0A010203, 0xC0000201, 0xC6336407, 0xE0000001, 0xFFFFFFFF, 0x7F000001, 0x01020000)
ADDRESSES_6: Final = (
    *(0, 1, 0xFF02 << 112 | 1, 0xFE80 << 112 | 1, 0x20010DB8 << 96, 0x20010DB8 << 96 | 1, (1 << 128) - 1),
    *(0x20010DB8000000000000000001020304, 0xFFFF_0A01_0203),
)
MACS: Final = ("02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff", "1-2-3-4-5-6", "aabb.ccdd.eeff", "0A0b0C0d0E0f", "1.2.3.4.5.6")
NAMED_NUMBERS: Final = ("tcp-syn", "tcp-ack", "tcpflags", "icmptype", "icmp-echo", "icmp6-echo", "icmp6type", "tcp-cwr")
SERVICES: Final = ("http", "domain", "ssh", "ntp", "no-such-service")


def number(random: Random, value: int) -> str:
    """Return a number in decimal, hexadecimal or octal notation."""
    fraction = random.random()
    if fraction < 0.7:
        return str(value)
    if fraction < 0.9:
        return f"{pick(random, ('0x', '0X'))}{value:{pick(random, ('x', 'X', '04x'))}}"
    return f"0{value:o}"


def word(random: Random) -> str:
    """Return a number of 32 bits, usually a small one; sometimes the name of a number."""
    fraction = random.random()
    if fraction < 0.05:
        return pick(random, NAMED_NUMBERS)
    if fraction < 0.6:
        return number(random, below(random, 32))
    return number(random, pick(random, WORDS) if fraction < 0.95 else below(random, 1 << 32))


def up_to(random: Random, limit: int) -> str:
    """Return a number up to *limit*, and sometimes one above it."""
    if chance(random, 0.04):
        return number(random, limit + 1 + below(random, 3))
    return number(random, pick(random, (0, 1, limit, limit // 2, below(random, limit + 1))))


def ipv4(random: Random, *, kind: str) -> str:
    """Return an IPv4 address for the kind "host", or a network for "net"."""
    address = pick(random, ADDRESSES) if chance(random, 0.6) else below(random, 1 << 32)
    if chance(random, 0.1):
        return number(random, pick(random, (0, 1, 10, 257, 0x0A000001, 0xFFFFFFFF)))
    if kind == "host" and not chance(random, 0.03):
        return _dotted(address, pick(random, (4, 4, 4, 4, 3, 2)))
    match below(random, 3):
        case 0:
            return _dotted(address, 2 + below(random, 3))
        case 1:
            length = pick(random, (0, 1, 8, 12, 16, 24, 31, 32, below(random, 33)))
            text = _shortened(random, address if chance(random, 0.04) else address & ~((1 << (32 - length)) - 1))
            return f"{text}/{length if not chance(random, 0.03) else 33}"
        case _:
            mask = pick(random, (0xFF000000, 0xFFFF0000, 0xFFFFFF00, 0xFF00FF00, 0xFFFFFFFF, 0, 0xF0000000))
            text = _shortened(random, address if chance(random, 0.04) else address & mask)
            return f"{text} mask {_shortened(random, mask)}"


def _dotted(address: int, parts: int) -> str:
    return ".".join(str(IPv4Address(address)).split(".")[:parts])


def _shortened(random: Random, address: int) -> str:
    """Return an address, sometimes without one or two bytes of 0 at its end."""
    text = str(IPv4Address(address))
    return text.removesuffix(".0").removesuffix(".0") if chance(random, 0.4) else text


def ipv6(random: Random, *, kind: str) -> str:
    """Return an IPv6 address for the kind "host", or a network for "net"."""
    address = pick(random, ADDRESSES_6) if chance(random, 0.8) else below(random, 1 << 53) << 70
    if kind == "host" and not chance(random, 0.1):
        return _spelled_6(random, address)
    length = 128 if kind == "host" else pick(random, (0, 1, 32, 33, 64, 96, 127, 128, below(random, 129)))
    masked = address & ~((1 << (128 - length)) - 1)
    text = _spelled_6(random, address if chance(random, 0.04) else masked)
    return text if chance(random, 0.1) else f"{text}/{length if not chance(random, 0.03) else 129}"


def _spelled_6(random: Random, address: int) -> str:
    match below(random, 5):
        case 0:
            return IPv6Address(address).exploded
        case 1 if address >> 32 == 0x20010DB8 << 64:
            return f"2001:db8::{IPv4Address(address & 0xFFFFFFFF)}"
        case _:
            return str(IPv6Address(address))


def decnet(random: Random) -> str:
    """Return a DECnet address: a number, or an area and a node."""
    return (
        number(random, below(random, 1 << 16)) if chance(random, 0.2) else f"{below(random, 64)}.{below(random, 256)}"
    )


def port(random: Random) -> str:
    """Return a port: a number, or sometimes the name of a service."""
    if chance(random, 0.06):
        return pick(random, SERVICES)
    return up_to(random, 0xFFFF) if chance(random, 0.2) else number(random, pick(random, (22, 53, 80, 443, 8080)))


def port_range(random: Random) -> str:
    """Return a range of ports, whose ends may be in any order."""
    if chance(random, 0.1):
        return port(random)
    ends = [
        str(below(random, 0x10000)) if not chance(random, 0.05) else pick(random, ("http", "domain", "0x50", "70000"))
        for _ in range(2)
    ]
    return "-".join(ends)
