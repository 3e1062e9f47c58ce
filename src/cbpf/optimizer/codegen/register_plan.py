"""Down a diagram: how each node brings what it tests into the registers, and where every way enters these steps.

A way enters them at the last step from which on the registers hold what the steps before would have brought; so
nothing is loaded twice.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Final, NamedTuple

from ..._options import Goal
from ...isa.opcodes import SCRATCH_SLOTS, Action
from ..ir.diagram import DeviceGuard, Diagram, Draw, Guard, Node, Return, Switch, successors
from ..ir.range_tests import RELATIONS
from ..ir.value_numbering import Operation, TooLarge
from .instruction_selection import SLOTS_FOR_SUMS, InstructionSelector
from .straight_line import RegisterContents, Steps, contents_after
from .switch_lowering import ConstantTest, Decision, JumpChain, lower_switch

_LONGEST_CHAIN: Final[Mapping[str, int | None]] = {"size": None, "speed": 8}


class NodePlan(NamedTuple):
    """How a node is done: its steps, then what is decided by A, or by A and X.

    before: what the registers hold in front of each step, and behind the last. reads_a, reads_x: what the end reads.
    targets: what the numbers of the decision stand for.
    """

    steps: Steps
    before: tuple[RegisterContents, ...]
    reads_a: bool = False
    reads_x: bool = False
    decision: Decision | None = None
    targets: tuple[int, ...] = ()


class RegisterPlan(NamedTuple):
    """The plan of each node, and where each way from one to the next enters its steps. The first way comes from -1."""

    of: dict[int, NodePlan]
    entries: dict[tuple[int, int], int]


def plan(diagram: Diagram, order: Sequence[int], goal: Goal) -> RegisterPlan:
    """Plans for nodes in their order. Raises `TooLarge`."""
    slots = _slots_of_draws(diagram, order)
    plans = _Planner(diagram, order, slots, slots.keys(), goal).plans
    read = {step.loaded for one in plans.of.values() for step in one.steps}
    kept = {number for number, slot in slots.items() if slot in read}
    return plans if len(kept) == len(slots) else _Planner(diagram, order, slots, kept, goal).plans


def _slots_of_draws(diagram: Diagram, order: Sequence[int]) -> dict[int, int]:
    """A scratch slot for each random number: those that sums do not use."""
    drawn = sorted({node.number for node in (diagram.nodes[one] for one in order) if isinstance(node, Draw)})
    if len(drawn) > SCRATCH_SLOTS - SLOTS_FOR_SUMS:
        raise TooLarge
    return {number: SLOTS_FOR_SUMS + index for index, number in enumerate(drawn)}


class _Planner:
    def __init__(
        self, diagram: Diagram, order: Sequence[int], slots: dict[int, int], kept: Set[int], goal: Goal
    ) -> None:
        self._diagram = diagram
        self._registers = InstructionSelector(diagram.values, slots)
        self._kept = kept
        self._longest = _LONGEST_CHAIN[goal]
        self._decisions: dict[tuple[tuple[int, ...], tuple[int, ...], int], Decision] = {}
        self.plans = RegisterPlan({}, {})
        zero = diagram.values.zero
        arriving: dict[int, list[tuple[int, RegisterContents]]] = {order[0]: [(-1, RegisterContents(zero, zero))]}
        for number in order:
            ways = arriving.pop(number)
            one = self.plans.of[number] = self._plan(diagram.nodes[number], _common([held for _, held in ways]))
            leaving = []
            for source, held in ways:
                entry = self.plans.entries[source, number] = _entry(one, held)
                leaving.append(_after(one, entry, held))
            left = _common(leaving)
            for target in set(successors(diagram.nodes[number])):
                arriving.setdefault(target, []).append((number, left))

    def _plan(self, node: Node, held: RegisterContents) -> NodePlan:
        match node:
            case Return(value) if self._diagram.values.number(value) is not None:
                return _planned((), held)
            case Return(value):
                return _planned(self._registers.into_a(value, held), held)._replace(reads_a=True)
            case Guard(_, following):
                after = self._diagram.nodes[following]
                wanted = after.value if isinstance(after, Switch) else None
                return _planned(self._registers.guard(node, held, wanted), held)
            case DeviceGuard():
                return _planned(self._registers.device(node, held), held)
            case Draw(number):
                return _planned(self._registers.draw(node, held, kept=number in self._kept), held)
        return self._plan_switch(node, held)

    def _plan_switch(self, node: Switch, held: RegisterContents) -> NodePlan:
        expressions = self._diagram.values
        value = expressions.nodes[node.value]
        if isinstance(value, Operation) and value.action in RELATIONS:
            return self._plan_relation(node, value, held)
        masked = expressions.with_constant(node.value, Action.AND)
        if masked is not None and node.starts == (0, 1):
            carried, mask = masked
            decision: Decision = JumpChain((ConstantTest(Action.BITS_SET, mask, 1),), 0)
            targets = node.targets
        else:
            carried = node.value
            decision, targets = self._decide(node)
        steps = self._registers.into_a(carried, held)
        return _planned(steps, held)._replace(reads_a=True, decision=decision, targets=targets)

    def _decide(self, node: Switch) -> tuple[Decision, tuple[int, ...]]:
        """The decision for targets numbered in their order, made once for all tests of one list; and these targets."""
        numbers = {target: number for number, target in enumerate(dict.fromkeys(node.targets))}
        kinds = tuple(numbers[target] for target in node.targets)
        most = self._diagram.values.most[node.value]
        key = (node.starts, kinds, most)
        if key not in self._decisions:
            self._decisions[key] = lower_switch(node.starts, kinds, most, self._longest)
        return self._decisions[key], tuple(numbers)

    def _plan_relation(self, node: Switch, relation: Operation, held: RegisterContents) -> NodePlan:
        """A test of two values: `jeq x`, or left > right as `jgt x`, or as not (right >= left)."""
        no, yes = 0, 1
        action = relation.action
        steps = self._registers.pair(relation.left, relation.right, held)
        mirrored = self._registers.pair(relation.right, relation.left, held)
        if len(mirrored) < len(steps):
            steps = mirrored
            if action is Action.GREATER_THAN:
                action, yes, no = Action.GREATER_OR_EQUAL, no, yes
        decision = JumpChain((ConstantTest(action, None, yes),), no)
        return _planned(steps, held)._replace(reads_a=True, reads_x=True, decision=decision, targets=node.targets)


def _planned(steps: Steps, held: RegisterContents) -> NodePlan:
    return NodePlan(steps, (held, *(step.after for step in steps)))


def _common(several: Sequence[RegisterContents]) -> RegisterContents:
    """What the registers hold on all ways."""
    first = several[0]
    same_a = all(held.a == first.a for held in several)
    same_x = all(held.x == first.x for held in several)
    return RegisterContents(first.a if same_a else None, first.x if same_x else None)


def _entry(plan: NodePlan, held: RegisterContents) -> int:
    """The last step before which the registers may be as they are."""
    needs_a, needs_x = plan.reads_a, plan.reads_x
    awaited: set[int] = set()
    allowed: list[int] = []
    for index in range(len(plan.steps), -1, -1):
        if index < len(plan.steps):
            step = plan.steps[index]
            needs_a = step.reads_a or (needs_a and not step.writes_a)
            needs_x = step.reads_x or (needs_x and not step.writes_x)
            if step.checks:
                allowed.clear()
            if step.loaded is not None and step.loaded < SLOTS_FOR_SUMS:
                awaited.add(step.loaded)
            if step.stored is not None:
                awaited.discard(step.stored)
        there = plan.before[index]
        if not awaited and (not needs_a or held.a == there.a) and (not needs_x or held.x == there.x):
            allowed.append(index)
    return max(allowed)


def _after(plan: NodePlan, entry: int, held: RegisterContents) -> RegisterContents:
    """What the registers hold behind the steps from *entry* on."""
    last, steps = contents_after(plan.steps, plan.before[0]), plan.steps[entry:]
    kept_a = not plan.reads_a and not any(step.writes_a for step in steps)
    kept_x = not plan.reads_x and not any(step.writes_x for step in steps)
    return RegisterContents(held.a if kept_a else last.a, held.x if kept_x else last.x)
