"""Switch lowering: a switch as a chain or a binary tree of conditional jumps.

A chain tests one condition after the other; `lower_switch` finds a shortest one. A range of one value costs one `jeq`;
after that test, the value can be treated as part of either neighbouring range. The remaining ranges are separated by
one `jge` per boundary:

>>> chain = lower_switch([0, 80, 81, 443, 444], [0, 1, 0, 2, 0], 0xFFFF, max_tests=None)
>>> for jump in chain.jumps:
...     print(jump.action.name, jump.k, "->", jump.target)
EQUAL 80 -> 1
EQUAL 443 -> 2
>>> chain.otherwise
0

For speed, a switch whose chain is longer than *max_tests* is divided in the middle:

>>> tree = lower_switch([0, 80, 81, 443, 444], [0, 1, 0, 2, 0], 0xFFFF, max_tests=1)
>>> tree.k  # tree.high decides values of at least k, tree.low smaller values
81
>>> tree.low
JumpChain(jumps=(ConditionalJump(action=<Action.GREATER_OR_EQUAL: 19>, k=80, target=1),), otherwise=0)
>>> tree.high
JumpChain(jumps=(ConditionalJump(action=<Action.EQUAL: 17>, k=443, target=2),), otherwise=0)
"""

from collections.abc import Sequence

from ..._named_tuple import NamedTuple
from ..._typing import TypeAlias
from ...isa.opcodes import Action


class ConditionalJump(NamedTuple):
    """A jump to *target* if `A <action> k` holds (k None: `A <action> X`); else the next test follows."""

    action: Action
    k: int | None
    target: int


class JumpChain(NamedTuple):
    """Conditional jumps in order, and the target if no condition holds."""

    jumps: tuple[ConditionalJump, ...]
    otherwise: int


class BinarySplit(NamedTuple):
    """A test for values of at least *k*: the decision tree for these values, and the one for smaller values."""

    k: int
    high: "DecisionTree"
    low: "DecisionTree"


DecisionTree: TypeAlias = JumpChain | BinarySplit


class _TargetRange(NamedTuple):
    low: int
    high: int
    target: int


def lower_switch(starts: Sequence[int], targets: Sequence[int], upper: int, max_tests: int | None) -> DecisionTree:
    """Return the decision tree for values in [starts[i], starts[i+1]), which go to targets[i].

    The last range ends at *upper*, inclusive. A chain has at most *max_tests* tests; None: no limit, so the result is
    one chain.
    """
    ends = [*(start - 1 for start in starts[1:]), upper]
    ranges = [_TargetRange(*fields) for fields in zip(starts, ends, targets, strict=True)]
    return _lower_ranges(ranges, max_tests)


def _lower_ranges(ranges: list[_TargetRange], max_tests: int | None) -> DecisionTree:
    if max_tests is None or len(ranges) <= 2 * max_tests + 1:  # n ranges need at least (n - 1) / 2 tests
        chain = _shortest_chain(ranges)
        if max_tests is None or len(chain.jumps) <= max_tests:
            return chain
    middle = len(ranges) // 2
    high, low = _lower_ranges(ranges[middle:], max_tests), _lower_ranges(ranges[:middle], max_tests)
    return BinarySplit(ranges[middle].low, high, low)


def _shortest_chain(ranges: Sequence[_TargetRange]) -> JumpChain:
    """Return a shortest chain for adjacent ranges."""
    single = _singled_out(ranges)
    jumps = [ConditionalJump(Action.EQUAL, ranges[index].low, ranges[index].target) for index in sorted(single)]
    remaining: list[_TargetRange] = []
    for index, target_range in enumerate(ranges):
        if index not in single and (not remaining or remaining[-1].target != target_range.target):
            remaining.append(target_range)
    jumps += (
        ConditionalJump(Action.GREATER_OR_EQUAL, target_range.low, target_range.target)
        for target_range in reversed(remaining[1:])
    )
    return JumpChain(tuple(jumps), remaining[0].target)


def _singled_out(ranges: Sequence[_TargetRange]) -> set[int]:
    """Return the indices of the single-value ranges that a shortest chain tests by `jeq`.

    Dynamic programming: let cost(i) be the smallest number of tests for the ranges up to i if range i itself is not
    tested by `jeq`. The last such range before i is some j < i, and all ranges between them are single values, which
    cost one `jeq` each; the boundary between j and i costs one `jge` unless both have the same target. So only the
    best j per target and the best j of all need to be remembered, and the time is linear.
    """
    cost: list[int] = []
    previous: list[int | None] = []
    best_by_target: dict[int, tuple[int, int]] = {}  # target -> cost(j) - j, j
    best: tuple[int, int] | None = None
    all_single = True
    for index, target_range in enumerate(ranges):
        candidates: list[tuple[int, int | None]] = [(index, None)] if all_single else []
        if best is not None:
            candidates.append((best[0] + index, best[1]))
        if target_range.target in best_by_target:
            target_best = best_by_target[target_range.target]
            candidates.append((target_best[0] + index - 1, target_best[1]))
        lowest = min(candidates, key=lambda candidate: candidate[0])
        cost.append(lowest[0])
        previous.append(lowest[1])
        if target_range.low != target_range.high:
            best_by_target, best, all_single = {}, None, False
        own = (lowest[0] - index, index)
        best_by_target[target_range.target] = min(best_by_target.get(target_range.target, own), own)
        best = own if best is None else min(best, own)
    return set(range(len(ranges))) - _not_singled_out(ranges, cost, previous)


def _not_singled_out(ranges: Sequence[_TargetRange], cost: list[int], previous: list[int | None]) -> set[int]:
    """Return the ranges on the cheapest sequence of predecessors; single values after its last one cost 1 each."""
    count = len(ranges)
    last = count - 1
    lowest, best_last = cost[last], last
    while last > 0 and ranges[last].low == ranges[last].high:
        last -= 1
        if cost[last] + count - 1 - last < lowest:
            lowest, best_last = cost[last] + count - 1 - last, last
    indices = set()
    index: int | None = best_last
    while index is not None:
        indices.add(index)
        index = previous[index]
    return indices
