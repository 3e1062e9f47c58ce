"""Filters, stacks and policies as functions of the record, in one decision diagram in which they can be compared."""

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial, reduce

from ..._typing import TypeAlias
from ...errors import Undecided
from ...isa.dialects import Dialect
from ...isa.program import Instructions
from ...isa.verdicts import SeccompAction
from ..policies import Policy
from ..rules import MaskedRanges, Rule
from ..stacks import Stack
from .bit_vectors import Word, constant
from .call_sets import OPERAND_FIELDS
from .decision_diagram import TRUE, DecisionDiagram, Node, TooManySteps
from .opaque_words import OpaqueWords
from .program_diagram import ComputedVerdict, ProgramMeaning
from .record_bits import ARCHITECTURE, NUMBER
from .word_sets import set_of

Filter: TypeAlias = "Instructions | Stack | Policy"
"""A program, a stack of programs or a policy."""


def as_filter(value: Filter, dialect: Dialect) -> Stack | Policy:
    """Return a program as a stack of one; a stack or a policy as it is. *dialect* is that of a program."""
    return value if isinstance(value, Stack | Policy) else Stack([value], dialect=dialect)


@contextmanager
def limit_reported() -> Iterator[None]:
    """Raise `Undecided` where a diagram exceeds its limit."""
    try:
        yield
    except TooManySteps:
        raise Undecided(
            "the verdict depends on too many combinations of bits: its decision diagram is too large"
        ) from None


def function_of(diagram: DecisionDiagram, opaque: OpaqueWords, filter_: Stack | Policy) -> Node:
    """Return the verdict of a filter as a function of the record: ints, or instances of `ComputedVerdict`."""
    if isinstance(filter_, Policy):
        return _policy_function(diagram, filter_)
    return stack_function(
        diagram,
        [ProgramMeaning(diagram, program, filter_.dialect, opaque).verdict for program in filter_.programs],
    )


def stack_function(diagram: DecisionDiagram, functions: Iterable[Node]) -> Node:
    """Return the verdict of a stack from the verdicts of its filters, oldest first."""
    return reduce(partial(_stacked, diagram), functions)


def _policy_function(diagram: DecisionDiagram, policy: Policy) -> Node:
    """Return the verdict of the first rule that matches, from the last rule to the first."""
    result = diagram.leaf(policy.default)
    for rule in reversed(policy.rules):
        result = diagram.choose(rule_condition(diagram, rule), diagram.leaf(rule.verdict), result)
    return result


def rule_condition(diagram: DecisionDiagram, rule: Rule) -> Node:
    """Return the condition under which a rule matches."""
    tests = [(condition.operand, condition.alternatives) for condition in rule.conditions]
    fields = [(OPERAND_FIELDS[operand], alternatives) for operand, alternatives in tests]
    fields += [
        (NUMBER, (MaskedRanges(ranges=rule.numbers),)),
        (ARCHITECTURE, (MaskedRanges(ranges=rule.architectures),)),
    ]
    result = TRUE
    for field, alternatives in fields:
        result = diagram.both(set_of(diagram, field, alternatives), result)
    return result


def _stacked(diagram: DecisionDiagram, older: Node, newer: Node) -> Node:
    return diagram.combine(older, newer, _kernels_choice, lambda function: function)


def _kernels_choice(older: Hashable, newer: Hashable) -> Hashable:
    """Return the verdict that the kernel takes: that with the smaller action, and of equal ones the newer."""
    if isinstance(older, int) and isinstance(newer, int):
        return newer if SeccompAction(newer).precedence <= SeccompAction(older).precedence else older
    return ComputedVerdict(_words_of(older) + _words_of(newer))


def _words_of(verdict: Hashable) -> tuple[Word, ...]:
    if isinstance(verdict, ComputedVerdict):
        return verdict.words
    assert isinstance(verdict, int)
    return (constant(verdict),)
