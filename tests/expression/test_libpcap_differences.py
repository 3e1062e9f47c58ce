"""The differences from libpcap 1.10.6: each has an example that differs, and without them there is no difference."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Final

import pytest

import cbpf
from cbpf.expression.generator import conditions, link_fields, network_protocols, payload_types
from cbpf.expression.generator.conditions import Condition, all_of, equals
from cbpf.expression.generator.context import Context
from cbpf.expression.generator.steps import Steps
from cbpf.expression.libpcap import NETMASK_UNKNOWN
from support.equal_programs import Code
from support.generated import check_generated
from support.libpcap_comparison import check_equal, libpcap_result, our_result
from support.libpcap_differences import DIFFERENCES, Difference, difference_of, differences_of
from support.libpcap_release import needs_libpcap
from support.project import ROOT, Rounds
from support.random_filters import random_filter
from support.resolver import TestResolver

PAGE: Final = ROOT / "docs" / "reference" / "libpcap-differences.md"


def _isis_is(context: Context, kind: int) -> Condition:
    """Test the type of an IS-IS packet with all bits, at one offset for all link types."""
    is_isis = payload_types.osi_is(context, 0x83)
    return all_of((is_isis, equals(context.load(context.headers.plain_network_header, 4, 1), kind)))


def _families_of(context: Context, protocol: int) -> tuple[int, ...]:
    """Return the address families of Linux for PFLOG, also in files."""
    if protocol == payload_types.IPV6 and context.headers.family == "pflog":
        return (payload_types._AF_INET6,)
    return FAMILIES_OF(context, protocol)


def _loopback_words(context: Context, family: int) -> tuple[int, ...]:
    """Return an address family in the byte order of the file only."""
    little, *others = LOOPBACK_WORDS(context, family)
    return (little,) if context.target.file_order != "big" or not others else tuple(others)


def _compared(steps: Steps, operator: str, value: int) -> Condition:
    """Compare fields with `=` in place of `!=`."""
    return COMPARED(steps, "=" if operator == "!=" else operator, value)


FAMILIES_OF: Final = payload_types._families_of
LOOPBACK_WORDS: Final = payload_types._loopback_words
COMPARED: Final = conditions.compared
CODES: Final = {**payload_types._ARCNET, payload_types.IPV4: (212, 240), payload_types.ARP: (213, 241)}


def _unchecked(*_: object) -> bool:
    return False


RESTORED: Final[dict[str, tuple[tuple[object, str, object], ...]]] = {
    "isis-types": (
        (network_protocols, "isis_is", _isis_is),
        (network_protocols._TESTS, "isis", (_isis_is, 0x1F)),
    ),
    "arcnet-codes": ((payload_types, "_ARCNET", CODES),),
    "loopback-files": ((payload_types, "_loopback_words", _loopback_words),),
    "pflog-files": ((payload_types, "_families_of", _families_of),),
    "unequal-fields": ((link_fields, "compared", _compared),),
    "protocol-numbers": (
        (network_protocols, "check_protocol_number", _unchecked),
        (network_protocols, "is_no_protocol", _unchecked),
    ),
}
"""For a difference: the parts of the generator, with replacements that have the behaviour of libpcap 1.10.6."""


@pytest.mark.fuzz
def test_restored_behaviour_is_that_of_libpcap(rounds: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    """The expressions that the table leaves out are equal to those of libpcap in everything else."""
    needs_libpcap(1, 10, 6)
    for target, name, value in (part for parts in RESTORED.values() for part in parts):
        replace: Callable[..., None] = monkeypatch.setitem if isinstance(target, dict) else monkeypatch.setattr
        replace(target, name, value)
    for random in rounds(400, min_checked=0.05):
        case = random_filter(random)
        reasons = differences_of(case.text, case.handle)
        if reasons and RESTORED.keys() >= set(reasons):
            check_equal(case)
            rounds.checked()


def _parameters() -> list[object]:
    """Return the differences as parameters of a test; the one with the long example is slow."""
    slow = pytest.mark.slow
    return [
        pytest.param(difference, id=difference.name, marks=[slow] if len(difference.example) > 1000 else [])
        for difference in DIFFERENCES
    ]


@pytest.mark.parametrize("difference", _parameters())
def test_each_example_differs(difference: Difference) -> None:
    needs_libpcap(1, 10, 6)
    assert difference_of(difference.example, difference.handle) == difference.name
    arguments = difference.example, difference.handle, NETMASK_UNKNOWN
    expected, actual = libpcap_result(*arguments), our_result(*arguments, names=TestResolver())
    if expected.code is None or actual.code is None or difference.name == "protochain":  # a loop in libpcap
        assert expected.code != actual.code
        assert not difference.packet
    else:
        assert {_verdict(difference, actual.code), _verdict(difference, expected.code)} == {0, 262_144}


def _verdict(difference: Difference, code: Code) -> int:
    """Return the verdict of a program on the packet of an example."""
    if difference.metadata is None:
        return cbpf.VM(cbpf.Program(code)).run(difference.packet)
    machine = cbpf.VM(cbpf.Program(code), dialect=cbpf.LINUX)
    return machine.evaluate(difference.packet, metadata=difference.metadata)


# The page


def test_the_page_of_differences_lists_all() -> None:
    sections = []
    for title, reason in (("As in libpcap 1.11", "1.11"), ("Only in cbpf", "cbpf")):
        rows = [_entry(difference) for difference in DIFFERENCES if difference.reason == reason]
        sections += [f"## {title}", *rows]
    check_generated(PAGE, "\n\n".join(sections), "tests/expression/test_libpcap_differences.py")


def _entry(difference: Difference) -> str:
    """Return the section of a difference: cbpf's result was computed, and a test shows that libpcap's differs."""
    actual = our_result(difference.example, difference.handle, NETMASK_UNKNOWN, names=TestResolver())
    results: tuple[str, ...]
    if difference.name == "protochain":
        results = ("a program for eight headers", "a program with a backward jump")
    elif not difference.packet:
        results = ("rejects the expression", "compiles the expression")[:: 1 if actual.code is None else -1]
    else:
        assert actual.code is not None
        results = ("rejects the packet", "accepts the packet")[:: -1 if _verdict(difference, actual.code) else 1]
    table = ["| link type | cbpf | libpcap 1.10.6 |", "|---|---|---|"]
    table.append(f"| `{difference.link_type}`{' (file)' * bool(difference.byte_order)} | {results[0]} | {results[1]} |")
    block = [_shortened(difference.example)]
    if difference.packet:
        block += ["", *_hex_lines(difference.packet)]
    if difference.metadata is not None:
        block += [f"packet type {difference.metadata.packet_type}"]
    example = "\n".join(["```text", *block, "```", *_link(difference)])
    return "\n\n".join([f"### {difference.name}", difference.explanation, example, "\n".join(table)])


def _link(difference: Difference) -> Iterator[str]:
    """Yield the comment with the state of the explorer page, unless the page lacks a setting of the example."""
    if difference.byte_order or difference.metadata is not None or difference.name == "gateway":
        return
    state = {"s": difference.example, "y": difference.link_type, "O": 0}
    if difference.packet:
        state["p"] = difference.packet.hex()
    yield f"<!-- try: {json.dumps(state)} -->"


def _shortened(text: str) -> str:
    return text if len(text) < 100 else f"{text[:28]} ... {text[-16:]}"


def _hex_lines(packet: bytes) -> list[str]:
    return [packet[start : start + 16].hex(" ") for start in range(0, len(packet), 16)]
