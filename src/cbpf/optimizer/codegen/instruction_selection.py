"""Expressions to instructions without jumps: the shortest of the few orders that a machine with two registers allows.

All that is known beforehand is which expressions the registers hold. Longer sums keep results on their way in scratch
slots, which never outlive the expression.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from ...isa.opcodes import EXTENSION_OFFSET, LINK_OFFSET, NETWORK_OFFSET, WORD_MASK, Action, Extension, Operand
from ...isa.semantics import HeaderKind
from ..ir.diagram import DeviceGuard, Draw, Guard
from ..ir.range_tests import compare
from ..ir.requirements import PACKET, window_load
from ..ir.simplify import COMMUTATIVE, arithmetic
from ..ir.value_numbering import (
    ByteLoad,
    Constant,
    Drawn,
    ExtensionValue,
    HeaderPosition,
    Length,
    Operation,
    Search,
    Selection,
    TooLarge,
    ValueTable,
    WindowLoad,
)
from .straight_line import (
    RegisterContents,
    SelectedInstruction,
    Steps,
    contents_after,
    select_extension_load,
    select_instruction,
)

SLOTS_FOR_SUMS: Final = 8
"""Scratch slots from 0 on for results on the way to a sum; behind them are those for random numbers."""

_SHIFTS: Final = (Action.SHIFT_LEFT, Action.SHIFT_RIGHT)
_WINDOWS: Final[tuple[tuple[HeaderKind, int], ...]] = (
    ("packet", 0),
    ("network", NETWORK_OFFSET),
    ("link", LINK_OFFSET),
)


class InstructionSelector:
    """Computes expressions of one table into registers; draw_slots: where each random number is kept."""

    def __init__(self, expressions: ValueTable, draw_slots: Mapping[int, int]) -> None:
        self._table = expressions
        self._dialect = expressions.dialect
        self._draw_slots = draw_slots
        self._found: dict[tuple[int, RegisterContents, bool], Steps | None] = {}

    def into_a(self, value: int, held: RegisterContents) -> Steps:
        """The steps that bring *value* into A."""
        steps = self._into_a(value, held, keep_x=False)
        assert steps is not None
        return steps

    def pair(self, for_a: int, for_x: int, held: RegisterContents) -> Steps:
        """The steps that bring one value into A and another into X."""
        return min((steps for steps in self._ways_to_pair(for_a, for_x, held) if steps is not None), key=len)

    def guard(self, guard: Guard, held: RegisterContents, wanted: int | None) -> Steps:
        """Loads that reject what lacks the requirements; where a load can do without A, it keeps *wanted*."""
        steps: Steps = ()
        for key, number in guard.required:
            added = self._guard_one(key, number, held, keep_a=wanted is not None and held.a == wanted)
            if added:  # else A holds what was loaded
                steps += (*added[:-1], added[-1]._replace(checks=True))
                held = added[-1].after
        return steps

    def device(self, device: DeviceGuard, held: RegisterContents) -> Steps:
        """The verdict into A, then a load that ends the run without a device."""
        steps = self.into_a(device.verdict, held)
        after = RegisterContents(self._table.known(device.extension), contents_after(steps, held).x)
        return *steps, select_extension_load(self._dialect, device.extension, after)._replace(reads_a=True, checks=True)

    def draw(self, draw: Draw, held: RegisterContents, *, kept: bool) -> Steps:
        """The next random number into A, and into its slot if it is *kept*."""
        after = RegisterContents(self._table.add(Drawn(draw.number)), held.x)
        drawn = select_extension_load(self._dialect, Extension.RAND, after)._replace(checks=True)
        if not kept:
            return (drawn,)
        return drawn, self._step(Action.STORE_A, Operand.SCRATCH, self._draw_slots[draw.number], after)

    def _step(
        self, action: Action, operand: Operand, k: int, after: RegisterContents, *, size: int = 4
    ) -> SelectedInstruction:
        return select_instruction(self._dialect, action, operand, k, after, size=size)

    # -- one register -------------------------------------------------------------------------------------------

    def _into_a(self, value: int, held: RegisterContents, *, keep_x: bool) -> Steps | None:
        """None: that cannot be done without X."""
        if held.a == value:
            return ()
        key = (value, held, keep_x)
        if key not in self._found:
            found = [steps for steps in self._ways_into_a(value, held, keep_x) if steps is not None]
            self._found[key] = min(found, key=len, default=None)
        return self._found[key]

    def _ways_into_a(self, value: int, held: RegisterContents, keep_x: bool) -> Iterator[Steps | None]:
        if held.x == value:
            yield (self._step(Action.TXA, Operand.NONE, 0, RegisterContents(value, value)),)
            return
        straight = None if keep_x else self._straight_into_x(value, held)
        if straight is not None:
            yield straight, self._step(Action.TXA, Operand.NONE, 0, RegisterContents(value, value))
        node = self._table.nodes[value]
        after = RegisterContents(value, held.x)
        match node:
            case Constant(number):
                yield (self._step(Action.LOAD_A, Operand.K, number, after),)
            case Length():
                yield (self._step(Action.LOAD_A, Operand.LENGTH, 0, after),)
            case ExtensionValue(extension):
                yield (select_extension_load(self._dialect, extension, after),)
            case Drawn(draw):
                yield (self._step(Action.LOAD_A, Operand.SCRATCH, self._draw_slots[draw], after),)
            case ByteLoad():
                yield self._load(value, node, held, keep_x)
            case WindowLoad():
                yield self._through_window(value, node, held, keep_x)
            case Search(extension, for_a, for_x):
                searched = select_extension_load(self._dialect, extension, RegisterContents(value, for_x))
                yield self._after_pair(for_a, for_x, held, keep_x, searched)
            case Selection():
                yield self._wide_shift(value, held, keep_x)
            case Operation():
                yield from self._operation(value, node, held, keep_x)

    def _into_x(self, value: int, held: RegisterContents, *, keep_a: bool) -> Steps | None:
        """The steps that bring *value* into X; None: that cannot be done without A."""
        if held.x == value:
            return ()
        if held.a == value:
            return (self._step(Action.TAX, Operand.NONE, 0, RegisterContents(value, value)),)
        straight = self._straight_into_x(value, held)
        if straight is not None:
            return (straight,)
        if keep_a:
            return None
        return *self.into_a(value, held), self._step(Action.TAX, Operand.NONE, 0, RegisterContents(value, value))

    def _straight_into_x(self, value: int, held: RegisterContents) -> SelectedInstruction | None:
        """The one instruction that brings *value* into X and leaves A alone, if there is one."""
        after = RegisterContents(held.a, value)
        match self._table.nodes[value]:
            case Constant(number):
                return self._step(Action.LOAD_X, Operand.K, number, after)
            case Length():
                return self._step(Action.LOAD_X, Operand.LENGTH, 0, after)
            case Drawn(draw):
                return self._step(Action.LOAD_X, Operand.SCRATCH, self._draw_slots[draw], after)
        offset = self._header_length_offset(value)
        return None if offset is None else self._step(Action.LOAD_X, Operand.MEMORY_SHIFT, offset, after, size=1)

    def _header_length_offset(self, value: int) -> int | None:
        """The k of 4*([k]&0xf), if *value* is that."""
        scaled = self._table.with_constant(value, Action.SHIFT_LEFT)
        masked = None if scaled is None else self._table.with_constant(scaled[0], Action.AND)
        if scaled is None or masked is None or (scaled[1], masked[1]) != (2, 15):
            return None
        load = self._table.nodes[masked[0]]
        return load.offset if isinstance(load, ByteLoad) and load.base == PACKET and load.size == 1 else None

    # -- loads --------------------------------------------------------------------------------------------------

    def _load(self, value: int, load: ByteLoad, held: RegisterContents, keep_x: bool) -> Steps | None:
        if load.base == PACKET:
            return (
                self._step(
                    Action.LOAD_A, Operand.ABSOLUTE, load.offset, RegisterContents(value, held.x), size=load.size
                ),
            )
        return self._indirect(value, load.base, load.offset, load.size, held, keep_x)

    def _indirect(
        self, value: int, base: int, offset: int, size: int, held: RegisterContents, keep_x: bool
    ) -> Steps | None:
        if keep_x and held.x != base:
            return None
        steps = self._into_x(base, held, keep_a=False)
        assert steps is not None
        return *steps, self._step(Action.LOAD_A, Operand.INDIRECT, offset, RegisterContents(value, base), size=size)

    def _through_window(self, value: int, window: WindowLoad, held: RegisterContents, keep_x: bool) -> Steps | None:
        header = self._table.nodes[window.position]
        if not isinstance(header, HeaderPosition):
            return self._indirect(value, *self._address(window.position), window.size, held, keep_x)
        address = dict(_WINDOWS)[header.header] + window.displacement
        if address < EXTENSION_OFFSET:
            return (
                self._step(Action.LOAD_A, Operand.ABSOLUTE, address, RegisterContents(value, held.x), size=window.size),
            )
        return self._indirect(value, self._table.constant(address), 0, window.size, held, keep_x)

    def _address(self, position: int) -> tuple[int, int]:
        """The address that `semantics` located at *position*: the two terms of a sum modulo 2**32."""
        table = self._table
        while isinstance(node := table.nodes[position], Selection):  # of addresses from the packet, below 2**31
            position = node.then if node.ranges[0][0] == 0 else node.otherwise
        for header, start in _WINDOWS:
            distance = table.added_to(position, table.header(header))
            if distance is not None:
                return table.terms(arithmetic(table, Action.ADD, distance, table.constant(start)))
        raise TooLarge

    # -- operations ---------------------------------------------------------------------------------------------

    def _operation(self, value: int, node: Operation, held: RegisterContents, keep_x: bool) -> Iterator[Steps | None]:
        c = self._table.number(node.right)
        if c is not None:
            subtracts = node.action is Action.ADD and c > WORD_MASK >> 1
            action, k = (Action.SUB, -c & WORD_MASK) if subtracts else (node.action, c)
            yield self._after_one(value, node.left, action, Operand.K, k, held, keep_x)
            return
        if node.action is Action.SUB and self._table.number(node.left) == 0:
            yield self._after_one(value, node.right, Action.NEGATE, Operand.NONE, 0, held, keep_x)
        right = node.right
        masked = self._table.with_constant(right, Action.AND)
        if node.action in _SHIFTS and self._dialect.shift_count == "modulo" and masked is not None and masked[1] == 31:
            right = masked[0]  # the instruction takes the count modulo 32
        yield self._after_pair(node.left, right, held, keep_x, self._with_x(node.action, value, right))
        if node.action in COMMUTATIVE:
            yield self._after_pair(right, node.left, held, keep_x, self._with_x(node.action, value, node.left))

    def _after_one(
        self, value: int, left: int, action: Action, operand: Operand, k: int, held: RegisterContents, keep_x: bool
    ) -> Steps | None:
        steps = self._into_a(left, held, keep_x=keep_x)
        if steps is None:
            return None
        return *steps, self._step(action, operand, k, RegisterContents(value, contents_after(steps, held).x))

    def _with_x(self, action: Action, value: int, x: int) -> SelectedInstruction:
        return self._step(action, Operand.X, 0, RegisterContents(value, x))

    def _wide_shift(self, value: int, held: RegisterContents, keep_x: bool) -> Steps | None:
        """A shift by X that gives 0 for counts of 32 and more: what `semantics` selects in such dialects."""
        for_a, count = self._table.shifts[value]
        for action in _SHIFTS:
            if self._is_wide_shift(value, action, for_a, count):
                return self._after_pair(for_a, count, held, keep_x, self._with_x(action, value, count))
        raise TooLarge

    def _is_wide_shift(self, value: int, action: Action, left: int, count: int) -> bool:
        table = self._table
        limit = table.constant(31)
        shifted = arithmetic(table, action, left, arithmetic(table, Action.AND, count, limit))
        test = compare(table, Action.GREATER_THAN, count, limit)
        node = table.nodes[value]
        return self._dialect.shift_count == "saturate" and node == Selection(*_as_pair(test), table.zero, shifted)

    # -- both registers -----------------------------------------------------------------------------------------

    def _after_pair(
        self, for_a: int, for_x: int, held: RegisterContents, keep_x: bool, last: SelectedInstruction
    ) -> Steps | None:
        if keep_x:
            steps = self._into_a(for_a, held, keep_x=True) if held.x == for_x else None
            return None if steps is None else (*steps, last)
        return *self.pair(for_a, for_x, held), last

    def _ways_to_pair(self, for_a: int, for_x: int, held: RegisterContents) -> Iterator[Steps | None]:
        first = self.into_a(for_a, held)
        second = self._into_x(for_x, contents_after(first, held), keep_a=True)
        yield None if second is None else first + second
        first_x = self._into_x(for_x, held, keep_a=False)
        if first_x is not None:
            second = self._into_a(for_a, contents_after(first_x, held), keep_x=True)
            yield None if second is None else first_x + second
        yield self._spilled(for_a, for_x, held)

    def _spilled(self, for_a: int, for_x: int, held: RegisterContents) -> Steps:
        """X's value waits in a slot while A's is computed."""
        first = self.into_a(for_x, held)
        held = contents_after(first, held)
        second = self.into_a(for_a, held)
        slot = 1 + max((one.stored for one in second if one.stored is not None), default=-1)
        if slot >= SLOTS_FOR_SUMS:
            raise TooLarge
        store = self._step(Action.STORE_A, Operand.SCRATCH, slot, held)
        load = self._step(Action.LOAD_X, Operand.SCRATCH, slot, RegisterContents(for_a, for_x))
        return *first, store, *second, load

    # -- guards -------------------------------------------------------------------------------------------------

    def _guard_one(self, key: int, number: int, held: RegisterContents, *, keep_a: bool) -> Steps:
        window = window_load(key)
        if window is not None:
            return self.into_a(window, held)
        value = self._table.load(key, number - 1, 1)
        if key != PACKET or not keep_a:
            steps = self._load(value, ByteLoad(key, number - 1, 1), held, keep_x=False)
            assert steps is not None
            return steps
        table = self._table
        low_half = arithmetic(table, Action.AND, value, table.constant(15))
        after = RegisterContents(held.a, arithmetic(table, Action.SHIFT_LEFT, low_half, table.constant(2)))
        return (self._step(Action.LOAD_X, Operand.MEMORY_SHIFT, number - 1, after, size=1),)


def _as_pair(test: object) -> tuple[int, tuple[tuple[int, int], ...]]:
    return test if isinstance(test, tuple) else (-1, ())
