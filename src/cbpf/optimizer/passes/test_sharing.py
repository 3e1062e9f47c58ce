r"""Test sharing: two similar tests become one, where a later test that repeats a decision makes up for the difference.

Jump threading gives each edge the shortest path, so two tests of one value may differ only in an edge that bypasses
decided tests. A test can be replaced by another one of the same value if, for each range, the path from the target of
the other leads to its own target. The path becomes longer, and the program shorter.

Both values of the first test lead to a test of byte 1. On one of the paths byte 0 is known not to be 9, so that path
bypasses the test of byte 0:

>>> from cbpf import Program, parse
>>> from cbpf.isa.dialects import PCAP
>>> from cbpf.optimizer.codegen.emit import emit
>>> from cbpf.optimizer.ir.value_numbering import ValueTable
>>> from cbpf.optimizer.lift import lift
>>> text = "ldb [0]\njge #9,0,4\nldb [1]\njeq #2,6,0\nldb [0]\njeq #9,4,3\nldb [1]\njeq #2,2,1\nret #0\nret #0\nret #1"
>>> diagram, root = lift(parse(text), ValueTable(PCAP))
>>> print(Program(emit(diagram, root, "size")))  # before
(000) ldb      [0]
(001) jge      #0x9             jt 2	jf 6
(002) ldb      [1]
(003) jeq      #0x2             jt 8	jf 4
(004) ldb      [0]
(005) jeq      #0x9             jt 8	jf 9
(006) ldb      [1]
(007) jeq      #0x2             jt 8	jf 9
(008) ret      #1
(009) ret      #0

As that test also decides the result of the first one, both paths can share the test of byte 1, and the
first test is no longer needed:

>>> print(Program(emit(diagram, share_tests(diagram, root), "size")))  # after
(000) ldb      [1]
(001) jeq      #0x2             jt 4	jf 2
(002) ldb      [0]
(003) jeq      #0x9             jt 4	jf 5
(004) ret      #1
(005) ret      #0
"""

from collections.abc import Iterator, Sequence

from ..._typing import Final
from ...isa.word_ranges import Ranges, intersection
from ..ir.diagram import Diagram, NodeId, Return, Switch, ranges_of_targets, successors
from ..ir.path_facts import NO_FACTS, PathFacts
from ..ir.requirements import ValueId
from .path_following import PathFollower

_MAX_CANDIDATES: Final = 8
_MAX_STEPS: Final = 8
_HORIZON: Final = 64


def share_tests(diagram: Diagram, root: NodeId) -> NodeId:
    """Return the root of an equivalent diagram in which similar tests are shared."""
    order = diagram.topological_order(root)
    return _TestSharing(diagram, order).run() if _may_share(diagram, order) else root


def _may_share(diagram: Diagram, order: Sequence[NodeId]) -> bool:
    """Return whether any two tests may be shared: a necessary condition, which needs no facts."""
    tests: dict[ValueId, list[Switch]] = {}
    for node_id in order:
        node = diagram.nodes[node_id]
        if isinstance(node, Switch):
            candidates = tests.setdefault(node.value, [])
            pairs = (pair for other in candidates[-_MAX_CANDIDATES:] for pair in ((node, other), (other, node)))
            if any(_may_replace(diagram, *pair) for pair in pairs):
                return True
            candidates.append(node)
    return False


def _may_replace(diagram: Diagram, node: Switch, replacement: Switch) -> bool:
    """Return whether, for each value, a path of a few steps leads from the replacement's target to that of the node."""
    pairs = {(replacement.target_of(start), node.target_of(start)) for start in (*node.starts, *replacement.starts)}
    return all(source >= goal for source, goal in pairs) and all(_may_lead(diagram, *pair) for pair in pairs)


def _may_lead(diagram: Diagram, source: NodeId, goal: NodeId) -> bool:
    reached = {source}
    for _ in range(_MAX_STEPS):
        if goal in reached:
            return True
        following = {target for node_id in reached for target in successors(diagram.nodes[node_id])}
        reached = {node_id for node_id in following if node_id >= goal}  # numbers decrease along a path
    return goal in reached


