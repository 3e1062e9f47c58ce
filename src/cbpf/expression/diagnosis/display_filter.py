"""Wireshark's display filters: the primitives that test the same fields in a capture filter, as data.

A template has `{}` in place of the value; `VALUES` holds the fields that are compared as numbers. Fields that Wireshark
computes (relative sequence numbers, scaled windows, captured lengths) have no equivalent in the bytes of a packet.
"""

import re

from ..._named_tuple import NamedTuple
from ..._typing import Final

_ADDRESSES: Final = {
    "ip.addr": "host {}",
    "ip.host": "host {}",
    "ip.src": "src host {}",
    "ip.src_host": "src host {}",
    "ip.dst": "dst host {}",
    "ip.dst_host": "dst host {}",
    "ipv6.addr": "ip6 host {}",
    "ipv6.src": "ip6 src host {}",
    "ipv6.dst": "ip6 dst host {}",
    "arp.src.proto_ipv4": "arp src host {}",
    "arp.dst.proto_ipv4": "arp dst host {}",
    "eth.addr": "ether host {}",
    "eth.src": "ether src host {}",
    "eth.dst": "ether dst host {}",
    "wlan.addr": "wlan host {}",
    "wlan.sa": "wlan src host {}",
    "wlan.da": "wlan dst host {}",
    "wlan.ra": "wlan ra {}",
    "wlan.ta": "wlan ta {}",
}
_PORTS: Final = {
    f"{protocol}.{field}": f"{protocol} {qualifiers} {{}}"
    for protocol in ("tcp", "udp", "sctp")
    for field, qualifiers in (("port", "port"), ("srcport", "src port"), ("dstport", "dst port"))
}
_NUMBERS: Final = {
    "ip.proto": "ip proto {}",
    "ipv6.nxt": "ip6 proto {}",
    "eth.type": "ether proto {}",
    "vlan.id": "vlan {}",
    "mpls.label": "mpls {}",
    "pppoe.session_id": "pppoes {}",
    "geneve.vni": "geneve {}",
}
VALUES: Final = {
    "frame.len": "len",
    "ip.version": "ip[0] >> 4",
    "ip.hdr_len": "(ip[0] & 0xf) << 2",
    "ip.tos": "ip[1]",
    "ip.dsfield": "ip[1]",
    "ip.dsfield.dscp": "ip[1] >> 2",
    "ip.dsfield.ecn": "ip[1] & 3",
    "ip.len": "ip[2:2]",
    "ip.id": "ip[4:2]",
    "ip.frag_offset": "(ip[6:2] & 0x1fff) << 3",
    "ip.ttl": "ip[8]",
    "ip.proto": "ip[9]",
    "ip.checksum": "ip[10:2]",
    "ipv6.plen": "ip6[4:2]",
    "ipv6.nxt": "ip6[6]",
    "ipv6.hlim": "ip6[7]",
    "eth.type": "ether[12:2]",
    "arp.opcode": "arp[6:2]",
    "icmp.type": "icmp[icmptype]",
    "icmp.code": "icmp[icmpcode]",
    "icmpv6.type": "icmp6[icmp6type]",
    "icmpv6.code": "icmp6[icmp6code]",
    "tcp.seq_raw": "tcp[4:4]",
    "tcp.ack_raw": "tcp[8:4]",
    "tcp.hdr_len": "(tcp[12] >> 4) << 2",
    "tcp.flags": "tcp[tcpflags]",
    "tcp.window_size_value": "tcp[14:2]",
    "tcp.checksum": "tcp[16:2]",
    "tcp.urgent_pointer": "tcp[18:2]",
    "udp.length": "udp[4:2]",
    "udp.checksum": "udp[6:2]",
}
_FLAGS: Final = {
    "ip.flags.df": "ip[6] & 0x40",
    "ip.flags.mf": "ip[6] & 0x20",
    **{
        f"tcp.flags.{name}": f"tcp[tcpflags] & tcp-{flag}"
        for name, flag in (
            *(("fin", "fin"), ("syn", "syn"), ("reset", "rst"), ("push", "push"), ("ack", "ack"), ("urg", "urg")),
            *(("ecn", "ece"), ("ece", "ece"), ("cwr", "cwr")),
        )
    },
}
_EQUALITIES: Final = {**_ADDRESSES, **_PORTS, **_NUMBERS}

