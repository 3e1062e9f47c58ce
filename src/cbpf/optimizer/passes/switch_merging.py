"""Tests on one value brought together: runs of tests with a common exit are put in another order, then merged.

A run is a chain of tests of which each goes to the same exit or on to the next, and the next is reached from nowhere
else. Its tests may change places as long as no packet gets past a requirement that rejected it before: a test that
requires something new, which the exit does not require as well, keeps those before it in front, and the others behind.
"""

from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

from ...isa.opcodes import Action
from ...isa.word_ranges import Ranges, union
from ..ir.diagram import Arm, Diagram, Switch, successors
from ..ir.path_facts import ranges_of_arms
from ..ir.requirements import NOTHING, Requirements, requirement_union, unsatisfied
from ..ir.value_numbering import ValueTable


class _Link(NamedTuple):
    """One test of a run: the values that go to the exit."""

    value: int
    ranges: Ranges


class _Run(NamedTuple):
    """Tests in their order, where each leads when it holds, and where it goes on when none does."""

    links: list[_Link]
    exit: int
    rest: int


def group_tests(diagram: Diagram, root: int) -> int:
    """The root of a diagram in which runs have their tests on one value side by side, and merged."""
    order = diagram.topological_order(root)
    ways_in = _count_ways_in(diagram, order)
    known = diagram.checked_on_entry(order)
    loaded = _loaded_on_entry(diagram, order)
    made: dict[int, int] = {}
    inside: set[int] = set()
    runs: dict[int, _Run] = {}
    for number in order:
        if number not in inside:
            run = _run_from(diagram, number, ways_in, inside)
            if run is not None:
                runs[number] = run
    for number in reversed(order):
        if number in runs:
            made[number] = _rebuilt(diagram, runs[number], known[number], loaded[number], made)
        elif number not in inside:
            made[number] = diagram.rebuild(number, made)
    return made[root]


def _count_ways_in(diagram: Diagram, order: Iterable[int]) -> dict[int, int]:
    """How many nodes lead to each."""
    found: dict[int, int] = {}
    for number in order:
        for target in set(successors(diagram.nodes[number])):
            found[target] = found.get(target, 0) + 1
    return found


def _loaded_on_entry(diagram: Diagram, order: Iterable[int]) -> dict[int, int | None]:
    """What A holds when a run comes to each node, if that is the same on all ways."""
    found: dict[int, int | None] = {}
    for number in order:
        found.setdefault(number, None)
        node = diagram.nodes[number]
        left = carried(diagram.values, node.value) if isinstance(node, Switch) else None
        for target in set(successors(node)):
            found[target] = left if found.get(target, left) == left else None
    return found


def _run_from(diagram: Diagram, number: int, ways_in: dict[int, int], inside: set[int]) -> _Run | None:
    """The longest run that begins at a node, its other nodes added to *inside*; None: there is none."""
    first = diagram.nodes[number]
    if not isinstance(first, Switch) or len(set(first.targets)) != 2:
        return None
    best: list[int] = []
    for exit in sorted(set(first.targets)):
        chain = _chain(diagram, number, exit, ways_in)
        if len(chain) > len(best):
            best, best_exit = chain, exit
    if len(best) < 2:
        return None
    inside.update(best[1:])
    links, rest = [], number
    for one in best:
        node = diagram.nodes[one]
        assert isinstance(node, Switch)
        links.append(_Link(node.value, ranges_of_arms(node, diagram.values.most[node.value])[best_exit]))
        rest = next(target for target in node.targets if target != best_exit)
    return _Run(links, best_exit, rest)


def _chain(diagram: Diagram, number: int, exit: int, ways_in: dict[int, int]) -> list[int]:
    """The nodes from *number* on that go to *exit* or to the next."""
    chain: list[int] = []
    while True:
        node = diagram.nodes[number]
        if not isinstance(node, Switch) or exit not in node.targets or len(set(node.targets)) != 2:
            return chain
        if chain and ways_in[number] > 1:
            return chain
        chain.append(number)
        number = next(target for target in node.targets if target != exit)


def _rebuilt(diagram: Diagram, run: _Run, known: Requirements, loaded: int | None, made: dict[int, int]) -> int:
    exit, rest = made[run.exit], made[run.rest]
    for link in reversed(_in_order(diagram, run, known, loaded)):
        rest = diagram.test(link.value, link.ranges, exit, rest)
    return rest


