"""Links to the explorer page: states in fragments, also those of earlier versions."""

import base64
import zlib
from typing import Any

import pytest

import cbpf
from cbpf.explorer.links import MAX_FRAGMENT, fragment, state

GOLDEN: dict[str, dict[str, Any]] = {
    "1.q1YqVrJSKkkuUCjILypRMDExVsgvUkgsKlDSUSoByhQU5eenFSvVAgA": {"s": "tcp port 443 or arp", "t": "proofs"},
    "1.q1YqVrJSyknJUIg2NIqNyStKLVFIVNJRygeKJhYVAFmVQFaQYziQlQJSmZlXWgFk-ytZGegolQBF0osSCzKAIgVAtoFBWhqQWa5kZWZQCwA": {
        "s": "ldh [12]\nret a",
        "o": "arp",
        "y": "RAW",
        "d": "linux",
        "O": 0,
        "t": "graph",
        "p": "00ff",
        "w": 60,
    },
    "1.q1YqVrJSSiwqUNJRSgaySooS09Iyk_UKkhNBQnlKVua1AA": {"s": "arp", "c": "traffic.pcap", "n": 7},
}
"""Links that were made once, and open in every later version."""


@pytest.mark.parametrize("text", GOLDEN)
def test_links_of_earlier_versions_open(text: str) -> None:
    assert state(text) == GOLDEN[text]


@pytest.mark.parametrize("value", [{}, {"s": "tcp"}, {"s": "é \U0001f600\n", "O": 0}, {"s": "ip or " * 5_000}])
def test_a_link_has_the_state_that_it_was_made_of(value: dict[str, Any]) -> None:
    assert state(fragment(value)) == value
    assert len(fragment(value)) <= MAX_FRAGMENT


def test_states_that_are_too_large_have_no_link() -> None:
    with pytest.raises(cbpf.FieldError, match="at most 8,000"):
        fragment({"s": "".join(chr(33 + i * i % 4_001) for i in range(40_000))})


def _packed(data: bytes) -> str:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return "1." + base64.urlsafe_b64encode(compressor.compress(data) + compressor.flush()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.", "1.AAAA", "1.q1YqVrJSKkku", "1.!!!", "2.q1Yq", "é.x", _packed(b"[]"), _packed(b"7"), _packed(b"{"),
     _packed(b'{"s": "' + b"x" * 3_000_000 + b'"}'), "1." + "A" * 9_000],
)  # fmt: skip
def test_corrupt_links_are_errors_in_one_line(text: str) -> None:
    with pytest.raises(cbpf.FieldError, match=r"^link: .*$"):
        state(text)
