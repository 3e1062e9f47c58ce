"""Jump threading: a test whose outcome is known on a way is passed by on that way.

One walk down the diagram. Each node is entered with what holds on all ways that still come to it; from each of its
arms a way is followed past all nodes that are decided by what is known on it. No node is copied. A test that is passed
by no longer checks that its bytes are there; so it is passed by only where that was checked before, or where nothing
but a reject follows for packets without them.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

from ...isa.word_ranges import Ranges, intersection
from ..ir.diagram import DeviceGuard, Diagram, Draw, Guard, Return, Switch, successors
from ..ir.path_facts import NO_FACTS, PathFacts, Reasoner, ranges_of_arms
from ..ir.requirements import DEVICE, NOTHING, Requirements, unsatisfied

_STEPS_A_NODE: Final = 40


class _Way(NamedTuple):
    """Where an arm leads in the end."""

    target: int
    facts: PathFacts


class _Exit(NamedTuple):
    """How a node is left: by the arms that can be taken; and what it requires, if nothing but a guard is left."""

    starts: Sequence[int]
    targets: Sequence[int]
    required: Requirements | None = None


class _Threading:
    def __init__(self, diagram: Diagram, root: int) -> None:
        self._diagram = diagram
        self._root = root
        self._order = diagram.topological_order(root)
        self._reasoner = Reasoner(diagram, self._order)
        self._entering: dict[int, PathFacts] = {}
        self._budget = _STEPS_A_NODE * len(self._order)

    def run(self) -> int:
        start = self._follow(self._root, NO_FACTS)
        self._enter(start)
        exits = {number: self._leave(number) for number in self._order if number in self._entering}
        made: dict[int, int] = {self._diagram.reject: self._diagram.reject}
        for number in reversed(exits):
            made[number] = self._made(number, exits[number], made)
        return made[start.target]

    def _made(self, number: int, exit: _Exit, made: dict[int, int]) -> int:
        node, required = self._diagram.nodes[number], exit.required
        targets = [made[target] for target in exit.targets]
        if isinstance(node, Switch) and len(set(targets)) == 1:
            required = self._diagram.values.requirements[node.value]
        if required is not None:
            return self._diagram.guard(self._missing(self._entering[number], required), targets[0])
        if not isinstance(node, Switch):
            return self._diagram.rebuild(number, dict(zip(successors(node), targets, strict=True)))
        if tuple(targets) == node.targets:
            return number
        return self._diagram.switch(node.value, zip(exit.starts, targets, strict=True))

    def _enter(self, way: _Way) -> None:
        before = self._entering.get(way.target)
        self._entering[way.target] = way.facts if before is None else before.join(way.facts)

    def _leave(self, number: int) -> _Exit:
        node, facts = self._diagram.nodes[number], self._entering[number]
        after = facts.with_checked(self._diagram.required_to_accept(node))
        if isinstance(node, Switch):
            return self._leave_switch(node, facts, after)
        if isinstance(node, Return):
            return _Exit((), ())
        way = self._follow(node.following, after)
        self._enter(way)
        return _Exit((0,), (way.target,), self._left_of(node, facts))

    def _left_of(self, node: Guard | DeviceGuard | Draw, facts: PathFacts) -> Requirements | None:
        """What a node still requires if nothing else is left of it; None: it stays as it is."""
        if isinstance(node, Guard) and not self._missing(facts, dict(node.required)):
            return NOTHING
        if isinstance(node, DeviceGuard) and DEVICE in facts.checked:
            return self._diagram.values.requirements[node.verdict]
        return None

    def _leave_switch(self, node: Switch, facts: PathFacts, after: PathFacts) -> _Exit:
        domain = self._reasoner.where(node.value, facts)
        if not domain:
            return _Exit((0,), (self._diagram.reject,), NOTHING)
        most = self._diagram.values.most[node.value]
        ways: dict[int, int] = {}
        for target, ranges in ranges_of_arms(node, most).items():
            possible = intersection(ranges, domain)
            if possible:
                way = self._follow(target, self._reasoner.assume(node.value, possible, after, target))
                self._enter(way)
                ways[target] = way.target
        starts, targets = _possible_arms(node, ways, domain)
        if len(targets) == 1:
            return _Exit(starts, targets, self._diagram.values.requirements[node.value])
        return _Exit(starts, targets)

    def _follow(self, number: int, facts: PathFacts) -> _Way:
        """Past all nodes that are decided."""
        while self._budget > 0:
            self._budget -= 1
            node = self._diagram.nodes[number]
            if isinstance(node, Return):
                break
            following = self._decided(node, facts) if isinstance(node, Switch) else self._passed(node, facts)
            if following is None:
                break
            number = following
        return _Way(number, facts)

    def _passed(self, node: Guard | DeviceGuard | Draw, facts: PathFacts) -> int | None:
        """What follows the node, if nothing is left of it."""
        left = self._left_of(node, facts)
        return None if left is None else self._if_required(self._missing(facts, left), node.following)

    def _if_required(self, left: Requirements, target: int) -> int | None:
        """The target, if it requires on each way to a verdict what is left to require."""
        return None if unsatisfied(self._diagram.accepted[target], left, self._diagram.values.most) else target

    def _decided(self, node: Switch, facts: PathFacts) -> int | None:
        """The one target that is possible, if the test's own requirements are settled too."""
        domain = self._reasoner.where(node.value, facts)
        if not domain:
            return self._diagram.reject  # no packet comes here
        target = _only_target(node, domain)
        if target is None:
            return None
        left = self._missing(facts, self._diagram.values.requirements[node.value])
        return self._if_required(left, target)

    def _missing(self, facts: PathFacts, required: Requirements) -> Requirements:
        return unsatisfied(facts.checked, required, self._diagram.values.most)


def _only_target(node: Switch, domain: Ranges) -> int | None:
    """The target of all numbers in *domain*, if they have one."""
    found: int | None = None
    for low, high in domain:
        first, last = bisect_right(node.starts, low) - 1, bisect_right(node.starts, high) - 1
        if first != last or (found is not None and node.targets[first] != found):
            return None
        found = node.targets[first]
    return found


def _possible_arms(node: Switch, ways: dict[int, int], domain: Ranges) -> tuple[list[int], list[int]]:
    """The arms that can be taken; those that cannot go where their neighbours go."""
    starts: list[int] = []
    targets: list[int] = []
    position = 0
    for index, start in enumerate(node.starts):
        end = node.starts[index + 1] - 1 if index + 1 < len(node.starts) else domain[-1][1]
        while position < len(domain) and domain[position][1] < start:
            position += 1
        if position == len(domain) or domain[position][0] > end:
            continue
        target = ways[node.targets[index]]
        if not targets or targets[-1] != target:
            starts.append(start if targets else 0)
            targets.append(target)
    return starts, targets


def thread_jumps(diagram: Diagram, root: int) -> int:
    """The root of a diagram in which decided tests are passed by."""
    return _Threading(diagram, root).run()
