"""The plain code of cbpf: equal to that of libpcap 1.10.6 on every packet, and errors for the same expressions.

`support.libpcap_differences` lists the expressions to which cbpf deliberately gives another meaning.
"""

from __future__ import annotations

from itertools import chain
from typing import Final

import pytest

from support.corpus_filters import CORPUS, Filter
from support.libpcap_comparison import compare_with_libpcap
from support.libpcap_release import needs_libpcap
from support.project import Rounds
from support.random_filters import Case, random_filter


@pytest.mark.fuzz
def test_random_expressions_have_the_code_of_libpcap(rounds: Rounds) -> None:
    needs_libpcap(1, 10, 6)
    for random in rounds(1200, min_checked=0.3):
        if compare_with_libpcap(random_filter(random)) == "equal":
            rounds.checked()


@pytest.mark.parametrize("filter", CORPUS, ids=str)
def test_corpus_has_the_code_of_libpcap(filter: Filter) -> None:
    needs_libpcap(1, 10, 6)
    assert compare_with_libpcap(Case.for_device(filter.expression, filter.link_type)) == "equal"


FOUND: Final = (
    ("IEEE802_11", "vlan 0"),
    ("EN10MB", "udp dst portrange 0x10-020"),
    ("EN10MB", "portrange 08-9"),
    ("SUNATM", "lane and not lane and pppoes 1"),
    ("IEEE802_11_RADIO", "0xf <= 11 and not host 155.3.98.238 or byte 14 < 1"),
    ("IEEE802_11_RADIO", "len > 128 and ip6 src host ::1"),
    ("IEEE802_11_RADIO", "not 11 >= 7 and icmp6 or mopdl and type 8 subtype 48"),
    ("EN10MB", "decnet net 1.2"),
    ("PPI", "127 < -(ether[37:4]) and esp"),
    ("SUNATM", "geneve 5 and (lane or llc rej)"),
)
"""Expressions on which cbpf once differed; in those with a number first, values overwrite the offsets of headers."""


@pytest.mark.parametrize(("link_type", "text"), FOUND)
def test_former_differences(link_type: str, text: str) -> None:
    needs_libpcap(1, 10, 6)
    assert compare_with_libpcap(Case.for_device(text, link_type)) == "equal"


IPV4: Final = [f"10.{n}.{n * 7 % 256}.{n + 1}" for n in range(34)]
IPV6: Final = [f"2001:db8:{n:x}::{n + 1:x}" for n in range(34)]
NETS: Final = [*(f"10.{n}.0.0/16" for n in range(34)), "192.0.2.0 mask 255.0.255.0", "172.16.0.0/12"]
NETS_6: Final = [
    *(f"2001:{n:x}::/32" for n in range(17)),
    "fe80::/10",
    *(f"2001:db8:{2 * n:x}::/47" for n in range(17)),
]
LISTS: Final = {
    "hosts": ("host", IPV4),
    "IPv6 sources": ("src host", IPV6),
    "IPv6 hosts": ("host", IPV6),
    "hosts of both versions": ("host", list(chain(*zip(IPV4, IPV6, strict=True)))),
    "networks": ("net", NETS),
    "IPv6 networks": ("dst net", NETS_6),
    "ports": ("tcp port", [str(31 * n) for n in range(34)]),
    "ranges of ports": ("udp dst portrange", [f"{31 * n}-{31 * n + 5}" for n in range(34)]),
}
"""Lists that are long enough to become one test of a set."""


@pytest.mark.parametrize("link_type", ["EN10MB", "JUNIPER_ES", pytest.param("IEEE802_11", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", LISTS)
def test_long_lists_have_the_code_of_libpcap(name: str, link_type: str) -> None:
    needs_libpcap(1, 10, 6)
    qualifiers, identifiers = LISTS[name]
    text = f"not {qualifiers} ({' or '.join(identifiers)}) or ether[100] = 1"
    assert compare_with_libpcap(Case.for_device(text, link_type)) == "equal"
