"""Path following: the node that a path reaches past all nodes that the facts on it decide."""

from bisect import bisect_right
from collections.abc import Sequence

from ..._typing import Final
from ...isa.word_ranges import Ranges
from ..ir.diagram import DeviceGuard, Diagram, Draw, Guard, NodeId, Return, Switch
from ..ir.path_facts import PathFacts, Reasoner
from ..ir.requirements import DEVICE, NOTHING, Requirements, unsatisfied
from .shortcuts import Shortcuts, Trail

_MAX_STEPS_PER_NODE: Final = 40
_STEPS_BEFORE_SHORTCUTS: Final = 8


class PathFollower:
    """Follows paths through a diagram, for at most 40 steps per node of the diagram in total.

    Args:
        diagram: The diagram.
        order: Its nodes in topological order.

    Attributes:
        reasoner: The inference rules for the facts on the paths.
    """

    def __init__(self, diagram: Diagram, order: Sequence[NodeId]) -> None:
        self._diagram = diagram
        self.reasoner = Reasoner(diagram, order)
        self._shortcuts = Shortcuts(diagram, self.reasoner)
        self._budget = _MAX_STEPS_PER_NODE * len(order)

    def follow(self, node_id: NodeId, facts: PathFacts) -> NodeId:
        """Return the node that a path reaches past all nodes that the facts decide."""
        for _ in range(_STEPS_BEFORE_SHORTCUTS):
            self._budget -= 1
            target = self.next_node(node_id, facts) if self._budget > 0 else None
            if target is None:
                return node_id
            node_id = target
        return self._follow_by_shortcuts(node_id, facts)

    def _follow_by_shortcuts(self, node_id: NodeId, facts: PathFacts) -> NodeId:
        trail = Trail()
        while self._budget > 0:
            self._budget -= 1
            target = self.next_node(node_id, facts)
            if target is None:
                break
            _, node_id = self._shortcuts.take((node_id, target), facts, trail)
        self._budget -= self._shortcuts.add(trail)
        return node_id

    def next_node(self, node_id: NodeId, facts: PathFacts) -> NodeId | None:
        """Return the node after *node_id* on a path, or None if the facts do not decide it."""
        node = self._diagram.nodes[node_id]
        if isinstance(node, Return):
            return None
        return self._decided_target(node, facts) if isinstance(node, Switch) else self._bypass(node, facts)

    def _bypass(self, node: Guard | DeviceGuard | Draw, facts: PathFacts) -> NodeId | None:
        """Return the successor of a node that has no effect on this path, or None if it has one."""
        required = self.remaining_requirements(node, facts)
        return None if required is None else self._if_implied(self.unchecked(facts, required), node.successor)

    def _decided_target(self, node: Switch, facts: PathFacts) -> NodeId | None:
        """Return the only possible target of a switch, or None if there are several or its requirements are new."""
        domain = self.reasoner.possible_ranges(node.value, facts)
        if not domain:
            return self._diagram.reject  # no packet takes this path
        target = _only_target(node, domain)
        if target is None:
            return None
        return self._if_implied(self.unchecked(facts, self._diagram.values.requirements[node.value]), target)

    def _if_implied(self, required: Requirements, target: NodeId) -> NodeId | None:
        """Return *target* if every accepting path from there has the requirements, else None."""
        missing = unsatisfied(self._diagram.required_to_accept[target], required, self._diagram.values.upper)
        return None if missing else target

    def unchecked(self, facts: PathFacts, required: Requirements) -> Requirements:
        """Return the requirements that have not been checked on a path."""
        return unsatisfied(facts.checked, required, self._diagram.values.upper)

    def remaining_requirements(self, node: Guard | DeviceGuard | Draw, facts: PathFacts) -> Requirements | None:
        """Return the requirements that a node adds to the facts, or None if the node has other effects too."""
        if isinstance(node, Guard) and not self.unchecked(facts, dict(node.required)):
            return NOTHING
        if isinstance(node, DeviceGuard) and DEVICE in facts.checked:
            return self._diagram.values.requirements[node.verdict]
        return None


def _only_target(node: Switch, domain: Ranges) -> NodeId | None:
    """Return the target of all values in *domain*, or None if there are several."""
    only: NodeId | None = None
    for low, high in domain:
        first, last = bisect_right(node.starts, low) - 1, bisect_right(node.starts, high) - 1
        if first != last or (only is not None and node.targets[first] != only):
            return None
        only = node.targets[first]
    return only
