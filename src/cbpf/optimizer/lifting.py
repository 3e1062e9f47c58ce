"""From a program to a diagram: the semantics, run on expressions.

Jumps only go forward, so the states of a block are all known when its turn comes. A state is what the registers and
slots hold that are still read; programs made by compilers have one or two a block.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from ..dialects import Dialect, FetchOrder
from ..instructions import RawInstruction
from ..isa import SCRATCH_SLOTS, Action, Extension
from ..program import Program
from ..semantics import Header, execute
from .diagram import Diagram
from .expressions import Expressions, Test, TooLarge
from .requirements import NOTHING, Requirements, both, nonzero_key

_MOST_STATES_OF_A_BLOCK: Final = 256
_SEARCHES: Final = (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED)

A: Final = SCRATCH_SLOTS
X: Final = SCRATCH_SLOTS + 1
"""A, X: the registers, numbered after the slots."""


class State(NamedTuple):
    """What is held: pairs of a register or slot and its expression (0 where it is missing), and the draws so far."""

    held: tuple[tuple[int, int], ...]
    draws: int


class _Left(Exception):
    """The run has ended in the middle of an instruction."""


class _Requirement(NamedTuple):
    required: Requirements


class _Deviceless(NamedTuple):
    extension: Extension
    verdict: int


class _Drawn(NamedTuple):
    number: int


class _Block(NamedTuple):
    """What happens in a block, and how it is left: with a verdict, or to one or two states of blocks."""

    events: tuple[_Requirement | _Deviceless | _Drawn, ...]
    verdict: int | None
    test: tuple[int, object] | None
    ways: tuple[tuple[int, State], ...]


class ExpressionMachine:
    """A `Machine` whose words are expressions and whose truths are tests."""

    def __init__(self, expressions: Expressions, state: State) -> None:
        self._table = expressions
        self.held = [expressions.zero] * (SCRATCH_SLOTS + 2)
        for place, expression in state.held:
            self.held[place] = expression
        self.draws = state.draws
        self.events: list[_Requirement | _Deviceless | _Drawn] = []
        self.verdict: int | None = None
        self.truth: Test = True
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
        return self._table.arithmetic(action, left, right)

    def compare(self, action: Action, left: int, right: int) -> Test:
        self._compared = action, left, right
        return self._table.compare(action, left, right)

    def select(self, truth: Test, then: int, otherwise: int) -> int:
        selected = self._table.select(truth, then, otherwise)
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

    def header(self, header: Header) -> int:
        return self._table.header(header) if self._table.dialect.header_windows else self._table.zero

    def fetch(self, base: int, displacement: int, size: int, byte_order: FetchOrder) -> int:
        found = self._table.load(base, displacement, size)
        if found is None:
            self.finish(self._table.zero)
            raise _Left
        self.events.append(_Requirement(self._table.requirements[found]))
        return found

    def lacks_device(self) -> Test:
        return self._table.lacks_device(), ((1, 1),)

    def extension(self, extension: Extension, a: int, x: int) -> int:
        if extension is Extension.RAND:
            self.events.append(_Drawn(self.draws))
            self.draws += 1
            return self._table.draw(self.draws - 1)
        if extension is Extension.LINK_LAYER_TYPE:
            self.events[-1] = self.events[-1]._replace(extension=extension)  # it was asked whether there is a device
        if extension in _SEARCHES:
            return self._table.search(extension, a, x)
        return self._table.extension(extension)

    def return_if(self, truth: Test, verdict: int) -> None:
        if truth is False:
            return
        if truth is True:
            self.finish(verdict)
            raise _Left
        if truth == self.lacks_device():
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

    def branch(self, truth: Test, target_true: int, target_false: int) -> None:
        self.truth = truth
        if isinstance(truth, bool) or target_true == target_false:
            self.ways = (target_false if truth is False else target_true,)
        else:
            self.ways = (target_true, target_false)


def lift(program: Program, expressions: Expressions) -> tuple[Diagram, int]:
    """The diagram of a program that its dialect accepts, and its root. Raises `TooLarge`."""
    lifter = _Lifter(program, expressions)
    lifter.run()
    return lifter.diagram, lifter.build()


class _Lifter:
    def __init__(self, program: Program, expressions: Expressions) -> None:
        self._raw = tuple(program)
        self._table = expressions
        effects = _effects(self._raw, expressions.dialect)
        self._live = _live_registers(effects)
        self._leaders = _leaders(effects)
        self._start = State((), 0)
        self._waiting: dict[int, dict[State, None]] = {0: {self._start: None}}
        self._blocks: dict[int, dict[State, _Block]] = {}
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
        built: dict[tuple[int, State], int] = {}
        for leader in reversed(self._leaders):
            for state, block in self._blocks[leader].items():
                built[leader, state] = self._node(block, [built[way] for way in block.ways])
        return built[0, self._start]

    def _block(self, index: int, state: State) -> _Block:
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

    def _state(self, machine: ExpressionMachine, target: int) -> State:
        zero = self._table.zero
        live = self._live[target]
        held = tuple((place, one) for place, one in enumerate(machine.held) if one != zero and live >> place & 1)
        return State(held, machine.draws)

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
                pending = both(pending, event.required) or NOTHING
                continue
            node, pending = diagram.guard(pending, node), NOTHING
            node = diagram.device(event.extension, event.verdict, node) if isinstance(event, _Deviceless) else diagram.draw(event.number, node)
        return diagram.guard(pending, node)


class _Recorder:
    """A `Machine` that notes which registers and slots an instruction reads before it writes them, and where it leads."""

    def __init__(self) -> None:
        self.reads = self.writes = 0
        self.ways: tuple[int, ...] | None = None

    def _read(self, place: int) -> int:
        if not self.writes >> place & 1:
            self.reads |= 1 << place
        return 0

    a = property(lambda self: self._read(A), lambda self, value: self.store_scratch(A, value))
    x = property(lambda self: self._read(X), lambda self, value: self.store_scratch(X, value))

    def store_scratch(self, slot: int, value: int) -> None:
        self.writes |= 1 << slot

    def load_scratch(self, slot: int) -> int:
        return self._read(slot)

    def word(self, value: int) -> int:
        return 0

    def arithmetic(self, action: Action, left: int, right: int) -> int:
        return 0

    def compare(self, action: Action, left: int, right: int) -> int:
        return 0

    def select(self, truth: int, then: int, otherwise: int) -> int:
        return 0

    def captured_length(self) -> int:
        return 0

    def wire_length(self) -> int:
        return 0

    def header(self, header: Header) -> int:
        return 0

    def fetch(self, base: int, displacement: int, size: int, byte_order: FetchOrder) -> int:
        return 0

    def lacks_device(self) -> int:
        return 0

    def extension(self, extension: Extension, a: int, x: int) -> int:
        return 0

    def return_if(self, truth: int, verdict: int) -> None:
        return

    def finish(self, verdict: int) -> None:
        self.ways = ()

    def jump(self, target: int) -> None:
        self.ways = (target,)

    def branch(self, truth: int, target_true: int, target_false: int) -> None:
        self.ways = (target_true, target_false)


class _Effect(NamedTuple):
    """What an instruction reads and writes, a bit each, and how far it leads from the next one; None: to that one."""

    reads: int
    writes: int
    skips: tuple[int, ...] | None


def _effects(program: Sequence[RawInstruction], dialect: Dialect) -> list[_Effect]:
    known: dict[RawInstruction, _Effect] = {}
    return [known.get(raw) or known.setdefault(raw, _effect(raw, dialect)) for raw in program]


def _effect(raw: RawInstruction, dialect: Dialect) -> _Effect:
    recorder = _Recorder()
    execute(recorder, raw, -1, dialect)
    return _Effect(recorder.reads, recorder.writes, recorder.ways)


def _live_registers(effects: Sequence[_Effect]) -> list[int]:
    """For each instruction the registers and slots that are read there or later, before they are written: a bit each."""
    live = [0] * (len(effects) + 1)
    for index in range(len(effects) - 1, -1, -1):
        effect = effects[index]
        if effect.skips is None:
            after = live[index + 1]
        else:
            after = 0
            for skip in effect.skips:
                after |= live[index + 1 + skip]
        live[index] = effect.reads | (after & ~effect.writes)
    return live


def _leaders(effects: Sequence[_Effect]) -> dict[int, None]:
    """The instructions that begin a block, in order."""
    found = {0}
    for index, effect in enumerate(effects):
        if effect.skips:
            found.update(index + 1 + skip for skip in effect.skips)
    return dict.fromkeys(sorted(found))
