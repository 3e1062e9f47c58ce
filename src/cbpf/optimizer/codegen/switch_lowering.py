"""A switch as conditional jumps: the fewest that tell its arms apart, or few in a row.

A chain asks one question after the other. A number that stands alone costs one `jeq`; once it was asked for, it may
count to either neighbour. What is left are ranges, and each border between two of them costs one `jge`.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from ...isa.opcodes import Action


class ConstantTest(NamedTuple):
    """A conditional jump: where it goes if A compares so with k (None: with X); else the next question is asked."""

    action: Action
    k: int | None
    target: int


class JumpChain(NamedTuple):
    """Questions in their order, and where it goes after a no to all of them."""

    tests: tuple[ConstantTest, ...]
    otherwise: int


class BinarySplit(NamedTuple):
    """What decides numbers from *k* on, and what those below."""

    k: int
    high: "Decision"
    low: "Decision"


Decision: TypeAlias = JumpChain | BinarySplit


class _Range(NamedTuple):
    low: int
    high: int
    target: int


def lower_switch(starts: Sequence[int], targets: Sequence[int], most: int, longest: int | None) -> Decision:
    """The decision for arms from *starts* on, up to *most*; longest: how many questions a chain may have, None: any."""
    ends = [*(start - 1 for start in starts[1:]), most]
    return _decide([_Range(*one) for one in zip(starts, ends, targets, strict=True)], longest)


def _decide(ranges: list[_Range], longest: int | None) -> Decision:
    if longest is None or len(ranges) <= 2 * longest + 1:  # else there are more questions than that in any case
        chain = _shortest_chain(ranges)
        if longest is None or len(chain.tests) <= longest:
            return chain
    middle = len(ranges) // 2
    return BinarySplit(ranges[middle].low, _decide(ranges[middle:], longest), _decide(ranges[:middle], longest))


def _shortest_chain(ranges: Sequence[_Range]) -> JumpChain:
    """The shortest chain for neighbouring ranges."""
    alone = _to_ask_alone(ranges)
    questions = [ConstantTest(Action.EQUAL, one.low, one.target) for index, one in enumerate(ranges) if index in alone]
    left: list[_Range] = []
    for index, one in enumerate(ranges):
        if index not in alone and (not left or left[-1].target != one.target):
            left.append(one)
    questions += (ConstantTest(Action.GREATER_OR_EQUAL, one.low, one.target) for one in reversed(left[1:]))
    return JumpChain(tuple(questions), left[0].target)


def _to_ask_alone(ranges: Sequence[_Range]) -> set[int]:
    """The indices of the single numbers that are best asked for by themselves.

    Let cost(i) be the number of questions for all ranges up to i, if i is not asked alone. It is reached from an
    earlier such j over single numbers only, at one question for each of them, and one for the border unless i and j
    lead to the same place. So for each target the best j is remembered, and the best of all.
    """
    cost: list[int] = []
    before: list[int | None] = []
    best: dict[int, tuple[int, int]] = {}  # target -> cost(j) - j, j
    best_of_all: tuple[int, int] | None = None
    only_single = True
    for index, one in enumerate(ranges):
        ways: list[tuple[int, int | None]] = [(index, None)] if only_single else []
        if best_of_all is not None:
            ways.append((best_of_all[0] + index, best_of_all[1]))
        if one.target in best:
            ways.append((best[one.target][0] + index - 1, best[one.target][1]))
        lowest = min(ways, key=lambda way: way[0])
        cost.append(lowest[0])
        before.append(lowest[1])
        if one.low != one.high:
            best, best_of_all, only_single = {}, None, False
        mine = (lowest[0] - index, index)
        best[one.target] = min(best.get(one.target, mine), mine)
        best_of_all = mine if best_of_all is None else min(best_of_all, mine)
    return _not_kept(ranges, cost, before)


def _not_kept(ranges: Sequence[_Range], cost: list[int], before: list[int | None]) -> set[int]:
    count = len(ranges)
    last = count - 1
    best, at = cost[last], last
    while last > 0 and ranges[last].low == ranges[last].high:  # what comes behind the last one kept is asked alone
        last -= 1
        if cost[last] + count - 1 - last < best:
            best, at = cost[last] + count - 1 - last, last
    kept = set()
    step: int | None = at
    while step is not None:
        kept.add(step)
        step = before[step]
    return set(range(count)) - kept
