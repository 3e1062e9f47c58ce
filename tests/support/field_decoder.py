"""The fields of headers, decoded by slices of bytes: a reference for header columns that shares no code with them.

A field is None where a byte is missing that it depends on. Sources: IEEE 802.1Q, RFC 791, 8200, 4302, 2516, 1661, 9293,
768, 3828, 9260, 4340, and https://www.tcpdump.org/linktypes.html.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

Value = int | bytes | None

_TAG_TYPES: Final = (0x8100, 0x88A8, 0x9100)
_MAX_TAGS: Final = 4
_MAX_EXTENSIONS: Final = 6
_EXTENSIONS: Final = (0, 43, 44, 51, 60)
_PORTS: Final = (6, 17, 33, 132, 136)
_FAMILIES: Final = {2: 0x0800, 10: 0x86DD, 24: 0x86DD, 28: 0x86DD, 30: 0x86DD}


class Missing(Exception):
    """A byte was not captured, or has a value that the decoder rejects."""


class _Bytes:
    """The bytes of a packet; those outside of it raise `Missing`."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, start: int, size: int) -> bytes:
        if start + size > len(self._data):
            raise Missing
        return self._data[start : start + size]

    def number(self, start: int, size: int) -> int:
        return int.from_bytes(self.take(start, size), "big")


class _Transport(NamedTuple):
    """The payload of IP: its protocol and offset, whether it is in a later fragment, and the end of the datagram."""

    protocol: int
    start: int
    is_later: bool
    end: int | None


def decode(link_type: str, data: bytes) -> dict[str, Value]:
    """Return the fields of a packet by the names of the columns; without those that the link type lacks."""
    packet = _Bytes(data)
    functions: dict[str, Callable[[_Bytes, str], Value]] = dict(_NETWORK)
    if link_type in ("EN10MB", "LINUX_SLL", "LINUX_SLL2"):
        functions |= _LINK
    if link_type == "EN10MB":
        functions |= {"dst_mac": lambda packet, _: packet.take(0, 6), "src_mac": lambda packet, _: packet.take(6, 6)}
    fields: dict[str, Value] = {}
    for name, function in functions.items():
        try:
            fields[name] = function(packet, link_type)
        except Missing:
            fields[name] = None
    return fields


def _type(packet: _Bytes, link_type: str) -> tuple[int, int]:
    """Return the EtherType of the link header, and the offset after it."""
    match link_type:
        case "EN10MB":
            return packet.number(12, 2), 14
        case "LINUX_SLL":
            return packet.number(14, 2), 16
        case "LINUX_SLL2":
            return packet.number(0, 2), 20
        case "C_HDLC":
            return packet.number(2, 2), 4
        case "RAW":
            return {4: 0x0800, 6: 0x86DD}.get(packet.number(0, 1) >> 4, 0), 0
        case "IPV4" | "IPV6":
            return (0x0800 if link_type == "IPV4" else 0x86DD), 0
        case "NULL" | "LOOP":
            family = packet.take(0, 4)
            values = (int.from_bytes(family, "big"), int.from_bytes(family, "little"))
            return next((_FAMILIES[value] for value in values if value in _FAMILIES), 0), 4
        case "PPP_ETHER":
            return 0x8864, 0
        case _:
            return _ppp_type(packet, 2 if packet.take(0, 2) == b"\xff\x03" else 0)


def _ppp_type(packet: _Bytes, start: int) -> tuple[int, int]:
    size = 2 - packet.number(start, 1) % 2
    return {0x21: 0x0800, 0x57: 0x86DD}.get(packet.number(start, size), 0), start + size


def _inner_type(packet: _Bytes, link_type: str) -> tuple[int, int]:
    """Return the EtherType after the VLAN tags, and the offset after it."""
    kind, start = _type(packet, link_type)
    if link_type in ("EN10MB", "LINUX_SLL", "LINUX_SLL2"):
        for _ in range(_MAX_TAGS):
            if kind in _TAG_TYPES:
                kind, start = packet.number(start + 2, 2), start + 4
    return kind, start


def _vlan(packet: _Bytes, link_type: str) -> Value:
    kind, start = _type(packet, link_type)
    return packet.number(start, 2) % 4096 if kind in _TAG_TYPES else None


def _eth_type(packet: _Bytes, link_type: str) -> Value:
    kind, _ = _inner_type(packet, link_type)
    return kind if kind >= 0x600 else None


