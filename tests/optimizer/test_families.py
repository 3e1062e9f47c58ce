"""Long expressions of similar terms, and IEEE 802.11: results are exact and not longer than exact ones of libpcap."""

import sys
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest

import cbpf
from support.expression_families import TERMS, expression_of, link_type
from support.project import Rounds
from support.random_choices import pick
from support.wireless_expressions import LINK_TYPES, wireless_expression

_LONGER_BEFORE = (
    ("IEEE802_11_RADIO", "type mgt subtype probe-req or type mgt subtype probe-resp", 12),
    ("IEEE802_11_RADIO", "ether broadcast or type data or type ctl", 25),
    ("IEEE802_11_RADIO", "type ctl subtype rts or type mgt subtype deauth", 12),
    ("IEEE802_11_RADIO", "not type mgt subtype probe-resp and not type ctl subtype ack", 12),
    ("IEEE802_11_RADIO", "type ctl or type mgt subtype disassoc or type mgt subtype auth", 15),
    ("IEEE802_11", "wlan host 02:00:00:00:00:01 or type ctl or not type mgt subtype probe-req", 40),
)


@pytest.mark.parametrize(("name", "text", "longest"), _LONGER_BEFORE)
def test_wireless_results_are_not_longer_than_those_of_libpcap(name: str, text: str, longest: int) -> None:
    plain = cbpf.compile(text, link_type=name, optimizer=None)
    optimized = cbpf.optimize(plain)
    assert len(optimized) <= longest
    with suppress(cbpf.Undecided):  # a loaded machine; the lengths of radiotap headers are computed
        assert cbpf.difference(plain, optimized) is None


@pytest.mark.parametrize("family", TERMS)
def test_families_are_exact_and_not_longer_than_libpcap(family: str) -> None:
    text = expression_of(family, 40)
    plain, libpcap = (
        cbpf.compile(text, link_type=link_type(family), optimizer=optimizer) for optimizer in (None, "libpcap")
    )
    optimized = cbpf.optimize(plain)
    assert len(optimized) <= len(libpcap)
    assert cbpf.difference(plain, optimized, timeout=60) is None


def _calls(program: cbpf.Program) -> int:
    """Return the number of Python functions that `optimize` calls."""
    count = 0

    def on_event(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(on_event)
    try:
        cbpf.optimize(program)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("family", sorted(TERMS.keys() - {"few hosts and dst port"}))
def test_work_grows_linearly(family: str) -> None:
    few, many = (
        _calls(cbpf.compile(expression_of(family, count), link_type=link_type(family), optimizer=None))
        for count in (20, 80)
    )
    assert many < 6 * few


def test_a_long_family_has_no_cliff() -> None:
    family = "src host and dst port"
    for count in (100, 210, 250):
        optimized = cbpf.optimize(cbpf.compile(expression_of(family, count), optimizer=None))
        assert 10 * count < len(optimized) < 10.2 * count  # 10 instructions per pair, and a few verdicts within reach


@pytest.mark.fuzz
def test_random_wireless_expressions_are_not_longer_than_exact_ones(rounds: Rounds) -> None:
    for random in rounds(60, min_checked=0.4):
        name, text = pick(random, LINK_TYPES), wireless_expression(random)
        try:
            plain, libpcap = (
                cbpf.compile(text, link_type=name, optimizer=optimizer) for optimizer in (None, "libpcap")
            )
        except cbpf.ExpressionError:  # a primitive that the link type does not have, or that excludes another
            continue
        optimized = cbpf.optimize(plain)
        with suppress(cbpf.Undecided):
            assert cbpf.difference(plain, optimized, timeout=2) is None
            rounds.checked()
            assert len(optimized) <= len(libpcap) or cbpf.difference(plain, libpcap, timeout=2) is not None, text
