"""Rules about parts of filters without effect: instructions, tests, rules, and filters of a stack."""

from collections.abc import Hashable, Iterable, Iterator

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa.program import Program
from ...isa.verdicts import SeccompAction
from ..diagrams.decision_diagram import FALSE, DecisionDiagram, Node
from ..diagrams.program_diagram import ProgramMeaning
from ..diagrams.program_effects import ProgramEffects
from ..policies import Policy
from ..stacks import Stack
from .findings import AuditFinding
from .subject import Subject

_SHOWN: Final = 8
_NOT_DECIDED: Final = 1 << 32
"""A precedence above those of all actions."""


class _Decision(NamedTuple):
    """The precedence of an action, and the filter whose action it is; -1 before the first filter."""

    precedence: int
    position: int


def unreachable_instructions(subject: Subject) -> Iterator[AuditFinding]:
    """Yield the programs with instructions that no call reaches, and with tests that always have one result."""
    for place, program, meaning in _programs(subject):
        effects = ProgramEffects(subject.diagram, meaning)
        unreached = [index for index in range(len(program)) if index not in effects.reached]
        if unreached:
            yield subject.finding(
                f"unreachable{place}",
                "low",
                f"no call reaches {_instructions(unreached)}.",
                "Correct the tests before, or remove the unreachable instructions, as cbpf optimize does.",
            )
        if effects.constant_tests:
            yield subject.finding(
                f"constant-test{place}",
                "low",
                f"a test has one result for all calls that reach it: {_instructions(effects.constant_tests)}.",
                "Correct the constants, or remove the tests, as cbpf optimize does.",
            )


def unreachable_rules(subject: Subject) -> Iterator[AuditFinding]:
    """Yield the rules of a policy that match no call, or only calls that earlier rules match."""
    earlier = FALSE
    rules = subject.filter.rules if isinstance(subject.filter, Policy) else ()
    for number, (condition, rule) in enumerate(zip(subject.rules, rules, strict=True), 1):
        name = f"rule {number}{rule.place and f', {rule.place}'}"
        if condition == FALSE:
            yield subject.finding(
                f"impossible-rule:{number}",
                "low",
                f"no call fulfils the conditions of {name}.",
                "Correct the conditions, or remove the rule.",
            )
        elif subject.diagram.both(condition, subject.diagram.negate(earlier)) == FALSE:
            yield subject.finding(
                f"unreachable-rule:{number}",
                "low",
                f"earlier rules match all calls of {name}.",
                "Move the rule before them, or remove it.",
            )
        earlier = subject.diagram.either(earlier, condition)


def filters_without_effect(subject: Subject) -> Iterator[AuditFinding]:
    """Yield the filters of a stack that decide about no call."""
    if len(subject.meanings) < 2 or subject.computed != FALSE:
        return
    deciding = _deciding_filters(subject)
    for index in range(len(subject.meanings)):
        if index not in deciding:
            yield subject.finding(
                f"filter-without-effect:{index + 1}",
                "low",
                f"filter {index + 1} of the stack decides about no call: others are as strict everywhere.",
                "Remove the filter, or correct it.",
            )


def _deciding_filters(subject: Subject) -> set[int]:
    """Return the indices of the filters of a stack whose action the kernel takes for some call."""
    diagram = subject.diagram
    decision = diagram.leaf(_Decision(_NOT_DECIDED, -1))
    for index, meaning in enumerate(subject.meanings):
        decision = diagram.combine(decision, _with_index(diagram, meaning.verdict, index), _kernels_choice, _unchanged)
    values = [diagram.leaf_value(node) for node in diagram.reachable(decision) if diagram.is_leaf(node)]
    return {value.position for value in values if isinstance(value, _Decision)}


def _with_index(diagram: DecisionDiagram, function: Node, index: int) -> Node:
    """Return the verdict of a filter as a function whose values are `_Decision` objects."""

    def replacement(node: Node) -> Node | None:
        if not diagram.is_leaf(node):
            return None
        value = diagram.leaf_value(node)
        assert isinstance(value, int), "a computed verdict"
        return diagram.leaf(_Decision(SeccompAction(value).precedence, index))

    return diagram.replace(function, replacement)


def _kernels_choice(older: Hashable, newer: Hashable) -> Hashable:
    """Return the decision that the kernel takes: that with the smaller action, and of equal ones the newer."""
    assert isinstance(older, _Decision)
    assert isinstance(newer, _Decision)
    return newer if newer.precedence <= older.precedence else older


def _unchanged(function: Node) -> Node:
    return function


def _programs(subject: Subject) -> Iterator[tuple[str, Program, ProgramMeaning]]:
    """Yield the programs, each with the end of an identifier: its number, if there are several."""
    programs = subject.filter.programs if isinstance(subject.filter, Stack) else ()
    for number, (program, meaning) in enumerate(zip(programs, subject.meanings, strict=True), 1):
        yield f":{number}" if len(programs) > 1 else "", program, meaning


def _instructions(indices: Iterable[int]) -> str:
    """Return the indices of instructions in words."""
    ordered = sorted(indices)
    listed = ", ".join(map(str, ordered[:_SHOWN]))
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return f"instruction{'s' if len(ordered) > 1 else ''} {listed}{more}"
