r"""Jump threading: an edge to a test whose outcome is known on that edge goes to the outcome's target instead.

One traversal in topological order. Each node is entered with the facts that hold on all edges that still lead to it.
From each arm of a switch, the path is followed past all nodes that the facts on it decide. No node is copied.

A test also checks that its bytes exist. It is bypassed only if that was checked before on the path, or if every
accepting path from the target requires these bytes anyway.

If the half-word at offset 12 is 0x800, instruction 1 goes to instruction 2, which tests it again. The outcome is known,
so the edge goes to the result of that test instead:

>>> from cbpf import Program, parse
>>> from cbpf.isa.dialects import PCAP
>>> from cbpf.optimizer.codegen.emit import emit
>>> from cbpf.optimizer.ir.value_numbering import ValueTable
>>> from cbpf.optimizer.lift import lift
>>> text = "ldh [12]\njeq #0x800,3,0\nldb [0]\njset #1,2,3\nldh [12]\njeq #0x86dd,0,1\nret #1\nret #0"
>>> diagram, root = lift(parse(text), ValueTable(PCAP))
>>> print(Program(emit(diagram, root, "size")))  # before
(000) ldh      [12]
(001) jeq      #0x800           jt 2	jf 3
(002) jeq      #0x86dd          jt 5	jf 6
(003) ldb      [0]
(004) jset     #0x1             jt 5	jf 6
(005) ret      #1
(006) ret      #0
>>> print(Program(emit(diagram, thread_jumps(diagram, root), "size")))  # after
(000) ldh      [12]
(001) jeq      #0x800           jt 5	jf 2
(002) ldb      [0]
(003) jset     #0x1             jt 4	jf 5
(004) ret      #1
(005) ret      #0
"""

from bisect import bisect_right
from collections.abc import Sequence

from ..._named_tuple import NamedTuple
from ...isa.word_ranges import Ranges, intersection
from ..ir.diagram import Diagram, NodeId, Return, Switch, ranges_of_targets, successors
from ..ir.path_facts import NO_FACTS, PathFacts
from ..ir.requirements import NOTHING, Requirements
from .path_following import PathFollower


def thread_jumps(diagram: Diagram, root: NodeId) -> NodeId:
    """Return the root of an equivalent diagram in which edges bypass the tests that are decided on them."""
    return _JumpThreading(diagram, root).run()


class _Exit(NamedTuple):
    """The edges that leave a node.

    Args:
        starts: The first value of each arm of a switch; a single 0 for any other node with a successor.
        targets: The target of each edge, after threading.
        required: The requirements of the guard that replaces the node; None if the node remains.
    """

    starts: Sequence[int]
    targets: Sequence[NodeId]
    required: Requirements | None = None


class _JumpThreading:
    def __init__(self, diagram: Diagram, root: NodeId) -> None:
        self._diagram = diagram
        self._root = root
        self._order = diagram.topological_order(root)
        self._paths = PathFollower(diagram, self._order)
        self._facts_on_entry: dict[NodeId, PathFacts] = {}

    def run(self) -> NodeId:
        start = self._enter(self._root, NO_FACTS)
        exits = {node_id: self._leave(node_id) for node_id in self._order if node_id in self._facts_on_entry}
        rebuilt: dict[NodeId, NodeId] = {self._diagram.reject: self._diagram.reject}
        for node_id in reversed(exits):
            rebuilt[node_id] = self._rebuild(node_id, exits[node_id], rebuilt)
        return rebuilt[start]

    def _rebuild(self, node_id: NodeId, exit: _Exit, rebuilt: dict[NodeId, NodeId]) -> NodeId:
        node, required = self._diagram.nodes[node_id], exit.required
        targets = [rebuilt[target] for target in exit.targets]
        if isinstance(node, Switch) and len(set(targets)) == 1:
            required = self._diagram.values.requirements[node.value]
        if required is not None:
            return self._diagram.guard(self._paths.unchecked(self._facts_on_entry[node_id], required), targets[0])
        if not isinstance(node, Switch):
            return self._diagram.rebuild(node_id, dict(zip(successors(node), targets, strict=True)))
        if tuple(targets) == node.targets:
            return node_id
        return self._diagram.switch(node.value, zip(exit.starts, targets, strict=True))

    def _enter(self, target: NodeId, facts: PathFacts) -> NodeId:
        """Follow an edge to *target*; return the node that it enters, whose facts are joined with those of the edge."""
        node_id = self._paths.follow(target, facts)
        before = self._facts_on_entry.get(node_id)
        self._facts_on_entry[node_id] = facts if before is None else before.join(facts)
        return node_id

    def _leave(self, node_id: NodeId) -> _Exit:
        node, facts = self._diagram.nodes[node_id], self._facts_on_entry[node_id]
        after = facts.with_checked(self._diagram.checked_by(node))
        if isinstance(node, Switch):
            return self._leave_switch(node, facts, after)
        if isinstance(node, Return):
            return _Exit((), ())
        target = self._enter(node.successor, after)
        return _Exit((0,), (target,), self._paths.remaining_requirements(node, facts))

    def _leave_switch(self, node: Switch, facts: PathFacts, after: PathFacts) -> _Exit:
        reasoner = self._paths.reasoner
        domain = reasoner.possible_ranges(node.value, facts)
        if not domain:
            return _Exit((0,), (self._diagram.reject,), NOTHING)
        threaded: dict[NodeId, NodeId] = {}
        for target, ranges in ranges_of_targets(node, self._diagram.values.upper[node.value]).items():
            possible = intersection(ranges, domain)
            if possible:
                threaded[target] = self._enter(target, reasoner.assume(node.value, possible, after, target))
        starts, targets = _possible_arms(node, threaded, domain)
        if len(targets) == 1:
            return _Exit(starts, targets, self._diagram.values.requirements[node.value])
        return _Exit(starts, targets)


def _possible_arms(node: Switch, threaded: dict[NodeId, NodeId], domain: Ranges) -> tuple[list[int], list[NodeId]]:
    """Return the starts and threaded targets of the arms that *domain* can take; other arms join a neighbour."""
    starts: list[int] = []
    targets: list[NodeId] = []
    last: NodeId | None = None
    position = 0
    for low, high in domain:
        first = max(position, bisect_right(node.starts, low) - 1)
        position = bisect_right(node.starts, high)
        for start, target in zip(node.starts[first:position], node.targets[first:position], strict=True):
            if threaded[target] != last:
                last = threaded[target]
                starts.append(start if targets else 0)
                targets.append(last)
    return starts, targets
