"""Compilation: rules about system calls to a program, through the decision diagram of the optimiser.

The diagram is made in the order architecture, number, conditions. The architectures that the same rules name are one
arm of a switch, and so are the numbers; code generation makes a decision tree of each switch. The numbers of x32 are
part of the numbers of x86-64, so a switch separates them with one test where the rules treat them alike.
"""

from collections.abc import Callable, Sequence

from .._typing import TYPE_CHECKING, Final, TypeAlias
from ..isa.dialects import SECCOMP, FetchOrder
from ..isa.opcodes import WORD_MASK, Action
from ..isa.program import Program
from ..isa.verifier import findings, verify
from ..isa.word_ranges import Ranges, intersection, split_by_first_word, union
from ..optimizer.ir.diagram import Arm, Diagram, NodeId
from ..optimizer.ir.range_tests import range_test
from ..optimizer.ir.requirements import PACKET, ValueId
from ..optimizer.ir.simplify import simplify_operation
from ..optimizer.ir.value_numbering import ValueTable
from ..optimizer.pipeline import from_diagram
from .rules import ARCHITECTURE, INSTRUCTION_POINTER, NUMBER, Condition, MaskedRanges, Rule

if TYPE_CHECKING:
    from .._options import Goal

_NUMBER_OFFSET: Final = 0
_ARCHITECTURE_OFFSET: Final = 4
_INSTRUCTION_POINTER_OFFSET: Final = 8
_ARGUMENTS_OFFSET: Final = 16
_WORD_OFFSETS: Final = {NUMBER: _NUMBER_OFFSET, ARCHITECTURE: _ARCHITECTURE_OFFSET}
_WORD_BITS: Final = 32

_Selected: TypeAlias = tuple[int, ...]
"""The indices of the rules that are left for a class of calls, in ascending order."""


def compile_rules(
    rules: Sequence[Rule], default: int, *, byte_order: FetchOrder = SECCOMP.byte_order, goal: "Goal" = "speed"
) -> Program:
    """Return an optimised program that decides each call by the first rule that matches it.

    Args:
        rules: The rules; the first one that matches a call decides it.
        default: The verdict for calls that no rule matches.
        byte_order: The byte order of the machines on which the program will run; default: that of this machine.
        goal: "speed" for short paths, by decision trees; "size" for few instructions. If the program for "speed" is
            longer than the kernel permits, the shorter one for "size" is returned.

    Returns:
        The program, which the dialect `cbpf.SECCOMP` of this byte order accepts.

    Raises:
        VerificationError: The program is longer than the 4,096 instructions that the kernel permits.

    >>> from cbpf import disassemble
    >>> x86_64 = (0xC000003E, 0xC000003E),
    >>> rule = Rule(architectures=x86_64, numbers=((39, 39),), conditions=(), verdict=0x7FFF0000)
    >>> print(compile_rules([rule], 0x50001, byte_order="little"))
    (000) ld       [4]
    (001) jeq      #0xc000003e      jt 2	jf 5
    (002) ld       [0]
    (003) jeq      #0x27            jt 4	jf 5
    (004) ret      #2147418112
    (005) ret      #327681
    """
    dialect = SECCOMP.replace(byte_order=byte_order)
    compiler = _Compiler(rules, default, Diagram(ValueTable(dialect)))
    root = compiler.root()
    program = from_diagram(compiler.diagram, root, goal)
    if goal == "speed" and findings(program, dialect=dialect):
        program = from_diagram(compiler.diagram, root, "size")
    verify(program, dialect=dialect)
    return program


