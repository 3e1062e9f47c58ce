r"""Switch merging: several tests of one value become one switch.

Two passes do this. `group_tests` reorders a chain of tests: each test of a chain goes to a common exit or to the next
test, and has no other predecessor. Two tests may be exchanged if every packet that a requirement rejected is still
rejected. So a test with a new requirement, one that the accepting paths of the exit do not imply, divides the chain:
the tests before it stay before it, and the tests after it stay after it. `merge_switches` then merges a switch into
its only predecessor if that is a switch on the same value.

>>> from cbpf import Program, parse
>>> from cbpf.isa.dialects import PCAP
>>> from cbpf.optimizer.codegen.emit import emit
>>> from cbpf.optimizer.ir.value_numbering import ValueTable
>>> from cbpf.optimizer.lift import lift

A chain tests the words at 0, at 4, and at 0 again. The load of byte 7 rejects packets shorter than 8 bytes before any
test, so the tests may change places, and each word is loaded once:

>>> text = "ld [4]\nld [0]\njeq #1,5,0\nld [4]\njeq #2,3,0\nld [0]\njeq #3,1,0\nret #0\nret #1"
>>> diagram, root = lift(parse(text), ValueTable(PCAP))
>>> print(Program(emit(diagram, root, "size")))  # before
(000) ldb      [7]
(001) ld       [0]
(002) jeq      #0x1             jt 7	jf 3
(003) ld       [4]
(004) jeq      #0x2             jt 7	jf 5
(005) ld       [0]
(006) jeq      #0x3             jt 7	jf 8
(007) ret      #1
(008) ret      #0
>>> print(Program(emit(diagram, group_tests(diagram, root), "size")))  # after
(000) ldb      [7]
(001) ld       [0]
(002) jeq      #0x1             jt 6	jf 3
(003) jeq      #0x3             jt 6	jf 4
(004) ld       [4]
(005) jeq      #0x2             jt 6	jf 7
(006) ret      #1
(007) ret      #0

Three tests of one byte become one switch, for which two tests suffice:

>>> text = "ldb [0]\njge #10,0,1\njge #20,1,2\njeq #9,1,2\nret #1\nret #2\nret #3"
>>> diagram, root = lift(parse(text), ValueTable(PCAP))
>>> print(Program(emit(diagram, root, "size")))  # before
(000) ldb      [0]
(001) jge      #0xa             jt 2	jf 3
(002) jge      #0x14            jt 4	jf 5
(003) jeq      #0x9             jt 5	jf 6
(004) ret      #1
(005) ret      #2
(006) ret      #3
>>> root = merge_switches(diagram, root)
>>> diagram.nodes[root]
Switch(value=1, starts=(0, 9, 20), targets=(1, 2, 3))
>>> print(Program(emit(diagram, root, "size")))  # after
(000) ldb      [0]
(001) jge      #0x14            jt 3	jf 2
(002) jge      #0x9             jt 4	jf 5
(003) ret      #1
(004) ret      #2
(005) ret      #3
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Set

from ..._named_tuple import NamedTuple
from ...isa.opcodes import Action
from ...isa.word_ranges import Ranges, union
from ..ir.diagram import Arm, Diagram, Node, NodeId, Switch, ranges_of_targets, successors
from ..ir.requirements import NOTHING, Requirements, ValueId, requirement_union, unsatisfied
from ..ir.value_numbering import ValueTable


class _ExitTest(NamedTuple):
    """A test of a chain: the value, and the ranges that go to the exit."""

    value: ValueId
    ranges: Ranges


class _TestChain(NamedTuple):
    """The tests in order, their common exit, and the target if no test goes to the exit."""

    tests: list[_ExitTest]
    exit: NodeId
    otherwise: NodeId


def group_tests(diagram: Diagram, root: NodeId) -> NodeId:
    """Return the root of an equivalent diagram in which each chain has its tests of one value adjacent and merged."""
    order = diagram.topological_order(root)
    predecessor_counts = _count_predecessors(diagram, order)
    checked = diagram.checked_on_entry(order)
    loaded = _loaded_on_entry(diagram, order)
    rebuilt: dict[NodeId, NodeId] = {}
    inside: set[NodeId] = set()
    chains: dict[NodeId, _TestChain] = {}
    for node_id in order:
        if node_id not in inside:
            chain = _chain_from(diagram, node_id, predecessor_counts, inside)
            if chain is not None:
                chains[node_id] = chain
    for node_id in reversed(order):
        if node_id in chains:
            rebuilt[node_id] = _rebuild_chain(diagram, chains[node_id], checked[node_id], loaded[node_id], rebuilt)
        elif node_id not in inside:
            rebuilt[node_id] = diagram.rebuild(node_id, rebuilt)
    return rebuilt[root]


def _count_predecessors(diagram: Diagram, order: Iterable[NodeId]) -> dict[NodeId, int]:
    counts: dict[NodeId, int] = {}
    for node_id in order:
        for target in set(successors(diagram.nodes[node_id])):
            counts[target] = counts.get(target, 0) + 1
    return counts


def _loaded_on_entry(diagram: Diagram, order: Iterable[NodeId]) -> dict[NodeId, ValueId | None]:
    """Return the content of A on entry to each node, or None if it is unknown or differs between the paths."""
    loaded: dict[NodeId, ValueId | None] = {}
    for node_id in order:
        loaded.setdefault(node_id, None)
        node = diagram.nodes[node_id]
        on_exit = loaded_value(diagram.values, node.value) if isinstance(node, Switch) else None
        for target in set(successors(node)):
            loaded[target] = on_exit if loaded.get(target, on_exit) == on_exit else None
    return loaded


def _chain_from(
    diagram: Diagram, node_id: NodeId, predecessor_counts: dict[NodeId, int], inside: set[NodeId]
) -> _TestChain | None:
    """Return the longest chain of at least two tests that begins at a node, and add its other nodes to *inside*."""
    first = diagram.nodes[node_id]
    if not isinstance(first, Switch) or len(set(first.targets)) != 2:
        return None
    best: list[NodeId] = []
    for exit in sorted(set(first.targets)):
        chain = _chain_nodes(diagram, node_id, exit, predecessor_counts)
        if len(chain) > len(best):
            best, best_exit = chain, exit
    if len(best) < 2:
        return None
    inside.update(best[1:])
    tests, otherwise = [], node_id
    for chain_node_id in best:
        node = diagram.nodes[chain_node_id]
        assert isinstance(node, Switch)
        tests.append(_ExitTest(node.value, ranges_of_targets(node, diagram.values.upper[node.value])[best_exit]))
        otherwise = next(target for target in node.targets if target != best_exit)
    return _TestChain(tests, best_exit, otherwise)


def _chain_nodes(
    diagram: Diagram, node_id: NodeId, exit: NodeId, predecessor_counts: dict[NodeId, int]
) -> list[NodeId]:
    """Return the nodes from *node_id* onwards that go to *exit* or to the next node of the chain."""
    chain: list[NodeId] = []
    while True:
        node = diagram.nodes[node_id]
        if not isinstance(node, Switch) or exit not in node.targets or len(set(node.targets)) != 2:
            return chain
        if chain and predecessor_counts[node_id] > 1:
            return chain
        chain.append(node_id)
        node_id = next(target for target in node.targets if target != exit)


def _rebuild_chain(
    diagram: Diagram,
    chain: _TestChain,
    checked: Requirements,
    loaded: ValueId | None,
    rebuilt: dict[NodeId, NodeId],
) -> NodeId:
    exit, node_id = rebuilt[chain.exit], rebuilt[chain.otherwise]
    for test in reversed(_reorder(diagram, chain, checked, loaded)):
        node_id = diagram.test(test.value, test.ranges, exit, node_id)
    return node_id


def _reorder(diagram: Diagram, chain: _TestChain, checked: Requirements, loaded: ValueId | None) -> list[_ExitTest]:
    """Return the tests of a chain, grouped as far as requirements allow; *loaded* is the content of A before it."""
    table = diagram.values
    required_to_accept = diagram.required_to_accept[chain.exit]
    checked_before_segment = checked_so_far = checked
    ordered: list[_ExitTest] = []
    segment: list[_ExitTest] = []
    for test in chain.tests:
        required = table.requirements[test.value]
        segment.append(test)
        checked_so_far = requirement_union(checked_so_far, required) or NOTHING
        unchecked = unsatisfied(checked_before_segment, required, table.upper)
        if unsatisfied(required_to_accept, unchecked, table.upper):
            ordered += _group_by_content(table, segment, loaded, loaded_value(table, test.value))
            loaded = loaded_value(table, test.value)
            segment = []
            checked_before_segment = checked_so_far
    ordered += _group_by_content(table, segment, loaded, None)
    return _merge_adjacent(ordered)


def _group_by_content(
    table: ValueTable, tests: list[_ExitTest], first: ValueId | None, last: ValueId | None
) -> list[_ExitTest]:
    """Return the tests with equal contents of A adjacent: first the content *first*, which is loaded, last *last*."""
    groups: dict[ValueId | None, list[_ExitTest]] = {}
    for test in tests:
        groups.setdefault(loaded_value(table, test.value), []).append(test)
    closing = groups.pop(last, [])
    opening = groups.pop(first, [])
    return [test for group in (opening, *groups.values(), closing) for test in _group_by_value(group)]


def _group_by_value(tests: list[_ExitTest]) -> list[_ExitTest]:
    groups: dict[ValueId, list[_ExitTest]] = {}
    for test in tests:
        groups.setdefault(test.value, []).append(test)
    return [test for group in groups.values() for test in group]


def _merge_adjacent(tests: list[_ExitTest]) -> list[_ExitTest]:
    """Return the tests with adjacent tests of one value merged."""
    groups: list[list[_ExitTest]] = []
    for test in tests:
        if groups and groups[-1][0].value == test.value:
            groups[-1].append(test)
        else:
            groups.append([test])
    return [_ExitTest(group[0].value, union(bounds for test in group for bounds in test.ranges)) for group in groups]


def loaded_value(table: ValueTable, value: ValueId) -> ValueId:
    """Return the content of A during a test of *value*: y for a test of y & mask, which `jset` tests without `and`."""
    masked = table.split_constant(value, Action.AND)
    return masked[0] if masked else value


def merge_switches(diagram: Diagram, root: NodeId) -> NodeId:
    """Return the root of an equivalent diagram in which each switch contains its successors that test the same value.

    A successor is merged only if the switch is its only predecessor.
    """
    order = diagram.topological_order(root)
    predecessor_counts = _count_predecessors(diagram, order)
    rebuilt: dict[NodeId, NodeId] = {}
    merged = {node_id: _mergeable_targets(diagram, diagram.nodes[node_id], predecessor_counts) for node_id in order}
    inside = set().union(*merged.values())
    arms: dict[NodeId, _Arms] = {}
    for node_id in reversed(order):
        node = diagram.nodes[node_id]
        if isinstance(node, Switch) and (merged[node_id] or node_id in inside):
            arms[node_id] = _merged_arms(node, diagram.values.upper[node.value], merged[node_id], arms, rebuilt)
            if node_id not in inside:
                rebuilt[node_id] = diagram.switch(node.value, arms.pop(node_id).pairs())
        else:
            rebuilt[node_id] = diagram.rebuild(node_id, rebuilt)
    return rebuilt[root]


def _mergeable_targets(diagram: Diagram, node: Node, predecessor_counts: dict[NodeId, int]) -> Set[NodeId]:
    """Return the targets of a switch that are switches on the same value and have no other predecessor."""
    if not isinstance(node, Switch):
        return frozenset()
    targets = ((target, diagram.nodes[target]) for target in set(node.targets) if predecessor_counts[target] == 1)
    return {target for target, below in targets if isinstance(below, Switch) and below.value == node.value}


class _Arms:
    """The arms of a switch that is being merged: values in [starts[i], starts[i+1]) go to targets[i]."""

    def __init__(self, starts: list[int], targets: list[NodeId]) -> None:
        self.starts = starts
        self.targets = targets

    def pairs(self) -> Iterator[Arm]:
        """Yield the arms."""
        return zip(self.starts, self.targets, strict=True)

    def clip(self, start: int, end: int) -> "_Arms":
        """Return the arms for the values in [start, end)."""
        first, last = bisect_right(self.starts, start) - 1, bisect_left(self.starts, end)
        return _Arms([start, *self.starts[first + 1 : last]], self.targets[first:last])

    def overwrite(self, start: int, end: int | None, arms: "_Arms") -> None:
        """Replace the arms for the values in [start, end) by others; None: for all values from *start* on."""
        first = bisect_left(self.starts, start)
        last = len(self.starts) if end is None else bisect_right(self.starts, end) - 1
        if end is not None and self.starts[last] < end:
            arms = _Arms([*arms.starts, end], [*arms.targets, self.targets[last]])
            last += 1
        self.starts[first:last] = arms.starts
        self.targets[first:last] = arms.targets


def _merged_arms(
    node: Switch, upper: int, merged: Set[NodeId], arms: dict[NodeId, _Arms], rebuilt: Mapping[NodeId, NodeId]
) -> _Arms:
    """Return the arms of a switch, with each merged target replaced by its arms.

    The most arms of a target are changed in place, so a long chain of switches is merged in linear time.
    """
    if not merged:
        return _Arms(list(node.starts), [rebuilt[target] for target in node.targets])
    base = max(sorted(merged), key=lambda target: len(arms[target].starts))
    result = arms.pop(base)
    for start, end, target in zip(node.starts, (*node.starts[1:], None), node.targets, strict=True):
        if target in merged and target != base:
            result.overwrite(start, end, arms[target].clip(start, upper + 1 if end is None else end))
        elif target != base:
            result.overwrite(start, end, _Arms([start], [rebuilt[target]]))
    return result
