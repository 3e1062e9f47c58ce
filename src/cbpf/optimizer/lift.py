r"""Lifting: a program converted to a decision diagram by running the semantics on numbered values.

Jumps only go forward, so all states in which a block is entered are known before the block is lifted. A state holds the
live registers and scratch slots; compilers produce programs with one or two states per block.

>>> from cbpf import parse
>>> from cbpf.isa.dialects import PCAP
>>> program = parse("ldh [12]\ntax\ntxa\njeq #0x800,0,1\nret #1\nret #0")
>>> diagram, root = lift(program, ValueTable(PCAP))
>>> diagram.nodes[root]  # registers and moves vanish; a switch on the half-word at offset 12 is left
Switch(value=1, starts=(0, 2048, 2049), targets=(0, 1, 0))
>>> diagram.values.definitions[1]
ByteLoad(base=-1, offset=12, size=2)
"""

from collections.abc import Mapping, Sequence

from .._named_tuple import NamedTuple
from .._typing import Final, TypeAlias
from ..analysis.register_effects import effects_of
from ..analysis.register_machine import A, X
from ..isa.dialects import FetchOrder
from ..isa.enumerations import Extension
from ..isa.opcodes import SCRATCH_SLOTS, Action
from ..isa.raw_instruction import RawInstruction
from ..isa.semantics import HeaderKind, execute
from ..isa.word_ranges import NO_SETS, Ranges, SetTest
from .ir.diagram import Diagram, NodeId
from .ir.liveness import leaders_of, live_registers
from .ir.range_tests import RangeTest, compare, range_test
from .ir.requirements import NOTHING, Requirements, ValueId, nonzero_key, requirement_union
from .ir.set_trees import set_tree
from .ir.simplify import simplify_operation
from .ir.value_numbering import NetlinkSearch, RandomNumber, Selection, TooLarge, ValueTable

_MAX_STATES_PER_BLOCK: Final = 256
_MAX_STATES_PER_INSTRUCTION: Final = 8
_MAX_STATES_OF_A_SHORT_PROGRAM: Final = 2_000
_SEARCHES: Final = (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED)

_LACKS_DEVICE: Final[RangeTest] = -1, ((1, 1),)
"""The test "the packet has no device": a marker, as no value represents the device."""


class EntryState(NamedTuple):
    """The state in which a block is entered.

    Args:
        contents: Pairs of a live register or slot and its value; those that hold 0 are omitted.
        draws: The number of random numbers drawn so far.
    """

    contents: tuple[tuple[int, ValueId], ...]
    draws: int


class _RunEnded(Exception):
    """The run has ended in the middle of an instruction."""


class _RequirementCheck(NamedTuple):
    """The run ends with verdict 0 unless the packet meets the requirements."""

    required: Requirements


class _DeviceCheck(NamedTuple):
    """The run ends with *verdict* if the packet has no device, which a load of *extension* needs."""

    extension: Extension
    verdict: ValueId


class _RandomDraw(NamedTuple):
    """The run draws a random number; *draw* is the index of the draw in the run, from 0."""

    draw: int


_Event: TypeAlias = _RequirementCheck | _DeviceCheck | _RandomDraw


class _LiftedBlock(NamedTuple):
    """A basic block: its events in order, and its end: a verdict, or edges to one or two blocks with their states."""

    events: tuple[_Event, ...]
    verdict: ValueId | None
    test: tuple[tuple[ValueId, ...], Ranges] | None
    edges: tuple[tuple[int, EntryState], ...]


