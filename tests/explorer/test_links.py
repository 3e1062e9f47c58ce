"""Links to the explorer page: states in fragments, also those of earlier versions."""

import re
from typing import Any

import pytest

import cbpf
from cbpf.explorer import links
from cbpf.explorer.links import DEFAULTS, MAX_FRAGMENT, fragment, state
from support.explorer_links import INVALID, LINKS


@pytest.mark.parametrize(("text", "expected"), LINKS, ids=range(len(LINKS)))
def test_golden_links_open(text: str, expected: dict[str, Any]) -> None:
    """Links that were made once open in every later version."""
    assert state(text) == expected


def test_golden_links_have_all_keys() -> None:
    described = set(re.findall(r"^\| `(\w)` \|", links.__doc__ or "", re.MULTILINE))
    assert described == {*DEFAULTS, "p", "w", "c", "n"}
    assert described <= set().union(*(given for _, given in LINKS))


@pytest.mark.parametrize("value", [{}, {"s": "tcp"}, {"s": "é \U0001f600\n", "O": 0}, {"s": "ip or " * 5_000}])
def test_a_link_has_the_state_that_it_was_made_of(value: dict[str, Any]) -> None:
    assert state(fragment(value)) == value
    assert len(fragment(value)) <= MAX_FRAGMENT


def test_states_that_are_too_large_have_no_link() -> None:
    with pytest.raises(cbpf.FieldError, match="at most 8,000"):
        fragment({"s": "".join(chr(33 + i * i % 4_001) for i in range(40_000))})


def test_repetitive_states_have_a_link_if_it_opens() -> None:
    longest = {"s": "a" * (1_000_000 - len('{"s":""}'))}
    assert state(fragment(longest)) == longest
    with pytest.raises(cbpf.FieldError, match=r"link: the state has 1,000,001 bytes; .* at most 1,000,000"):
        fragment({"s": longest["s"] + "a"})


_MESSAGES = {"version": "is not known", "corrupt": "truncated or corrupt", "long": "a link has at most 8,000"}


@pytest.mark.parametrize("why", INVALID)
def test_corrupt_links_are_errors_in_one_line(why: str) -> None:
    text, kind = INVALID[why]
    with pytest.raises(cbpf.FieldError, match=rf"^link: .*{_MESSAGES[kind]}.*$"):
        state(text)
