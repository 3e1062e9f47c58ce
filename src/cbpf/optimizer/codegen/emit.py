"""Emission: a diagram written as a program, from the last instruction to the first.

Instructions with equal fields and equal successors are shared, whatever A holds before them, so equal tails of several
paths are emitted once.
"""

from collections.abc import Generator, Iterator, Sequence

from ..._named_tuple import NamedTuple
from ..._typing import TYPE_CHECKING, Final, TypeAlias
from ...isa.opcodes import CODE_OF, CONDITIONS, OPCODE_BY_CODE, Action, Operand
from ...isa.raw_instruction import RawInstruction
from ..ir.diagram import DeviceGuard, Diagram, Draw, Guard, Node, NodeId, Return, successors
from ..ir.range_tests import range_test
from ..ir.requirements import nonzero_divisor
from .register_plan import RegisterPlan, plan_registers
from .straight_line import SelectedInstruction
from .switch_lowering import BinarySplit, ConditionalJump, DecisionTree, JumpChain

if TYPE_CHECKING:
    from ..._options import Goal

_MAX_DISTANCE: Final = 255  # of a conditional jump, in instructions
_MAX_REORDERED_TESTS: Final = 32
_MAX_CODE_BEFORE_CHAIN: Final = 128
_MAX_FINAL_RETURNS: Final = 8
_RETURN: Final = CODE_OF[Action.RETURN, Operand.K, 4]
_RETURN_A: Final = CODE_OF[Action.RETURN, Operand.A, 4]
_JUMP: Final = CODE_OF[Action.JUMP, Operand.K, 4]


def emit(diagram: Diagram, root: NodeId, goal: "Goal") -> tuple[RawInstruction, ...]:
    """Return the instructions of a diagram; may raise `TooLarge`."""
    order = diagram.topological_order(root)
    if any(_checks_divisor(diagram.nodes[node_id]) for node_id in order):
        root = _replace_divisor_guards(diagram, order)
        order = diagram.topological_order(root)
    return _Emitter(diagram, order, plan_registers(diagram, order, goal)).instructions(root)


def _checks_divisor(node: Node) -> bool:
    return isinstance(node, Guard) and any(nonzero_divisor(key) is not None for key, _ in node.required)


def _replace_divisor_guards(diagram: Diagram, order: Sequence[NodeId]) -> NodeId:
    """Return the root of a diagram in which switches test that divisors are not 0, instead of guards."""
    rebuilt: dict[NodeId, NodeId] = {}
    for node_id in reversed(order):
        node = diagram.nodes[node_id]
        if isinstance(node, Guard):
            rebuilt[node_id] = _replace_divisor_guard(diagram, node, rebuilt[node.successor])
        else:
            rebuilt[node_id] = diagram.rebuild(node_id, rebuilt)
    return rebuilt[order[0]]


def _replace_divisor_guard(diagram: Diagram, guard: Guard, successor: NodeId) -> NodeId:
    divisors = [divisor for key, _ in guard.required if (divisor := nonzero_divisor(key)) is not None]
    for divisor in divisors:
        test = range_test(diagram.values, divisor, ((0, 0),))
        if not isinstance(test, bool):
            successor = diagram.test(*test, diagram.reject, successor)
        elif test:
            successor = diagram.reject
    return diagram.guard({key: count for key, count in guard.required if nonzero_divisor(key) is None}, successor)


class _EmittedInstruction(NamedTuple):
    """An instruction with the positions of its successors; positions count from the end of the program, from 0."""

    code: int
    k: int
    on_true: int
    on_false: int


def _conditional(action: Action, k: int | None, on_true: int, on_false: int) -> _EmittedInstruction:
    """Return a conditional jump that compares A with k, or with X if k is None."""
    code = CODE_OF[action, Operand.X if k is None else Operand.K, 4]
    return _EmittedInstruction(code, k or 0, on_true, on_false)


_Emission: TypeAlias = Generator[NodeId, None, int]
"""The emission of a part of a node: it yields each node that must be emitted first, and returns its own position."""


