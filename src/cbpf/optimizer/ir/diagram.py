"""The one form that all passes work on: a decision diagram, whose nodes are numbers and are never changed.

A node goes on to nodes that were made before it, so their numbers are smaller: going down the numbers visits a node
after all that lead to it, going up after all that it leads to. Equal nodes are one number.

A test rejects by itself where its bytes are missing, since it loads what it tests (`Expressions.requirements`). A
`Guard` asks for more than what follows asks anyway; it is left out where every way to a verdict other than 0 has the
same requirements.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from ...isa.opcodes import Extension
from ...isa.word_ranges import Ranges
from .requirements import (
    DEVICE,
    NOTHING,
    NOTHING_ACCEPTED,
    PACKET,
    Requirements,
    requirement_intersection,
    requirement_union,
    unsatisfied,
)
from .value_numbering import ValueTable


class Return(NamedTuple):
    """The end of a run, with the value of an expression as its verdict."""

    value: int


class Switch(NamedTuple):
    """Goes by where the value of an expression lies: to targets[i] from starts[i] on; starts[0] is 0."""

    value: int
    starts: tuple[int, ...]
    targets: tuple[int, ...]


class Guard(NamedTuple):
    """Rejects unless the packet has what is required: pairs of a key and a number (`requirements`)."""

    required: tuple[tuple[int, int], ...]
    following: int


class DeviceGuard(NamedTuple):
    """Ends the run with an expression as its verdict if the packet has no device, by a load that asks for one."""

    extension: Extension
    verdict: int
    following: int


class Draw(NamedTuple):
    """Draws the random number with this number, from 0."""

    number: int
    following: int


Node: TypeAlias = Return | Switch | Guard | DeviceGuard | Draw
Arm: TypeAlias = tuple[int, int]
"""A start and a target."""


def successors(node: Node) -> tuple[int, ...]:
    """Where a node leads to."""
    if isinstance(node, Return):
        return ()
    return node.targets if isinstance(node, Switch) else (node.following,)


class Diagram:
    """The table of nodes over a table of expressions. accepted: what each way to a verdict other than 0 requires."""

    def __init__(self, expressions: ValueTable) -> None:
        self.values = expressions
        self.nodes: list[Node] = []
        self.accepted: list[Requirements | None] = []
        self._numbers: dict[tuple[type, Node], int] = {}
        self.reject = self.finish(expressions.zero)

    # -- making nodes -------------------------------------------------------------------------------------------

    def finish(self, value: int) -> int:
        """The end with an expression as the verdict."""
        known = self.values.number(value)
        return self._add(Return(value), NOTHING_ACCEPTED if known == 0 else self.values.requirements[value])

    def switch(self, value: int, arms: Iterable[Arm]) -> int:
        """The node for arms in the order of their starts. Equal neighbours are one; where all are, a guard is left."""
        starts: list[int] = []
        targets: list[int] = []
        for start, target in arms:
            if not targets or targets[-1] != target:
                starts.append(start)
                targets.append(target)
        required = self.values.requirements[value]
        if len(targets) == 1:
            return self.guard(required, targets[0])
        accepted: Requirements | None = NOTHING_ACCEPTED
        for target in set(targets):
            accepted = requirement_intersection(accepted, self.accepted[target])
        return self._add(Switch(value, tuple(starts), tuple(targets)), requirement_union(required, accepted))

    def test(self, value: int, ranges: Ranges, inside: int, outside: int) -> int:
        """The switch that goes to *inside* for the numbers in *ranges*."""
        return self.switch(value, arms_of(ranges, inside, outside, self.values.most[value]))

    def guard(self, required: Requirements, following: int) -> int:
        """The guard, if there is anything to guard."""
        wanted = unsatisfied(self.accepted[following], required, self.values.most)
        if not wanted:
            return following
        node = self.nodes[following]
        if isinstance(node, Guard):
            wanted, following = requirement_union(wanted, dict(node.required)) or NOTHING, node.following
        accepted = requirement_union(wanted, self.accepted[following])
        return self._add(Guard(tuple(sorted(self._needed(wanted).items())), following), accepted)

    def device(self, extension: Extension, verdict: int, following: int) -> int:
        """See `Device`; without use where the same verdict follows."""
        known = self.values.number(verdict)
        if self.nodes[following] == Return(verdict):
            return following
        accepted = requirement_union({DEVICE: 1}, self.accepted[following])
        if known != 0:
            accepted = requirement_intersection(accepted, self.values.requirements[verdict])
        return self._add(
            DeviceGuard(extension, verdict, following), requirement_union(self.values.requirements[verdict], accepted)
        )

    def draw(self, number: int, following: int) -> int:
        """See `Draw`."""
        return self._add(Draw(number, following), self.accepted[following])

    def rebuild(self, number: int, made: Mapping[int, int]) -> int:
        """The same node, leading to what was made of its targets."""
        node = self.nodes[number]
        targets = [made[target] for target in successors(node)]
        if tuple(targets) == successors(node):
            return number
        match node:
            case Return():
                return self.finish(node.value)
            case Switch():
                return self.switch(node.value, zip(node.starts, targets, strict=True))
            case Guard():
                return self.guard(dict(node.required), targets[0])
            case DeviceGuard():
                return self.device(node.extension, node.verdict, targets[0])
            case Draw():
                return self.draw(node.number, targets[0])

    # -- asking -------------------------------------------------------------------------------------------------

    def topological_order(self, root: int) -> list[int]:
        """The nodes that can be reached from *root*, each before all that it leads to."""
        reached, waiting = {root}, [root]
        while waiting:
            for target in set(successors(self.nodes[waiting.pop()])):
                if target not in reached:
                    reached.add(target)
                    waiting.append(target)
        return sorted(reached, reverse=True)

    def checked_on_entry(self, order: Sequence[int]) -> dict[int, Requirements]:
        """What a run has certainly got past when it comes to each node of `below`."""
        known: dict[int, Requirements] = {order[0]: NOTHING}
        for number in order:
            node = self.nodes[number]
            after = requirement_union(known[number], self.required_to_accept(node)) or NOTHING
            for target in set(successors(node)):
                known[target] = (
                    after if target not in known else requirement_intersection(known[target], after) or NOTHING
                )
        return known

    def required_to_accept(self, node: Node) -> Requirements:
        """What a run has got past when it leaves the node."""
        match node:
            case Return() | Switch():
                return self.values.requirements[node.value]
            case Guard():
                return dict(node.required)
            case DeviceGuard():
                return requirement_union({DEVICE: 1}, self.values.requirements[node.verdict]) or NOTHING
        return NOTHING

    def _needed(self, required: Requirements) -> Requirements:
        """Without what follows from the rest."""
        kept = dict(required)
        if PACKET in kept:
            rest = {key: number for key, number in kept.items() if key != PACKET}
            kept = rest | dict(unsatisfied(rest, {PACKET: kept[PACKET]}, self.values.most))
        return kept

    def _add(self, node: Node, accepted: Requirements | None) -> int:
        key = (type(node), node)
        found = self._numbers.get(key)
        if found is not None:
            return found
        number = self._numbers[key] = len(self.nodes)
        self.nodes.append(node)
        self.accepted.append(accepted)
        return number


def arms_of(ranges: Ranges, inside: int, outside: int, most: int) -> Iterator[Arm]:
    """The arms that go to *inside* for the numbers in *ranges*, which lie between 0 and *most*."""
    if ranges[0][0] > 0:
        yield 0, outside
    for low, high in ranges:
        yield low, inside
        if high < most:
            yield high + 1, outside