def _ip(packet: _Bytes, link_type: str) -> tuple[int, int]:
    """Return the version and the offset of the IP header."""
    kind, start = _inner_type(packet, link_type)
    if kind == 0x8864 and link_type != "C_HDLC":
        if packet.take(start, 2) != b"\x11\x00":
            raise Missing
        kind, start = _ppp_type(packet, start + 6)
    first = packet.number(start, 1) if kind in (0x0800, 0x86DD) else 0
    if (kind == 0x0800 and first >> 4 == 4 and first & 15 >= 5) or (kind == 0x86DD and first >> 4 == 6):
        return first >> 4, start
    raise Missing


def _by_version(ip4: tuple[int, int] | None, ip6: tuple[int, int] | None, packet: _Bytes, link_type: str) -> bytes:
    """Return a field of the IP header, given its offset and size for each version."""
    version, start = _ip(packet, link_type)
    place = ip4 if version == 4 else ip6
    if place is None:
        raise Missing
    return packet.take(start + place[0], place[1])


def _transport(packet: _Bytes, link_type: str) -> _Transport:
    version, start = _ip(packet, link_type)
    if version == 4:
        protocol, flags, total = packet.number(start + 9, 1), packet.number(start + 6, 2), packet.number(start + 2, 2)
        end = start + total if total and not flags & 0x2000 else None
        return _Transport(protocol, start + packet.number(start, 1) % 16 * 4, flags % 0x2000 > 0, end)
    protocol, length, position = packet.number(start + 6, 1), packet.number(start + 4, 2), start + 40
    end = position + length if length else None
    count = 0
    while protocol in _EXTENSIONS:
        count += 1
        if count > _MAX_EXTENSIONS:
            raise Missing
        following = packet.number(position, 1)
        if protocol == 44:
            field = packet.number(position + 2, 2)
            end = None if field % 2 else end
            if field >> 3:
                return _Transport(following, position + 8, True, end)
        size = packet.number(position + 1, 1) if protocol != 44 else 0
        position += 4 * (size + 2) if protocol == 51 else 8 * (size + 1)
        protocol = following
    return _Transport(protocol, position, False, end)


def _first(packet: _Bytes, link_type: str, *protocols: int) -> _Transport:
    """Return the transport header, which must be that of one of some protocols."""
    transport = _transport(packet, link_type)
    if transport.is_later or transport.protocol not in protocols:
        raise Missing
    return transport


def _port(index: int, packet: _Bytes, link_type: str) -> Value:
    return packet.number(_first(packet, link_type, *_PORTS).start + 2 * index, 2)


def _payload_length(packet: _Bytes, link_type: str) -> Value:
    transport = _first(packet, link_type, *_PORTS)
    start = transport.start
    match transport.protocol:
        case 17:
            return size - 8 if (size := packet.number(start + 4, 2)) >= 8 else None
        case 6:
            size, least = packet.number(start + 12, 1) // 16 * 4, 20
        case 33:
            size, least = packet.number(start + 4, 1) * 4, 12
        case protocol:
            size = least = 12 if protocol == 132 else 8
    if transport.end is None or size < least or start + size > transport.end:
        return None
    return transport.end - start - size


def _number(ip4: tuple[int, int] | None, ip6: tuple[int, int] | None, packet: _Bytes, link_type: str) -> Value:
    return int.from_bytes(_by_version(ip4, ip6, packet, link_type), "big")


_LINK: Final = {"eth_type": _eth_type, "vlan": _vlan}
_NETWORK: Final = {
    "ip_version": lambda *packet: _ip(*packet)[0],
    "protocol": lambda *packet: _transport(*packet).protocol,
    "src_ip": lambda *packet: _number((12, 4), None, *packet),
    "dst_ip": lambda *packet: _number((16, 4), None, *packet),
    "src_ip6": lambda *packet: _by_version(None, (8, 16), *packet),
    "dst_ip6": lambda *packet: _by_version(None, (24, 16), *packet),
    "src_port": lambda *packet: _port(0, *packet),
    "dst_port": lambda *packet: _port(1, *packet),
    "tcp_flags": lambda *packet: packet[0].number(_first(*packet, 6).start + 12, 2) % 4096,
    "icmp_type": lambda *packet: packet[0].number(_first(*packet, 1, 58).start, 1),
    "ttl": lambda *packet: _number((8, 1), (7, 1), *packet),
    "payload_length": _payload_length,
}
