"""Long expressions of similar terms, and IEEE 802.11: results are exact and not longer than exact ones of libpcap."""

import itertools
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest

import cbpf
from support.deep_programs import deep_program
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
    text = expression_of(family, 16)
    plain, libpcap = (
        cbpf.compile(text, link_type=link_type(family), optimizer=optimizer, frontend="libpcap")
        for optimizer in (None, "libpcap")
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


def _assert_linear_work(family: str, count: int) -> None:
    few, many = (
        _calls(cbpf.compile(expression_of(family, terms), link_type=link_type(family), optimizer=None))
        for terms in (count, 4 * count)
    )
    assert many < 6 * few


@pytest.mark.parametrize("family", ["src host and dst port", "net and tcp port", "wlan addr1 or addr2"])
def test_work_grows_linearly(family: str) -> None:
    _assert_linear_work(family, 10)


@pytest.mark.slow
@pytest.mark.parametrize("family", TERMS)
def test_work_of_long_families_grows_linearly(family: str) -> None:
    _assert_linear_work(family, 60)  # more terms than hosts in the family of few hosts


def test_a_long_family_has_no_cliff() -> None:
    optimized = cbpf.optimize(cbpf.compile(expression_of("src host and dst port", 230), optimizer=None))
    assert 2300 < len(optimized) < 2346  # 10 instructions per pair, and a few verdicts within reach


def _has_guard(program: cbpf.Program) -> bool:
    """Return whether a load directly before a constant verdict only rejects short packets."""
    kinds = [type(instruction) for instruction in program.instructions]
    return (cbpf.LoadAbsolute, cbpf.RetConstant) in itertools.pairwise(kinds)


def _is_not_longer(optimized: cbpf.Program, libpcap: cbpf.Program) -> bool:
    """Return whether a result is not longer than a program, except by a guard that does not make it slower.

    A path whose outcome is known skips tests, and needs a guard if these would reject short packets. libpcap executes
    the tests instead, which takes no instruction of its own if other paths need them.
    """
    if len(optimized) <= len(libpcap):
        return True
    is_fast = cbpf.Flow(optimized).longest <= cbpf.Flow(libpcap).longest
    return len(optimized) == len(libpcap) + 1 and _has_guard(optimized) and is_fast


@pytest.mark.fuzz
def test_random_wireless_expressions_are_not_longer_than_exact_ones(rounds: Rounds) -> None:
    for random in rounds(40, min_checked=0.4):
        name, text = pick(random, LINK_TYPES), wireless_expression(random)
        try:
            plain, libpcap = (
                cbpf.compile(text, link_type=name, optimizer=optimizer, frontend="libpcap")
                for optimizer in (None, "libpcap")
            )
        except cbpf.ExpressionError:  # a primitive that the link type does not have, or that excludes another
            continue
        optimized = cbpf.optimize(plain)
        with suppress(cbpf.Undecided):
            assert cbpf.difference(plain, optimized, timeout=2) is None
            rounds.checked()
            assert _is_not_longer(optimized, libpcap) or cbpf.difference(plain, libpcap, timeout=2) is not None, text


def test_a_guard_may_replace_tests_that_libpcap_executes() -> None:
    """Of a management frame, only the length matters: libpcap reaches the verdict after the tests of the address."""
    text = "wlan src 02:00:00:00:00:01 or type mgt"
    libpcap = cbpf.compile(text, link_type="IEEE802_11", optimizer="libpcap", frontend="libpcap")
    optimized = cbpf.compile(text, link_type="IEEE802_11")
    assert cbpf.equivalent(libpcap, optimized)
    assert _is_not_longer(optimized, libpcap)
    management = bytes(24)
    assert len(list(cbpf.VM(optimized).trace(management))) < len(list(cbpf.VM(libpcap).trace(management)))


@pytest.mark.parametrize("count", [247, 249, 250])
def test_the_verdicts_of_a_long_chain_are_copied_only_beyond_reach(count: int) -> None:
    text = expression_of("wlan addr1 and subtype", count)
    libpcap = cbpf.compile(text, link_type="IEEE802_11", optimizer="libpcap", frontend="libpcap")
    assert len(cbpf.compile(text, link_type="IEEE802_11")) <= len(libpcap)


@pytest.mark.parametrize("goal", ["size", "speed"])
def test_a_program_with_too_many_states_is_returned_unchanged(goal: Any) -> None:
    program = deep_program("diamonds", 1000)
    assert cbpf.optimize(program, goal=goal) == program


def test_a_switch_with_many_targets_takes_linear_work() -> None:
    few, many = (
        _calls(
            cbpf.parse(
                "ld [0]\n"
                + "".join(f"jeq #{n * 7919 % 100_003},0,1\nret #{1 + n % 3}\n" for n in range(count))
                + "ret #0"
            )
        )
        for count in (200, 800)
    )
    assert many < 6 * few
