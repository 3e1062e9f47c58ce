"""Differences and implications of filters, compared with evaluations and with the solver."""

from functools import partial
from random import Random

import pytest

import cbpf
from cbpf import SECCOMP, Program, seccomp
from cbpf.seccomp import ClassDifference, Condition, MaskedRanges, Policy, Rule, SeccompAction, Stack, SystemCall
from cbpf.seccomp.diagrams.decision_diagram import DecisionDiagram
from support.project import Rounds
from support.proofs import program
from support.random_choices import below, chance, pick
from support.random_seccomp_filters import random_filter
from support.seccomp_rules import corner_calls, plain_program, random_rules

LITTLE = SECCOMP.replace(byte_order="little")
BIG = SECCOMP.replace(byte_order="big")
ALLOW, LOG, ERRNO = 0x7FFF0000, 0x7FFC0000, 0x50001


def changed(random: Random, filter_: Program) -> Program:
    """Return a filter with another constant in one instruction."""
    rows = list(filter_)
    index = pick(random, [index for index, raw in enumerate(rows) if raw.op in (0x15, 0x25, 0x35, 0x06, 0x54)])
    rows[index] = rows[index]._replace(k=rows[index].k ^ 1 << below(random, 32))
    return Program(rows)


def matches(each: ClassDifference, call: tuple[int, ...]) -> bool:
    architecture, number, *arguments, pointer = call
    rule = Rule(each.architectures, each.numbers, each.conditions, 0)
    return rule.matches(architecture, number, tuple(arguments), pointer)


def system_call(call: tuple[int, ...]) -> SystemCall:
    architecture, number, *arguments, pointer = call
    return SystemCall(number, arguments, architecture=architecture, instruction_pointer=pointer)


def check(random: Random, old: Stack, new: Stack) -> tuple[ClassDifference, ...]:
    """Compare the differences of two stacks with their decisions at corners, and return them."""
    differences = seccomp.difference(old, new)
    for each in differences:
        assert (old.evaluate(each.witness).action, new.evaluate(each.witness).action) == (each.old, each.new)
        assert each.old != each.new
    rules = [Rule(each.architectures, each.numbers, each.conditions, 0) for each in differences]
    for call in corner_calls(rules, random, 30) if rules else ():
        decided = old.evaluate(system_call(call)).action, new.evaluate(system_call(call)).action
        found = [each for each in differences if matches(each, call)]
        if decided[0] == decided[1]:
            assert all(each.is_computed for each in found)
        else:
            assert [(each.old, each.new) for each in found].count(decided) == 1
    return differences


@pytest.mark.fuzz
def test_differences_of_random_filters(rounds: Rounds) -> None:
    for random in rounds(40):
        old = random_filter(random, clauses=5)
        new = changed(random, old) if chance(random, 0.8) else old
        check(random, Stack([old], dialect=LITTLE), Stack([new], dialect=LITTLE))


@pytest.mark.fuzz
def test_filters_without_differences_are_equivalent_by_the_solver(rounds: Rounds) -> None:
    pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")
    for random in rounds(16):
        old = random_filter(random, clauses=4)
        new = pick(random, (old, changed(random, old), cbpf.optimize(old, dialect=LITTLE)))
        assert bool(seccomp.difference(old, new, dialect=LITTLE)) is not cbpf.equivalent(old, new, dialect=LITTLE)
        implied = cbpf.implies(old, new, dialect=LITTLE)
        assert (seccomp.implies(old, new, dialect=LITTLE) == ()) is implied


@pytest.mark.fuzz
def test_policies_are_equivalent_to_their_programs(rounds: Rounds) -> None:
    for random in rounds(8):
        rules, default = random_rules(random, 4)
        policy = Policy(rules, default, "little")
        plain = plain_program(rules, default, "little")
        for other in (plain, policy.program(), seccomp.policy(plain, dialect=LITTLE)):
            assert seccomp.difference(policy, other, dialect=LITTLE) == ()


def test_a_difference_is_a_class_of_calls() -> None:
    old = program("ld [0];jeq #41,0,3;ld [16];jeq #38,0,1;ret #0x50001;ret #0x7fff0000")
    new = program("ld [0];jeq #41,0,4;ld [16];jeq #38,1,0;jeq #40,0,1;ret #0x50001;ret #0x7fff0000")
    (each,) = seccomp.difference(old, new, dialect=LITTLE)
    assert (each.numbers, each.old, each.new) == (((41, 41),), SeccompAction(ALLOW), SeccompAction(ERRNO))
    (condition,) = each.conditions
    assert (condition.operand, condition.alternatives[0].ranges) == (0, ((40, 40),))
    assert each.witness == SystemCall(41, (40,), architecture=0)


VERDICTS = (ALLOW, LOG, ERRNO, 0x50002, 0)


@pytest.mark.parametrize(
    ("exact", "violations"),
    [
        (False, {(runs, stops) for runs in (ALLOW, LOG) for stops in (ERRNO, 0x50002, 0)}),
        (
            True,
            {(left, right) for left in VERDICTS for right in VERDICTS if left != right}
            - {(stops, runs) for runs in (ALLOW, LOG) for stops in (ERRNO, 0x50002, 0)},
        ),
    ],
)
def test_implications_by_verdict(exact: bool, violations: set[tuple[int, int]]) -> None:
    for left in VERDICTS:
        for right in VERDICTS:
            found = seccomp.implies(program(f"ret #{left}"), program(f"ret #{right}"), exact=exact)
            assert bool(found) is ((left, right) in violations)