_OPERATORS: Final = {"==": "=", "eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "~=": "!="}
_COMPARISON: Final = re.compile(
    r"""\s*(?P<operator>===?|!==?|>=|<=|~=|[=<>]|(?:eq|ne|gt|lt|ge|le|in|contains|matches)\b)
        \s*(?P<value>\{[^}]*\}|"[^"]*"|'[^']*'|[^\s()&|]+)""",
    re.VERBOSE,
)
_NUMBER: Final = re.compile("0[xX][0-9a-fA-F]+|[0-9]+")
FIELD: Final = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]*[a-z_][a-z0-9_-]*)+$")


class Translation(NamedTuple):
    """A comparison of a display filter.

    Args:
        end: The offset of its end in the text.
        primitive: The primitive of a capture filter with the same meaning, or None.
    """

    end: int
    primitive: str | None


def is_field(name: str) -> bool:
    """Return whether a name is a field that this module translates."""
    return name in _EQUALITIES or name in VALUES or name in _FLAGS


def translate(text: str, start: int, field: str) -> Translation:
    """Return the translation of the comparison of *field* at offset *start*."""
    end = start + len(field)
    match = _COMPARISON.match(text, end)
    if match is None:
        if field in VALUES and re.match(r"\s*(?:[-+*/^%]|&(?!&)|\|(?!\|)|<<|>>)", text[end:]):
            return Translation(end, VALUES[field])
        presence = field.split(".")[0]
        name = {"eth": "ether", "ipv6": "ip6", "icmpv6": "icmp6"}.get(presence, presence)
        flag = _FLAGS.get(field)
        return Translation(end, f"{flag} != 0" if flag else name if is_field(field) and name != "frame" else None)
    operator = _OPERATORS.get(match["operator"], match["operator"])
    value = match["value"].strip("\"'")
    return Translation(match.end(), _comparison(field, operator, value))


def _comparison(field: str, operator: str, value: str) -> str | None:
    if operator == "in" or (operator == "=" and value.startswith("{")):
        return _membership(field, value)
    if operator not in ("=", "!=", "<", "<=", ">", ">="):
        return None
    if field in _FLAGS:
        is_set = (value.lower() in ("1", "true")) == (operator == "=")
        return f"{_FLAGS[field]} {'!=' if is_set else '='} 0"
    if field in _NUMBERS and not _NUMBER.fullmatch(value):
        return None
    if field in _EQUALITIES and operator in ("=", "!="):
        template = _EQUALITIES[field]
        primitive = (template.replace("host", "net") if "/" in value else template).format(value)
        return primitive if operator == "=" else f"not {primitive}"
    if field in _PORTS:
        return ports_compared(_PORTS[field], operator, value)
    return f"{VALUES[field]} {operator} {value}" if field in VALUES else None


def ports_compared(template: str, operator: str, value: str) -> str | None:
    """Return the range of ports that are less or greater than a value; *template* is one such as `tcp port {}`."""
    if not value.isdecimal() or not 0 < int(value) < 65535:
        return None
    number = int(value)
    low, high = {
        "<": (0, number - 1),
        "<=": (0, number),
        ">": (number + 1, 65535),
        ">=": (number, 65535),
    }[operator]
    return template.replace("port", "portrange").format(f"{low}-{high}")


def _membership(field: str, value: str) -> str | None:
    """Return the primitive for a set such as `{80 443}` or `{80, 443, 8000..8080}`."""
    if field not in _EQUALITIES or not value.startswith("{"):
        return None
    entries = re.split(r"[\s,]+", value.strip("{} \t"))
    if any(".." in entry or "/" in entry for entry in entries):
        return None
    return _EQUALITIES[field].format(f"({' or '.join(entries)})" if len(entries) > 1 else entries[0])
