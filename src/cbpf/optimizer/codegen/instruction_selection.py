r"""Instruction selection: the shortest straight-line code that computes a value, on a machine with two registers.

The selector tries the few possible orders of evaluation, given the current register contents. Intermediate results
that do not fit into A and X are stored in temporary scratch slots, which are not used beyond one value.

>>> from cbpf.isa.dialects import PCAP
>>> table = ValueTable(PCAP)
>>> low_half = simplify_operation(table, Action.AND, table.load(PACKET, 14, 1), table.constant(15))
>>> header_length = simplify_operation(table, Action.SHIFT_LEFT, low_half, table.constant(2))
>>> port = table.load(header_length, 16, 2)  # ldh [x + 16], where X is the length of the IPv4 header
>>> selector = InstructionSelector(table, {})
>>> from cbpf import Program
>>> def show(code):
...     print(Program([(instruction.code, 0, 0, instruction.k) for instruction in code]))
>>> show(selector.load_a(port, RegisterContents(None, None)))
(000) ldxb     4*([14]&0xf)
(001) ldh      [x + 16]
>>> show(selector.load_a(port, RegisterContents(None, header_length)))  # X holds the header length already
(000) ldh      [x + 16]
"""

from collections.abc import Iterator, Mapping
from functools import partial

from ..._typing import Final
from ...isa.enumerations import Extension
from ...isa.opcodes import EXTENSION_OFFSET, LINK_OFFSET, NETWORK_OFFSET, WORD_MASK, Action, Operand
from ...isa.semantics import HeaderKind
from ..ir.diagram import DeviceGuard, Draw, Guard
from ..ir.range_tests import compare
from ..ir.requirements import PACKET, ValueId, window_load
from ..ir.simplify import COMMUTATIVE, simplify_operation
from ..ir.value_numbering import (
    ByteLoad,
    Constant,
    ExtensionValue,
    HeaderPosition,
    NetlinkSearch,
    Operation,
    RandomNumber,
    Selection,
    TooLarge,
    ValueTable,
    WindowLoad,
    WireLength,
)
from .code_search import CodeSearch, Request
from .straight_line import (
    RegisterContents,
    SelectedInstruction,
    StraightLineCode,
    contents_after,
    select_extension_load,
    select_instruction,
)

TEMPORARY_SLOTS: Final = 8
"""The number of scratch slots, from 0 on, for intermediate results; the slots after them hold random numbers."""

_SHIFTS: Final = (Action.SHIFT_LEFT, Action.SHIFT_RIGHT)
_WINDOWS: Final[tuple[tuple[HeaderKind, int], ...]] = (
    ("packet", 0),
    ("network", NETWORK_OFFSET),
    ("link", LINK_OFFSET),
)


