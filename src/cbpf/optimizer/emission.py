"""From a diagram to a program: registers on the way down, instructions on the way up.

On the way down each node is given the steps that bring what it tests into the registers. Every way enters them at the last
step from which on the registers hold what the steps before would have brought; so nothing is loaded twice. On the way up,
from the last instruction to the first, equal instructions with equal ways on are one, whatever A holds there.
"""

from collections.abc import Set
from typing import Final, Literal, NamedTuple, TypeAlias, cast

from ..instructions import RawInstruction
from ..isa import CODE_OF, OPCODE_BY_CODE, SCRATCH_SLOTS, Action, Operand
from ..program import Program
from .decisions import Chain, Decision, Question, Split, decide
from .diagram import Device, Diagram, Draw, Guard, Node, Return, Switch, targets_of
from .expressions import TooLarge
from .requirements import nonzero_divisor
from .registers import SLOTS_FOR_SUMS, Content, Registers, Step, Steps

Goal: TypeAlias = Literal["size", "speed"]

_LONGEST_CHAIN: Final[dict[str, int | None]] = {"size": None, "speed": 8}
_REACH: Final = 255
_RETURN: Final = CODE_OF[Action.RETURN, Operand.K, 4]
_RETURN_A: Final = CODE_OF[Action.RETURN, Operand.A, 4]
_JUMP: Final = CODE_OF[Action.JUMP, Operand.K, 4]


class _Held(NamedTuple):
    """What the registers hold."""

    a: Content
    x: Content


class _Plan(NamedTuple):
    """How a node is done: the steps, then what is decided; over: its test compares with X; mirrored: of a relation."""

    steps: Steps
    before: tuple[_Held, ...]
    reads_a: bool
    reads_x: bool
    decision: Decision | None
    relation: Action | None = None


def emit(diagram: Diagram, root: int, goal: Goal) -> Program:
    """The program of a diagram. Raises `TooLarge`."""
    root = _with_tested_divisors(diagram, root)
    order = diagram.below(root)
    slots = _slots_of_draws(diagram, order)
    down = _Down(diagram, order, slots, slots.keys(), goal)
    read = {step.loaded for plan in down.plans.values() for step in plan.steps}
    kept = {number for number, slot in slots.items() if slot in read}
    if len(kept) < len(slots):
        down = _Down(diagram, order, slots, kept, goal)
    return _Up(diagram, order, down).program(root)


def _slots_of_draws(diagram: Diagram, order: list[int]) -> dict[int, int]:
    """A scratch slot for each random number: those that sums do not use."""
    drawn = sorted({node.number for node in (diagram.nodes[one] for one in order) if isinstance(node, Draw)})
    if len(drawn) > SCRATCH_SLOTS - SLOTS_FOR_SUMS:
        raise TooLarge
    return {number: SLOTS_FOR_SUMS + index for index, number in enumerate(drawn)}


def _with_tested_divisors(diagram: Diagram, root: int) -> int:
    """The root of a diagram in which no guard asks for a divisor that is not 0; a test does."""
    made: dict[int, int] = {}
    for number in reversed(diagram.below(root)):
        node = diagram.nodes[number]
        targets = [made[target] for target in targets_of(node)]
        if isinstance(node, Guard):
            made[number] = _without_divisors(diagram, node, targets[0])
        else:
            made[number] = diagram.again(node, targets)
    return made[root]


def _without_divisors(diagram: Diagram, guard: Guard, following: int) -> int:
    divisors = [divisor for key, _ in guard.required if (divisor := nonzero_divisor(key)) is not None]
    for divisor in divisors:
        test = diagram.expressions.lies_in(divisor, ((0, 0),))
        if not isinstance(test, bool):
            following = diagram.test(*test, diagram.reject, following)
        elif test:
            following = diagram.reject
    return diagram.guard({key: one for key, one in guard.required if nonzero_divisor(key) is None}, following)