class ValueMachine:
    """A `Machine` whose words are numbered values and whose conditions are range tests.

    Args:
        table: The table to which values are added.
        state: The state in which the block is entered.
    """

    def __init__(self, table: ValueTable, state: EntryState) -> None:
        self._table = table
        self.contents = [table.zero] * (SCRATCH_SLOTS + 2)
        for register, value in state.contents:
            self.contents[register] = value
        self.draws = state.draws
        self.events: list[_Event] = []
        self.verdict: ValueId | None = None
        self.test: RangeTest = True
        self.targets: tuple[int, ...] | None = None
        self._set: tuple[tuple[ValueId, ...], Ranges] | None = None
        self._compared = (Action.EQUAL, table.zero, table.zero)

    @property
    def a(self) -> ValueId:
        return self.contents[A]

    @a.setter
    def a(self, value: ValueId) -> None:
        self.contents[A] = value

    @property
    def x(self) -> ValueId:
        return self.contents[X]

    @x.setter
    def x(self, value: ValueId) -> None:
        self.contents[X] = value

    def word(self, value: int) -> ValueId:
        return self._table.constant(value)

    def arithmetic(self, action: Action, left: ValueId, right: ValueId) -> ValueId:
        return simplify_operation(self._table, action, left, right)

    def compare(self, action: Action, left: ValueId, right: ValueId) -> RangeTest:
        self._compared = action, left, right
        return compare(self._table, action, left, right)

    def select(self, truth: RangeTest, then: ValueId, otherwise: ValueId) -> ValueId:
        if isinstance(truth, bool):
            return then if truth else otherwise
        upper = max(self._table.upper[then], self._table.upper[otherwise])
        selected = self._table.add(Selection(*truth, then, otherwise), upper)
        self._table.shift_operands.setdefault(selected, (self.a, self.x))
        return selected

    def load_scratch(self, slot: int) -> ValueId:
        return self.contents[slot]

    def store_scratch(self, slot: int, value: ValueId) -> None:
        self.contents[slot] = value

    def captured_length(self) -> ValueId:
        raise AssertionError("no instruction reads the captured length")

    def wire_length(self) -> ValueId:
        return self._table.wire_length()

    def header(self, header: HeaderKind) -> ValueId:
        return self._table.header(header) if self._table.dialect.header_windows else self._table.zero

    def fetch(self, base: ValueId, displacement: int, size: int, byte_order: FetchOrder) -> ValueId:
        load = self._table.fetch(base, displacement, size)
        if load is None:
            self.finish(self._table.zero)
            raise _RunEnded
        self.events.append(_RequirementCheck(self._table.requirements[load]))
        return load

    def lacks_device(self) -> RangeTest:
        return _LACKS_DEVICE

    def extension(self, extension: Extension, a: ValueId, x: ValueId) -> ValueId:
        if extension is Extension.RAND:
            self.events.append(_RandomDraw(self.draws))
            self.draws += 1
            return self._table.add(RandomNumber(self.draws - 1))
        if extension in _SEARCHES:
            return self._table.add(NetlinkSearch(extension, a, x))
        last = self.events[-1] if self.events else None
        if isinstance(last, _DeviceCheck) and extension is Extension.LINK_LAYER_TYPE:
            self.events[-1] = last._replace(extension=extension)  # the check belongs to this load, not to ifindex
        return self._table.extension(extension)

    def return_if(self, truth: RangeTest, verdict: ValueId) -> None:
        if truth is False:
            return
        if truth is True:
            self.finish(verdict)
            raise _RunEnded
        if truth is _LACKS_DEVICE:
            self.events.append(_DeviceCheck(Extension.INTERFACE_INDEX, verdict))
            return
        action, divisor, zero = self._compared
        if action is not Action.EQUAL or zero != self._table.zero or verdict != zero:
            raise TooLarge  # the only other condition that ends a run in the semantics is a division by 0
        self.events.append(_RequirementCheck({nonzero_key(divisor): 1}))

    def finish(self, verdict: ValueId) -> None:
        self.verdict = verdict
        self.targets = ()

    def jump(self, target: int) -> None:
        self.targets = (target,)

    def branch(self, truth: RangeTest, target_true: int, target_false: int) -> None:
        self.test = truth
        if isinstance(truth, bool) or target_true == target_false:
            self.targets = (target_false if truth is False else target_true,)
        else:
            self.targets = (target_true, target_false)

    def test_set(self, test: SetTest, target_true: int, target_false: int) -> None:
        """Branch on whether the number in A, or in scratch slots, is in a set."""
        if test.slots:
            self._set = tuple(self.contents[slot] for slot in test.slots), test.ranges
            del self.events[1 - len(test.slots) :]  # the tree of the set checks these words
            self.targets = (target_true, target_false)
        else:
            self.branch(range_test(self._table, self.a, test.ranges), target_true, target_false)

    def deciding_test(self) -> tuple[tuple[ValueId, ...], Ranges] | None:
        """Return the words and the set that decide between two targets; None if there is one target at most."""
        if not self.targets or len(self.targets) < 2:
            return None
        if self._set is not None:
            return self._set
        assert not isinstance(self.test, bool)
        value, ranges = self.test
        return (value,), ranges


