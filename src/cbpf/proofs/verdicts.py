"""Conditions on the verdicts of programs, for symbolic executions and for the verdicts of concrete runs."""

from .._typing import Literal, TypeAlias
from ..isa.dialects import Dialect
from ..isa.opcodes import Action
from ..isa.verdicts import ACCEPTING_ACTIONS, ACTION_MASK
from .machine import Execution
from .terms import BoolTerm, Terms, WordTerm

Relation: TypeAlias = Literal["equal", "implies"]
"""The relation of two programs: equal verdicts, or acceptance by the second wherever the first accepts."""
Verdicts: TypeAlias = Literal["exact", "accept"]
"""The part of a verdict that counts: all 32 bits, or only whether it accepts."""


def accepts_term(terms: Terms, dialect: Dialect, verdict: WordTerm) -> BoolTerm:
    """Return the condition that a verdict accepts the packet: `isa.verdicts.accepts` as a term."""
    if dialect.record_size is None:
        return terms.negate(terms.equal(verdict, 0))
    action = terms.arithmetic(Action.AND, verdict, ACTION_MASK)
    return terms.any(*(terms.equal(action, value) for value in sorted(ACCEPTING_ACTIONS, reverse=True)))


def accepting_condition(terms: Terms, dialect: Dialect, execution: Execution) -> BoolTerm:
    """Return the condition that the program accepts the packet."""
    return terms.any(
        *(terms.all(condition, accepts_term(terms, dialect, verdict)) for condition, verdict in execution.returned)
    )


def violation(
    terms: Terms, dialect: Dialect, relation: Relation, verdicts: Verdicts, left: Execution, right: Execution
) -> BoolTerm:
    """Return the condition that the relation (see `difference`) does not hold for the packet."""
    if verdicts == "exact":
        differ = _verdicts_differ(terms, left, right)
        return differ if relation == "equal" else terms.all(accepting_condition(terms, dialect, left), differ)
    left_accepts = accepting_condition(terms, dialect, left)
    right_accepts = accepting_condition(terms, dialect, right)
    if relation == "equal":
        return terms.differ(left_accepts, right_accepts)
    return terms.all(left_accepts, terms.negate(right_accepts))


def _verdicts_differ(terms: Terms, left: Execution, right: Execution) -> BoolTerm:
    """Return the condition that two verdicts differ. Constant verdicts are compared by their path conditions."""
    returned = left.returned + right.returned
    if not all(isinstance(verdict, int) for _, verdict in returned):
        return terms.negate(terms.equal(verdict_term(terms, left), verdict_term(terms, right)))
    constants = sorted({verdict for _, verdict in returned} - {0})  # the verdict is 0 in all other cases
    return terms.any(
        *(terms.differ(_returns(terms, left, constant), _returns(terms, right, constant)) for constant in constants)
    )


def _returns(terms: Terms, execution: Execution, constant: int) -> BoolTerm:
    return terms.any(*(condition for condition, verdict in execution.returned if verdict == constant))


def verdict_term(terms: Terms, execution: Execution) -> WordTerm:
    """Return the verdict of the program as a term."""
    word: WordTerm = 0
    for condition, verdict in execution.returned:
        word = terms.select(condition, verdict, word)
    return word
