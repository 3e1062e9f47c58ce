"""The headers of packets up to layer 4: addresses, ports, flags and lengths; `packet_line` makes a line of them."""

from __future__ import annotations

import struct
from socket import inet_ntoa
from struct import unpack_from

from .._ip6 import ip6_text
from .._typing import Any, Final

_IP: Final = 0  # in place of an EtherType: IP, whose first byte has the version
_LINK_TYPES: Final[dict[str, tuple[int | None, int]]] = (
    {"EN10MB": (12, 14), "LINUX_SLL": (14, 16), "LINUX_SLL2": (0, 20), "PPP": (2, 4), "PPP_SERIAL": (2, 4)}
    | {"NULL": (None, 4), "LOOP": (None, 4), "RAW": (None, 0), "IPV4": (None, 0), "IPV6": (None, 0)}
)  # fmt: skip
"""The position of the EtherType or PPP protocol (None: always IP) and the size of the header, by link type."""
_TAGS: Final = {0x8100: (2, 4), 0x88A8: (2, 4), 0x9100: (2, 4), 0x8864: (6, 8)}
"""VLAN tags and PPPoE: the position of the next EtherType or PPP protocol and the size of the header, by EtherType."""
_NETWORK: Final = (_IP, 0x0800, 0x86DD, 0x0021, 0x0057)
_TRANSPORTS: Final = (
    {1: "ICMP", 2: "IGMP", 4: "IPIP", 6: "TCP", 17: "UDP", 41: "IPv6", 47: "GRE", 50: "ESP", 51: "AH"}
    | {58: "ICMP6", 89: "OSPF", 103: "PIM", 112: "VRRP", 132: "SCTP"}
)  # fmt: skip
_ICMP_TYPES: Final = {
    "ICMP": {0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded"},
    "ICMP6": (
        {1: "unreachable", 2: "packet too big", 3: "time exceeded", 128: "echo request", 129: "echo reply"}
        | {133: "router solicitation", 134: "router advertisement", 135: "neighbor solicitation"}
        | {136: "neighbor advertisement", 143: "multicast listener report"}
    ),
}


class Dissection:
    """The headers of a packet.

    *fields* has their values by name, and *info* is a text for the innermost of them. *payload* has the captured bytes
    after them, and *length* is their number on the wire. *cut* is the name of the header of which bytes are missing.
    """

    def __init__(self, packet: bytes, wire_length: int, link_type: str) -> None:
        """Read the headers of a packet whose link type has the name *link_type*, as far as they were captured."""
        self.fields: dict[str, Any] = {}
        self.info, self.payload, self.length = "", packet, wire_length
        self.cut: str | None = link_type
        try:
            self._read(link_type)
            self.cut = None
        except (struct.error, IndexError):
            pass

    def _skip(self, size: int) -> None:
        """Continue after a header of *size* bytes."""
        if size > len(self.payload):
            raise IndexError
        self.payload, self.length = self.payload[size:], self.length - size

    def _read(self, link_type: str) -> None:
        if link_type not in _LINK_TYPES:
            self.info = f"{link_type}, length {self.length}"
            return
        header = _LINK_TYPES[link_type]
        if link_type == "EN10MB":
            destination, source = unpack_from("!6s6s", self.payload)
            self.fields |= {"source_mac": source.hex(":"), "destination_mac": destination.hex(":")}
        number = self._type(*header)
        while number in _TAGS:
            if number != 0x8864:
                self.fields.setdefault("vlan", []).append(unpack_from("!H", self.payload)[0] & 0xFFF)
            number = self._type(*_TAGS[number])
        while number in (0x8847, 0x8848):  # MPLS
            self.fields.setdefault("mpls", []).append(unpack_from("!I", self.payload)[0] >> 12)
            number = _IP if self.payload[2] & 1 else number
            self._skip(4)
        if number in _NETWORK:
            self._read_ip()
        elif number == 0x0806:
            self._read_arp()
        else:
            self.fields["ethertype"] = number
            name = f"ethertype {number:#06x}" if number >= 0x600 else "LLC"
            self.info = f"{name}, length {self.length}"

    def _type(self, position: int | None, size: int) -> int:
        """Return the EtherType or PPP protocol at a position of a header of *size* bytes, and continue after it."""
        number: int = _IP if position is None else unpack_from("!H", self.payload, position)[0]
        self._skip(size)
        return number

    def _read_arp(self) -> None:
        self.cut = "ARP"
        hardware, operation, source_mac, source, target = unpack_from("!4xBxH6s4s6x4s", self.payload)
        if hardware != 6:
            self.info = f"ARP, operation {operation}, length {self.length}"
            return
        self.fields |= {"arp_operation": operation, "source": inet_ntoa(source), "destination": inet_ntoa(target)}
        ask, answer = f"who-has {inet_ntoa(target)} tell {inet_ntoa(source)}", f"is-at {source_mac.hex(':')}"
        texts = {1: f"Request {ask}", 2: f"Reply {inet_ntoa(source)} {answer}"}
        self.info = f"ARP, {texts.get(operation, f'operation {operation}')}, length {self.length}"

    def _read_ip(self) -> None:
        self.cut = "IP"
        version = self.payload[0] >> 4
        if version not in (4, 6):
            self.info = f"IP version {version}, length {self.length}"
            return
        self.fields["protocol"] = "IP" if version == 4 else "IP6"
        number, fragment = self._read_ipv4() if version == 4 else self._read_ipv6()
        name = self.fields["transport"] = _TRANSPORTS.get(number, f"ip-proto-{number}")
        self.info = f"{name} fragment at byte {fragment}, length {self.length}" if fragment else ""
        if not fragment:
            self.cut = name
            self._read_transport(name)

    def _read_ipv4(self) -> tuple[int, int]:
        """Return the protocol of the payload, and the offset of a fragment."""
        first, total, fragment, ttl, number, source, target = unpack_from("!BxH2xHBB2x4s4s", self.payload)
        self.fields |= {"source": inet_ntoa(source), "destination": inet_ntoa(target), "ttl": ttl}
        if total:  # 0: segmentation offload
            self.payload, self.length = self.payload[:total], total
        self._skip(4 * (first & 15))
        return number, 8 * (fragment & 0x1FFF)

    def _read_ipv6(self) -> tuple[int, int]:
        """Return the protocol of the payload, past extension headers, and the offset of a fragment."""
        size, number, hops, source, target = unpack_from("!4xHBB16s16s", self.payload)
        source, target = ip6_text(source), ip6_text(target)
        self.fields |= {"source": source, "destination": target, "ttl": hops}
        if size:  # 0: segmentation offload, or a jumbogram
            self.payload, self.length = self.payload[: size + 40], size + 40
        self._skip(40)
        fragment = 0
        while number in (0, 43, 44, 60) and not fragment:
            following, units, offset = unpack_from("!BBH", self.payload)
            fragment = offset & 0xFFF8 if number == 44 else 0
            self._skip(8 if number == 44 else 8 * units + 8)
            number = following
        return number, fragment

    def _read_transport(self, name: str) -> None:
        if name in ("TCP", "UDP", "SCTP"):
            source, destination = unpack_from("!HH", self.payload)
            self.fields |= {"source_port": source, "destination_port": destination}
        details = ""
        if name == "TCP":
            details = self._read_tcp()
        elif name in ("UDP", "SCTP"):
            self._skip(8 if name == "UDP" else 12)
        elif name in _ICMP_TYPES:
            details = self._read_icmp(name)
        self.info = f"{name}{details}, length {self.length}"

    def _read_tcp(self) -> str:
        sequence, acknowledged, offset, bits, window = unpack_from("!IIBBH", self.payload, 4)
        flags = "".join(letter for bit, letter in enumerate("FSRP.UEW") if bits >> bit & 1)
        self.fields |= {"flags": flags, "sequence": sequence, "acknowledged": acknowledged, "window": window}
        self._skip(4 * (offset >> 4))
        return f" [{flags}], seq {sequence}" + (f", ack {acknowledged}" if "." in flags else "") + f", win {window}"

    def _read_icmp(self, name: str) -> str:
        kind, code, identifier, sequence = unpack_from("!BB2xHH", self.payload)
        self.fields |= {"icmp_type": kind, "icmp_code": code}
        text = " " + _ICMP_TYPES[name].get(kind, f"type {kind}")
        if "echo" in text:
            text += f", id {identifier}, seq {sequence}"
        elif text.startswith(" neighbor"):
            text += f", target {ip6_text(self.payload[8:24])}" if len(self.payload) >= 24 else ""
        return text if not code else f"{text}, code {code}"
