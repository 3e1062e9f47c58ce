"""What is asked of the verdicts of programs: of all packets as terms, and of one packet as plain numbers."""

from typing import Literal, TypeAlias

from ..isa.dialects import Dialect
from ..isa.opcodes import Action
from ..isa.verdicts import ACTION_MASK, LETS_RUN
from .machine import Outcome
from .terms import Terms, Truth, Word

Relation: TypeAlias = Literal["equal", "implies"]
Verdicts: TypeAlias = Literal["exact", "keep"]


def keeps(terms: Terms, dialect: Dialect, verdict: Word) -> Truth:
    """`verdicts.keeps` as a truth."""
    if dialect.record_size is None:
        return terms.opposite(terms.equal(verdict, 0))
    action = terms.arithmetic(Action.AND, verdict, ACTION_MASK)
    return terms.any(*(terms.equal(action, one) for one in LETS_RUN))


def kept(terms: Terms, dialect: Dialect, outcome: Outcome) -> Truth:
    """Whether the program keeps the packet."""
    return terms.any(*(terms.all(truth, keeps(terms, dialect, verdict)) for truth, verdict in outcome.returned))


def violated(
    terms: Terms, dialect: Dialect, relation: Relation, verdicts: Verdicts, left: Outcome, right: Outcome
) -> Truth:
    """Whether the relation, as `difference` describes it, does not hold."""
    if verdicts == "exact":
        differ = _differ(terms, left, right)
        return differ if relation == "equal" else terms.all(kept(terms, dialect, left), differ)
    keep_left, keep_right = kept(terms, dialect, left), kept(terms, dialect, right)
    if relation == "equal":
        return terms.differ(keep_left, keep_right)
    return terms.all(keep_left, terms.opposite(keep_right))


def _differ(terms: Terms, left: Outcome, right: Outcome) -> Truth:
    """Whether the verdicts are not the same. Where all are constants, each is compared by when it is given."""
    given = left.returned + right.returned
    if not all(isinstance(verdict, int) for _, verdict in given):
        return terms.opposite(terms.equal(verdict(terms, left), verdict(terms, right)))
    constants = sorted({verdict for _, verdict in given} - {0})  # 0 is given in all other cases
    return terms.any(*(terms.differ(_gives(terms, left, one), _gives(terms, right, one)) for one in constants))


def _gives(terms: Terms, outcome: Outcome, constant: int) -> Truth:
    return terms.any(*(truth for truth, returned in outcome.returned if returned == constant))


def verdict(terms: Terms, outcome: Outcome) -> Word:
    """The verdict of the program."""
    word: Word = 0
    for truth, returned in outcome.returned:
        word = terms.select(truth, returned, word)
    return word
