"""The decision diagram: the representation on which all passes work.

A diagram is a directed acyclic graph of immutable nodes, which are numbered as they are created:

- Each node is created after its successors, so its number is greater than theirs. Descending numbers visit each node
  after its predecessors; ascending numbers visit each node after its successors.
- Equal nodes have one number, so equal tails of a program are shared.

A switch loads the value that it tests, so it rejects packets that lack the bytes (`ValueTable.requirements`). A `Guard`
adds requirements that the rest of the path does not imply; no guard is created where every accepting path has these
requirements already.

>>> from cbpf.isa.dialects import PCAP
>>> diagram = Diagram(ValueTable(PCAP))
>>> accept = diagram.return_value(diagram.values.constant(1))
>>> ethertype = diagram.values.load(PACKET, 12, 2)
>>> node_id = diagram.test(ethertype, ((0x0800, 0x0800),), accept, diagram.reject)
>>> diagram.nodes[node_id]
Switch(value=2, starts=(0, 2048, 2049), targets=(0, 1, 0))
>>> diagram.required_to_accept[node_id]
{-1: 14}
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..._named_tuple import NamedTuple
from ..._typing import TypeAlias
from ...isa.enumerations import Extension
from ...isa.word_ranges import Ranges
from .requirements import (
    DEVICE,
    NOTHING,
    NOTHING_ACCEPTED,
    PACKET,
    Requirements,
    ValueId,
    requirement_intersection,
    requirement_union,
    unsatisfied,
)
from .value_numbering import ValueTable

NodeId: TypeAlias = int
"""The index of a node in `Diagram.nodes`."""

Arm: TypeAlias = tuple[int, NodeId]
"""An arm of a switch: its first value and its target."""


class Return(NamedTuple):
    """The end of a run with *value* as its verdict."""

    value: ValueId


class Switch(NamedTuple):
    """Branch on a value: values in [starts[i], starts[i+1]) go to targets[i]; starts[0] is 0."""

    value: ValueId
    starts: tuple[int, ...]
    targets: tuple[NodeId, ...]

    def target_of(self, word: int) -> NodeId:
        """Return the target of a value."""
        return self.targets[bisect_right(self.starts, word) - 1]


class Guard(NamedTuple):
    """Reject packets that do not meet the requirements, which are pairs of a key and a count (see `requirements`)."""

    required: tuple[tuple[int, int], ...]
    successor: NodeId


class DeviceGuard(NamedTuple):
    """End the run with *verdict* if the packet has no device, by a load of *extension*, which needs one."""

    extension: Extension
    verdict: ValueId
    successor: NodeId


class Draw(NamedTuple):
    """Draw a random number; *draw* is the index of the draw in the run, from 0."""

    draw: int
    successor: NodeId


Node: TypeAlias = Return | Switch | Guard | DeviceGuard | Draw


def successors(node: Node) -> tuple[NodeId, ...]:
    """Return the successors of a node, one per arm of a switch."""
    if isinstance(node, Return):
        return ()
    return node.targets if isinstance(node, Switch) else (node.successor,)


class Diagram:
    """The nodes over a table of values.

    Args:
        values: The table of the values that the nodes refer to.

    Attributes:
        nodes: The nodes; a `NodeId` is an index.
        required_to_accept: The requirements that every accepting path from each node has.
        reject: The node that returns 0.
    """

    def __init__(self, values: ValueTable) -> None:
        self.values = values
        self.nodes: list[Node] = []
        self.required_to_accept: list[Requirements | None] = []
        self._ids: dict[tuple[type, Node], NodeId] = {}
        self.reject = self.return_value(values.zero)

    # -- construction -------------------------------------------------------------------------------------------

    def return_value(self, value: ValueId) -> NodeId:
        """Return the node that ends a run with *value* as its verdict."""
        is_reject = self.values.constant_of(value) == 0
        return self._add(Return(value), NOTHING_ACCEPTED if is_reject else self.values.requirements[value])

    def switch(self, value: ValueId, arms: Iterable[Arm]) -> NodeId:
        """Return the switch with these arms, which are in ascending order of their first values.

        Adjacent arms with one target are merged. If a single arm remains, the result is a guard before its target.
        """
        starts: list[int] = []
        targets: list[NodeId] = []
        last: NodeId | None = None
        for start, target in arms:
            if target != last:
                starts.append(start)
                targets.append(target)
                last = target
        required = self.values.requirements[value]
        if len(targets) == 1:
            return self.guard(required, targets[0])
        accepting: Requirements | None = NOTHING_ACCEPTED
        for target in set(targets):
            accepting = requirement_intersection(accepting, self.required_to_accept[target])
        return self._add(Switch(value, tuple(starts), tuple(targets)), requirement_union(required, accepting))

    def test(self, value: ValueId, ranges: Ranges, inside: NodeId, outside: NodeId) -> NodeId:
        """Return the switch that goes to *inside* if the value is in *ranges*, else to *outside*."""
        return self.switch(value, arms_of(ranges, inside, outside, self.values.upper[value]))

    def guard(self, required: Requirements, successor: NodeId) -> NodeId:
        """Return the guard before *successor*, or *successor* if its accepting paths imply the requirements."""
        missing = unsatisfied(self.required_to_accept[successor], required, self.values.upper)
        if not missing:
            return successor
        node = self.nodes[successor]
        if isinstance(node, Guard):
            missing, successor = requirement_union(missing, dict(node.required)) or NOTHING, node.successor
        accepting = requirement_union(missing, self.required_to_accept[successor])
        return self._add(Guard(tuple(sorted(self._irredundant(missing).items())), successor), accepting)

    def device_guard(self, extension: Extension, verdict: ValueId, successor: NodeId) -> NodeId:
        """Return the device guard before *successor*, or *successor* if it returns the same verdict at once."""
        if self.nodes[successor] == Return(verdict):
            return successor
        required = self.values.requirements[verdict]
        accepting = requirement_union({DEVICE: 1}, self.required_to_accept[successor])
        if self.values.constant_of(verdict) != 0:
            accepting = requirement_intersection(accepting, required)
        return self._add(DeviceGuard(extension, verdict, successor), requirement_union(required, accepting))

    def draw(self, draw: int, successor: NodeId) -> NodeId:
        """Return the node that draws a random number before *successor*."""
        return self._add(Draw(draw, successor), self.required_to_accept[successor])

    def rebuild(self, node_id: NodeId, rebuilt: Mapping[NodeId, NodeId]) -> NodeId:
        """Return a copy of a node whose successors are replaced by *rebuilt*; the node itself if none changes."""
        node = self.nodes[node_id]
        targets = [rebuilt[target] for target in successors(node)]
        if tuple(targets) == successors(node):
            return node_id
        match node:
            case Return():
                return self.return_value(node.value)
            case Switch():
                return self.switch(node.value, zip(node.starts, targets, strict=True))
            case Guard():
                return self.guard(dict(node.required), targets[0])
            case DeviceGuard():
                return self.device_guard(node.extension, node.verdict, targets[0])
            case Draw():
                return self.draw(node.draw, targets[0])

    # -- inspection ---------------------------------------------------------------------------------------------

    def topological_order(self, root: NodeId) -> list[NodeId]:
        """Return the nodes that are reachable from *root*, each before its successors."""
        reached, pending = {root}, [root]
        while pending:
            for target in successors(self.nodes[pending.pop()]):
                if target not in reached:
                    reached.add(target)
                    pending.append(target)
        return sorted(reached, reverse=True)

    def checked_on_entry(self, order: Sequence[NodeId]) -> dict[NodeId, Requirements]:
        """Return the requirements that are checked on every path to each node of a topological order."""
        on_entry: dict[NodeId, Requirements] = {order[0]: NOTHING}
        for node_id in order:
            node = self.nodes[node_id]
            on_exit = requirement_union(on_entry[node_id], self.checked_by(node)) or NOTHING
            for target in set(successors(node)):
                on_entry[target] = (
                    requirement_intersection(on_entry[target], on_exit) or NOTHING if target in on_entry else on_exit
                )
        return on_entry

    def checked_by(self, node: Node) -> Requirements:
        """Return the requirements that a run has met if it continues after a node."""
        match node:
            case Return() | Switch():
                return self.values.requirements[node.value]
            case Guard():
                return dict(node.required)
            case DeviceGuard():
                return requirement_union({DEVICE: 1}, self.values.requirements[node.verdict]) or NOTHING
        return NOTHING

    def _irredundant(self, required: Requirements) -> Requirements:
        """Return the requirements without a PACKET requirement that the others imply."""
        others = dict(required)
        count = others.pop(PACKET, None)
        if count is None:
            return others
        return others | dict(unsatisfied(others, {PACKET: count}, self.values.upper))

    def _add(self, node: Node, required_to_accept: Requirements | None) -> NodeId:
        key = (type(node), node)
        existing = self._ids.get(key)
        if existing is not None:
            return existing
        node_id = self._ids[key] = len(self.nodes)
        self.nodes.append(node)
        self.required_to_accept.append(required_to_accept)
        return node_id


def arms_of(ranges: Ranges, inside: NodeId, outside: NodeId, upper: int) -> Iterator[Arm]:
    """Yield the arms that send *ranges* to *inside* and all other values, up to *upper*, to *outside*."""
    if ranges[0][0] > 0:
        yield 0, outside
    for low, high in ranges:
        yield low, inside
        if high < upper:
            yield high + 1, outside


def ranges_of_targets(node: Switch, upper: int) -> dict[NodeId, Ranges]:
    """Return the ranges of values, up to *upper*, that go to each target of a switch."""
    ends = [start - 1 for start in node.starts[1:]]
    arms = tuple(zip(node.starts, [*ends, upper], strict=True))
    ranges: dict[NodeId, list[tuple[int, int]]] = {target: [] for target in node.targets}
    if len(ranges) == 2:  # adjacent arms have different targets
        return {node.targets[0]: arms[::2], node.targets[1]: arms[1::2]}
    for arm, target in zip(arms, node.targets, strict=True):
        ranges[target].append(arm)
    return {target: tuple(target_ranges) for target, target_ranges in ranges.items()}
