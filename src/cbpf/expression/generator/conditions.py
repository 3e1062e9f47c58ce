"""Conditions on packets: tests, and their combinations, from which the assembler makes jumps.

Tests run in the order of the text, and stop as soon as the outcome is known. A test that loads missing bytes rejects
the packet, whatever the outcome of the others would be, so no test is moved or left out.
"""

from collections.abc import Iterable

from ..._named_tuple import NamedTuple
from ..._typing import Final, TypeAlias
from ...isa.opcodes import Action
from ...isa.word_ranges import Ranges
from ..syntax_tree import Span
from .steps import Steps, mask


class Comparison(NamedTuple):
    """A comparison of A, after some steps.

    Args:
        steps: The instructions before it.
        action: The comparison: EQUAL, GREATER_THAN, GREATER_OR_EQUAL or BITS_SET.
        k: The constant that A is compared with; None represents X.
    """

    steps: Steps
    action: Action
    k: int | None


class Membership(NamedTuple):
    """A test whether a number of one to four words is in a set.

    A word is loaded if a number of the set begins with the words before it, as if the numbers were compared in turn.

    Args:
        words: The instructions that load each word into A, the most significant one first.
        slots: As many scratch slots for the words; empty for one word, which remains in A.
        ranges: The set.
    """

    words: tuple[Steps, ...]
    slots: tuple[int, ...]
    ranges: Ranges


class Effect(NamedTuple):
    """Steps that store values in scratch slots; the condition is always true."""

    steps: Steps


class Negation(NamedTuple):
    """The negation of a condition."""

    operand: "Condition"


class AllOf(NamedTuple):
    """The conjunction of conditions."""

    operands: "tuple[Condition, ...]"


class AnyOf(NamedTuple):
    """The disjunction of conditions."""

    operands: "tuple[Condition, ...]"


class Clause(NamedTuple):
    """The condition of a part of the text."""

    condition: "Condition"
    span: Span


Condition: TypeAlias = bool | Comparison | Membership | Effect | Negation | AllOf | AnyOf | Clause


def all_of(operands: "Iterable[Condition]") -> "Condition":
    """Return the conjunction; the tests after a constant `False` never run."""
    kept = _up_to_decision(operands, decisive=False)
    if not kept or kept[0] is False:
        return not kept
    return kept[0] if len(kept) == 1 else AllOf(tuple(kept))


def any_of(operands: "Iterable[Condition]") -> "Condition":
    """Return the disjunction; the tests after a constant `True` never run."""
    kept = _up_to_decision(operands, decisive=True)
    if not kept or kept[0] is True:
        return bool(kept)
    return kept[0] if len(kept) == 1 else AnyOf(tuple(kept))


def _up_to_decision(operands: "Iterable[Condition]", *, decisive: bool) -> "list[Condition]":
    """Return the operands that are not constant, up to the first constant that decides, which is included."""
    kept: list[Condition] = []
    for operand in operands:
        if not isinstance(operand, bool):
            kept.append(operand)
        elif operand is decisive:
            return [*kept, operand]
    return kept


def negation(operand: "Condition") -> "Condition":
    """Return the negation."""
    if isinstance(operand, bool):
        return not operand
    return operand.operand if isinstance(operand, Negation) else Negation(operand)


def clause(condition: "Condition", span: Span) -> "Condition":
    """Return the condition of a part of the text."""
    return condition if isinstance(condition, bool) else Clause(condition, span)


def equals(steps: Steps, value: int, bits: int | None = None) -> Comparison:
    """Return the test whether A, masked with *bits*, is *value*."""
    return Comparison(steps if bits is None else (*steps, mask(bits)), Action.EQUAL, value)


def has_bits(steps: Steps, bits: int) -> Comparison:
    """Return the test whether A has at least one of the *bits*."""
    return Comparison(steps, Action.BITS_SET, bits)


def exceeds(steps: Steps, value: int) -> Comparison:
    """Return the test whether A is greater than *value*."""
    return Comparison(steps, Action.GREATER_THAN, value)


def reaches(steps: Steps, value: int) -> Comparison:
    """Return the test whether A is *value* or greater."""
    return Comparison(steps, Action.GREATER_OR_EQUAL, value)


_RELATIONS: Final = {
    "=": (Action.EQUAL, False),
    "!=": (Action.EQUAL, True),
    ">": (Action.GREATER_THAN, False),
    ">=": (Action.GREATER_OR_EQUAL, False),
    "<": (Action.GREATER_OR_EQUAL, True),
    "<=": (Action.GREATER_THAN, True),
}
"""By operator: the comparison, and whether its opposite is meant."""


def compared(steps: Steps, operator: str, value: int | None) -> "Condition":
    """Return the comparison of A with a value, or with X if there is none, by an operator of relations."""
    action, is_opposite = _RELATIONS[operator]
    comparison = Comparison(steps, action, value)
    return negation(comparison) if is_opposite else comparison
