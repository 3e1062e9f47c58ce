"""Seeded random filter expressions for IEEE 802.11 link types, of the primitives that such filters consist of."""

from random import Random
from typing import Final

from support.random_choices import below, pick

LINK_TYPES: Final = ("IEEE802_11", "IEEE802_11_RADIO", "PPI")
SUBTYPES: Final = {
    "mgt": ("assoc-req", "assoc-resp", "probe-req", "probe-resp", "beacon", "disassoc", "auth", "deauth"),
    "ctl": ("ps-poll", "rts", "cts", "ack", "cf-end"),
    "data": ("data", "null", "qos-data"),
}
ADDRESSES: Final = ("02:00:00:00:00:01", "02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff")
PRIMITIVES: Final = (
    "tcp port 80",
    "host 192.0.2.1",
    "ether multicast",
    "ether broadcast",
    "dir tods",
    "wlan[0] & 8 = 8",
)


def wireless_expression(random: Random, *, max_primitives: int = 4) -> str:
    """Return an expression of 1 to *max_primitives* primitives; libpcap may reject it for a link type."""
    text = _primitive(random)
    for _ in range(below(random, max_primitives)):
        text += f" {pick(random, ('and', 'or', 'or'))} {_primitive(random)}"
    return text


def _primitive(random: Random) -> str:
    negation = "not " if random.random() < 0.25 else ""
    kind = pick(random, tuple(SUBTYPES))
    match below(random, 8):
        case 0 | 1:
            return f"{negation}type {kind}"
        case 2 | 3 | 4:
            return f"{negation}type {kind} subtype {pick(random, SUBTYPES[kind])}"
        case 5 | 6:
            field = pick(random, ("addr1", "addr2", "addr3", "addr4", "host", "src", "dst", "ra", "ta"))
            return f"{negation}wlan {field} {pick(random, ADDRESSES)}"
    return negation + pick(random, PRIMITIVES)