def lift(
    program: Sequence[RawInstruction], table: ValueTable, sets: Mapping[int, SetTest] = NO_SETS
) -> tuple[Diagram, NodeId]:
    """Return the diagram of a program that the dialect of *table* accepts, and its root; may raise `TooLarge`.

    *sets* are the tests that conditional jumps represent, by index.
    """
    diagram = Diagram(table)
    return diagram, lift_into(diagram, program, sets)


def lift_into(diagram: Diagram, program: Sequence[RawInstruction], sets: Mapping[int, SetTest] = NO_SETS) -> NodeId:
    """Add a program to a diagram and return its root; two programs with one root have the same verdicts."""
    lifter = _Lifter(program, diagram, sets)
    lifter.lift_blocks()
    return lifter.build_nodes()


class _Lifter:
    def __init__(self, program: Sequence[RawInstruction], diagram: Diagram, sets: Mapping[int, SetTest]) -> None:
        self._raw = tuple(program)
        self._sets = sets
        self._diagram = diagram
        self._table = table = diagram.values
        effects = effects_of(self._raw, table.dialect)
        self._live = live_registers(effects)
        self._leaders = leaders_of(effects)
        self._start = EntryState((), 0)
        self._pending: dict[int, dict[EntryState, None]] = {0: {self._start: None}}
        self._blocks: dict[int, dict[EntryState, _LiftedBlock]] = {}

    def lift_blocks(self) -> None:
        """Lift all blocks in ascending order, each once per state in which it is entered.

        Raises `TooLarge` if a block has more than 256 states, or all blocks more than 8 per instruction.
        """
        remaining = max(_MAX_STATES_PER_INSTRUCTION * len(self._raw), _MAX_STATES_OF_A_SHORT_PROGRAM)
        for leader in self._leaders:
            states = self._pending.pop(leader, {})
            remaining -= len(states)
            if len(states) > _MAX_STATES_PER_BLOCK or remaining < 0:
                raise TooLarge
            blocks = self._blocks[leader] = {}
            for state in states:
                block = blocks[state] = self._lift_block(leader, state)
                for target, target_state in block.edges:
                    self._pending.setdefault(target, {})[target_state] = None

    def build_nodes(self) -> NodeId:
        """Create the nodes of all blocks, the last block first; return the root."""
        entry_nodes: dict[tuple[int, EntryState], NodeId] = {}
        for leader in reversed(self._leaders):
            for state, block in self._blocks[leader].items():
                entry_nodes[leader, state] = self._block_node(block, [entry_nodes[edge] for edge in block.edges])
        return entry_nodes[0, self._start]

    def _lift_block(self, index: int, state: EntryState) -> _LiftedBlock:
        machine = ValueMachine(self._table, state)
        try:
            while machine.targets is None:
                if index in self._sets:
                    machine.test_set(self._sets[index], *self._raw[index].successors(index))
                else:
                    execute(machine, self._raw[index], index, self._table.dialect)
                index += 1
                if machine.targets is None and index in self._leaders:
                    machine.targets = (index,)
        except _RunEnded:
            pass
        edges = tuple((target, self._exit_state(machine, target)) for target in machine.targets or ())
        return _LiftedBlock(tuple(machine.events), machine.verdict, machine.deciding_test(), edges)

    def _exit_state(self, machine: ValueMachine, target: int) -> EntryState:
        zero = self._table.zero
        live = self._live[target]
        contents = tuple(
            (register, value)
            for register, value in enumerate(machine.contents)
            if value != zero and live >> register & 1
        )
        return EntryState(contents, machine.draws)

    def _block_node(self, block: _LiftedBlock, targets: list[NodeId]) -> NodeId:
        diagram = self._diagram
        if block.verdict is not None:
            node_id = diagram.return_value(block.verdict)
        elif block.test is not None:
            node_id = set_tree(diagram, *block.test, *targets)
        else:
            node_id = targets[0]
        pending: Requirements = NOTHING
        for event in reversed(block.events):
            if isinstance(event, _RequirementCheck):
                pending = requirement_union(pending, event.required) or NOTHING
                continue
            node_id, pending = diagram.guard(pending, node_id), NOTHING
            node_id = (
                diagram.device_guard(event.extension, event.verdict, node_id)
                if isinstance(event, _DeviceCheck)
                else diagram.draw(event.draw, node_id)
            )
        return diagram.guard(pending, node_id)
