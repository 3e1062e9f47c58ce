r"""The exact meaning of a filter: a decision diagram from the bits of a record to verdicts.

The semantics (`isa.semantics`) runs forwards on words that are vectors of Boolean functions, and determines the state
in which each instruction is reached and the condition of each jump. The verdict then follows backwards: that of a jump
is a choice between those of its targets. This is symbolic simulation with decision diagrams (Bryant 1990), so nothing
is approximate.

Some functions have no small diagram in any fixed order of the bits, such as the product of two words, or their equality
if the bits of one word come before those of the other. The result of such an operation is an *opaque* word: new
variables, which equal operations share. Where a verdict depends on them, the diagram alone does not decide it.

>>> from cbpf import SECCOMP, parse
>>> diagram = DecisionDiagram()
>>> filter_ = parse("ld [4]\njeq #0xc000003e, 0, 1\nret #0x7fff0000\nret #0")
>>> meaning = ProgramMeaning(diagram, filter_, SECCOMP, OpaqueWords(diagram))
>>> x86_64 = frozenset({0, 1, *range(26, 31)})  # the bits of 0xc000003e
>>> hex(diagram.value(meaning.verdict, x86_64))
'0x7fff0000'
"""

from collections.abc import Iterable, Sequence
from itertools import islice

from ..._named_tuple import NamedTuple
from ..._typing import Final, NoReturn
from ...analysis.register_effects import effects_of
from ...analysis.register_machine import A, X
from ...isa.dialects import Dialect, FetchOrder
from ...isa.enumerations import Extension
from ...isa.opcodes import SCRATCH_SLOTS, Action
from ...isa.raw_instruction import RawInstruction
from ...isa.semantics import HeaderKind, execute
from ...optimizer.ir.liveness import live_registers
from .bit_vectors import ZERO, Word, constant, constant_of, select
from .decision_diagram import FALSE, TRUE, DecisionDiagram, Node
from .opaque_words import OpaqueWords
from .record_bits import first_variable

_MAX_STATES: Final = 8
"""The number of states in which an instruction is executed; more are merged."""

_MAX_VERDICTS: Final = 64
"""The number of verdicts of one `ret a` that become leaves of their own."""


class ComputedVerdict(NamedTuple):
    """The leaf of a verdict that is computed, and may be one of many numbers: that of a `ret a`.

    Args:
        words: The words from which it is computed.
    """

    words: tuple[Word, ...]


class Point(NamedTuple):
    """An instruction in one of the states in which it is reached.

    Args:
        instruction: The index of the instruction.
        words: The words of the scratch slots, of A and of X that are live, in this order.
    """

    instruction: int
    words: tuple[Word, ...]