class InstructionSelector:
    """A generator of the shortest code that loads values into registers.

    Args:
        table: The table of the values.
        draw_slots: The scratch slot of each random number, by the index of its draw.
    """

    def __init__(self, table: ValueTable, draw_slots: Mapping[int, int]) -> None:
        self._table = table
        self._dialect = table.dialect
        self._draw_slots = draw_slots
        self._search = CodeSearch(self._candidates)

    def load_a(self, value: ValueId, contents: RegisterContents) -> StraightLineCode:
        """Return the code that loads *value* into A; raise `TooLarge` if the search takes too long."""
        return self._search.complete(partial(self._into_a, value, contents))

    def load_pair(self, for_a: ValueId, for_x: ValueId, contents: RegisterContents) -> StraightLineCode:
        """Return the code that loads one value into A and another into X."""
        return self._search.complete(partial(self._into_pair, for_a, for_x, contents))

    def guard(self, guard: Guard, contents: RegisterContents, next_value: ValueId | None) -> StraightLineCode:
        """Return loads that reject packets without the requirements.

        If A holds *next_value*, loads at a constant offset preserve it, as they can load into X (`ldx 4*([k]&0xf)`).
        """
        code: StraightLineCode = ()
        for key, count in guard.required:
            keep_a = next_value is not None and contents.a == next_value
            added = self._search.complete(partial(self._check, key, count, contents, keep_a=keep_a))
            if added:  # else A holds the loaded value already
                code += (*added[:-1], added[-1]._replace(is_effect=True))
                contents = added[-1].after
        return code

    def device_guard(self, guard: DeviceGuard, contents: RegisterContents) -> StraightLineCode:
        """Return the code that loads the verdict into A, then an extension that ends the run without a device."""
        code = self.load_a(guard.verdict, contents)
        after = RegisterContents(self._table.extension(guard.extension), contents_after(code, contents).x)
        load = select_extension_load(self._dialect, guard.extension, after)
        return *code, load._replace(reads_a=True, is_effect=True)

    def draw(self, draw: Draw, contents: RegisterContents, *, is_stored: bool) -> StraightLineCode:
        """Return the code that draws a random number into A, and stores it in its slot if *is_stored*."""
        after = RegisterContents(self._table.add(RandomNumber(draw.draw)), contents.x)
        load = select_extension_load(self._dialect, Extension.RAND, after)._replace(is_effect=True)
        if not is_stored:
            return (load,)
        return load, self._select(Action.STORE_A, Operand.SCRATCH, self._draw_slots[draw.draw], after)

    def _select(
        self, action: Action, operand: Operand, k: int, after: RegisterContents, *, size: int = 4
    ) -> SelectedInstruction:
        return select_instruction(self._dialect, action, operand, k, after, size=size)

    def _transfer(self, action: Action, value: ValueId) -> SelectedInstruction:
        return self._select(action, Operand.NONE, 0, RegisterContents(value, value))

    # -- one register -------------------------------------------------------------------------------------------

    def _load_a(self, value: ValueId, contents: RegisterContents, *, keep_x: bool) -> StraightLineCode | None:
        """Return the shortest code that loads *value* into A, or None if it must overwrite X."""
        if contents.a == value:
            return ()
        if contents.a is not None and contents.a > value:  # not an operand: operands have smaller numbers
            contents = contents._replace(a=None)
        return self._search.shortest(Request(value, contents, keep_x))

    def _candidates(self, value: ValueId, contents: RegisterContents, keep_x: bool) -> list[StraightLineCode]:
        return [code for code in self._load_a_candidates(value, contents, keep_x) if code is not None]

    def _into_a(self, value: ValueId, contents: RegisterContents) -> StraightLineCode:
        code = self._load_a(value, contents, keep_x=False)
        assert code is not None
        return code

    def _load_a_candidates(
        self, value: ValueId, contents: RegisterContents, keep_x: bool
    ) -> Iterator[StraightLineCode | None]:
        if contents.x == value:
            yield (self._transfer(Action.TXA, value),)
            return
        into_x = None if keep_x else self._load_x_directly(value, contents)
        if into_x is not None:
            yield into_x, self._transfer(Action.TXA, value)
        definition = self._table.definitions[value]
        after = RegisterContents(value, contents.x)
        match definition:
            case Constant(word):
                yield (self._select(Action.LOAD_A, Operand.K, word, after),)
            case WireLength():
                yield (self._select(Action.LOAD_A, Operand.LENGTH, 0, after),)
            case ExtensionValue(extension):
                yield (select_extension_load(self._dialect, extension, after),)
            case RandomNumber(draw):
                yield (self._select(Action.LOAD_A, Operand.SCRATCH, self._draw_slots[draw], after),)
            case ByteLoad():
                yield self._load_bytes(value, definition, contents, keep_x)
            case WindowLoad():
                yield self._load_window(value, definition, contents, keep_x)
            case NetlinkSearch(extension, for_a, for_x):
                search = select_extension_load(self._dialect, extension, RegisterContents(value, for_x))
                yield self._after_pair(for_a, for_x, contents, keep_x, search)
            case Selection():
                yield self._wide_shift(value, contents, keep_x)
            case Operation():
                yield from self._operation_candidates(value, definition, contents, keep_x)

    def _load_x(self, value: ValueId, contents: RegisterContents, *, keep_a: bool) -> StraightLineCode | None:
        """Return the code that loads *value* into X, or None if it must overwrite A."""
        if contents.x == value:
            return ()
        if contents.a == value:
            return (self._transfer(Action.TAX, value),)
        direct = self._load_x_directly(value, contents)
        if direct is not None:
            return (direct,)
        return None if keep_a else (*self._into_a(value, contents), self._transfer(Action.TAX, value))

    def _load_x_directly(self, value: ValueId, contents: RegisterContents) -> SelectedInstruction | None:
        """Return the single instruction that loads *value* into X and preserves A, or None if there is none."""
        after = RegisterContents(contents.a, value)
        match self._table.definitions[value]:
            case Constant(word):
                return self._select(Action.LOAD_X, Operand.K, word, after)
            case WireLength():
                return self._select(Action.LOAD_X, Operand.LENGTH, 0, after)
            case RandomNumber(draw):
                return self._select(Action.LOAD_X, Operand.SCRATCH, self._draw_slots[draw], after)
        offset = self._header_length_offset(value)
        return None if offset is None else self._select(Action.LOAD_X, Operand.MEMORY_SHIFT, offset, after, size=1)

    def _header_length_offset(self, value: ValueId) -> int | None:
        """Return k if the value is 4*([k]&0xf), else None."""
        scaled = self._table.split_constant(value, Action.SHIFT_LEFT)
        masked = None if scaled is None else self._table.split_constant(scaled[0], Action.AND)
        if scaled is None or masked is None or (scaled[1], masked[1]) != (2, 15):
            return None
        match self._table.definitions[masked[0]]:
            case ByteLoad(base, offset, 1) if base == PACKET:
                return offset
            case WindowLoad(position, displacement, 1):
                return self._window_address(position, displacement)
        return None

    # -- loads --------------------------------------------------------------------------------------------------

    def _load_bytes(
        self, value: ValueId, load: ByteLoad, contents: RegisterContents, keep_x: bool
    ) -> StraightLineCode | None:
        if load.base == PACKET:
            return (self._load_absolute(value, load.offset, load.size, contents),)
        return self._load_indirect(value, load.base, load.offset, load.size, contents, keep_x)

    def _load_absolute(self, value: ValueId, offset: int, size: int, contents: RegisterContents) -> SelectedInstruction:
        return self._select(Action.LOAD_A, Operand.ABSOLUTE, offset, RegisterContents(value, contents.x), size=size)

    def _load_indirect(
        self, value: ValueId, base: ValueId, offset: int, size: int, contents: RegisterContents, keep_x: bool
    ) -> StraightLineCode | None:
        if keep_x and contents.x != base:
            return None
        code = self._load_x(base, contents, keep_a=False)
        assert code is not None
        return *code, self._select(Action.LOAD_A, Operand.INDIRECT, offset, RegisterContents(value, base), size=size)

    def _load_window(
        self, value: ValueId, window: WindowLoad, contents: RegisterContents, keep_x: bool
    ) -> StraightLineCode | None:
        address = self._window_address(window.position, window.displacement)
        if address is None:
            base, offset = self._address(window.position)
            return self._load_indirect(value, base, offset, window.size, contents, keep_x)
        if address < EXTENSION_OFFSET:
            return (self._load_absolute(value, address, window.size, contents),)
        return self._load_indirect(value, self._table.constant(address), 0, window.size, contents, keep_x)

    def _window_address(self, position: ValueId, displacement: int) -> int | None:
        """Return the constant address of a byte in a header window; None if it depends on the packet."""
        header = self._table.definitions[position]
        return dict(_WINDOWS)[header.header] + displacement if isinstance(header, HeaderPosition) else None

    def _address(self, position: ValueId) -> tuple[ValueId, int]:
        """Return the address that `semantics` converted to *position*: a value and a constant to add modulo 2**32."""
        table = self._table
        while isinstance(node := table.definitions[position], Selection):  # take the address below 2**31, in the packet
            position = node.then if node.ranges[0][0] == 0 else node.otherwise
        for header, start in _WINDOWS:
            distance = table.other_term(position, table.header(header))
            if distance is not None:
                return table.split_sum(simplify_operation(table, Action.ADD, distance, table.constant(start)))
        raise TooLarge

    # -- operations ---------------------------------------------------------------------------------------------

    def _operation_candidates(
        self, value: ValueId, operation: Operation, contents: RegisterContents, keep_x: bool
    ) -> Iterator[StraightLineCode | None]:
        action, left, right = operation
        c = self._table.constant_of(right)
        if c is not None:
            subtracts = action is Action.ADD and c > WORD_MASK >> 1
            action, k = (Action.SUB, -c & WORD_MASK) if subtracts else (action, c)
            yield self._after_one(value, left, action, Operand.K, k, contents, keep_x)
            return
        if action is Action.SUB and self._table.constant_of(left) == 0:
            yield self._after_one(value, right, Action.NEGATE, Operand.NONE, 0, contents, keep_x)
        masked = self._table.split_constant(right, Action.AND)
        if action in _SHIFTS and self._dialect.shift_count == "modulo" and masked is not None and masked[1] == 31:
            right = masked[0]  # the instruction itself takes the count modulo 32
        yield self._after_pair(left, right, contents, keep_x, self._with_x(action, value, right))
        if action in COMMUTATIVE:
            yield self._after_pair(right, left, contents, keep_x, self._with_x(action, value, left))

    def _after_one(
        self,
        value: ValueId,
        left: ValueId,
        action: Action,
        operand: Operand,
        k: int,
        contents: RegisterContents,
        keep_x: bool,
    ) -> StraightLineCode | None:
        """Return code that loads *left* into A, then an instruction that computes *value* from A and a constant."""
        code = self._load_a(left, contents, keep_x=keep_x)
        if code is None:
            return None
        return *code, self._select(action, operand, k, RegisterContents(value, contents_after(code, contents).x))

    def _with_x(self, action: Action, value: ValueId, x: ValueId) -> SelectedInstruction:
        return self._select(action, Operand.X, 0, RegisterContents(value, x))

    def _wide_shift(self, value: ValueId, contents: RegisterContents, keep_x: bool) -> StraightLineCode | None:
        """Return code for a shift by X that gives 0 for counts above 31, which `semantics` expresses as a selection."""
        for_a, count = self._table.shift_operands[value]
        for action in _SHIFTS:
            if self._is_wide_shift(value, action, for_a, count):
                return self._after_pair(for_a, count, contents, keep_x, self._with_x(action, value, count))
        raise TooLarge

    def _is_wide_shift(self, value: ValueId, action: Action, left: ValueId, count: ValueId) -> bool:
        table = self._table
        limit = table.constant(31)
        shifted = simplify_operation(table, action, left, simplify_operation(table, Action.AND, count, limit))
        test = compare(table, Action.GREATER_THAN, count, limit)
        value_and_ranges = test if isinstance(test, tuple) else (-1, ())
        selection = Selection(*value_and_ranges, table.zero, shifted)
        return self._dialect.shift_count == "saturate" and table.definitions[value] == selection

    # -- both registers -----------------------------------------------------------------------------------------

    def _after_pair(
        self, for_a: ValueId, for_x: ValueId, contents: RegisterContents, keep_x: bool, last: SelectedInstruction
    ) -> StraightLineCode | None:
        """Return code that loads two values into A and X, then *last*; None if it must overwrite X."""
        if keep_x:
            code = self._load_a(for_a, contents, keep_x=True) if contents.x == for_x else None
            return None if code is None else (*code, last)
        return *self._into_pair(for_a, for_x, contents), last

    def _into_pair(self, for_a: ValueId, for_x: ValueId, contents: RegisterContents) -> StraightLineCode:
        return min((code for code in self._pair_candidates(for_a, for_x, contents) if code is not None), key=len)

    def _pair_candidates(
        self, for_a: ValueId, for_x: ValueId, contents: RegisterContents
    ) -> Iterator[StraightLineCode | None]:
        a_first = self._into_a(for_a, contents)
        then_x = self._load_x(for_x, contents_after(a_first, contents), keep_a=True)
        yield None if then_x is None else a_first + then_x
        x_first = self._load_x(for_x, contents, keep_a=False)
        if x_first is not None:
            then_a = self._load_a(for_a, contents_after(x_first, contents), keep_x=True)
            yield None if then_a is None else x_first + then_a
        yield self._spill(for_a, for_x, contents)

    def _spill(self, for_a: ValueId, for_x: ValueId, contents: RegisterContents) -> StraightLineCode:
        """Return code that stores the value for X in a temporary slot while it computes the value for A."""
        x_code = self._into_a(for_x, contents)
        contents = contents_after(x_code, contents)
        a_code = self._into_a(for_a, contents)
        slot = 1 + max((instruction.stored for instruction in a_code if instruction.stored is not None), default=-1)
        if slot >= TEMPORARY_SLOTS:
            raise TooLarge
        store = self._select(Action.STORE_A, Operand.SCRATCH, slot, contents)
        load = self._select(Action.LOAD_X, Operand.SCRATCH, slot, RegisterContents(for_a, for_x))
        return *x_code, store, *a_code, load

    # -- guards -------------------------------------------------------------------------------------------------

    def _check(self, key: int, count: int, contents: RegisterContents, *, keep_a: bool) -> StraightLineCode:
        """Return code whose last instruction rejects packets without one requirement."""
        window = window_load(key)
        if window is not None:
            return self._into_a(window, contents)
        table = self._table
        last_byte = table.load(key, count - 1, 1)
        if key != PACKET or not keep_a:
            code = self._load_bytes(last_byte, ByteLoad(key, count - 1, 1), contents, keep_x=False)
            assert code is not None
            return code
        low_half = simplify_operation(table, Action.AND, last_byte, table.constant(15))
        header_length = simplify_operation(table, Action.SHIFT_LEFT, low_half, table.constant(2))
        after = RegisterContents(contents.a, header_length)
        return (self._select(Action.LOAD_X, Operand.MEMORY_SHIFT, count - 1, after, size=1),)