class _Down:
    """Plans every node, in the order of a run, and where each way enters the next node's steps."""

    def __init__(
        self, diagram: Diagram, order: list[int], slots: dict[int, int], kept: Set[int], goal: Goal
    ) -> None:
        self._diagram = diagram
        self._registers = Registers(diagram.expressions, slots)
        self._kept = kept
        self._longest = _LONGEST_CHAIN[goal]
        self.plans: dict[int, _Plan] = {}
        self.entries: dict[tuple[int, int], int] = {}
        zero = diagram.expressions.zero
        arriving: dict[int, list[tuple[int, _Held]]] = {order[0]: [(-1, _Held(zero, zero))]}
        for number in order:
            ways = arriving.pop(number)
            plan = self.plans[number] = self._plan(diagram.nodes[number], _common([held for _, held in ways]))
            leaving = []
            for source, held in ways:
                entry = self.entries[source, number] = _entry(plan, held)
                leaving.append(_after(plan, entry, held))
            left = _common(leaving)
            for target in set(targets_of(diagram.nodes[number])):
                arriving.setdefault(target, []).append((number, left))

    def _plan(self, node: Node, held: _Held) -> _Plan:
        match node:
            case Return():
                if self._diagram.expressions.value(node.value) is not None:
                    return self._planned((), held)
                return self._planned(self._into_a(node.value, held), held, reads_a=True)
            case Guard():
                following = self._diagram.nodes[node.following]
                wanted = following.value if isinstance(following, Switch) else None
                return self._planned(self._registers.guard(node, *held, wanted), held)
            case Device():
                return self._planned(self._registers.with_device(node.extension, node.verdict, *held), held)
            case Draw():
                return self._planned(self._registers.draw(node.number, held.x, kept=node.number in self._kept), held)
        return self._plan_switch(node, held)

    def _plan_switch(self, node: Switch, held: _Held) -> _Plan:
        expressions = self._diagram.expressions
        kind, *rest = expressions.nodes[node.value]
        if kind in (Action.EQUAL, Action.GREATER_THAN):
            return self._plan_relation(node, cast(Action, kind), *cast(list[int], rest), held)
        masked = expressions.masked(node.value)
        if masked is not None and node.starts == (0, 1):
            question = Question(Action.BITS_SET, masked[1], node.targets[1])
            return self._planned(
                self._into_a(masked[0], held), held, reads_a=True, decision=Chain((question,), node.targets[0])
            )
        decision = decide(node.starts, node.targets, expressions.most[node.value], self._longest)
        return self._planned(self._into_a(node.value, held), held, reads_a=True, decision=decision)

    def _plan_relation(self, node: Switch, relation: Action, left: int, right: int, held: _Held) -> _Plan:
        """A test of two values: `jeq x`, or left > right as `jgt x`, or as not (right >= left)."""
        no, yes = node.targets
        plain = self._registers.pair(left, right, *held)
        mirrored = self._registers.pair(right, left, *held)
        if len(mirrored) < len(plain):
            if relation is Action.GREATER_THAN:
                relation, yes, no = Action.GREATER_OR_EQUAL, no, yes
            plain = mirrored
        return self._planned(
            plain, held, reads_a=True, reads_x=True, decision=Chain((Question(relation, 0, yes),), no), relation=relation
        )

    def _into_a(self, value: int, held: _Held) -> Steps:
        steps = self._registers.into_a(value, *held)
        assert steps is not None
        return steps

    def _planned(
        self,
        steps: Steps,
        held: _Held,
        *,
        reads_a: bool = False,
        reads_x: bool = False,
        decision: Decision | None = None,
        relation: Action | None = None,
    ) -> _Plan:
        before = (held, *(_Held(step.a, step.x) for step in steps))
        return _Plan(steps, before, reads_a, reads_x, decision, relation)


def _common(several: list[_Held]) -> _Held:
    """What the registers hold on all ways."""
    first = several[0]
    same_a = all(held.a == first.a for held in several)
    same_x = all(held.x == first.x for held in several)
    return _Held(first.a if same_a else None, first.x if same_x else None)


def _entry(plan: _Plan, held: _Held) -> int:
    """The last step before which the registers may be as they are."""
    needs_a, needs_x = plan.reads_a, plan.reads_x
    awaited: set[int] = set()
    allowed = []
    for index in range(len(plan.steps), -1, -1):
        if index < len(plan.steps):
            step = plan.steps[index]
            needs_a = step.reads_a or (needs_a and not step.writes_a)
            needs_x = step.reads_x or (needs_x and not step.writes_x)
            if step.checks:
                allowed.clear()
            if step.loaded is not None and step.loaded < SLOTS_FOR_SUMS:
                awaited.add(step.loaded)
            awaited.discard(-1 if step.stored is None else step.stored)
        there = plan.before[index]
        if not awaited and (not needs_a or held.a == there.a) and (not needs_x or held.x == there.x):
            allowed.append(index)
    return max(allowed)


def _after(plan: _Plan, entry: int, held: _Held) -> _Held:
    """What the registers hold behind the steps from *entry* on."""
    last = plan.before[-1]
    steps = plan.steps[entry:]
    a = last.a if plan.reads_a or any(step.writes_a for step in steps) else held.a
    x = last.x if plan.reads_x or any(step.writes_x for step in steps) else held.x
    return _Held(a, x)


def _side_by_side(diagram: Diagram, order: list[int]) -> list[int]:
    """The nodes from the last to the first; one that only falls into its follower right behind that, where it can."""
    falling: dict[int, list[int]] = {}
    for number in order:
        node = diagram.nodes[number]
        if isinstance(node, Guard | Device | Draw):
            falling.setdefault(node.following, []).append(number)
    written: dict[int, None] = {}
    for number in reversed(order):
        while number not in written:
            written[number] = None
            number = next(iter(falling.get(number, ())), number)
    return list(written)


class _Row(NamedTuple):
    """An instruction, with the places it goes to: counted from the end of the program."""

    code: int
    k: int
    on_true: int
    on_false: int