class _Compiler:
    """The diagram of a list of rules, which is built from the verdicts upwards."""

    def __init__(self, rules: Sequence[Rule], default: int, diagram: Diagram) -> None:
        self.diagram = diagram
        self._rules = rules
        self._default = self._verdict(default)
        self._nodes: dict[_Selected, NodeId] = {}

    def root(self) -> NodeId:
        """Return the node of all calls."""
        every = tuple(range(len(self._rules)))
        return self._switch(_ARCHITECTURE_OFFSET, every, lambda rule: rule.architectures, self._by_number)

    def _by_number(self, selected: _Selected) -> NodeId:
        """Return the node of an architecture, for which these rules are left."""
        return self._switch(_NUMBER_OFFSET, selected, lambda rule: rule.numbers, self._by_conditions)

    def _by_conditions(self, selected: _Selected) -> NodeId:
        """Return the node of a number, for which these rules are left: their conditions, in order."""
        node = self._nodes.get(selected)
        if node is None:
            node = self._default
            for index in reversed(self._up_to_unconditional(selected)):
                rule = self._rules[index]
                inside = self._verdict(rule.verdict)
                for condition in reversed(rule.conditions):
                    inside = self._condition(condition, inside, node)
                node = inside
            self._nodes[selected] = node
        return node

    def _up_to_unconditional(self, selected: _Selected) -> _Selected:
        for position, index in enumerate(selected):
            if not self._rules[index].conditions:
                return selected[: position + 1]
        return selected

    def _switch(
        self,
        offset: int,
        selected: _Selected,
        ranges_of: Callable[[Rule], Ranges],
        below: Callable[[_Selected], NodeId],
    ) -> NodeId:
        """Return the switch on the word at *offset*; each arm leads to the node of the rules that its words leave."""
        arms: list[Arm] = []
        nodes: dict[_Selected, NodeId] = {}
        for start, left in _partition(selected, [ranges_of(self._rules[index]) for index in selected]):
            node = nodes.get(left)
            if node is None:
                node = nodes[left] = below(left)
            arms.append((start, node))
        return self.diagram.switch(self._word(offset), arms)

    def _condition(self, condition: Condition, inside: NodeId, outside: NodeId) -> NodeId:
        low, high = self._halves(condition.operand)
        for alternative in reversed(condition.alternatives):
            outside = self._masked_test(alternative, low, high, inside, outside)
        return outside

    def _masked_test(self, test: MaskedRanges, low: ValueId, high: ValueId, inside: NodeId, outside: NodeId) -> NodeId:
        """Return the node that tests an operand, which is given as its two words."""
        ranges = _within_mask(test.ranges, test.mask)
        complete, partial = split_by_first_word(ranges, _WORD_BITS)
        low, high = self._masked(low, test.mask & WORD_MASK), self._masked(high, test.mask >> _WORD_BITS)
        targets: dict[NodeId, list[tuple[int, int]]] = {inside: list(complete)}
        for word, lower in partial.items():
            target = self._word_test(low, union(lower), inside, outside)
            targets.setdefault(target, []).append((word, word))
        node = outside
        for target, words in targets.items():
            node = self._word_test(high, union(words), target, node)
        return node

    def _word_test(self, value: ValueId, ranges: Ranges, inside: NodeId, outside: NodeId) -> NodeId:
        test = range_test(self.diagram.values, value, ranges)
        if isinstance(test, bool):
            return inside if test else outside
        return self.diagram.test(*test, inside, outside)

    def _masked(self, value: ValueId, mask: int) -> ValueId:
        table = self.diagram.values
        return simplify_operation(table, Action.AND, value, table.constant(mask))

    def _halves(self, operand: int) -> tuple[ValueId, ValueId]:
        """Return the lower and the upper word of an operand; the upper one of a number or an architecture is 0."""
        if operand in _WORD_OFFSETS:
            return self._word(_WORD_OFFSETS[operand]), self.diagram.values.zero
        is_pointer = operand == INSTRUCTION_POINTER
        offset = _INSTRUCTION_POINTER_OFFSET if is_pointer else _ARGUMENTS_OFFSET + 8 * operand
        first, second = self._word(offset), self._word(offset + 4)
        return (first, second) if self.diagram.values.dialect.byte_order == "little" else (second, first)

    def _word(self, offset: int) -> ValueId:
        return self.diagram.values.load(PACKET, offset, 4)

    def _verdict(self, verdict: int) -> NodeId:
        return self.diagram.return_value(self.diagram.values.constant(verdict))


def _partition(selected: _Selected, sets: Sequence[Ranges]) -> list[tuple[int, _Selected]]:
    """Return the words from 0 on as intervals, each with the rules whose sets contain it; equal neighbours are merged.

    >>> _partition((3, 7), [((0, 9),), ((5, 5),)])
    [(0, (3,)), (5, (3, 7)), (6, (3,)), (10, ())]
    """
    changes: dict[int, set[int]] = {0: set()}
    for index, ranges in zip(selected, sets, strict=True):
        for low, high in ranges:
            changes.setdefault(low, set()).symmetric_difference_update((index,))
            if high < WORD_MASK:
                changes.setdefault(high + 1, set()).symmetric_difference_update((index,))
    present: set[int] = set()
    intervals: list[tuple[int, _Selected]] = []
    for start in sorted(changes):
        present ^= changes[start]
        if not intervals or changes[start]:
            intervals.append((start, tuple(sorted(present))))
    return intervals


def _within_mask(ranges: Ranges, mask: int) -> Ranges:
    """Return the part of the ranges that does not exceed the greatest number under a mask."""
    return intersection(union(ranges), ((0, mask),))
