"""Packets with valid headers for tests of header columns: by link type, every combination of a few headers.

This module is independent of cbpf.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from struct import pack
from typing import Final

_IPV4: Final = 0x0800
_IPV6: Final = 0x86DD
_PPP_PROTOCOLS: Final = {_IPV4: b"\x00\x21", _IPV6: b"\x00\x57"}
_FAMILIES: Final = {_IPV4: (2,), _IPV6: (24, 28, 30)}
_ADDRESSES: Final = bytes.fromhex("0200000000020200000000f1")
_IPV4_ADDRESSES: Final = bytes.fromhex("c0000201c6336407")
_IPV6_ADDRESSES: Final = bytes.fromhex("20010db8000000000000000000000001") + bytes.fromhex(
    "20010db8112233445566778899aabbcc"
)
_PORTS: Final = pack(">HH", 49152, 40001)
_ARP: Final = bytes.fromhex("0001080006040001") + bytes(20)
_SESSION: Final = bytes.fromhex("110000070fff")
_DATA: Final = bytes(range(32, 43))

_TAGS: Final = ((), (0x8100,), (0x88A8, 0x8100), (0x9100, 0x8100), (0x88A8, 0x8100, 0x9100, 0x8100))
_TRANSPORTS: Final = {
    "tcp": (6, _PORTS + pack(">IIHHHH", 7, 9, 0x5012, 1024, 0, 0)),
    "tcp with options": (6, _PORTS + pack(">IIHHHHI", 7, 9, 0x6FFF, 1024, 0, 0, 0x01010101)),
    "udp": (17, _PORTS + pack(">HH", 8 + len(_DATA), 0)),
    "udp lite": (136, _PORTS + pack(">HH", 8, 0)),
    "sctp": (132, _PORTS + pack(">II", 1, 2)),
    "dccp": (33, _PORTS + pack(">BBHBBHI", 4, 0, 0, 0x01, 0, 0, 1)),
    "short dccp": (33, _PORTS + pack(">BBHBBH", 3, 0, 0, 0, 0, 1)),
    "udp without data": (17, _PORTS + pack(">HH", 8, 0)),
    "icmp": (1, bytes((8, 0, 0, 0, 0, 1, 0, 2))),
    "icmpv6": (58, bytes((129, 0, 0, 0, 0, 1, 0, 2))),
    "esp": (50, bytes(16)),
    "no next header": (59, b""),
}
_FIRST_FRAGMENT: Final = 0x2000
_LATER_FRAGMENT: Final = 0x0005
_MORE_FRAGMENTS: Final = 1
"""The flag of a fragment header of IPv6; those above are fields of the IPv4 header."""


def _extension(number: int, following: int, fragment: int) -> bytes:
    match number:
        case 44:
            return bytes((following, 3)) + pack(">HI", fragment, 5)  # the second byte is reserved, and no length
        case 51:
            return bytes((following, 2)) + pack(">HII", 0, 1, 1) + bytes(4)
        case 43:
            return bytes((following, 0, 0, 0)) + bytes(4)  # of type 0, with no segment left
        case _:
            return bytes((following, 0, 1, 4)) + bytes(4)


def ipv4(protocol: int, payload: bytes, *, fragment: int = 0, options: bytes = b"", length: int | None = None) -> bytes:
    """Return an IPv4 packet; *length* is the total length that it states if that is not the true one."""
    size = 20 + len(options)
    total = size + len(payload) if length is None else length
    header = pack(">BBHHHBBH", 0x40 | size // 4, 0, total, 1, fragment, 61, protocol, 0)
    return header + _IPV4_ADDRESSES + options + payload


def ipv6(protocol: int, payload: bytes, *, extensions: tuple[int, ...] = (), fragment: int = 0) -> bytes:
    """Return an IPv6 packet with extension headers; *fragment* has the offset and the flag of its fragment header."""
    numbers = (*extensions, protocol)
    chain = b"".join(_extension(number, following, fragment) for number, following in pairwise(numbers))
    header = pack(">IHBB", 0x60000000, len(chain) + len(payload), numbers[0], 62)
    return header + _IPV6_ADDRESSES + chain + payload


def ip_packets() -> Iterator[tuple[int, bytes]]:
    """Yield IP packets with the EtherTypes of their versions."""
    for protocol, header in _TRANSPORTS.values():
        payload = header + _DATA if header else b""
        yield _IPV4, ipv4(protocol, payload)
        yield _IPV4, ipv4(protocol, payload, options=bytes((1, 1, 1, 0)))
        yield _IPV4, ipv4(protocol, payload, fragment=_FIRST_FRAGMENT)
        yield _IPV4, ipv4(protocol, payload, fragment=_LATER_FRAGMENT)
        yield _IPV6, ipv6(protocol, payload)
        for extensions in ((0,), (43,), (44,), (60,), (51,), (0, 60, 43, 44, 51, 60)):
            yield _IPV6, ipv6(protocol, payload, extensions=extensions)
        for fragment in (_MORE_FRAGMENTS, 5 << 3, 5 << 3 | _MORE_FRAGMENTS):
            yield _IPV6, ipv6(protocol, payload, extensions=(0, 44), fragment=fragment)


def frames(link_type: str) -> Iterator[bytes]:
    """Yield packets of a link type: of IP, with VLAN tags and PPPoE where the link type has them, and of ARP."""
    for kind, packet in ip_packets():
        for header, inner in _payloads(link_type, kind, packet):
            yield from (start + inner for start in link_headers(link_type, header))
    yield from (start + _ARP for start in link_headers(link_type, 0x0806))


def link_headers(link_type: str, kind: int) -> Iterator[bytes]:
    """Yield the headers of a link type for packets of an EtherType; none if it cannot carry them."""
    protocol = _PPP_PROTOCOLS.get(kind, b"")
    match link_type:
        case "EN10MB":
            yield _ADDRESSES + pack(">H", kind)
        case "LINUX_SLL":
            yield pack(">HHH", 0, 1, 6) + _ADDRESSES[:8] + pack(">H", kind)
        case "LINUX_SLL2":
            yield pack(">HHIHBB", kind, 0, 3, 1, 0, 6) + _ADDRESSES[:8]
        case "C_HDLC":
            yield b"\x0f\x00" + pack(">H", kind)
        case "NULL" | "LOOP":
            orders = "<>" if link_type == "NULL" else ">"
            yield from (pack(f"{order}I", family) for family, order in product(_FAMILIES.get(kind, ()), orders))
        case "PPP" | "PPP_SERIAL" if protocol:
            yield from (b"\xff\x03" + protocol, protocol, protocol[1:])
        case "PPP_ETHER" if protocol:
            yield _SESSION + protocol
        case "RAW" if protocol:
            yield b""
        case "IPV4" | "IPV6" if (kind, link_type) in ((_IPV4, "IPV4"), (_IPV6, "IPV6")):
            yield b""


def _payloads(link_type: str, kind: int, packet: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield an IP packet with its EtherType, and if the link type has tags, also inside of tags and of PPPoE."""
    if link_type not in ("EN10MB", "LINUX_SLL", "LINUX_SLL2"):
        yield kind, packet
        return
    for tags, has_session in product(_TAGS, (False, True)):
        inner = (0x8864, _SESSION + _PPP_PROTOCOLS[kind] + packet) if has_session else (kind, packet)
        yield tagged(tags, *inner)


def tagged(tags: Sequence[int], kind: int, packet: bytes) -> tuple[int, bytes]:
    """Return a packet with VLAN tags, and the number of the first one, like a packet and its EtherType."""
    for position, tag in reversed([*enumerate(tags)]):
        kind, packet = tag, pack(">HH", 0xB123 + position, kind) + packet
    return kind, packet