class _Up:
    """Writes instructions from the last to the first."""

    def __init__(self, diagram: Diagram, order: list[int], down: _Down) -> None:
        self._diagram = diagram
        self._down = down
        self._rows: list[_Row] = []
        self._known: dict[_Row, int] = {}
        self._copies: dict[int, int] = {}
        self._places: dict[int, dict[int, int]] = {}
        used: dict[int, set[int]] = {}
        for (_, number), entry in down.entries.items():
            used.setdefault(number, set()).add(entry)
        for number in _side_by_side(diagram, order):
            self._places[number] = self._write(number, used[number])

    def program(self, root: int) -> Program:
        """The instructions, if the first one is where the run begins."""
        start = self._place(-1, root)
        if start != len(self._rows) - 1:
            self._bring_next(start)
        rows = self._rows
        return Program(self._raw(rows[place], place) for place in range(len(rows) - 1, -1, -1))

    def _raw(self, row: _Row, place: int) -> RawInstruction:
        if row.code == _JUMP:
            return RawInstruction(row.code, 0, 0, place - row.on_true - 1)
        if OPCODE_BY_CODE[row.code].action in _CONDITIONAL:
            return RawInstruction(row.code, place - row.on_true - 1, place - row.on_false - 1, row.k)
        return RawInstruction(row.code, 0, 0, row.k)

    def _place(self, source: int, target: int) -> int:
        return self._places[target][self._down.entries[source, target]]

    def _write(self, number: int, entries: set[int]) -> dict[int, int]:
        """Writes a node; gives the places of its entries."""
        plan, node = self._down.plans[number], self._diagram.nodes[number]
        place = self._end(number, node, plan)
        places = {}
        for index in range(len(plan.steps), -1, -1):
            if index < len(plan.steps):
                if index + 1 <= min(entries):
                    break
                place = self._straight(plan.steps[index], place)
            if index in entries:
                places[index] = place
        return places

    def _end(self, number: int, node: Node, plan: _Plan) -> int:
        if isinstance(node, Return):
            value = self._diagram.expressions.value(node.value)
            return self._put(_Row(_RETURN_A, 0, -1, -1) if value is None else _Row(_RETURN, value, -1, -1))
        if plan.decision is None:
            return self._place(number, targets_of(node)[0])
        return self._decision(number, plan.decision, plan.relation)

    def _decision(self, number: int, decision: Decision, relation: Action | None) -> int:
        if isinstance(decision, Split):
            low = self._decision(number, decision.low, relation)
            high = self._decision(number, decision.high, relation)
            return self._conditional(CODE_OF[Action.GREATER_OR_EQUAL, Operand.K, 4], decision.k, high, low)
        place = self._place(number, decision.otherwise)
        for question in reversed(decision.questions):
            code = CODE_OF[question.action, Operand.K if relation is None else Operand.X, 4]
            place = self._conditional(code, question.k, self._place(number, question.target), place)
        return place

    def _conditional(self, code: int, k: int, on_true: int, on_false: int) -> int:
        if on_true == on_false:
            return on_true
        known = self._known.get(_Row(code, k, on_true, on_false))
        if known is not None:
            return known
        near_true = self._near(on_true, 2)
        near_false = self._near(on_false, 1)
        place = self._put(_Row(code, k, near_true, near_false))
        self._known[_Row(code, k, on_true, on_false)] = place
        return place

    def _straight(self, step: Step, following: int) -> int:
        row = _Row(step.code, step.k, following, following)
        known = self._known.get(row)
        if known is not None:
            return known
        if following != len(self._rows) - 1:
            following = self._bring_next(following)
        self._known[row] = len(self._rows)
        self._rows.append(row)
        return len(self._rows) - 1

    def _bring_next(self, place: int) -> int:
        """A copy of the instruction at *place*, or a jump to it, as the next instruction."""
        row = self._rows[place]
        action = OPCODE_BY_CODE[row.code].action
        near = len(self._rows) - 1 - min(row.on_true, row.on_false) <= _REACH
        if action is Action.RETURN or (action in _CONDITIONAL and near):
            self._rows.append(row)
        else:
            self._rows.append(_Row(_JUMP, 0, place, place))
        return len(self._rows) - 1

    def _near(self, place: int, room: int) -> int:
        """The place, or one from which it is reached, near enough for the next instruction but *room* - 1."""
        if len(self._rows) - place - 2 + room <= _REACH:
            return place
        copy = self._copies.get(place)
        if copy is None or len(self._rows) - copy - 2 + room > _REACH:
            copy = self._copies[place] = self._bring_next(place)
        return copy

    def _put(self, row: _Row) -> int:
        known = self._known.get(row)
        if known is None:
            known = self._known[row] = len(self._rows)
            self._rows.append(row)
        return known


_CONDITIONAL: Final = frozenset({Action.EQUAL, Action.GREATER_THAN, Action.GREATER_OR_EQUAL, Action.BITS_SET})
