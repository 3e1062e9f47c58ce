"""tshark as a reference for header columns: the fields of the outermost headers of each packet.

tshark prints all occurrences of a field in a packet, and the chain of its protocols. The first occurrence belongs to
the outermost header, if the chain reaches that header through link headers only: a header inside MPLS or GRE is none.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from ipaddress import ip_address
from itertools import takewhile
from pathlib import Path
from typing import Final, NamedTuple

_EXTENSIONS: Final = {
    "ipv6.hopopts": "ipv6.hopopts.nxt",
    "ipv6.routing": "ipv6.routing.nxt",
    "ipv6.fraghdr": "ipv6.fraghdr.nxt",
    "ipv6.dstopts": "ipv6.dstopts.nxt",
    "ah": "ah.next_header",
}
_TRANSPORTS: Final = {"tcp": "tcp", "udp": "udp", "udplite": "udp", "sctp": "sctp", "dccp": "dccp"}
_WITHOUT_LENGTH: Final = (("sctp",), ("dccp",), ("udplite",))
_TAGS: Final = frozenset(("vlan", "ieee8021ad"))
_LINK_PROTOCOLS: Final = frozenset(("eth", *_TAGS, "sll", "null", "ppp", "pppoe", "pppoes", "raw", "chdlc"))
_FIELDS: Final = (
    *("frame.protocols", "eth.src", "eth.dst", "eth.type", "vlan.id", "vlan.etype", "ieee8021ad.id"),
    *("sll.etype", "sll.gretype", "ip.version", "ip.proto", "ip.src", "ip.dst", "ip.ttl"),
    *("ipv6.nxt", "ipv6.src", "ipv6.dst", "ipv6.hlim", *_EXTENSIONS.values()),
    *("tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "sctp.srcport", "sctp.dstport"),
    *("dccp.srcport", "dccp.dstport", "tcp.flags", "tcp.len", "udp.length", "icmp.type", "icmpv6.type"),
)
_NETWORK_COLUMNS: Final = (
    *("ip_version", "protocol", "ttl", "src_ip", "dst_ip", "src_ip6", "dst_ip6"),
    *("src_port", "dst_port", "tcp_flags", "icmp_type"),
)

_OPTIONS: Final = (
    "ip.defragment:FALSE",
    "ipv6.defragment:FALSE",
    "tcp.desegment_tcp_streams:FALSE",
    "tcp.analyze_sequence_numbers:FALSE",
)

Value = int | bytes | None


class Packet(NamedTuple):
    """A packet as tshark reads it.

    *fields* has its fields by the name of the column, None for those that it lacks; without those that tshark has no
    name for: the type after an IEEE 802.1ad tag, and the length of the payload of SCTP, DCCP and UDP-Lite. *chain* has
    its protocols, from the outermost one.
    """

    fields: dict[str, Value]
    chain: tuple[str, ...]


@cache
def available() -> str | None:
    """Return None if tshark is installed, else the reason in one sentence."""
    return None if shutil.which("tshark") else "needs tshark"


def packets(capture: Path) -> list[Packet]:
    """Return the fields of the packets of a capture, up to where it is damaged."""
    options = [word for option in _OPTIONS for word in ("-o", option)]
    names = [word for name in _FIELDS for word in ("-e", name)]
    command = ["tshark", "-n", "-r", str(capture), *options, "-T", "fields", "-E", "occurrence=a", *names]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode == 1:  # 2 is that of a damaged capture
        raise RuntimeError(result.stderr)
    return [_packet(line) for line in result.stdout.splitlines()]


def _packet(line: str) -> Packet:
    texts = dict(zip(_FIELDS, line.split("\t"), strict=True))
    found = {name: text.split(",") if text else [] for name, text in texts.items()}
    chain = tuple(name for name in texts["frame.protocols"].split(":") if name != "ethertype")
    return Packet(_link_fields(found, chain) | _network_fields(found, chain), chain)


def _first(found: dict[str, list[str]], name: str) -> int | None:
    return int(found[name][0], 0) if found[name] else None


def _link_fields(found: dict[str, list[str]], chain: tuple[str, ...]) -> dict[str, Value]:
    tags = tuple(takewhile(_TAGS.__contains__, chain[1:]))
    fields: dict[str, Value] = {
        "src_mac": bytes.fromhex(found["eth.src"][0].replace(":", "")) if found["eth.src"] else None,
        "dst_mac": bytes.fromhex(found["eth.dst"][0].replace(":", "")) if found["eth.dst"] else None,
        "vlan": _first(found, f"{tags[0]}.id") if tags else None,
    }
    if not tags:
        fields["eth_type"] = _first(found, "eth.type" if chain[:1] == ("eth",) else _cooked_type(found))
    elif tags[-1] == "vlan":
        types = found["vlan.etype"][tags.count("vlan") - 1 :]
        fields["eth_type"] = int(types[0], 0) if types else None
    return fields


def _cooked_type(found: dict[str, list[str]]) -> str:
    """Return the name of the type in a cooked capture; the devices of GRE tunnels have another."""
    return "sll.etype" if found["sll.etype"] else "sll.gretype"


def _network_fields(found: dict[str, list[str]], chain: tuple[str, ...]) -> dict[str, Value]:
    start = next((index for index, name in enumerate(chain) if name not in _LINK_PROTOCOLS), len(chain))
    network, rest = chain[start : start + 1], chain[start + 1 :]
    fields: dict[str, Value] = {}
    if network == ("ip",):
        fields |= {"ip_version": 4, "protocol": _first(found, "ip.proto"), "ttl": _first(found, "ip.ttl")}
        fields |= {"src_ip": _address(found["ip.src"]), "dst_ip": _address(found["ip.dst"])}
    if network == ("ipv6",):
        protocol, rest = _last_next_header(found, rest)
        fields |= {"ip_version": 6, "protocol": protocol, "ttl": _first(found, "ipv6.hlim")}
        fields |= {"src_ip6": _bytes(found["ipv6.src"]), "dst_ip6": _bytes(found["ipv6.dst"])}
    if network in (("ip",), ("ipv6",)):
        fields |= _transport_fields(found, rest[0] if rest else "")
    names = _NETWORK_COLUMNS if rest[:1] in _WITHOUT_LENGTH else (*_NETWORK_COLUMNS, "payload_length")
    return dict.fromkeys(names) | fields


def _last_next_header(found: dict[str, list[str]], rest: tuple[str, ...]) -> tuple[int | None, tuple[str, ...]]:
    """Return the last next header of the extension headers at the beginning of a chain, and the rest of the chain."""
    protocol = _first(found, "ipv6.nxt")
    counts = dict.fromkeys(_EXTENSIONS, 0)
    for index, name in enumerate(rest):
        if name not in _EXTENSIONS:
            return protocol, rest[index:]
        values = found[_EXTENSIONS[name]][counts[name] :]
        counts[name] += 1
        protocol = int(values[0], 0) if values else None
    return protocol, ()


def _transport_fields(found: dict[str, list[str]], name: str) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    if name in _TRANSPORTS:
        prefix = _TRANSPORTS[name]
        fields |= {"src_port": _first(found, f"{prefix}.srcport"), "dst_port": _first(found, f"{prefix}.dstport")}
    if name == "tcp":
        fields |= {"tcp_flags": _first(found, "tcp.flags"), "payload_length": _first(found, "tcp.len")}
    if name == "udp" and (length := _first(found, "udp.length")) is not None:
        fields["payload_length"] = length - 8 if length >= 8 else None
    if name in ("icmp", "icmpv6"):
        fields["icmp_type"] = _first(found, f"{name}.type")
    return fields


def _address(texts: list[str]) -> int | None:
    return int(ip_address(texts[0])) if texts else None


def _bytes(texts: list[str]) -> bytes | None:
    return ip_address(texts[0]).packed if texts else None