class _Emitter:
    """The instructions of a program, written from the last to the first."""

    def __init__(self, diagram: Diagram, order: Sequence[NodeId], plan: RegisterPlan) -> None:
        self._diagram = diagram
        self._plan = plan
        self._emitted: list[_EmittedInstruction] = []
        self._positions: dict[_EmittedInstruction, int] = {}
        self._copies: dict[int, int] = {}
        self._entry_positions: dict[NodeId, dict[int, int]] = {}
        self._used_entries: dict[NodeId, set[int]] = {}
        for (_, target), entry in plan.entries.items():
            self._used_entries.setdefault(target, set()).add(entry)
        self._fall_through: dict[NodeId, NodeId] = {}
        for node_id in reversed(order):
            node = diagram.nodes[node_id]
            if isinstance(node, Guard | DeviceGuard | Draw):
                self._fall_through[node.successor] = node_id
        self._emit_nodes(order)

    def _emit_nodes(self, order: Sequence[NodeId]) -> None:
        """Emit all nodes, each after its successors; a node without jumps precedes its successor if possible.

        If there are few verdicts, they are at the end of the program. Of many, each is close to the code that needs it.
        """
        returns = [node_id for node_id in order if isinstance(self._diagram.nodes[node_id], Return)]
        started = {order[0], *returns[:_MAX_FINAL_RETURNS]}
        pending = [self._emit_node(node_id) for node_id in sorted(started, reverse=True)]
        while pending:
            needed = next(pending[-1], None)
            if needed is None:
                pending.pop()
            elif needed not in started:
                started.add(needed)
                pending.append(self._emit_node(needed))

    def instructions(self, root: NodeId) -> tuple[RawInstruction, ...]:
        """Return the instructions, of which the first is the entry point of the root."""
        start = self._position(-1, root)
        if start != len(self._emitted) - 1:
            self._append_copy(start)
        emitted = self._emitted
        return tuple(self._raw(emitted[position], position) for position in range(len(emitted) - 1, -1, -1))

    def _raw(self, instruction: _EmittedInstruction, position: int) -> RawInstruction:
        code, k, on_true, on_false = instruction
        if code == _JUMP:
            fields = (code, 0, 0, position - on_true - 1)
        elif OPCODE_BY_CODE[code].action in CONDITIONS:
            fields = (code, position - on_true - 1, position - on_false - 1, k)
        else:
            fields = (code, 0, 0, k)
        return tuple.__new__(RawInstruction, fields)  # valid by construction; a list may need 500,000 instructions

    def _position(self, source: NodeId, target: NodeId) -> int:
        """Return the position where an edge enters its target's code."""
        return self._entry_positions[target][self._plan.entries[source, target]]

    def _emit_node(self, node_id: NodeId) -> Iterator[NodeId]:
        """Emit a node; yield each node that must be emitted before the next step."""
        plan, entries = self._plan.nodes[node_id], self._used_entries[node_id]
        position = yield from self._emit_end(node_id)
        positions = self._entry_positions[node_id] = {}
        for index in range(len(plan.code), -1, -1):
            if index < len(plan.code):
                if index + 1 <= min(entries):
                    break
                position = self._emit_straight_line(plan.code[index], position)
            if index in entries:
                positions[index] = position
        if node_id in self._fall_through:
            yield self._fall_through[node_id]

    def _emit_end(self, node_id: NodeId) -> _Emission:
        """Emit the end of a node: a return, a decision, or nothing; return its position."""
        node, plan = self._diagram.nodes[node_id], self._plan.nodes[node_id]
        if isinstance(node, Return):
            verdict = self._diagram.values.constant_of(node.value)
            return self._emit_return(_RETURN_A, 0) if verdict is None else self._emit_return(_RETURN, verdict)
        if plan.decision is None:
            (successor,) = successors(node)
            yield successor
            return self._position(node_id, successor)
        return (yield from self._emit_decision(plan.decision, node_id, plan.targets))

    def _emit_decision(self, decision: DecisionTree, node_id: NodeId, targets: Sequence[NodeId]) -> _Emission:
        if isinstance(decision, BinarySplit):
            low = yield from self._emit_decision(decision.low, node_id, targets)
            high = yield from self._emit_decision(decision.high, node_id, targets)
            return self._emit_conditional(Action.GREATER_OR_EQUAL, decision.k, high, low)
        yield from self._near_targets(decision, targets)
        position = self._position(node_id, targets[decision.otherwise])
        remaining = list(decision.jumps)
        while remaining:
            index = self._best_last(remaining, node_id, targets, position)
            jump = remaining.pop(index)
            if targets[jump.target] not in self._entry_positions:
                yield targets[jump.target]
            position = self._emit_conditional(
                jump.action, jump.k, self._position(node_id, targets[jump.target]), position
            )
        return position

    def _near_targets(self, chain: JumpChain, targets: Sequence[NodeId]) -> Iterator[NodeId]:
        """Yield the targets of a chain until their code is long; the others are emitted between the chain's tests.

        The order of the tests is chosen when their targets are known, but all tests must be within reach of these.
        """
        if targets[chain.otherwise] not in self._entry_positions:
            yield targets[chain.otherwise]
        start = len(self._emitted)
        for jump in reversed(chain.jumps):
            if len(self._emitted) - start > _MAX_CODE_BEFORE_CHAIN:
                return
            if targets[jump.target] not in self._entry_positions:
                yield targets[jump.target]

    def _best_last(
        self, jumps: Sequence[ConditionalJump], node_id: NodeId, targets: Sequence[NodeId], otherwise: int
    ) -> int:
        """Return the index of the jump to execute last: an emitted `jeq` that can be shared, or the last one."""
        last = len(jumps) - 1
        if jumps[last].action is Action.EQUAL and last <= _MAX_REORDERED_TESTS:
            for index, jump in enumerate(jumps):
                target = targets[jump.target]
                if target in self._entry_positions:
                    position = self._position(node_id, target)
                    if _conditional(jump.action, jump.k, position, otherwise) in self._positions:
                        return index
        return last

    def _emit_conditional(self, action: Action, k: int | None, on_true: int, on_false: int) -> int:
        if on_true == on_false:
            return on_true
        key = _conditional(action, k, on_true, on_false)
        if key not in self._positions:
            added = 1 if self._is_near(on_false, 1) else 2  # 2, as a copy for the other target follows
            near_true = self._within_reach(on_true, added)
            near_false = self._within_reach(on_false, 1)
            self._positions[key] = len(self._emitted)
            self._emitted.append(key._replace(on_true=near_true, on_false=near_false))
        return self._positions[key]

    def _emit_straight_line(self, instruction: SelectedInstruction, successor: int) -> int:
        key = _EmittedInstruction(instruction.code, instruction.k, successor, successor)
        existing = self._positions.get(key)
        if existing is not None:
            return existing
        if successor != len(self._emitted) - 1:
            self._append_copy(successor)
        self._positions[key] = len(self._emitted)
        self._emitted.append(key)
        return len(self._emitted) - 1

    def _append_copy(self, position: int) -> int:
        """Append a copy of the instruction at *position*, or a jump to it; return the position of the new one."""
        instruction = self._emitted[position]
        action = OPCODE_BY_CODE[instruction.code].action
        farthest = len(self._emitted) - 1 - min(instruction.on_true, instruction.on_false)
        if action is Action.RETURN or (action in CONDITIONS and farthest <= _MAX_DISTANCE):
            self._emitted.append(instruction)
        else:
            self._emitted.append(_EmittedInstruction(_JUMP, 0, position, position))
        return len(self._emitted) - 1

    def _within_reach(self, position: int, added: int) -> int:
        """Return *position*, or that of a copy, within reach of the last of *added* further instructions."""
        if self._is_near(position, added):
            return position
        copy = self._copies.get(position)
        if copy is None or not self._is_near(copy, added):
            copy = self._copies[position] = self._append_copy(position)
        return copy

    def _is_near(self, position: int, added: int) -> bool:
        return len(self._emitted) - position - 2 + added <= _MAX_DISTANCE

    def _emit_return(self, code: int, k: int) -> int:
        key = _EmittedInstruction(code, k, -1, -1)
        position = self._positions.get(key)
        if position is None:
            position = self._positions[key] = len(self._emitted)
            self._emitted.append(key)
        return position
