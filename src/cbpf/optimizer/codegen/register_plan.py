"""Register planning: the code that brings each node's value into the registers, and the entry point of each edge.

The nodes are planned in topological order, so the register contents on all edges to a node are known. An edge enters
the node's code at the last instruction before which its registers hold the contents that the earlier instructions would
produce, so that no value is loaded twice.
"""

from collections.abc import Mapping, Sequence, Set

from ..._named_tuple import NamedTuple
from ..._typing import TYPE_CHECKING, Final
from ...isa.opcodes import SCRATCH_SLOTS, Action
from ..ir.diagram import DeviceGuard, Diagram, Draw, Guard, Node, NodeId, Return, Switch, successors
from ..ir.range_tests import RELATIONS
from ..ir.value_numbering import Operation, TooLarge
from .instruction_selection import TEMPORARY_SLOTS, InstructionSelector
from .straight_line import RegisterContents, StraightLineCode, contents_after
from .switch_lowering import ConditionalJump, DecisionTree, JumpChain, lower_switch

if TYPE_CHECKING:
    from ..._options import Goal

_MAX_CHAIN_TESTS: Final[Mapping[str, int | None]] = {"size": None, "speed": 8}

_START: Final = -1
"""The source of the edge to the root."""


class NodePlan(NamedTuple):
    """The code of a node: straight-line code, then a decision on A, or on A and X.

    Args:
        code: The straight-line code.
        before: The register contents before each instruction, and after the last one.
        reads_a: Whether the end of the node reads A.
        reads_x: Whether the end of the node reads X.
        decision: The decision tree of a switch, or None.
        targets: The targets to which the decision tree's target numbers refer.
    """

    code: StraightLineCode
    before: tuple[RegisterContents, ...]
    reads_a: bool = False
    reads_x: bool = False
    decision: DecisionTree | None = None
    targets: tuple[NodeId, ...] = ()


class RegisterPlan(NamedTuple):
    """The plan of a diagram.

    Args:
        nodes: The plan of each node.
        entries: For each edge (source, target), the index in the target's code where the edge enters it. The source
            of the edge to the root is -1.
    """

    nodes: dict[NodeId, NodePlan]
    entries: dict[tuple[NodeId, NodeId], int]


def plan_registers(diagram: Diagram, order: Sequence[NodeId], goal: "Goal") -> RegisterPlan:
    """Return the plan for the nodes of a topological order; may raise `TooLarge`.

    Random numbers that no code loads from their scratch slots are not stored, which takes a second pass.
    """
    slots = _draw_slots(diagram, order)
    plan = _Planner(diagram, order, slots, slots.keys(), goal).plan
    loaded_slots = {instruction.loaded for node_plan in plan.nodes.values() for instruction in node_plan.code}
    stored = {draw for draw, slot in slots.items() if slot in loaded_slots}
    return plan if len(stored) == len(slots) else _Planner(diagram, order, slots, stored, goal).plan


def _draw_slots(diagram: Diagram, order: Sequence[NodeId]) -> dict[int, int]:
    """Return the scratch slot of each random number; raise `TooLarge` if there are not enough slots."""
    nodes = (diagram.nodes[node_id] for node_id in order)
    draws = sorted({node.draw for node in nodes if isinstance(node, Draw)})
    if len(draws) > SCRATCH_SLOTS - TEMPORARY_SLOTS:
        raise TooLarge
    return {draw: TEMPORARY_SLOTS + index for index, draw in enumerate(draws)}


