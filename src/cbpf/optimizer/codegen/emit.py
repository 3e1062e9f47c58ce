"""From a diagram to a program, from the last instruction to the first.

Equal instructions with equal ways on are one, whatever A holds there.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ..._options import Goal
from ...isa.instructions import RawInstruction
from ...isa.opcodes import CODE_OF, CONDITIONS, OPCODE_BY_CODE, Action, Operand
from ..ir.diagram import DeviceGuard, Diagram, Draw, Guard, Node, Return, successors
from ..ir.range_tests import range_test
from ..ir.requirements import nonzero_divisor
from .register_plan import NodePlan, RegisterPlan, plan
from .straight_line import SelectedInstruction
from .switch_lowering import BinarySplit, ConstantTest, Decision

_REACH: Final = 255  # of a conditional jump, in instructions
_LONGEST_REORDERED: Final = 32  # questions
_RETURN: Final = CODE_OF[Action.RETURN, Operand.K, 4]
_RETURN_A: Final = CODE_OF[Action.RETURN, Operand.A, 4]
_JUMP: Final = CODE_OF[Action.JUMP, Operand.K, 4]


def emit(diagram: Diagram, root: int, goal: Goal) -> tuple[RawInstruction, ...]:
    """Return the instructions of a diagram. Raises `TooLarge`."""
    root = _with_tested_divisors(diagram, root)
    order = diagram.topological_order(root)
    return _Writer(diagram, order, plan(diagram, order, goal)).instructions(root)


def _with_tested_divisors(diagram: Diagram, root: int) -> int:
    """The root of a diagram in which no guard asks for a divisor that is not 0; a test does."""
    made: dict[int, int] = {}
    for number in reversed(diagram.topological_order(root)):
        node = diagram.nodes[number]
        if isinstance(node, Guard):
            made[number] = _without_divisors(diagram, node, made[node.following])
        else:
            made[number] = diagram.rebuild(number, made)
    return made[root]


def _without_divisors(diagram: Diagram, guard: Guard, following: int) -> int:
    divisors = [divisor for key, _ in guard.required if (divisor := nonzero_divisor(key)) is not None]
    for divisor in divisors:
        test = range_test(diagram.values, divisor, ((0, 0),))
        if not isinstance(test, bool):
            following = diagram.test(*test, diagram.reject, following)
        elif test:
            following = diagram.reject
    return diagram.guard({key: one for key, one in guard.required if nonzero_divisor(key) is None}, following)


def _side_by_side(diagram: Diagram, order: Sequence[int]) -> Iterable[int]:
    """The nodes from the last to the first; one that only falls into its follower right behind that, where it can."""
    falling: dict[int, list[int]] = {}
    for number in order:
        node = diagram.nodes[number]
        if isinstance(node, Guard | DeviceGuard | Draw):
            falling.setdefault(node.following, []).append(number)
    written: dict[int, None] = {}
    for number in reversed(order):
        while number not in written:
            written[number] = None
            number = next(iter(falling.get(number, ())), number)
    return written


class _Row(NamedTuple):
    """An instruction, with the places it goes to: counted from the end of the program."""

    code: int
    k: int
    on_true: int
    on_false: int


def _row_of(action: Action, k: int | None, on_true: int, on_false: int) -> _Row:
    """A conditional jump by a constant, or by X."""
    return _Row(CODE_OF[action, Operand.X if k is None else Operand.K, 4], k or 0, on_true, on_false)


class _Writer:
    """Writes instructions from the last to the first."""

    def __init__(self, diagram: Diagram, order: Sequence[int], plans: RegisterPlan) -> None:
        self._diagram = diagram
        self._plans = plans
        self._rows: list[_Row] = []
        self._known: dict[_Row, int] = {}
        self._copies: dict[int, int] = {}
        self._places: dict[int, dict[int, int]] = {}
        used: dict[int, set[int]] = {}
        for (_, number), entry in plans.entries.items():
            used.setdefault(number, set()).add(entry)
        for number in _side_by_side(diagram, order):
            self._places[number] = self._write(number, used[number])

    def instructions(self, root: int) -> tuple[RawInstruction, ...]:
        """Return the instructions, of which the first is the entry point."""
        start = self._place(-1, root)
        if start != len(self._rows) - 1:
            self._bring_next(start)
        rows = self._rows
        return tuple(self._raw(rows[place], place) for place in range(len(rows) - 1, -1, -1))

    def _raw(self, row: _Row, place: int) -> RawInstruction:
        if row.code == _JUMP:
            fields = (row.code, 0, 0, place - row.on_true - 1)
        elif OPCODE_BY_CODE[row.code].action in CONDITIONS:
            fields = (row.code, place - row.on_true - 1, place - row.on_false - 1, row.k)
        else:
            fields = (row.code, 0, 0, row.k)
        return tuple.__new__(RawInstruction, fields)  # they fit, and a list of networks has half a million

    def _place(self, source: int, target: int) -> int:
        return self._places[target][self._plans.entries[source, target]]

    def _write(self, number: int, entries: set[int]) -> dict[int, int]:
        """Writes a node; gives the places of its entries."""
        plan, node = self._plans.of[number], self._diagram.nodes[number]
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

    def _end(self, number: int, node: Node, plan: NodePlan) -> int:
        if isinstance(node, Return):
            value = self._diagram.values.number(node.value)
            return self._put(_Row(_RETURN_A, 0, -1, -1) if value is None else _Row(_RETURN, value, -1, -1))
        if plan.decision is None:
            return self._place(number, successors(node)[0])
        return self._decision(plan.decision, [self._place(number, target) for target in plan.targets])

    def _decision(self, decision: Decision, places: Sequence[int]) -> int:
        if isinstance(decision, BinarySplit):
            low = self._decision(decision.low, places)
            high = self._decision(decision.high, places)
            return self._conditional(Action.GREATER_OR_EQUAL, decision.k, high, low)
        place = places[decision.otherwise]
        left = list(decision.tests)
        while left:
            question = left.pop(self._best_last(left, places, place))
            place = self._conditional(question.action, question.k, places[question.target], place)
        return place

    def _best_last(self, questions: Sequence[ConstantTest], places: Sequence[int], otherwise: int) -> int:
        """The question to be asked last: of those for single numbers one that is written already, if there is one."""
        last = len(questions) - 1
        if questions[last].action is Action.EQUAL and last <= _LONGEST_REORDERED:
            for index, question in enumerate(questions):
                if _row_of(question.action, question.k, places[question.target], otherwise) in self._known:
                    return index
        return last

    def _conditional(self, action: Action, k: int | None, on_true: int, on_false: int) -> int:
        if on_true == on_false:
            return on_true
        wanted = _row_of(action, k, on_true, on_false)
        if wanted not in self._known:
            near_true = self._near(on_true, 2)  # one more if the other target has to be brought near too
            near_false = self._near(on_false, 1)
            self._known[wanted] = len(self._rows)
            self._rows.append(wanted._replace(on_true=near_true, on_false=near_false))
        return self._known[wanted]

    def _straight(self, step: SelectedInstruction, following: int) -> int:
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
        if action is Action.RETURN or (action in CONDITIONS and near):
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
