"""What packets may reach in a program, as truths, and packets that reach it all."""

from collections.abc import Iterator

from ..analysis.coverage import CoverageGoal, observe
from ..errors import Undecided
from ..isa.opcodes import Action
from ..vm import VM
from .machine import LoadAttempt
from .query import NOT_SHOWN, Query
from .terms import TruthTerm, WordTerm


def goals(question: Query) -> dict[CoverageGoal, TruthTerm]:
    """Every goal of a question's program, with when it is reached."""
    (outcome,) = question.outcomes
    terms, captured = question.terms, question.symbolic.captured
    found = {CoverageGoal("instruction", index): truth for index, truth in enumerate(outcome.reached)}
    for index, branch in outcome.branches.items():
        found[CoverageGoal("branch", index, True)] = branch.taken
        found[CoverageGoal("branch", index, False)] = branch.not_taken
    for index, load in outcome.loads.items():
        found[CoverageGoal("load", index, True)] = _ends_at(question, load, captured)
        found[CoverageGoal("load", index, False)] = _ends_at(question, load, terms.arithmetic(Action.ADD, captured, 1))
    return found


def _ends_at(question: Query, load: LoadAttempt, length: WordTerm) -> TruthTerm:
    """Whether a load is tried whose last byte would be the last one of a packet of *length* bytes."""
    terms, windows = question.terms, question.dialect.header_windows
    beyond = question.symbolic.longest + 1
    if load.distance > beyond:
        return False
    exact = windows or terms.at_most(load.base, beyond)  # else the sum could wrap
    return terms.all(load.tried, exact, terms.equal(terms.arithmetic(Action.ADD, load.base, load.distance), length))


def runs(question: Query, machine: VM, wanted: dict[CoverageGoal, TruthTerm]) -> Iterator[frozenset[CoverageGoal]]:
    """What runs reach that together reach each of the goals that can be reached.

    A goal that an earlier packet has reached is not asked for. Raises `Undecided`.
    """
    missing = set(wanted)
    for goal in reversed(wanted):
        if goal not in missing:
            continue
        sample = question.packet(wanted[goal])
        if sample is None:
            continue
        reached = observe(machine, *sample).goals
        if goal not in reached:
            raise Undecided(NOT_SHOWN)
        missing -= reached
        yield reached