class _Planner:
    def __init__(
        self, diagram: Diagram, order: Sequence[NodeId], slots: dict[int, int], stored_draws: Set[int], goal: "Goal"
    ) -> None:
        self._diagram = diagram
        self._selector = InstructionSelector(diagram.values, slots)
        self._stored_draws = stored_draws
        self._max_tests = _MAX_CHAIN_TESTS[goal]
        self._decisions: dict[tuple[tuple[int, ...], tuple[int, ...], int], DecisionTree] = {}
        self.plan = RegisterPlan({}, {})
        zero = diagram.values.zero
        arriving: dict[NodeId, list[tuple[NodeId, RegisterContents]]] = {
            order[0]: [(_START, RegisterContents(zero, zero))]
        }
        for node_id in order:
            edges = arriving.pop(node_id)
            node_plan = self._plan(diagram.nodes[node_id], _join([contents for _, contents in edges]))
            self.plan.nodes[node_id] = node_plan
            on_exit = []
            for source, contents in edges:
                entry = self.plan.entries[source, node_id] = _entry_index(node_plan, contents)
                on_exit.append(_contents_on_exit(node_plan, entry, contents))
            joined = _join(on_exit)
            for target in set(successors(diagram.nodes[node_id])):
                arriving.setdefault(target, []).append((node_id, joined))

    def _plan(self, node: Node, contents: RegisterContents) -> NodePlan:
        match node:
            case Return(value) if self._diagram.values.constant_of(value) is not None:
                return _node_plan((), contents)
            case Return(value):
                return _node_plan(self._selector.load_a(value, contents), contents)._replace(reads_a=True)
            case Guard(_, successor):
                next_node = self._diagram.nodes[successor]
                next_value = next_node.value if isinstance(next_node, Switch) else None
                return _node_plan(self._selector.guard(node, contents, next_value), contents)
            case DeviceGuard():
                return _node_plan(self._selector.device_guard(node, contents), contents)
            case Draw(draw):
                is_stored = draw in self._stored_draws
                return _node_plan(self._selector.draw(node, contents, is_stored=is_stored), contents)
        return self._plan_switch(node, contents)

    def _plan_switch(self, node: Switch, contents: RegisterContents) -> NodePlan:
        table = self._diagram.values
        definition = table.definitions[node.value]
        if isinstance(definition, Operation) and definition.action in RELATIONS:
            return self._plan_relation(node, definition, contents)
        masked = table.split_constant(node.value, Action.AND)
        if masked is not None and node.starts == (0, 1):
            loaded, mask = masked
            decision: DecisionTree = JumpChain((ConditionalJump(Action.BITS_SET, mask, 1),), 0)
            targets = node.targets
        else:
            loaded = node.value
            decision, targets = self._lower(node)
        code = self._selector.load_a(loaded, contents)
        return _node_plan(code, contents)._replace(reads_a=True, decision=decision, targets=targets)

    def _lower(self, node: Switch) -> tuple[DecisionTree, tuple[NodeId, ...]]:
        """Return the decision tree of a switch and the targets to which its target numbers refer.

        Targets are numbered in order of appearance, so that switches on one list share a decision tree.
        """
        target_numbers = {target: index for index, target in enumerate(dict.fromkeys(node.targets))}
        numbered = tuple(target_numbers[target] for target in node.targets)
        upper = self._diagram.values.upper[node.value]
        key = (node.starts, numbered, upper)
        if key not in self._decisions:
            self._decisions[key] = lower_switch(node.starts, numbered, upper, self._max_tests)
        return self._decisions[key], tuple(target_numbers)

    def _plan_relation(self, node: Switch, relation: Operation, contents: RegisterContents) -> NodePlan:
        """Plan a comparison of two values: `jeq x`; or left > right as `jgt x`, or as the negation of right >= left."""
        on_false, on_true = 0, 1
        action = relation.action
        code = self._selector.load_pair(relation.left, relation.right, contents)
        mirrored = self._selector.load_pair(relation.right, relation.left, contents)
        if len(mirrored) < len(code):
            code = mirrored
            if action is Action.GREATER_THAN:
                action, on_true, on_false = Action.GREATER_OR_EQUAL, on_false, on_true
        decision = JumpChain((ConditionalJump(action, None, on_true),), on_false)
        return _node_plan(code, contents)._replace(reads_a=True, reads_x=True, decision=decision, targets=node.targets)


def _node_plan(code: StraightLineCode, contents: RegisterContents) -> NodePlan:
    return NodePlan(code, (contents, *(instruction.after for instruction in code)))


def _join(several: Sequence[RegisterContents]) -> RegisterContents:
    """Return the register contents that are the same on all edges."""
    first = several[0]
    same_a = all(contents.a == first.a for contents in several)
    same_x = all(contents.x == first.x for contents in several)
    return RegisterContents(first.a if same_a else None, first.x if same_x else None)


def _entry_index(plan: NodePlan, contents: RegisterContents) -> int:
    """Return the last index in a node's code that can be entered with these register contents.

    No instruction with an effect is skipped, and no load from a temporary slot whose store would be skipped.
    """
    needs_a, needs_x = plan.reads_a, plan.reads_x
    pending_slots: set[int] = set()
    allowed: list[int] = []
    for index in range(len(plan.code), -1, -1):
        if index < len(plan.code):
            instruction = plan.code[index]
            needs_a = instruction.reads_a or (needs_a and not instruction.writes_a)
            needs_x = instruction.reads_x or (needs_x and not instruction.writes_x)
            if instruction.is_effect:
                allowed.clear()
            if instruction.loaded is not None and instruction.loaded < TEMPORARY_SLOTS:
                pending_slots.add(instruction.loaded)
            if instruction.stored is not None:
                pending_slots.discard(instruction.stored)
        planned = plan.before[index]
        matches_a = not needs_a or contents.a == planned.a
        matches_x = not needs_x or contents.x == planned.x
        if not pending_slots and matches_a and matches_x:
            allowed.append(index)
    return max(allowed)


def _contents_on_exit(plan: NodePlan, entry: int, contents: RegisterContents) -> RegisterContents:
    """Return the register contents after a node's code, entered at *entry* with *contents*."""
    planned, executed = contents_after(plan.code, plan.before[0]), plan.code[entry:]
    unchanged_a = not plan.reads_a and not any(instruction.writes_a for instruction in executed)
    unchanged_x = not plan.reads_x and not any(instruction.writes_x for instruction in executed)
    return RegisterContents(contents.a if unchanged_a else planned.a, contents.x if unchanged_x else planned.x)
