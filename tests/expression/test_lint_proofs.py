"""The rules of `lint_expression` that compare programs: clauses that are never true, always true, or implied."""

from functools import cache
from random import Random
from typing import Any, Final

import pytest

import cbpf
from cbpf.expression.address_lists import Expression
from cbpf.expression.front_end import generated_condition
from cbpf.expression.generator.assembler import assemble
from cbpf.expression.generator.generate import generate
from cbpf.expression.linting.rules import PROOF_RULES
from cbpf.expression.names import Lookups
from cbpf.expression.parser import parse
from cbpf.expression.syntax_tree import And, Condition, Not, Or, Span
from cbpf.expression.target import Target
from support.project import Rounds
from support.random_choices import below, pick

COMPLETE: Final = 200
"""The length of packets that have all bytes that the expressions of this module load."""

FINDINGS: Final = {
    "ip and arp": ("rejects-all", "ip", ["arp"], "ip or arp"),
    "tcp and udp": ("rejects-all", "tcp", ["udp"], "tcp or udp"),
    "dst port 80 and 443": ("rejects-all", "dst port 80", ["443"], "dst port (80 or 443)"),
    "src host 10.0.0.1 and src host 10.0.0.2": (
        "rejects-all",
        "src host 10.0.0.1",
        ["src host 10.0.0.2"],
        "src host (10.0.0.1 or 10.0.0.2)",
    ),
    "greater 100 and (tcp or udp) and len > 20 and icmp": ("rejects-all", "tcp or udp", ["icmp"], ""),
    "ip6 and tcp[13] & 2 != 0": ("rejects-all", "ip6", ["tcp[13] & 2 != 0"], ""),
    "ip[0] = 1 and ip[0] = 2 and ip[1] = 3": ("rejects-all", "ip[0] = 1", ["ip[0] = 2"], ""),
    "ip[0] > 1 and ip[0] < 9 and ip[0] & 8 = 8 and ip[0] & 7 = 1": (
        "rejects-all",
        "ip[0] < 9",
        ["ip[0] & 8 = 8", "ip[0] & 7 = 1"],
        "",
    ),
    "len < 0": ("rejects-all", "len < 0", [], ""),
    "ip or not ip": ("accepts-all", "ip or not ip", [], ""),
    "not src port 80 or not src port 443": ("accepts-all", "not src port 80 or not src port 443", [], ""),
    "arp or (tcp and udp)": ("never-true", "tcp", ["udp"], "arp"),
    "ip and (tcp or arp)": ("never-true", "arp", ["ip"], "ip and tcp"),
    "ip and not (tcp and udp)": ("never-true", "tcp", ["udp"], "ip"),
    "udp and len >= 0": ("always-true", "len >= 0", [], "udp"),
    "tcp port 80 or tcp": ("redundant", "tcp port 80", ["tcp"], "tcp"),
    "port 80 and tcp port 80": ("redundant", "port 80", ["tcp port 80"], "tcp port 80"),
    "tcp port 80 or arp or tcp port 80": ("redundant", "tcp port 80", ["tcp port 80"], "tcp port 80 or arp"),
    "ip host 10.0.0.1 and net 10.0.0.0/8": ("redundant", "net 10.0.0.0/8", ["ip host 10.0.0.1"], "ip host 10.0.0.1"),
    "tcp or (ip and (udp or ip proto 6))": ("redundant", "ip proto 6", ["tcp"], "tcp or (ip and udp)"),
    "tcp or (udp and greater 60 and not tcp port 80)": (
        "redundant",
        "not tcp port 80",
        ["udp"],
        "tcp or (udp and greater 60)",
    ),
    "arp or (ip and not arp)": ("redundant-protocol", "not arp", ["ip"], "arp or ip"),
    "tcp and tcp port 80": ("redundant-protocol", "tcp", ["tcp port 80"], "tcp port 80"),
    "(ip or ip6) and udp": ("redundant-protocol", "ip or ip6", ["udp"], "udp"),
    "vlan 5 and not ip and (ip6 or ip)": ("never-true", "ip", ["not ip"], "vlan 5 and not ip and ip6"),
}
"""Expressions with one finding: its identifier, the texts of its span and of its related spans, and its suggestion."""


@cache
def _proved(expression: str, **options: Any) -> list[cbpf.LintFinding]:
    names = {rule.identifier for rule in PROOF_RULES}
    findings = cbpf.lint_expression(expression, notes=True, **options)
    return [finding for finding in findings if finding.identifier in names]


def _accept_equal(left: str, right: str) -> bool:
    """Return whether two expressions accept the same complete packets."""
    programs = [cbpf.compile(text, optimizer=None, frontend="cbpf") for text in (left, right)]
    return cbpf.equivalent(*programs, verdicts="accept", shortest=COMPLETE)


@pytest.mark.parametrize("expression", FINDINGS)
def test_clauses_that_no_packet_needs_are_found(expression: str) -> None:
    (finding,) = _proved(expression)
    related = [expression[slice(*span)] for span in finding.related]
    found = finding.identifier, expression[slice(*finding.span)], related, finding.suggestion
    assert found == FINDINGS[expression]
    assert finding.is_equivalent == (finding.suggestion != "" and finding.identifier != "rejects-all")
    if finding.is_equivalent:
        assert _accept_equal(expression, finding.suggestion)


def test_every_rule_with_proofs_has_an_example() -> None:
    assert {identifier for identifier, *_ in FINDINGS.values()} == {rule.identifier for rule in PROOF_RULES}


