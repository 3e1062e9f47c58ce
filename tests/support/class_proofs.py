"""Proofs that the classes of a filter are disjoint, complete and right, by an SMT solver in place of diagrams."""

from collections.abc import Sequence
from typing import Any, Final

from cbpf import SECCOMP, Program
from cbpf.isa.opcodes import Action
from cbpf.proofs.query import Query
from cbpf.proofs.verdicts import verdict_term
from cbpf.seccomp import CallClass, MaskedRanges
from cbpf.vm import VM

_LOW_HALF: Final = 0xFFFF_FFFF
_OFFSETS: Final = (16, 24, 32, 40, 48, 56, 8, 0, 4)
"""The offset of each operand of a condition."""
_IS_64_BIT: Final = (True,) * 7 + (False,) * 2


def counterexample(program: Program, classes: Sequence[CallClass], timeout: float) -> tuple[str, bytes] | None:
    """Return a record that shows a fault of the classes of a program, and the fault; None: there is none."""
    query = Query(VM(program, engine="interpreter", dialect=SECCOMP), shortest=64, longest=64, timeout=timeout)
    terms = query.terms
    verdict = verdict_term(terms, query.executions[0])
    members: list[Any] = []
    wrong, overlapping = [], []
    for each in classes:
        calls = _calls(query, each)
        if each.action is not None and not each.is_computed:
            wrong.append(terms.all(calls, terms.negate(terms.equal(verdict, each.action.verdict))))
        elif each.action is not None:
            calls = terms.all(calls, terms.equal(verdict, each.action.verdict))
        else:
            others = [other.action.verdict for other in classes if other.action and _same_calls(each, other)]
            calls = terms.all(calls, *(terms.negate(terms.equal(verdict, other)) for other in others))
        overlapping.append(terms.all(calls, terms.any(*members)))
        members.append(calls)
    faults = {"wrong": wrong, "overlapping": overlapping, "missing": [terms.negate(terms.any(*members))]}
    for fault, conditions in faults.items():
        model = query.solve(terms.any(*conditions))
        if model is not None:
            return fault, model.packet
    return None


def _same_calls(left: CallClass, right: CallClass) -> bool:
    fields = ("architectures", "numbers", "conditions")
    return all(getattr(left, field) == getattr(right, field) for field in fields)


def _calls(query: Query, each: CallClass) -> Any:
    """Return the condition that a record is among the calls of a class."""
    tests = [(condition.operand, condition.alternatives) for condition in each.conditions]
    tests += [(7, (MaskedRanges(ranges=each.numbers),)), (8, (MaskedRanges(ranges=each.architectures),))]
    return query.terms.all(*(_operand_test(query, operand, alternatives) for operand, alternatives in tests))


def _operand_test(query: Query, operand: int, alternatives: Sequence[MaskedRanges]) -> Any:
    offset, terms = _OFFSETS[operand], query.terms
    low = query.packet.load(offset, 4, "little")
    high = query.packet.load(offset + 4, 4, "little") if _IS_64_BIT[operand] else 0
    conditions = []
    for test in alternatives:
        number = (
            terms.arithmetic(Action.AND, high, test.mask >> 32),
            terms.arithmetic(Action.AND, low, test.mask & _LOW_HALF),
        )
        for first, last in test.ranges:
            bounds = [(bound >> 32, bound & _LOW_HALF) for bound in (first, last)]
            at_least, at_most = _at_most(query, bounds[0], number), _at_most(query, number, bounds[1])
            conditions.append(terms.all(at_least, at_most))
    return terms.any(*conditions)


def _at_most(query: Query, left: tuple[Any, Any], right: tuple[Any, Any]) -> Any:
    terms = query.terms
    same_high = terms.equal(left[0], right[0])
    return terms.any(
        terms.all(same_high, terms.at_most(left[1], right[1])),
        terms.all(terms.negate(same_high), terms.at_most(left[0], right[0])),
    )