def _in_order(diagram: Diagram, run: _Run, known: Requirements, loaded: int | None) -> list[_Link]:
    """The links of a run, grouped as far as requirements allow; loaded: what A holds in front of it."""
    expressions = diagram.values
    accepted = diagram.accepted[run.exit]
    met = executed = known
    ordered: list[_Link] = []
    segment: list[_Link] = []
    for link in run.links:
        required = expressions.requirements[link.value]
        segment.append(link)
        executed = requirement_union(executed, required) or NOTHING
        if unsatisfied(accepted, unsatisfied(met, required, expressions.most), expressions.most):
            ordered += _grouped(expressions, segment, loaded, carried(expressions, link.value))
            loaded = carried(expressions, link.value)
            segment = []
            met = executed
    ordered += _grouped(expressions, segment, loaded, None)
    return _merged(ordered)


def _grouped(expressions: ValueTable, links: list[_Link], first: int | None, last: int | None) -> list[_Link]:
    """Links with the same register content side by side: *first*, which is there already, and at the end *last*."""
    groups: dict[int | None, list[_Link]] = {}
    for link in links:
        groups.setdefault(carried(expressions, link.value), []).append(link)
    closing = groups.pop(last, [])
    opening = groups.pop(first, [])
    return [link for group in (opening, *groups.values(), closing) for link in _by_value(group)]


def _by_value(links: list[_Link]) -> list[_Link]:
    """Links of one value side by side."""
    groups: dict[int, list[_Link]] = {}
    for link in links:
        groups.setdefault(link.value, []).append(link)
    return [link for group in groups.values() for link in group]


def _merged(links: list[_Link]) -> list[_Link]:
    """Neighbours on one value as one link."""
    groups: list[list[_Link]] = []
    for link in links:
        if groups and groups[-1][0].value == link.value:
            groups[-1].append(link)
        else:
            groups.append([link])
    return [_Link(group[0].value, union(one for link in group for one in link.ranges)) for group in groups]


def carried(expressions: ValueTable, value: int) -> int:
    """What register A holds while a value is tested: of y & mask, of which only the bits matter, it is y (jset)."""
    masked = expressions.with_constant(value, Action.AND)
    return masked[0] if masked else value


def merge_switches(diagram: Diagram, root: int) -> int:
    """The root of a diagram in which a test below one of the same value, and reached only from there, is part of it."""
    order = diagram.topological_order(root)
    ways_in = _count_ways_in(diagram, order)
    made: dict[int, int] = {}
    for number in reversed(order):
        node = diagram.nodes[number]
        parts = _parts(diagram, node, ways_in) if isinstance(node, Switch) else ()
        if isinstance(node, Switch) and parts:
            made[number] = diagram.switch(node.value, _merged_arms(diagram, node, parts, made))
        else:
            made[number] = diagram.rebuild(number, made)
    return made[root]


def _parts(diagram: Diagram, node: Switch, ways_in: dict[int, int]) -> Set[int]:
    """The targets of a test that are tests of the same value, reached only from it."""
    tests = ((target, diagram.nodes[target]) for target in set(node.targets) if ways_in[target] == 1)
    return {target for target, below in tests if isinstance(below, Switch) and below.value == node.value}


def _merged_arms(diagram: Diagram, node: Switch, parts: Set[int], made: dict[int, int]) -> Iterator[Arm]:
    """The arms of a test, with those of its parts in their places."""
    ends = [*node.starts[1:], diagram.values.most[node.value] + 1]
    for start, end, target in zip(node.starts, ends, node.targets, strict=True):
        below = diagram.nodes[made[target]]
        if target in parts and isinstance(below, Switch) and below.value == node.value:
            yield from _clipped(list(zip(below.starts, below.targets, strict=True)), start, end)
        else:
            yield start, made[target]


def _clipped(arms: list[Arm], start: int, end: int) -> list[Arm]:
    """The part of a switch's arms for the numbers from *start* up to *end*."""
    found: list[Arm] = []
    for index, (first, target) in enumerate(arms):
        after = arms[index + 1][0] if index + 1 < len(arms) else end
        if first < end and after > start:
            found.append((max(first, start), target))
    return found