@pytest.mark.parametrize(
    "expression",
    [
        "ip host 10.0.0.1 and ip host 10.0.0.2",
        "port 80 and port 443",
        "tcp or udp or icmp",
        "ip and (tcp port 80 or udp)",
        "tcp port 80 or (ip and tcp)",
        "vlan and vlan",
        "vlan 5 and vlan 6",
        "ip or (vlan and ip)",
        "geneve and ip and udp",
        "tcp[tcpflags] & tcp-syn != 0 and tcp[tcpflags] & tcp-ack = 0",
    ],
)
def test_needed_clauses_have_no_finding(expression: str) -> None:
    assert _proved(expression) == []


def test_messages_name_the_reason() -> None:
    facts = {expression: _proved(expression)[0].fact for expression in FINDINGS if len(expression) < 40}
    assert facts["tcp and udp"] == "'tcp' and 'udp' are never true together"
    assert facts["ip and (tcp or arp)"] == "'arp' is never true together with 'ip'"
    assert facts["tcp port 80 or tcp"] == "'tcp port 80' implies 'tcp'"
    assert facts["arp or (ip and not arp)"] == "'ip' implies 'not arp'"
    assert facts["tcp or (ip and (udp or ip proto 6))"] == "'ip proto 6' implies 'tcp'"
    assert facts["udp and len >= 0"] == "'len >= 0' is true for every packet"
    assert facts["len < 0"] == "'len < 0' is true for no packet"


def test_lists_of_many_identifiers_are_one_clause() -> None:
    numbers = " or ".join(map(str, range(1000, 1040)))
    (finding,) = _proved(f"udp port ({numbers}) and tcp")
    assert finding.identifier == "rejects-all"
    (finding,) = _proved(f"tcp and (arp or tcp port ({numbers}))")
    assert (finding.identifier, finding.suggestion) == ("never-true", f"tcp and tcp port ({numbers})")


def test_other_link_types_are_compared() -> None:
    assert [finding.identifier for finding in _proved("ip6", link_type="IPV4")] == ["rejects-all"]
    assert [finding.identifier for finding in _proved("ip", link_type="IPV4")] == ["accepts-all"]
    assert [finding.identifier for finding in _proved("ip and type mgt", link_type="IEEE802_11_RADIO")] == [
        "rejects-all"
    ]


# Random expressions

PRIMITIVES: Final = (
    *("ip", "ip6", "arp", "tcp", "udp", "tcp port 80", "port 80", "src port 80", "udp dst port 53", "vlan", "vlan 5"),
    *("host 10.0.0.1", "net 10.0.0.0/8", "src net 10.1.0.0/16", "ip[8] = 1", "ip[8] < 5", "greater 1000", "less 900"),
    *("ether[0] & 1 != 0", "ip multicast", "tcp[13] & 2 != 0", "not tcp", "not host 10.0.0.1"),
)


def _random_expression(random: Random, depth: int) -> str:
    if depth == 0 or random.random() < 0.3:
        return pick(random, PRIMITIVES)
    operator = pick(random, (" and ", " or "))
    text = operator.join(_random_expression(random, depth - 1) for _ in range(2 + below(random, 2)))
    return f"{pick(random, ('', '', 'not '))}({text})"


def _operands(tree: Condition) -> list[tuple[Span, bool]]:
    """Return the spans of all operands of `and` and `or`, each with the outcome that leaves the others decisive."""
    pending, found = [tree], []
    while pending:
        node = pending.pop()
        if isinstance(node, And | Or):
            found += [(operand.span, isinstance(node, And)) for operand in node.operands]
            pending += node.operands
        elif isinstance(node, Not):
            pending.append(node.operand)
    return found


@pytest.mark.slow
@pytest.mark.fuzz
def test_findings_agree_with_forced_outcomes(rounds: Rounds) -> None:
    """A clause is not needed if and only if the filter is equal with the outcome of the clause fixed."""
    for random in rounds(40, min_checked=0.5):
        expression = _random_expression(random, 2)
        tree, target, names = parse(expression), Target(1, 1), Lookups(None)
        assert tree is not None
        plain = assemble(generated_condition(Expression(expression), target, names).condition, 1).instructions
        findings = _proved(expression, timeout=60)
        if {finding.identifier for finding in findings} & {"rejects-all", "accepts-all"}:
            continue
        rounds.checked()
        unneeded = []
        for span, outcome in _operands(tree):
            condition = generate(tree, target, names, forced={span: outcome}).condition
            forced = assemble(condition, 1).instructions
            if cbpf.equivalent(plain, forced, shortest=COMPLETE):
                unneeded.append(span)
        assert bool(findings) == bool(unneeded), expression
        for finding in findings:
            if finding.suggestion:
                assert _accept_equal(expression, finding.suggestion), expression


@pytest.mark.fuzz
def test_random_rejections_are_proved(rounds: Rounds) -> None:
    """The conflict of a filter that rejects every packet is one, and no clause can be left out of it."""
    for random in rounds(12, min_checked=0.1):
        expression = " and ".join(pick(random, PRIMITIVES) for _ in range(4))
        findings = [finding for finding in _proved(expression, timeout=60) if finding.identifier == "rejects-all"]
        rejects = cbpf.witness(cbpf.compile(expression, optimizer=None, frontend="cbpf"), verdict="accept") is None
        assert bool(findings) == rejects, expression
        if findings and "vlan" not in expression:
            rounds.checked()
            spans = [findings[0].span, *findings[0].related]
            texts = [expression[slice(*span)] for span in spans]
            assert _accept_equal(" and ".join(texts), "ip and arp")
            for index in range(len(texts)):
                others = texts[:index] + texts[index + 1 :]
                assert not _accept_equal(" and ".join(others), "ip and arp"), (expression, texts)
