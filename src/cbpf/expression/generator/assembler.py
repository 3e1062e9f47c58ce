"""The assembler of conditions: instructions with jumps of any length, and the part of the text that each belongs to.

The instructions are placed from the last to the first, so the target of each jump is already in its place. A label is
the number of instructions from its target to the end of the program, so that it never changes.
"""

from collections.abc import Mapping
from itertools import zip_longest

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa.opcodes import CODE_OF, Action, Operand
from ...isa.raw_instruction import RawInstruction
from ...isa.word_ranges import SetTest
from ..syntax_tree import Span
from .conditions import AllOf, AnyOf, Clause, Comparison, Condition, Effect, Membership, Negation
from .steps import Steps, raw, store_a

_LONGEST_SKIP: Final = 255  # of a conditional jump, whose fields have 8 bits
_RETURN: Final = CODE_OF[Action.RETURN, Operand.K, 4]
_JUMP: Final = CODE_OF[Action.JUMP, Operand.K, 4]
_EQUAL: Final = CODE_OF[Action.EQUAL, Operand.K, 4]


class Assembly(NamedTuple):
    """The instructions of a condition.

    Args:
        instructions: The instructions. A jump at an index in *sets* is a test for equality with 0.
        spans: The part of the text to which each instruction belongs; None for the measurements at the beginning and
            the verdicts at the end.
        sets: The sets of jumps, by index.
    """

    instructions: tuple[RawInstruction, ...]
    spans: tuple[Span | None, ...]
    sets: Mapping[int, SetTest]


class _Rest(NamedTuple):
    """The operands up to an index, which are still to be placed before the others; *other* is the label for a stop."""

    operands: tuple[Condition, ...]
    last: int
    other: int
    stops_if: bool


class _EndOfClause(NamedTuple):
    """The beginning of a clause has been placed; *outer* is the span around it."""

    outer: Span | None


class _Assembler:
    def __init__(self, verdicts: tuple[int, ...], *, keep_sets: bool) -> None:
        self._keep_sets = keep_sets
        self.instructions: list[RawInstruction] = [raw(_RETURN, verdict) for verdict in verdicts]
        self.spans: list[Span | None] = [None] * len(verdicts)
        self.sets: dict[int, SetTest] = {}
        self.used: set[int] = set()
        self._span: Span | None = None
        self._relays: dict[int, int] = {}

    def place(self, condition: Condition, on_true: int, on_false: int) -> int:
        """Place a condition before the instructions, and return its label."""
        stack: list[tuple[Condition | _Rest | _EndOfClause, int, int]] = [(condition, on_true, on_false)]
        entry = 0
        while stack:
            item, on_true, on_false = stack.pop()
            if isinstance(item, _Rest):
                if item.last:
                    stack.append((item._replace(last=item.last - 1), 0, 0))
                targets = (item.other, entry) if item.stops_if else (entry, item.other)
                stack.append((item.operands[item.last], *targets))
            elif isinstance(item, AllOf | AnyOf):
                stops_if = isinstance(item, AnyOf)
                other, last = (on_true if stops_if else on_false), len(item.operands) - 1
                stack.append((_Rest(item.operands, last - 1, other, stops_if), 0, 0))
                stack.append((item.operands[last], on_true, on_false))
            elif isinstance(item, Negation):
                stack.append((item.operand, on_false, on_true))
            elif isinstance(item, Clause):
                stack += ((_EndOfClause(self._span), 0, 0), (item.condition, on_true, on_false))
                self._span = item.span
            elif isinstance(item, _EndOfClause):
                self._span = item.outer
            elif isinstance(item, Membership) and not self._keep_sets:
                from .sets import expanded

                stack.append((expanded(item.words, item.ranges), on_true, on_false))
            else:
                entry = self._place_test(item, on_true, on_false)
        return entry

    def _place_test(self, test: bool | Comparison | Membership | Effect, on_true: int, on_false: int) -> int:
        if isinstance(test, bool):
            self.used.add(on_true if test else on_false)
            return on_true if test else on_false
        if isinstance(test, Membership):
            return self._place_membership(test, on_true, on_false)
        if isinstance(test, Effect):
            self._place_jump(on_true)
        else:
            operand, k = (Operand.X, 0) if test.k is None else (Operand.K, test.k)
            self._place_branch(CODE_OF[test.action, operand, 4], k, on_true, on_false)
        return self._place_steps(test.steps)

    def _place_membership(self, test: Membership, on_true: int, on_false: int) -> int:
        self._place_branch(_EQUAL, 0, on_true, on_false)
        self.sets[len(self.instructions)] = SetTest(test.slots, test.ranges)
        for word, slot in reversed([*zip_longest(test.words, test.slots)]):
            self._place_steps(word if slot is None else (*word, store_a(slot)))
        return len(self.instructions)

    def _place_steps(self, steps: Steps) -> int:
        for step in reversed(steps):
            self._append(step)
        return len(self.instructions)

    def _place_jump(self, target: int) -> None:
        self.used.add(target)
        if target != len(self.instructions):
            self._append(raw(_JUMP, len(self.instructions) - target))

    def _place_branch(self, op: int, k: int, on_true: int, on_false: int) -> None:
        self.used |= {on_true, on_false}
        on_false = self._near(on_false, spare=1)
        on_true = self._near(on_true, spare=0)
        here = len(self.instructions)
        self._append(raw(op, k, here - on_true, here - on_false))

    def _near(self, target: int, *, spare: int) -> int:
        """Return a label to which a conditional jump can skip, also after *spare* more instructions.

        It is that of the target, or of an unconditional jump to it, which several conditional jumps share.
        """
        for label in (target, self._relays.get(target, 0)):
            if label and len(self.instructions) - label + spare <= _LONGEST_SKIP:
                return label
        self._append(raw(_JUMP, len(self.instructions) - target))
        self._relays[target] = len(self.instructions)
        return len(self.instructions)

    def _append(self, instruction: RawInstruction) -> None:
        self.instructions.append(instruction)
        self.spans.append(self._span)


def assemble(condition: Condition, accept: int, *, keep_sets: bool = False) -> Assembly:
    """Return the instructions of a condition: the verdict is *accept* if it is true, and else 0.

    With *keep_sets*, a test of a set is one jump, for the optimiser; otherwise it becomes comparisons.
    """
    if isinstance(condition, bool):
        return Assembly((raw(_RETURN, accept if condition else 0),), (None,), {})
    assembler = _Assembler((0, accept), keep_sets=keep_sets)
    assembler.place(condition, 2, 1)
    if not {1, 2} <= assembler.used:  # the outcome is constant, and only missing bytes reject a packet
        assembler = _Assembler((accept if 2 in assembler.used else 0,), keep_sets=keep_sets)
        assembler.place(condition, 1, 1)
    length = len(assembler.instructions)
    return Assembly(
        tuple(reversed(assembler.instructions)),
        tuple(reversed(assembler.spans)),
        {length - label: test for label, test in assembler.sets.items()},
    )