class _TestSharing:
    """The nodes of a diagram that are replaced by others.

    A node may replace another one only for the packets that reach the other one in the original diagram. So a node is
    not replaced if a replacement relies on it, and no replacement relies on a node that is replaced.
    """

    def __init__(self, diagram: Diagram, order: Sequence[NodeId]) -> None:
        self._diagram = diagram
        self._order = order
        self._root = order[0]
        self._paths = PathFollower(diagram, order)
        self._facts_on_entry: dict[NodeId, PathFacts] = {order[0]: NO_FACTS}
        self._replacements: dict[NodeId, NodeId] = {}
        self._relied_on: set[NodeId] = set()

    def run(self) -> NodeId:
        for node_id in self._order:
            if node_id in self._facts_on_entry:
                for target, facts in self._edges(node_id):
                    before = self._facts_on_entry.get(target)
                    self._facts_on_entry[target] = facts if before is None else before.join(facts)
        tests: dict[ValueId, list[NodeId]] = {}
        for node_id in reversed(self._order):
            node = self._diagram.nodes[node_id]
            if isinstance(node, Switch) and node_id in self._facts_on_entry:
                candidates = tests.setdefault(node.value, [])
                self._replace_one(node_id, candidates[-_MAX_CANDIDATES:])
                candidates.append(node_id)
        return self._rebuild() if self._replacements else self._root

    def _replace_one(self, node_id: NodeId, candidates: list[NodeId]) -> bool:
        """Replace a node by one of the candidates, or one of them by the node; return whether that is possible."""
        return any(self._replace(node_id, candidate) for candidate in candidates) or any(
            self._replace(candidate, node_id) for candidate in candidates
        )

    def _rebuild(self) -> NodeId:
        """Return the root of the diagram with the replacements; the old root if a path would become a cycle."""
        rebuilt: dict[NodeId, NodeId] = {}
        started: set[NodeId] = set()
        pending = [self._root]
        while pending:
            node_id = self._replacement(pending[-1])
            node = self._diagram.nodes[node_id]
            missing = [target for target in successors(node) if self._replacement(target) not in rebuilt]
            if not missing:
                copies = {target: rebuilt[self._replacement(target)] for target in successors(node)}
                rebuilt[node_id] = self._diagram.rebuild(node_id, copies)
                pending.pop()
            elif node_id in started:
                return self._root
            else:
                started.add(node_id)
                pending += missing
        return rebuilt[self._replacement(self._root)]

    def _replacement(self, node_id: NodeId) -> NodeId:
        return self._replacements.get(node_id, node_id)

    def _edges(self, node_id: NodeId) -> Iterator[tuple[NodeId, PathFacts]]:
        """Yield the target of each edge of a node, and the facts on the edge."""
        node, facts = self._diagram.nodes[node_id], self._facts_on_entry[node_id]
        if isinstance(node, Switch):
            for target, ranges in ranges_of_targets(node, self._diagram.values.upper[node.value]).items():
                after = self._facts_after(node_id, node, ranges)
                if after is not None:
                    yield target, after
        elif not isinstance(node, Return):
            yield node.successor, facts.with_checked(self._diagram.checked_by(node))

    def _facts_after(self, node_id: NodeId, node: Switch, ranges: Ranges) -> PathFacts | None:
        """Return the facts after a switch whose value is in *ranges*; None if that is impossible.

        The facts that no test below the switch can use remain, as the path may lead to another node of its age.
        """
        facts, reasoner = self._facts_on_entry[node_id], self._paths.reasoner
        possible = intersection(ranges, reasoner.possible_ranges(node.value, facts))
        after = facts.with_checked(self._diagram.checked_by(node))
        return reasoner.assume(node.value, possible, after, node_id + _HORIZON) if possible else None

    def _replace(self, node_id: NodeId, replacement: NodeId) -> bool:
        """Replace a switch by another one if that is possible; return whether it is."""
        if node_id in self._relied_on or self._replacements.keys() & {node_id, replacement}:
            return False
        passed: set[NodeId] = {replacement}
        if not all(self._arms_agree(node_id, replacement, passed)) or node_id in passed:
            return False
        self._replacements[node_id] = replacement
        self._relied_on |= passed
        return True

    def _arms_agree(self, node_id: NodeId, replacement: NodeId, passed: set[NodeId]) -> Iterator[bool]:
        """Yield, for each two different targets, whether a packet at the replacement's target arrives at the own one.

        The nodes that such packets pass are added to *passed*.
        """
        node, other = self._diagram.nodes[node_id], self._diagram.nodes[replacement]
        assert isinstance(node, Switch)
        assert isinstance(other, Switch)
        starts = sorted({*node.starts, *other.starts})
        ends = [*(start - 1 for start in starts[1:]), self._diagram.values.upper[node.value]]
        for start, end in zip(starts, ends, strict=True):
            own, others = node.target_of(start), other.target_of(start)
            if self._replacement(own) != self._replacement(others):
                facts = self._facts_after(node_id, node, ((start, end),))
                yield facts is None or self._leads_to(others, own, facts, passed)

    def _leads_to(self, node_id: NodeId, goal: NodeId, facts: PathFacts, passed: set[NodeId]) -> bool:
        for _ in range(_MAX_STEPS):
            if self._replacement(node_id) == self._replacement(goal):
                return True
            following = None if node_id in self._replacements else self._paths.next_node(node_id, facts)
            if following is None:
                return False
            passed.add(node_id)
            node_id = following
        return False
