"""The syntax tree of an expression as text."""

from typing import Final

import pytest

import cbpf
from support.corpus_filters import CORPUS

GOLDEN: Final = (
    (
        "wlan type mgt subtype 0x10 && !(ether src 0:1:2:3:4:5 or ip net 10.0.0.0/8)",
        """
 1-75 and
 1-26   primitive link type: name mgt, number 0x10
31-75   not
33-74     or
33-53       link src: mac 0:1:2:3:4:5
58-74       ip net: ipv4 10.0.0.0, mask 8
""",
    ),
    (
        "vpi > 5 or vlan\nor ip proto \\tcp or not len % -5 = tcp[tcpflags:2]",
        """
 1-66 or
 1-7    primitive vpi: >, number 5
12-15   primitive vlan
20-32   ip proto: name \\tcp
37-66   not
41-66     =
41-48       %
41-43         len
47-48         negative
48-48           number 5
52-66       2 bytes of tcp
56-63         number tcpflags (13)
""",
    ),
    ("arp", "\n1-3 protocol arp\n"),
)


@pytest.mark.parametrize(("text", "expected"), GOLDEN)
def test_each_node_has_a_line(text: str, expected: str) -> None:
    assert cbpf.tree_listing(text) == expected.strip("\n")


def test_empty_expression_has_no_tree() -> None:
    assert cbpf.tree_listing(" ") == ""


def test_spans_are_those_of_the_text() -> None:
    """The innermost nodes of the corpus begin and end with a token, and no node ends in a blank or operator."""
    for text in (filter.expression for filter in CORPUS if filter.expression):
        for line in cbpf.tree_listing(text).splitlines():
            start, end = map(int, line[: line.index(" ", line.index("-"))].split("-"))
            part = text[start - 1 : end]
            assert part == part.strip()
            assert part[-1].isalnum() or part[-1] in ")]:"


def test_deep_trees_are_not_indented_further() -> None:
    listing = cbpf.tree_listing("tcp" + " and udp or arp" * 2_000)
    assert max(map(len, listing.splitlines())) < 120
    assert "(41) " in listing
    assert "(3999) " in listing


def test_errors_have_a_place() -> None:
    with pytest.raises(cbpf.ExpressionError, match="column 5: "):
        cbpf.tree_listing("tcp prot 80")