class _DiagramMachine:
    """A `Machine` whose words are vectors of Boolean functions, and whose conditions are Boolean functions.

    Attributes:
        registers: The scratch slots, A and X.
        ends_at_zero: The condition under which the instruction ends the run with verdict 0: it divides by 0.
        verdict: The verdict, if the instruction is a `ret`.
        test: The condition of a jump.
        targets: The targets of a jump; () if there are none, None before the end of the instruction.
    """

    def __init__(self, diagram: DecisionDiagram, opaque: OpaqueWords) -> None:
        self._diagram = diagram
        self._opaque = opaque

    def enter(self, live: Sequence[int], words: Sequence[Word]) -> None:
        """Continue at an instruction with the words of its live registers; the others are 0."""
        self.registers = [ZERO] * (SCRATCH_SLOTS + 2)
        for register, word in zip(live, words, strict=True):
            self.registers[register] = word
        self.ends_at_zero = self.test = FALSE
        self.verdict: Word | None = None
        self.targets: tuple[int, ...] | None = None

    @property
    def a(self) -> Word:
        return self.registers[A]

    @a.setter
    def a(self, value: Word) -> None:
        self.registers[A] = value

    @property
    def x(self) -> Word:
        return self.registers[X]

    @x.setter
    def x(self, value: Word) -> None:
        self.registers[X] = value

    def word(self, value: int) -> Word:
        return constant(value)

    def arithmetic(self, action: Action, left: Word, right: Word) -> Word:
        return self._opaque.arithmetic(action, left, right)

    def compare(self, action: Action, left: Word, right: Word) -> Node:
        return self._opaque.compare(action, left, right)

    def select(self, condition: Node, then: Word, otherwise: Word) -> Word:
        return select(self._diagram, condition, then, otherwise)

    def load_scratch(self, slot: int) -> Word:
        return self.registers[slot]

    def store_scratch(self, slot: int, value: Word) -> None:
        self.registers[slot] = value

    def header(self, header: HeaderKind) -> Word:
        return ZERO

    def fetch(self, base: Word, displacement: int, size: int, byte_order: FetchOrder) -> Word:
        first = first_variable(displacement, byte_order)
        return tuple([self._diagram.variable(first + bit) for bit in range(8 * size)])

    def captured_length(self) -> NoReturn:
        raise AssertionError("a record is complete")

    def wire_length(self) -> NoReturn:
        raise AssertionError("the length of a record is a constant")

    def lacks_device(self) -> NoReturn:
        raise AssertionError("a record has no extensions")

    def extension(self, extension: Extension, a: Word, x: Word) -> NoReturn:
        raise AssertionError("a record has no extensions")

    def return_if(self, condition: Node, verdict: Word) -> None:
        assert verdict == ZERO, "the only condition that ends a run is a division by 0"
        self.ends_at_zero = condition

    def finish(self, verdict: Word) -> None:
        self.verdict, self.targets = verdict, ()

    def jump(self, target: int) -> None:
        self.targets = (target,)

    def branch(self, condition: Node, target_true: int, target_false: int) -> None:
        self.test, self.targets = condition, (target_true, target_false)


class Step(NamedTuple):
    """An instruction that was executed in one state: see `_DiagramMachine`."""

    ends_at_zero: Node
    verdict: Word | None
    test: Node
    successors: tuple[Point, ...]


