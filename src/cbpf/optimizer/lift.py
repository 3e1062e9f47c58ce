"""From a program to a diagram: the semantics, run on expressions.

Jumps only go forward, so the states of a block are all known when its turn comes. A state is what the registers and
slots hold that are still read; programs made by compilers have one or two a block.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from ..isa.dialects import FetchOrder
from ..isa.instructions import RawInstruction
from ..isa.opcodes import SCRATCH_SLOTS, Action, Extension
from ..isa.semantics import HeaderKind, execute
from .ir.diagram import Diagram
from .ir.liveness import A, X, effects_of, leaders_of, live_registers
from .ir.range_tests import RelationTest, compare
from .ir.requirements import NOTHING, Requirements, nonzero_key, requirement_union
from .ir.simplify import arithmetic
from .ir.value_numbering import Drawn, Search, Selection, TooLarge, ValueTable

_MOST_STATES_OF_A_BLOCK: Final = 256
_SEARCHES: Final = (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED)


class BlockState(NamedTuple):
    """What is held: pairs of a register or slot and its expression (0 where it is missing), and the draws so far."""

    held: tuple[tuple[int, int], ...]
    draws: int


_LACKS_DEVICE: Final[RelationTest] = -1, ((1, 1),)
"""A test of its own kind: no expression can tell."""


class _Left(Exception):
    """The run has ended in the middle of an instruction."""


class _Requirement(NamedTuple):
    required: Requirements


class _Deviceless(NamedTuple):
    extension: Extension
    verdict: int


class _Draws(NamedTuple):
    number: int


class _Block(NamedTuple):
    """What happens in a block, and how it is left: with a verdict, or to one or two states of blocks."""

    events: tuple[_Requirement | _Deviceless | _Draws, ...]
    verdict: int | None
    test: tuple[int, object] | None
    ways: tuple[tuple[int, BlockState], ...]


class ExpressionMachine:
    """A `Machine` whose words are expressions and whose truths are tests."""

    def __init__(self, expressions: ValueTable, state: BlockState) -> None:
        self._table = expressions
        self.held = [expressions.zero] * (SCRATCH_SLOTS + 2)
        for place, expression in state.held:
            self.held[place] = expression
        self.draws = state.draws
        self.events: list[_Requirement | _Deviceless | _Draws] = []
        self.verdict: int | None = None
        self.truth: RelationTest = True
        self.ways: tuple[int, ...] | None = None
        self._compared = (Action.EQUAL, expressions.zero, expressions.zero)

    @property
    def a(self) -> int:
        return self.held[A]

    @a.setter
    def a(self, value: int) -> None:
        self.held[A] = value

    @property
    def x(self) -> int:
        return self.held[X]

    @x.setter
    def x(self, value: int) -> None:
        self.held[X] = value

    def word(self, value: int) -> int:
        return self._table.constant(value)

    def arithmetic(self, action: Action, left: int, right: int) -> int:
        return arithmetic(self._table, action, left, right)

    def compare(self, action: Action, left: int, right: int) -> RelationTest:
        self._compared = action, left, right
        return compare(self._table, action, left, right)

    def select(self, truth: RelationTest, then: int, otherwise: int) -> int:
        if isinstance(truth, bool):
            return then if truth else otherwise
        most = max(self._table.most[then], self._table.most[otherwise])
        selected = self._table.add(Selection(*truth, then, otherwise), most)
        self._table.shifts.setdefault(selected, (self.a, self.x))
        return selected

    def load_scratch(self, slot: int) -> int:
        return self.held[slot]

    def store_scratch(self, slot: int, value: int) -> None:
        self.held[slot] = value

    def captured_length(self) -> int:
        raise AssertionError("no instruction asks for it")

    def wire_length(self) -> int:
        return self._table.length()

    def header(self, header: HeaderKind) -> int:
        return self._table.header(header) if self._table.dialect.header_windows else self._table.zero

    def fetch(self, base: int, displacement: int, size: int, byte_order: FetchOrder) -> int:
        found = self._table.fetch(base, displacement, size)
        if found is None:
            self.finish(self._table.zero)
            raise _Left
        self.events.append(_Requirement(self._table.requirements[found]))
        return found

    def lacks_device(self) -> RelationTest:
        return _LACKS_DEVICE

    def extension(self, extension: Extension, a: int, x: int) -> int:
        if extension is Extension.RAND:
            self.events.append(_Draws(self.draws))
            self.draws += 1
            return self._table.add(Drawn(self.draws - 1))
        if extension in _SEARCHES:
            return self._table.add(Search(extension, a, x))
        last = self.events[-1] if self.events else None
        if isinstance(last, _Deviceless) and extension is Extension.LINK_LAYER_TYPE:
            self.events[-1] = last._replace(extension=extension)  # that load asked
        return self._table.known(extension)

    def return_if(self, truth: RelationTest, verdict: int) -> None:
        if truth is False:
            return
        if truth is True:
            self.finish(verdict)
            raise _Left
        if truth is _LACKS_DEVICE:
            self.events.append(_Deviceless(Extension.INTERFACE_INDEX, verdict))
            return
        action, divisor, zero = self._compared
        if action is not Action.EQUAL or zero != self._table.zero or verdict != zero:
            raise TooLarge  # no instruction ends a run for another reason
        self.events.append(_Requirement({nonzero_key(divisor): 1}))

    def finish(self, verdict: int) -> None:
        self.verdict = verdict
        self.ways = ()

    def jump(self, target: int) -> None:
        self.ways = (target,)

    def branch(self, truth: RelationTest, target_true: int, target_false: int) -> None:
        self.truth = truth
        if isinstance(truth, bool) or target_true == target_false:
            self.ways = (target_false if truth is False else target_true,)
        else:
            self.ways = (target_true, target_false)


def lift(program: Sequence[RawInstruction], expressions: ValueTable) -> tuple[Diagram, int]:
    """Return the diagram of a program that its dialect accepts, and its root. Raises `TooLarge`."""
    lifter = _Lifter(program, expressions)
    lifter.run()
    return lifter.diagram, lifter.build()


class _Lifter:
    def __init__(self, program: Sequence[RawInstruction], expressions: ValueTable) -> None:
        self._raw = tuple(program)
        self._table = expressions
        effects = effects_of(self._raw, expressions.dialect)
        self._live = live_registers(effects)
        self._leaders = leaders_of(effects)
        self._start = BlockState((), 0)
        self._waiting: dict[int, dict[BlockState, None]] = {0: {self._start: None}}
        self._blocks: dict[int, dict[BlockState, _Block]] = {}
        self.diagram = Diagram(expressions)

    def run(self) -> None:
        """Goes through all blocks in order, each in every state that comes there."""
        for leader in self._leaders:
            states = self._waiting.pop(leader, {})
            if len(states) > _MOST_STATES_OF_A_BLOCK:
                raise TooLarge
            blocks = self._blocks[leader] = {}
            for state in states:
                block = blocks[state] = self._block(leader, state)
                for target, following in block.ways:
                    self._waiting.setdefault(target, {})[following] = None

    def build(self) -> int:
        """The nodes of all blocks, from the last to the first."""
        built: dict[tuple[int, BlockState], int] = {}
        for leader in reversed(self._leaders):
            for state, block in self._blocks[leader].items():
                built[leader, state] = self._node(block, [built[way] for way in block.ways])
        return built[0, self._start]

    def _block(self, index: int, state: BlockState) -> _Block:
        machine = ExpressionMachine(self._table, state)
        try:
            while machine.ways is None:
                execute(machine, self._raw[index], index, self._table.dialect)
                index += 1
                if machine.ways is None and index in self._leaders:
                    machine.ways = (index,)
        except _Left:
            pass
        ways = tuple((target, self._state(machine, target)) for target in machine.ways or ())
        test = None if isinstance(machine.truth, bool) or len(ways) < 2 else machine.truth
        return _Block(tuple(machine.events), machine.verdict, test, ways)

    def _state(self, machine: ExpressionMachine, target: int) -> BlockState:
        zero = self._table.zero
        live = self._live[target]
        held = tuple((place, one) for place, one in enumerate(machine.held) if one != zero and live >> place & 1)
        return BlockState(held, machine.draws)

    def _node(self, block: _Block, targets: list[int]) -> int:
        diagram = self.diagram
        if block.verdict is not None:
            node = diagram.finish(block.verdict)
        elif block.test is not None:
            value, ranges = block.test
            node = diagram.test(value, ranges, *targets)  # type: ignore[arg-type]
        else:
            node = targets[0]
        pending: Requirements = NOTHING
        for event in reversed(block.events):
            if isinstance(event, _Requirement):
                pending = requirement_union(pending, event.required) or NOTHING
                continue
            node, pending = diagram.guard(pending, node), NOTHING
            node = (
                diagram.device(event.extension, event.verdict, node)
                if isinstance(event, _Deviceless)
                else diagram.draw(event.number, node)
            )
        return diagram.guard(pending, node)
