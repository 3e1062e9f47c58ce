"""Expressions to instructions without jumps: the shortest of the few orders that a machine with two registers allows.

All that is known beforehand is which expressions the registers hold. Longer sums keep intermediate results in scratch
slots, which never outlive the expression.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias, cast

from ..dialects import Dialect
from ..semantics import Header
from ..isa import CODE_OF, EXTENSION_OFFSET, NETWORK_OFFSET, WORD_MASK, Action, Extension, LINK_OFFSET, Operand
from .diagram import Guard
from .expressions import Expressions, Kind, TooLarge
from .ranges import Ranges
from .requirements import PACKET, nonzero_divisor, window_load

Content: TypeAlias = int | None
"""The expression that a register holds; None: unknown."""


class Step(NamedTuple):
    """An instruction that goes on to the next, and what it does with the registers.

    a, x: what they hold afterwards. reads_a, reads_x, writes_a, writes_x: what it does with them. stored: the slot
    written, loaded: the one read. checks: it is there for what it rejects, or draws, so it may not be skipped.
    """

    code: int
    k: int
    a: Content
    x: Content
    reads_a: bool = False
    reads_x: bool = False
    writes_a: bool = False
    writes_x: bool = False
    stored: int | None = None
    loaded: int | None = None
    checks: bool = False


Steps: TypeAlias = tuple[Step, ...]

SLOTS_FOR_SUMS: Final = 8
"""Scratch slots from 0 on for results on the way to a sum; behind them are those for random numbers."""

_SHIFTS: Final = (Action.SHIFT_LEFT, Action.SHIFT_RIGHT)
_COMMUTATIVE: Final = frozenset({Action.ADD, Action.MUL, Action.AND, Action.OR, Action.XOR})


class Registers:
    """Computes expressions of one table into registers."""

    def __init__(self, expressions: Expressions, draw_slots: dict[int, int]) -> None:
        self._table = expressions
        self._dialect = expressions.dialect
        self._known: dict[tuple[int, Content, Content, bool], Steps | None] = {}
        self._draw_slots = draw_slots

    def into_a(self, value: int, a: Content, x: Content, *, keep_x: bool = False) -> Steps | None:
        """The steps that bring *value* into A; None: that cannot be done without X."""
        if a == value:
            return ()
        key = (value, a, x, keep_x)
        if key not in self._known:
            found = [steps for steps in self._ways_into_a(value, a, x, keep_x) if steps is not None]
            self._known[key] = min(found, key=len, default=None)
        return self._known[key]

    def into_x(self, value: int, a: Content, x: Content, *, keep_a: bool = False) -> Steps | None:
        """The steps that bring *value* into X; None: that cannot be done without A."""
        if x == value:
            return ()
        if a == value:
            return (self._step(Action.TAX, Operand.NONE, 0, a, value, reads_a=True),)
        direct = self._straight_into_x(value, a)
        if direct is not None or keep_a:
            return direct
        steps = self.into_a(value, a, x)
        assert steps is not None
        return *steps, self._step(Action.TAX, Operand.NONE, 0, value, value, reads_a=True)

    def pair(self, for_a: int, for_x: int, a: Content, x: Content) -> Steps:
        """The steps that bring one value into A and another into X."""
        ways = [steps for steps in self._ways_to_pair(for_a, for_x, a, x) if steps is not None]
        return min(ways, key=len)

    def guard(self, guard: Guard, a: Content, x: Content, wanted: int | None) -> Steps:
        """Loads that reject what lacks the requirements; A keeps *wanted* if it holds that, and a load can do without."""
        steps: Steps = ()
        for key, number in guard.required:
            added = self._guard_one(key, number, a, x, keep_a=wanted is not None and a == wanted)
            if added:  # else A holds what was loaded
                steps += (*added[:-1], added[-1]._replace(checks=True))
                a, x = added[-1].a, added[-1].x
        return steps

    def with_device(self, extension: Extension, verdict: int, a: Content, x: Content) -> Steps:
        """The verdict into A, then a load that ends the run without a device."""
        steps = self.into_a(verdict, a, x)
        assert steps is not None
        x = steps[-1].x if steps else x
        asked = self._load_extension(extension, self._table.extension(extension), x, reads_a=True)
        return *steps, asked._replace(checks=True)

    def draw(self, number: int, x: Content, *, kept: bool) -> Steps:
        """The next random number into A, and into its slot if it is read again."""
        value = self._table.draw(number)
        drawn = self._load_extension(Extension.RAND, value, x)._replace(checks=True)
        slot = self._draw_slots[number]
        return (drawn, self._step(Action.STORE_A, Operand.SCRATCH, slot, value, x, reads_a=True)) if kept else (drawn,)

    # -- one expression -----------------------------------------------------------------------------------------

    def _ways_into_a(self, value: int, a: Content, x: Content, keep_x: bool) -> Iterator[Steps | None]:
        if x == value:
            yield (self._step(Action.TXA, Operand.NONE, 0, value, x, reads_x=True),)
            return
        if not keep_x:
            direct = self._straight_into_x(value, a)
            if direct is not None:
                yield *direct, self._step(Action.TXA, Operand.NONE, 0, value, value, reads_x=True)
        kind, *rest = self._table.nodes[value]
        if isinstance(kind, Action):
            yield from self._operation(value, kind, *cast(list[int], rest), a, x, keep_x)
        else:
            yield from self._leaf(value, cast(Kind, kind), rest, a, x, keep_x)

    def _leaf(
        self, value: int, kind: Kind, rest: Sequence[object], a: Content, x: Content, keep_x: bool
    ) -> Iterator[Steps | None]:
        match kind:
            case Kind.CONSTANT:
                yield (self._step(Action.LOAD_A, Operand.K, cast(int, rest[0]), value, x),)
            case Kind.LENGTH:
                yield (self._step(Action.LOAD_A, Operand.LENGTH, 0, value, x),)
            case Kind.LOAD:
                base, offset, size = cast(Sequence[int], rest)
                if base == PACKET:
                    yield (self._step(Action.LOAD_A, Operand.ABSOLUTE, offset, value, x, size=size),)
                else:
                    yield self._indirect(value, base, offset, size, a, x, keep_x)
            case Kind.WINDOW:
                position, displacement, size = cast(Sequence[int], rest)
                yield self._through_window(value, position, displacement, size, a, x, keep_x)
            case Kind.EXTENSION:
                yield (self._load_extension(cast(Extension, rest[0]), value, x),)
            case Kind.SEARCH:
                extension, for_a, for_x = cast(tuple[Extension, int, int], rest)
                yield self._after_pair(for_a, for_x, a, x, keep_x, self._load_extension(extension, value, for_x, reads_a=True))
            case Kind.DRAW:
                slot = self._draw_slots[cast(int, rest[0])]
                yield (self._step(Action.LOAD_A, Operand.SCRATCH, slot, value, x),)
            case Kind.SELECT:
                yield self._wide_shift(value, a, x, keep_x)

    def _indirect(
        self, value: int, base: int, offset: int, size: int, a: Content, x: Content, keep_x: bool
    ) -> Steps | None:
        steps = None if keep_x and x != base else self.into_x(base, a, x)
        if steps is None:
            return None
        return *steps, self._step(Action.LOAD_A, Operand.INDIRECT, offset, value, base, size=size, reads_x=True)

    def _through_window(
        self, value: int, position: int, displacement: int, size: int, a: Content, x: Content, keep_x: bool
    ) -> Steps | None:
        kind, *rest = self._table.nodes[position]
        if kind is Kind.HEADER and rest[0] != "packet":
            address = (NETWORK_OFFSET if rest[0] == "network" else LINK_OFFSET) + displacement
            if address < EXTENSION_OFFSET:
                return (self._step(Action.LOAD_A, Operand.ABSOLUTE, address, value, x, size=size),)
            return self._indirect(value, self._table.constant(address), 0, size, a, x, keep_x)
        base, offset = self._address(position)
        return self._indirect(value, base, offset, size, a, x, keep_x)

    def _address(self, position: int) -> tuple[int, int]:
        """The address that `semantics` located at *position*, as a sum modulo 2**32: it stands behind the selections."""
        table = self._table
        kind, *rest = table.nodes[position]
        while kind is Kind.SELECT:  # of addresses below 2**31, which are counted from the packet
            _, ranges, then, otherwise = cast(tuple[int, Ranges, int, int], rest)
            kind, *rest = table.nodes[then if ranges[0][0] == 0 else otherwise]
        for header, start in (("packet", 0), ("network", NETWORK_OFFSET), ("link", LINK_OFFSET)):
            number = table.header(cast(Header, header))
            if kind is Action.ADD and number in rest:
                distance = cast(int, rest[1] if rest[0] == number else rest[0])
                return table.terms(table.arithmetic(Action.ADD, distance, table.constant(start)))
        raise TooLarge

    def _operation(
        self, value: int, action: Action, left: int, right: int, a: Content, x: Content, keep_x: bool
    ) -> Iterator[Steps | None]:
        c = self._table.value(right)
        if c is not None:
            steps = self.into_a(left, a, x, keep_x=keep_x)
            if steps is not None:
                now_x = steps[-1].x if steps else x
                code, k = (action, c) if action is not Action.ADD or c < 1 << 31 else (Action.SUB, -c & WORD_MASK)
                yield *steps, self._step(code, Operand.K, k, value, now_x, reads_a=True)
            return
        if action is Action.SUB and self._table.value(left) == 0:
            steps = self.into_a(right, a, x, keep_x=keep_x)
            if steps is not None:
                yield *steps, self._step(Action.NEGATE, Operand.NONE, 0, value, steps[-1].x if steps else x, reads_a=True)
        masked = self._table.masked(right)
        if action in _SHIFTS and self._dialect.shift_count == "modulo" and masked is not None and masked[1] == 31:
            right = masked[0]  # the instruction takes the count modulo 32
        yield self._after_pair(left, right, a, x, keep_x, self._with_x(action, value, right))
        if action in _COMMUTATIVE:
            yield self._after_pair(right, left, a, x, keep_x, self._with_x(action, value, left))

    def _wide_shift(self, value: int, a: Content, x: Content, keep_x: bool) -> Steps | None:
        """A shift by X that gives 0 for counts of 32 and more: what `semantics` selects in such dialects."""
        for_a, count = self._table.shifts[value]
        for action in _SHIFTS:
            if self._is_shift(value, action, for_a, count):
                return self._after_pair(for_a, count, a, x, keep_x, self._with_x(action, value, count))
        raise TooLarge

    def _is_shift(self, value: int, action: Action, left: int, count: int) -> bool:
        """Whether *value* is what `semantics` makes of a shift of *left* by *count*."""
        table = self._table
        shifted = table.arithmetic(action, left, table.arithmetic(Action.AND, count, table.constant(31)))
        wide = table.compare(Action.GREATER_THAN, count, table.constant(31))
        return self._dialect.shift_count == "saturate" and table.select(wide, table.zero, shifted) == value

    def _with_x(self, action: Action, value: int, x: int) -> Step:
        return self._step(action, Operand.X, 0, value, x, reads_a=True, reads_x=True)

    def _after_pair(self, for_a: int, for_x: int, a: Content, x: Content, keep_x: bool, step: Step) -> Steps | None:
        if keep_x:
            steps = self.into_a(for_a, a, x, keep_x=True) if x == for_x else None
            return None if steps is None else (*steps, step)
        return *self.pair(for_a, for_x, a, x), step

    def _ways_to_pair(self, for_a: int, for_x: int, a: Content, x: Content) -> Iterator[Steps | None]:
        yield self._joined(self.into_a(for_a, a, x), lambda a, x: self.into_x(for_x, a, x, keep_a=True), a, x)
        yield self._joined(self.into_x(for_x, a, x), lambda a, x: self.into_a(for_a, a, x, keep_x=True), a, x)
        yield self._spilled(for_a, for_x, a, x)

    def _joined(self, first: Steps | None, second: object, a: Content, x: Content) -> Steps | None:
        if first is None:
            return None
        if first:
            a, x = first[-1].a, first[-1].x
        after = second(a, x)  # type: ignore[operator]
        return None if after is None else first + after

    def _spilled(self, for_a: int, for_x: int, a: Content, x: Content) -> Steps:
        first = self.into_a(for_x, a, x)
        assert first is not None
        if first:
            a, x = first[-1].a, first[-1].x
        second = self.into_a(for_a, for_x, x)
        assert second is not None
        slot = 1 + max((step.stored for step in second if step.stored is not None), default=-1)
        if slot >= SLOTS_FOR_SUMS:
            raise TooLarge
        store = self._step(Action.STORE_A, Operand.SCRATCH, slot, for_x, x, reads_a=True)
        load = self._step(Action.LOAD_X, Operand.SCRATCH, slot, for_a, for_x)
        return *first, store, *second, load

    def _straight_into_x(self, value: int, a: Content) -> Steps | None:
        """The one instruction that brings *value* into X and leaves A alone, if there is one."""
        node = self._table.nodes[value]
        if node[0] is Kind.CONSTANT:
            return (self._step(Action.LOAD_X, Operand.K, cast(int, node[1]), a, value),)
        if node[0] is Kind.LENGTH:
            return (self._step(Action.LOAD_X, Operand.LENGTH, 0, a, value),)
        offset = self.header_length_offset(value)
        if offset is not None:
            return (self._step(Action.LOAD_X, Operand.MEMORY_SHIFT, offset, a, value, size=1),)
        if node[0] is Kind.DRAW:
            return (self._step(Action.LOAD_X, Operand.SCRATCH, self._draw_slots[cast(int, node[1])], a, value),)
        return None

    def header_length_offset(self, value: int) -> int | None:
        """The k of 4*([k]&0xf), if *value* is that."""
        table = self._table
        node = table.nodes[value]
        if node[0] is not Action.SHIFT_LEFT or table.value(cast(int, node[2])) != 2:
            return None
        masked = table.masked(cast(int, node[1]))
        if masked is None or masked[1] != 15:
            return None
        load = table.nodes[masked[0]]
        if load[0] is not Kind.LOAD or load[1] != PACKET or load[3] != 1:
            return None
        return cast(int, load[2])

    # -- guards -------------------------------------------------------------------------------------------------

    def _guard_one(self, key: int, number: int, a: Content, x: Content, *, keep_a: bool) -> Steps:
        load = window_load(key)
        if load is not None:
            steps = self.into_a(load, a, x)
            assert steps is not None
            return steps
        if nonzero_divisor(key) is not None:
            raise AssertionError("such a guard is a test")
        value = self._table.load_from(key, number - 1, 1)
        if key == PACKET and keep_a:
            return (self._step(Action.LOAD_X, Operand.MEMORY_SHIFT, number - 1, a, self._header_length(value), size=1),)
        if key == PACKET:
            return (self._step(Action.LOAD_A, Operand.ABSOLUTE, number - 1, value, x, size=1),)
        steps = self.into_x(key, a, x)
        assert steps is not None
        return *steps, self._step(Action.LOAD_A, Operand.INDIRECT, number - 1, value, key, size=1, reads_x=True)

    def _header_length(self, load: int) -> int:
        table = self._table
        low_half = table.arithmetic(Action.AND, load, table.constant(15))
        return table.arithmetic(Action.SHIFT_LEFT, low_half, table.constant(2))

    # -- instructions -------------------------------------------------------------------------------------------

    def _step(
        self,
        action: Action,
        operand: Operand,
        k: int,
        a: Content,
        x: Content,
        *,
        size: int = 4,
        reads_a: bool = False,
        reads_x: bool = False,
    ) -> Step:
        code = CODE_OF[action, operand, size]
        if code not in self._dialect.opcodes:
            raise TooLarge
        slot = k if operand is Operand.SCRATCH else None
        stores = action in (Action.STORE_A, Action.STORE_X)
        writes_x = action in (Action.LOAD_X, Action.TAX)
        writes_a = not writes_x and not stores
        return Step(code, k, a, x, reads_a, reads_x, writes_a, writes_x, slot if stores else None, None if stores else slot)

    def _load_extension(self, extension: Extension, value: int, x: Content, *, reads_a: bool = False) -> Step:
        searches = extension in (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED)
        return self._step(
            Action.LOAD_A, Operand.ABSOLUTE, EXTENSION_OFFSET + extension, value, x, reads_a=reads_a, reads_x=searches
        )

