"""Seeded random Ethernet frames for tests that compare dissectors: chains of headers, truncated and mutated.

Only `Random.random` is called, whose sequence for a seed Python guarantees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, TypeVar

Item = TypeVar("Item")

EAST: Final = bytes.fromhex("020000000002")
WEST: Final = bytes.fromhex("020000000001")
DESTINATIONS: Final = (EAST, EAST, EAST, bytes.fromhex("ffffffffffff"), bytes.fromhex("01005e000001"), WEST)

IPV4: Final = 0x0800
ETHERNET: Final = 0x6558
VLANS: Final = (0x8100, 0x88A8)
IPV6: Final = 0x86DD
PPP: Final = 0x880B
MAX_CHAIN_LENGTH: Final = 20
MAX_FRAME_LENGTH: Final = 3000  # the kernel stores longer frames in several pieces


def below(random: Random, limit: int) -> int:
    """Return an integer from 0 to *limit* - 1."""
    return int(random.random() * limit)


def pick(random: Random, items: Sequence[Item]) -> Item:
    """Return one of *items*."""
    return items[below(random, len(items))]


def chance(random: Random, probability: float) -> bool:
    """Return True with this probability."""
    return random.random() < probability


def noise(random: Random, count: int) -> bytes:
    """Return *count* random bytes."""
    return bytes(below(random, 256) for _ in range(count))


def half(value: int) -> bytes:
    """Return a 16-bit number in network order."""
    return value.to_bytes(2, "big")


# -- by EtherType: each function returns the type and the bytes -----------------------------------------------

Layer = tuple[int, bytes]


def _ipv4(random: Random, depth: int) -> Layer:
    protocol, inner = transport(random, depth)
    words = pick(random, (5, 5, 5, 5, 6, 10, 15, 4, 0))
    fragment = pick(random, (0, 0, 0, 0x4000, 0x4000, 0x2000, 0x2001, 0x0001, 0x1FFF, 0x8000))
    start = bytes((pick(random, (0x40, 0x40, 0x60, 0x00)) | words, 0)) + half(20 + len(inner)) + noise(random, 2)
    options = noise(random, max(0, 4 * words - 20))
    return IPV4, start + half(fragment) + bytes((64, protocol)) + noise(random, 10) + options + inner


def _ipv6(random: Random, depth: int) -> Layer:
    protocol, inner = transport(random, depth, extensions=True)
    label = pick(random, (b"\0\0\0", b"\0\0\0", noise(random, 3)))
    return IPV6, b"\x60" + label + half(len(inner)) + bytes((protocol, 64)) + noise(random, 32) + inner


def _vlan(random: Random, depth: int) -> Layer:
    kind, inner = network(random, depth)
    return pick(random, VLANS), noise(random, 2) + half(kind) + inner


def _pppoe(random: Random, depth: int) -> Layer:
    kind, inner = network(random, depth)
    start = pick(random, (b"\x11\0", b"\x11\0", b"\x11\0", b"\x11\0", b"\x11\x01", b"\x21\0", b"\x12\0"))
    ppp_protocols = {IPV4: 0x0021, IPV6: 0x0057, 0x8847: 0x0281, 0x8848: 0x0283}
    protocol = ppp_protocols.get(kind, pick(random, (0x0021, 0x0057, 0xC021, 0x8021, 0x0101, 0x2145)))
    return 0x8864, start + noise(random, 2) + half(2 + len(inner)) + half(protocol) + inner


def _mpls(random: Random, depth: int) -> Layer:
    return pick(random, (0x8847, 0x8848)), noise(random, 4 * below(random, 4)) + network(random, depth)[1]


def _batman(random: Random, depth: int) -> Layer:
    start = pick(random, (b"\x40\x0f", b"\x40\x0f", b"\x40\x0f", b"\x41\x0f", b"\x40\x0e"))
    return 0x4305, start + noise(random, 8) + _ethernet(random, depth)


def _redundancy(random: Random, depth: int) -> Layer:
    kind, inner = network(random, depth)
    return pick(random, (0x88FB, 0x892F)), noise(random, 4) + half(kind) + inner


def _arp(random: Random, depth: int) -> Layer:
    start = pick(random, (bytes.fromhex("0001080006040001"), noise(random, 8)))
    return pick(random, (0x0806, 0x8035)), start + noise(random, 20)


def _flat(random: Random, depth: int) -> Layer:
    """Return a protocol that contains no other: TIPC, PTP, CFM, FCoE, LLC, or an unknown EtherType."""
    kinds = (0x88CA, 0x88F7, 0x8902, 0x8906, 0x8863, 0x0004, 0x0001, 0x05FF, 0x0600, 0x88E5, 0x894F, 0x88E7)
    kind = below(random, 1 << 16) if chance(random, 0.1) else pick(random, kinds)
    return kind, pick(random, (b"\xff\xff", b"")) + noise(random, below(random, 60))


_NETWORK: Final[tuple[Callable[[Random, int], Layer], ...]] = (
    *(_ipv4,) * 8,
    *(_ipv6,) * 8,
    *(_vlan,) * 4,
    *(_pppoe,) * 2,
    *(_batman,) * 2,
    *(_redundancy,) * 2,
    _mpls,
    _arp,
    _flat,
)


def network(random: Random, depth: int) -> Layer:
    """Return an EtherType and its packet, with about *depth* more headers."""
    if depth <= 0:
        return pick(random, (_ipv4, _ipv6, _arp, _flat, _mpls))(random, -1)
    return pick(random, _NETWORK)(random, depth - 1)


# -- by IP protocol ----------------------------------------------------------------------------------------------


def _option(random: Random, depth: int) -> Layer:
    """Return hop-by-hop, routing or destination options; the length field counts units of 8 bytes after the first."""
    protocol, inner = transport(random, depth, extensions=True)
    size = pick(random, (0, 0, 0, 1, 2, 7, 255)) if chance(random, 0.9) else below(random, 256)
    body = noise(random, 6 + 8 * size) if size < 10 else bytes(6 + 8 * size)
    return pick(random, (0, 43, 60)), bytes((protocol, size)) + body + inner


def _fragment(random: Random, depth: int) -> Layer:
    protocol, inner = transport(random, depth, extensions=True)
    offset = pick(random, (0, 0, 1, 7, 8, 9, 0xFFF8, below(random, 1 << 16)))
    return 44, bytes((protocol, 0)) + half(offset) + noise(random, 4) + inner


def _gre(random: Random, depth: int) -> Layer:
    """Return GRE with any combination of checksum, key and sequence; rarely with routing or another version."""
    flags = pick(random, (0, 0x8000)) | pick(random, (0, 0x2000)) | pick(random, (0, 0x1000))
    flags |= pick(random, (0, 0, 0, 0, 0, 0, 0, 0x4000, 0x0800, 0x0700))
    version = pick(random, (0, 0, 0, 0, 0, 1, 1, 2))
    if version == 1:
        return 47, _pptp(random, depth, flags & 0xBFFF)
    options = b"".join(noise(random, 4) for bit in (0x8000, 0x2000, 0x1000) if flags & bit)
    if chance(random, 0.3):
        return 47, half(flags | version) + half(ETHERNET) + options + _ethernet(random, depth)
    kind, inner = network(random, depth)
    return 47, half(flags | version) + half(kind) + options + inner


def _pptp(random: Random, depth: int, flags: int) -> bytes:
    flags |= pick(random, (0x2000, 0x2000, 0x2000, 0)) | pick(random, (0, 0x0080)) | 1
    options = b"".join(noise(random, 4) for bit in (0x8000, 0x2000, 0x1000, 0x0080) if flags & bit)
    kind, inner = network(random, depth)
    protocol = {IPV4: 0x0021, IPV6: 0x0057}.get(kind, pick(random, (0x0021, 0x0057, 0x0281, kind)))
    return half(flags) + half(pick(random, (PPP, PPP, PPP, kind))) + options + b"\xff\x03" + half(protocol) + inner


def _ipv4_inside(random: Random, depth: int) -> Layer:
    return 4, _ipv4(random, depth)[1]


def _ipv6_inside(random: Random, depth: int) -> Layer:
    return 41, _ipv6(random, depth)[1]


def _mpls_inside(random: Random, depth: int) -> Layer:
    return 137, _mpls(random, depth)[1]


def _tcp(random: Random, depth: int) -> Layer:
    words = pick(random, (5, 5, 6, 8, 15, 4, 1, 0))
    size = below(random, 80) if chance(random, 0.8) else 11 + below(random, 4)
    segment = noise(random, 12) + bytes((words << 4 | below(random, 16),)) + noise(random, 67)
    return 6, segment[:size]


def _leaf(random: Random, depth: int) -> Layer:
    """Return a transport protocol whose header has a fixed length, or an unknown one."""
    protocols = (1, 2, 17, 33, 58, 132, 136, 17, 50, 51, 59, 89, 103, 115, 135, 139, 255)
    protocol = pick(random, protocols) if chance(random, 0.95) else below(random, 256)
    return protocol, noise(random, below(random, 40))


_LEAVES: Final = (_tcp, _tcp, _leaf, _leaf, _leaf)
_EXTENSIONS: Final = (_option, _option, _option, _fragment)
_TUNNELS: Final = (_gre, _gre, _gre, _ipv4_inside, _ipv6_inside, _mpls_inside)


def transport(random: Random, depth: int, *, extensions: bool = False) -> Layer:
    """Return an IP protocol and its packet, with about *depth* more headers."""
    if depth <= 0:
        return pick(random, _LEAVES)(random, -1)
    likely = extensions or chance(random, 0.05)
    makers = _EXTENSIONS + _TUNNELS if likely else _TUNNELS + _LEAVES
    return pick(random, makers)(random, depth - 1)


# -- frames ----------------------------------------------------------------------------------------------------


def _ethernet(random: Random, depth: int) -> bytes:
    kind, inner = network(random, depth)
    return pick(random, DESTINATIONS) + WEST + half(kind) + inner


def _mutated(random: Random, frame: bytes) -> bytes:
    """Return the frame with one to three bytes after the addresses changed, mostly near the start."""
    changed = bytearray(frame)
    for _ in range(1 + below(random, 3)):
        limit = len(changed) if chance(random, 0.3) else min(len(changed), 80)
        if limit > 12:
            offset = 12 + below(random, limit - 12)
            changed[offset] = pick(random, (changed[offset] ^ 1 << below(random, 8), below(random, 256), 0, 255))
    return bytes(changed)


def is_sendable(frame: bytes) -> bool:
    """Report whether the kernel delivers the frame: it drops truncated VLAN tags and truncated Ethernet headers."""
    is_tagged = int.from_bytes(frame[12:14], "big") in VLANS
    return len(frame) >= (20 if is_tagged else 14)


def frame(random: Random) -> bytes:
    """Return a frame of 14 to 3000 bytes, not always a valid one."""
    depth = below(random, 4) if chance(random, 0.6) else below(random, MAX_CHAIN_LENGTH)
    data = _ethernet(random, depth)[:MAX_FRAME_LENGTH]
    if chance(random, 0.25):
        data = _mutated(random, data)
    if chance(random, 0.25):
        data = data[: 14 + below(random, max(1, len(data) - 14))]
    return data if is_sendable(data) else data + bytes(6)