class ProgramMeaning:
    """The meaning of a program as functions of the record. May raise `TooManySteps`, as its methods may.

    Args:
        diagram: The diagram of the functions.
        program: A program that the dialect accepts.
        dialect: A dialect of records.
        opaque: The opaque words, to which those of the program are added. Programs that are compared share them.

    Attributes:
        verdict: The verdict; its values are ints, or instances of `ComputedVerdict`.
        steps: The instructions that were executed, in ascending order, in each of their states.
        merged_points: The states in whose place an instruction was executed in another one, and that one.
    """

    def __init__(
        self, diagram: DecisionDiagram, program: Sequence[RawInstruction], dialect: Dialect, opaque: OpaqueWords
    ) -> None:
        self._diagram = diagram
        self._program = program
        self._dialect = dialect
        self._machine = _DiagramMachine(diagram, opaque)
        self._live = [
            [register for register in range(SCRATCH_SLOTS + 2) if live >> register & 1]
            for live in live_registers(effects_of(program, dialect))
        ]
        self.steps: dict[Point, Step] = {}
        self._points: list[list[Point]] = [[] for _ in program]
        self.merged_points: dict[Point, Point] = {}
        self._conditions: dict[Point, Node] = {}
        self._propagated = 0
        self._execute()
        self.verdict = self._verdict()

    def _execute(self) -> None:
        """Execute the instructions in ascending order, each in all states in which it is reached."""
        first = Point(0, (ZERO,) * len(self._live[0]))
        self._conditions[first] = TRUE
        pending: list[dict[Point, None]] = [{} for _ in self._program]
        pending[0][first] = None
        for points in pending:
            for point in points if len(points) <= _MAX_STATES else [self._merge(list(points))]:
                step = self.steps[point] = self._step(point)
                self._points[point.instruction].append(point)
                for successor in step.successors:
                    pending[successor.instruction][successor] = None

    def _step(self, point: Point) -> Step:
        machine = self._machine
        machine.enter(self._live[point.instruction], point.words)
        execute(machine, self._program[point.instruction], point.instruction, self._dialect)
        targets = (point.instruction + 1,) if machine.targets is None else machine.targets
        successors = tuple([Point(target, self._live_words(target)) for target in targets])
        return Step(machine.ends_at_zero, machine.verdict, machine.test, successors)

    def _live_words(self, index: int) -> tuple[Word, ...]:
        registers = self._machine.registers
        return tuple([registers[register] for register in self._live[index]])

    def _merge(self, points: list[Point]) -> Point:
        """Return one state in place of several: its words are choices by the path conditions."""
        self._propagate()
        words = points[0].words
        for point in points[1:]:
            condition = self._conditions[point]
            pairs = zip(point.words, words, strict=True)
            words = tuple([select(self._diagram, condition, *pair) for pair in pairs])
        merged = Point(points[0].instruction, words)
        self.merged_points |= dict.fromkeys(points, merged)
        self._conditions[merged] = self._any(self._conditions[point] for point in points)
        return merged

    def _propagate(self) -> None:
        """Compute the path conditions of the successors of all instructions that were executed."""
        diagram = self._diagram
        for point, step in islice(self.steps.items(), self._propagated, None):
            condition = diagram.choose(step.ends_at_zero, FALSE, self._conditions[point])
            edges = [condition]
            if len(step.successors) == 2:
                edges = [diagram.both(step.test, condition), diagram.choose(step.test, FALSE, condition)]
            for successor, edge in zip(step.successors, edges, strict=False):
                self._conditions[successor] = diagram.either(edge, self._conditions.get(successor, FALSE))
        self._propagated = len(self.steps)

    def _verdict(self) -> Node:
        """Return the verdict, from the last instruction to the first."""
        verdicts: dict[Point, Node] = {}
        for point, step in reversed(self.steps.items()):
            targets = [verdicts[self.merged_points.get(successor, successor)] for successor in step.successors]
            verdict = self._leaves(point, step.verdict) if step.verdict is not None else targets[-1]
            if len(targets) == 2:
                verdict = self._diagram.choose(step.test, *targets)
            verdicts[point] = self._diagram.choose(step.ends_at_zero, self._diagram.leaf(0), verdict)
        return verdict

    def _leaves(self, point: Point, word: Word) -> Node:
        """Return the verdict of a `ret`: a leaf for each number that the word may be, if there are few."""
        diagram = self._diagram
        number = constant_of(word)
        if number is not None:
            return diagram.leaf(number)
        self._propagate()
        parts = [(self._conditions[point], 0)]
        for bit in word:
            halves = [
                (diagram.both(part, half), prefix << 1 | value)
                for part, prefix in parts
                for value, half in enumerate((diagram.negate(bit), bit))
            ]
            parts = [(part, prefix) for part, prefix in halves if part != FALSE]
            if len(parts) > _MAX_VERDICTS:
                return diagram.leaf(ComputedVerdict((word,)))
        verdict = diagram.leaf(0)
        for part, number in parts:
            verdict = diagram.choose(part, diagram.leaf(number), verdict)
        return verdict

    # Reachability

    def reached(self, index: int) -> Node:
        """Return the condition under which an instruction is executed."""
        return self._any(condition for _, condition in self._executions(index))

    def branch(self, index: int) -> tuple[Node, Node]:
        """Return the conditions under which a conditional jump is executed with the outcomes true and false."""
        diagram = self._diagram
        true = self._any(
            diagram.both(self.steps[point].test, condition) for point, condition in self._executions(index)
        )
        return true, diagram.choose(true, FALSE, self.reached(index))

    def _executions(self, index: int) -> list[tuple[Point, Node]]:
        """Return the states in which an instruction is executed, with their conditions."""
        self._propagate()
        return [(point, self._conditions[point]) for point in self._points[index]]

    def _any(self, conditions: Iterable[Node]) -> Node:
        result = FALSE
        for condition in conditions:
            result = self._diagram.either(result, condition)
        return result
