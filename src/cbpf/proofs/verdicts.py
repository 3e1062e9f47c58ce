"""What is asked of the verdicts of programs: of all packets as terms, and of one packet as plain numbers."""

from typing import Literal, TypeAlias

from ..isa.dialects import Dialect
from ..isa.opcodes import Action
from ..isa.verdicts import ACCEPTING_ACTIONS, ACTION_MASK
from .machine import Execution
from .terms import Terms, TruthTerm, WordTerm

Relation: TypeAlias = Literal["equal", "implies"]
Verdicts: TypeAlias = Literal["exact", "keep"]


def accepts(terms: Terms, dialect: Dialect, verdict: WordTerm) -> TruthTerm:
    """`verdicts.keeps` as a truth."""
    if dialect.record_size is None:
        return terms.opposite(terms.equal(verdict, 0))
    action = terms.arithmetic(Action.AND, verdict, ACTION_MASK)
    return terms.any(*(terms.equal(action, value) for value in sorted(ACCEPTING_ACTIONS, reverse=True)))


def accepted(terms: Terms, dialect: Dialect, outcome: Execution) -> TruthTerm:
    """Whether the program keeps the packet."""
    return terms.any(*(terms.all(truth, accepts(terms, dialect, verdict)) for truth, verdict in outcome.returned))


def violated(
    terms: Terms, dialect: Dialect, relation: Relation, verdicts: Verdicts, left: Execution, right: Execution
) -> TruthTerm:
    """Whether the relation, as `difference` describes it, does not hold."""
    if verdicts == "exact":
        differ = _differ(terms, left, right)
        return differ if relation == "equal" else terms.all(accepted(terms, dialect, left), differ)
    keep_left, keep_right = accepted(terms, dialect, left), accepted(terms, dialect, right)
    if relation == "equal":
        return terms.differ(keep_left, keep_right)
    return terms.all(keep_left, terms.opposite(keep_right))


def _differ(terms: Terms, left: Execution, right: Execution) -> TruthTerm:
    """Whether the verdicts are not the same. Where all are constants, each is compared by when it is given."""
    given = left.returned + right.returned
    if not all(isinstance(verdict, int) for _, verdict in given):
        return terms.opposite(terms.equal(verdict(terms, left), verdict(terms, right)))
    constants = sorted({verdict for _, verdict in given} - {0})  # 0 is given in all other cases
    return terms.any(*(terms.differ(_gives(terms, left, one), _gives(terms, right, one)) for one in constants))


def _gives(terms: Terms, outcome: Execution, constant: int) -> TruthTerm:
    return terms.any(*(truth for truth, returned in outcome.returned if returned == constant))


def verdict(terms: Terms, outcome: Execution) -> WordTerm:
    """The verdict of the program."""
    word: WordTerm = 0
    for truth, returned in outcome.returned:
        word = terms.select(truth, returned, word)
    return word