def test_stacks_are_compared_with_policies() -> None:
    stack = Stack(
        [program("ld [0];jeq #1,0,1;ret #0x50001;ret #0x7fff0000"), program("ld [0];jeq #2,0,1;ret #0;ret #0x7fff0000")]
    )
    everywhere = ((0, 2**32 - 1),)
    rules = (Rule(everywhere, ((1, 1),), (), ERRNO), Rule(everywhere, ((2, 2),), (), 0))
    assert seccomp.difference(stack, Policy(rules, ALLOW)) == ()
    (each,) = seccomp.difference(stack, Policy(rules[:1], ALLOW))
    assert (each.numbers, each.old, each.new) == (((2, 2),), SeccompAction(0), SeccompAction(ALLOW))


def test_filters_of_both_byte_orders_are_compared() -> None:
    """The low half of argument 0 is at 16 on little-endian machines, and at 20 on others."""
    little = Stack([program("ld [16];jeq #5,0,1;ret #0;ret #0x7fff0000")], dialect=LITTLE)
    big = Stack([program("ld [20];jeq #5,0,1;ret #0;ret #0x7fff0000")], dialect=BIG)
    assert seccomp.difference(little, big) == ()
    assert len(seccomp.difference(little, Stack(big.programs, dialect=LITTLE))) == 2


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let operations become opaque after few steps, which takes less time."""
    monkeypatch.setattr("cbpf.seccomp.comparison.DecisionDiagram", partial(DecisionDiagram, max_steps=40_000))


EQUAL_WORDS = "ld [16];tax;ld [24];jeq x,0,1;ret #0x50001;ret #0x7fff0000"


@pytest.mark.usefixtures("few_steps")
def test_equal_arithmetic_needs_no_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbpf.seccomp.diagrams.verdict_queries.VerdictQueries.__init__", None)
    swapped = EQUAL_WORDS.replace("jeq x,0,1;ret #0x50001;ret #0x7fff0000", "jeq x,1,0;ret #0x7fff0000;ret #0x50001")
    assert seccomp.difference(program(EQUAL_WORDS), program(swapped)) == ()


@pytest.mark.usefixtures("few_steps")
def test_differences_of_arithmetic_are_decided_by_the_solver() -> None:
    pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")
    sums = EQUAL_WORDS.replace("jeq x", "sub x;jeq #0")
    assert seccomp.difference(program(EQUAL_WORDS), program(sums), dialect=LITTLE) == ()
    other = EQUAL_WORDS.replace("jeq x", "sub x;jeq #1")
    differences = seccomp.difference(program(EQUAL_WORDS), program(other), dialect=LITTLE)
    assert [each.is_computed for each in differences] == [True, True]
    stacks = [Stack([program(text)], dialect=LITTLE) for text in (EQUAL_WORDS, other)]
    for each in differences:
        assert tuple(stack.evaluate(each.witness).action for stack in stacks) == (each.old, each.new)


PARITY = "ld [16]" + "".join(f";st M[0];rsh #{shift};tax;ld M[0];xor x" for shift in (16, 8, 4, 2, 1))


@pytest.mark.usefixtures("few_steps")
def test_policies_and_arithmetic_are_compared_where_conditions_have_no_short_description() -> None:
    """The set of the arguments with an odd number of bits has no description, so a class has both verdicts of it."""
    pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")
    filter_ = program(f"{PARITY};jset #1,0,4;ld [24];tax;ld [32];jeq x,1,0;ret #0x7fff0000;ret #0x50001")
    everywhere = ((0, 2**32 - 1),)
    seven = Condition(0, (MaskedRanges(ranges=((7, 7),)),))
    policy = Policy((Rule(everywhere, everywhere, (seven,), 0x50002),), ALLOW, "little")
    stack = Stack([filter_], dialect=LITTLE)
    differences = seccomp.difference(policy, stack)
    verdicts = {(each.old.verdict, each.new.verdict) for each in differences if each.old and each.new}
    assert verdicts == {(ALLOW, ERRNO), (0x50002, ERRNO), (0x50002, ALLOW)}
    for each in differences:
        call = each.witness
        old = policy.action(call.audit_arch, call.number, call.arguments, call.instruction_pointer)
        assert (old, stack.evaluate(call).action) == (each.old, each.new)


def test_computed_verdicts_are_compared() -> None:
    pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")
    low, allow = program("ld [16];ret a"), program("ret #0x7fff0000")
    (each,) = seccomp.difference(low, allow, dialect=LITTLE)
    assert (each.old, each.new, each.is_computed) == (None, SeccompAction(ALLOW), True)
    assert Stack([low], dialect=LITTLE).evaluate(each.witness).action != SeccompAction(ALLOW)
    assert seccomp.difference(low, low, dialect=LITTLE) == ()
    assert seccomp.implies(low, allow, dialect=LITTLE) == ()
    (each,) = seccomp.implies(allow, low, dialect=LITTLE)
    assert not Stack([low], dialect=LITTLE).evaluate(each.witness).action.runs


@pytest.mark.usefixtures("few_steps")
def test_arithmetic_in_filters_of_both_byte_orders_is_undecided() -> None:
    pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")
    little = Stack([program(EQUAL_WORDS)], dialect=LITTLE)
    big = Stack([program(EQUAL_WORDS.replace("jeq", "jgt"))], dialect=BIG)
    with pytest.raises(cbpf.Undecided, match="byte orders"):
        seccomp.difference(little, big)
