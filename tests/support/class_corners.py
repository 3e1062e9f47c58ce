"""Evaluations of filters at the corners of their classes."""

from collections.abc import Callable, Sequence
from random import Random

from cbpf import SECCOMP, VM, Program
from cbpf.seccomp import CallClass, Rule, SeccompAction
from support.seccomp_rules import corner_calls, record


def evaluation(program: Program) -> Callable[[bytes], int]:
    """Return the function from records to verdicts that is the meaning of a little-endian program."""
    return VM(program, dialect=SECCOMP.replace(byte_order="little"), engine="python").run


def rules_of(classes: Sequence[CallClass]) -> list[Rule]:
    """Return classes as rules; computed ones have the verdict 0."""
    return [
        Rule(each.architectures, each.numbers, each.conditions, each.action.verdict if each.action else 0)
        for each in classes
    ]


def check_at_corners(
    random: Random, evaluate: Callable[[bytes], int], classes: Sequence[CallClass], count: int
) -> None:
    """Evaluate a filter at the corners of its classes: each call is in one class, and has its action."""
    rules = rules_of(classes)
    for call in corner_calls(rules, random, count):
        architecture, number, *arguments, pointer = call
        found = evaluate(record(call, "little"))
        members = [
            each
            for each, rule in zip(classes, rules, strict=True)
            if rule.matches(architecture, number, tuple(arguments), pointer)
        ]
        if all(not each.is_computed for each in members):
            assert [each.action for each in members] == [SeccompAction(found)]
        else:
            actions = [each.action for each in members]
            expected = SeccompAction(found)
            assert actions.count(expected if expected in actions else None) == 1
    for each in classes:
        if each.action is not None:
            assert evaluate(each.witness.to_bytes("little")) == each.action.verdict
