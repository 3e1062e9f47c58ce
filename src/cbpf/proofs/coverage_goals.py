"""Coverage goals as conditions on the packet, and packets that reach them."""

from collections.abc import Iterator

from ..analysis.coverage import CoverageGoal, observe
from ..errors import Undecided
from ..isa.opcodes import Action
from ..vm import VM
from .machine import LoadAttempt
from .query import SPURIOUS_COUNTEREXAMPLE, Query
from .terms import BoolTerm, WordTerm


def goal_conditions(query: Query) -> dict[CoverageGoal, BoolTerm]:
    """Return every coverage goal of the query's program, with the condition that a run reaches it."""
    (execution,) = query.executions
    terms, captured = query.terms, query.packet.captured
    conditions = {CoverageGoal("instruction", index): condition for index, condition in enumerate(execution.reached)}
    for index, branch in execution.branches.items():
        conditions[CoverageGoal("branch", index, True)] = branch.taken
        conditions[CoverageGoal("branch", index, False)] = branch.not_taken
    one_more = terms.arithmetic(Action.ADD, captured, 1)
    for index, loads in execution.loads.items():
        for fits, length in ((True, captured), (False, one_more)):
            ends = terms.any(*(_ends_at(query, load, length) for load in loads))
            conditions[CoverageGoal("load", index, fits)] = ends
    return conditions


def _ends_at(query: Query, load: LoadAttempt, length: WordTerm) -> BoolTerm:
    """Return the condition that a load is attempted and ends at position *length*."""
    terms, windows = query.terms, query.dialect.header_windows
    beyond_packet = query.packet.longest + 1
    if load.end > beyond_packet:
        return False
    does_not_wrap = windows or terms.at_most(load.base, beyond_packet)
    end = terms.arithmetic(Action.ADD, load.base, load.end)
    return terms.all(load.condition, does_not_wrap, terms.equal(end, length))


def covering_runs(query: Query, vm: VM, goals: dict[CoverageGoal, BoolTerm]) -> Iterator[frozenset[CoverageGoal]]:
    """Yield the goals of runs that together reach every goal that any packet reaches.

    The solver is not queried for a goal that an earlier packet has reached. Raises `Undecided`.
    """
    missing = set(goals)
    for goal in reversed(goals):
        if goal not in missing:
            continue
        model = query.solve(goals[goal])
        if model is None:
            continue
        reached = observe(vm, *model).goals
        if goal not in reached:
            raise Undecided(SPURIOUS_COUNTEREXAMPLE)
        missing -= reached
        yield reached
