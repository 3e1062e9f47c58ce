"""Expressions: what a register holds, as a function of the packet. Equal ones are one number.

A table gives each expression a number, and every rule of arithmetic that makes one simpler is applied when it is made:
so two ways to compute the same thing meet in one number, and all passes compare numbers only. A packet cannot change,
hence a load is a pure expression; what it requires stands beside it (`requirements`).
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, TypeAlias

from ..dialects import Dialect
from ..engines.interpreter import ARITHMETIC
from ..isa import SIGN_BIT, WORD_MASK, Action, Extension
from ..semantics import Header
from .ranges import EVERYTHING, Ranges, complement, intersection, shifted, union
from .requirements import NOTHING, PACKET, Requirements, both, nonzero_key, reachable_key


class Kind(Enum):
    """What an expression is, where it is no operation (an `Action`) on two others."""

    __hash__ = object.__hash__

    CONSTANT = auto()  # value
    LOAD = auto()  # base or PACKET, offset, size
    WINDOW = auto()  # position, displacement, size: a load that may go through Linux's header windows
    LENGTH = auto()
    HEADER = auto()  # "packet", "network" or "link": a position in memory
    EXTENSION = auto()  # Extension
    SEARCH = auto()  # Extension, a, x: netlink attributes
    DRAW = auto()  # number of the draw, from 0
    LACKS_DEVICE = auto()
    SELECT = auto()  # value, ranges, then, otherwise


Node: TypeAlias = tuple[object, ...]
Test: TypeAlias = bool | tuple[int, Ranges]
"""Whether an expression lies in ranges; or known."""

EXTENSION_BOUNDS: Final = {
    Extension.PROTO: 0xFFFF,
    Extension.TYPE: 7,
    Extension.QUEUE: 0xFFFF,
    Extension.LINK_LAYER_TYPE: 0xFFFF,
    Extension.VLAN_TAG: 0xFFFF,
    Extension.VLAN_TAG_PRESENT: 1,
    Extension.VLAN_PROTO: 0xFFFF,
}
"""The greatest values of the extensions that have fewer than 32 bits (`Metadata`)."""

_COMMUTATIVE: Final = frozenset({Action.ADD, Action.MUL, Action.AND, Action.OR, Action.XOR, Action.EQUAL})
RELATIONS: Final = frozenset({Action.EQUAL, Action.GREATER_THAN})
_LARGEST: Final = 2_000  # instructions to compute an expression; beyond, nothing is gained and time is lost


class TooLarge(Exception):
    """The program has no reasonable form here; it stays as it is."""


class Expressions:
    """The table. An expression is an index into its lists.

    nodes: kind or action, and what belongs to it. most: the greatest value. bits: the bits that may be 1.
    requirements: what computing it requires of the packet. size: about how many instructions that takes.
    shifts: what A and X held where a selection was made, as it is for shifts by X.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.nodes: list[Node] = []
        self.most: list[int] = []
        self.bits: list[int] = []
        self.requirements: list[Requirements] = []
        self.size: list[int] = []
        self.shifts: dict[int, tuple[int, int]] = {}
        self._numbers: dict[Node, int] = {}
        self.zero = self.constant(0)

    # -- making leaves ------------------------------------------------------------------------------------------

    def constant(self, value: int) -> int:
        return self._add((Kind.CONSTANT, value), value, value)

    def length(self) -> int:
        return self._add((Kind.LENGTH,), WORD_MASK)

    def header(self, header: Header) -> int:
        return self._add((Kind.HEADER, header), WORD_MASK if header != "packet" else 0xFFFF)

    def extension(self, extension: Extension) -> int:
        return self._add((Kind.EXTENSION, extension), EXTENSION_BOUNDS.get(extension, WORD_MASK))

    def search(self, extension: Extension, a: int, x: int) -> int:
        return self._add((Kind.SEARCH, extension, a, x), WORD_MASK)

    def draw(self, number: int) -> int:
        return self._add((Kind.DRAW, number), WORD_MASK)

    def lacks_device(self) -> int:
        return self._add((Kind.LACKS_DEVICE,), 1)

    def load(self, position: int, displacement: int, size: int) -> int | None:
        """The bytes at a position in memory plus a displacement, an exact sum; None: no packet reaches so far."""
        base, offset = self._from_packet(position, displacement)
        if base is not None:
            if offset + size > SIGN_BIT:
                return None
            return self.load_from(base, offset, size)
        return self._window(position, displacement, size)

    def load_from(self, base: int, offset: int, size: int) -> int:
        """The bytes at base + offset of the packet; base may be PACKET."""
        requirements = NOTHING if self.dialect.record_size is not None else {base: offset + size}
        return self._add((Kind.LOAD, base, offset, size), (1 << 8 * size) - 1, requirements=requirements)

    # -- making operations --------------------------------------------------------------------------------------

    def arithmetic(self, action: Action, left: int, right: int) -> int:
        """An operation modulo 2**32; the divisor is not 0 where this is computed, a shift count below 32."""
        constants = self.value(left), self.value(right)
        if constants[0] is not None and constants[1] is not None:
            if action in (Action.DIV, Action.MOD) and constants[1] == 0:
                return self.zero  # never computed
            return self.constant(ARITHMETIC[action](constants[0], constants[1]) & WORD_MASK)
        if action in _COMMUTATIVE and (constants[0] is not None or (constants[1] is None and right < left)):
            left, right, constants = right, left, constants[::-1]
        if constants[1] is not None:
            return self._with_constant(action, left, constants[1])
        return self._with_other(action, left, right)

    def select(self, test: Test, then: int, otherwise: int) -> int:
        if isinstance(test, bool):
            return then if test else otherwise
        if then == otherwise:
            return then
        value, ranges = test
        most = max(self.most[then], self.most[otherwise])
        return self._add((Kind.SELECT, value, ranges, then, otherwise), most)

    def compare(self, action: Action, left: int, right: int) -> Test:
        """What a comparison of the semantics asks, as ranges of one expression."""
        if action is Action.BITS_SET:
            return self.lies_in(self.arithmetic(Action.AND, left, right), ((1, WORD_MASK),))
        known_left, known = self.value(left), self.value(right)
        if known_left is not None and known is None:
            return self.lies_in(right, _mirrored(action, known_left))
        if known is not None:
            return self.lies_in(left, _accepted(action, known))
        if left == right:
            return action is not Action.GREATER_THAN
        if action is Action.GREATER_OR_EQUAL:
            return self._relation(Action.GREATER_THAN, right, left), ((0, 0),)
        return self._relation(action, left, right), ((1, 1),)

    def lies_in(self, value: int, ranges: Ranges) -> Test:
        """Whether *value* lies in *ranges*, asked of the innermost expression that can tell."""
        while True:
            known = self.value(value)
            if known is not None:
                return any(low <= known <= high for low, high in ranges)
            ranges = intersection(ranges, ((0, self.most[value]),))
            if not ranges:
                return False
            if ranges == ((0, self.most[value]),):
                return True
            if self.bits[value] & (self.bits[value] - 1) == 0:  # a single bit: not 0 is all that it is
                has_zero, has_bit = ranges[0][0] == 0, ranges[-1][1] == self.most[value]
                if has_zero == has_bit:
                    return has_zero
                ranges = ((0, 0),) if has_zero else ((1, self.most[value]),)
            inner = self._inner_test(value, ranges)
            if inner is None:
                return value, ranges
            value, ranges = inner

    # -- asking -------------------------------------------------------------------------------------------------

    def value(self, expression: int) -> int | None:
        """The number that a constant is."""
        node = self.nodes[expression]
        return node[1] if node[0] is Kind.CONSTANT else None  # type: ignore[return-value]

    def masked(self, expression: int) -> tuple[int, int] | None:
        """Of y & constant: y and the constant."""
        node = self.nodes[expression]
        if node[0] is Action.AND:
            mask = self.value(node[2])  # type: ignore[arg-type]
            if mask is not None:
                return node[1], mask  # type: ignore[return-value]
        return None

    def terms(self, expression: int) -> tuple[int, int]:
        """Of y + constant: y and the constant; else the expression and 0."""
        node = self.nodes[expression]
        added = self.value(node[2]) if node[0] is Action.ADD else None  # type: ignore[arg-type]
        return (expression, 0) if added is None else (node[1], added)  # type: ignore[return-value]

    def operands(self, expression: int) -> Sequence[int]:
        """The expressions that this one is made of."""
        kind, *rest = self.nodes[expression]
        if isinstance(kind, Action):
            return rest  # type: ignore[return-value]
        match kind:
            case Kind.LOAD:
                return rest[:1] if rest[0] != PACKET else ()  # type: ignore[return-value]
            case Kind.WINDOW:
                return rest[:1]  # type: ignore[return-value]
            case Kind.SEARCH:
                return rest[1:]  # type: ignore[return-value]
            case Kind.SELECT:
                return rest[0], *rest[2:]  # type: ignore[return-value]
        return ()

    # -- within -------------------------------------------------------------------------------------------------

    def _add(self, node: Node, most: int, bits: int | None = None, requirements: Requirements = NOTHING) -> int:
        found = self._numbers.get(node)
        if found is not None:
            return found
        number = self._numbers[node] = len(self.nodes)
        self.nodes.append(node)
        mask = (1 << most.bit_length()) - 1
        self.bits.append(mask if bits is None else bits & mask)
        self.most.append(most)
        size = 1
        for operand in self.operands(number):
            requirements = both(requirements, self.requirements[operand]) or NOTHING
            size += self.size[operand]
        if size > _LARGEST:
            raise TooLarge
        self.requirements.append(requirements)
        self.size.append(size)
        return number

    def _from_packet(self, position: int, displacement: int) -> tuple[int | None, int]:
        """Position and displacement as base and offset from packet byte 0; base None: it may lie elsewhere."""
        if self.dialect.header_windows:
            packet = self.header("packet")
            if position == packet:
                return PACKET, displacement
            node = self.nodes[position]
            if node[0] is not Action.ADD or packet not in node[1:]:
                return None, 0
            position = node[2] if node[1] == packet else node[1]  # type: ignore[assignment]
        return self._base_and_offset(position, displacement)

    def _base_and_offset(self, position: int, displacement: int) -> tuple[int, int]:
        known = self.value(position)
        if known is not None:
            return PACKET, known + displacement
        inner, added = self.terms(position)
        if self.most[inner] + added <= WORD_MASK and added + displacement <= WORD_MASK:
            return inner, added + displacement
        return position, displacement

    def _window(self, position: int, displacement: int, size: int) -> int | None:
        known = self.value(position)
        if known is not None and known + displacement >= SIGN_BIT:
            return None
        node = self.nodes[position]
        if node[0] is Action.ADD and self.nodes[node[1]][0] is Kind.HEADER:  # type: ignore[index]
            added = self.value(node[2])  # type: ignore[arg-type]
            if added is not None:
                position, displacement = node[1], displacement + added  # type: ignore[assignment]
        number = self._add((Kind.WINDOW, position, displacement, size), (1 << 8 * size) - 1)
        self.requirements[number] = both(self.requirements[number], {reachable_key(number): 1}) or NOTHING
        return number

    def _with_constant(self, action: Action, left: int, c: int) -> int:
        most, bits = self.most[left], self.bits[left]
        kind, *rest = self.nodes[left]
        inner = self.value(rest[1]) if isinstance(kind, Action) else None  # type: ignore[arg-type]
        below: int = rest[0] if isinstance(kind, Action) else 0  # type: ignore[assignment]
        match action:
            case Action.SUB:
                return self._with_constant(Action.ADD, left, -c & WORD_MASK)
            case Action.ADD:
                if kind is Action.ADD and inner is not None:
                    return self._with_constant(Action.ADD, below, (inner + c) & WORD_MASK)
                return left if c == 0 else self._operation(action, left, c, most + c)
            case Action.AND:
                if c & bits == bits:
                    return left
                if c & bits == 0:
                    return self.zero
                if kind is Action.AND and inner is not None:
                    return self._with_constant(Action.AND, below, inner & c)
                if kind is Action.SHIFT_LEFT and inner is not None:
                    return self._with_constant(
                        Action.SHIFT_LEFT, self._with_constant(Action.AND, below, c >> inner), inner
                    )
                return self._operation(action, left, c & bits, min(most, c & bits), bits & c)
            case Action.OR | Action.XOR:
                if c == 0:
                    return left
                if action is Action.OR and c & bits == bits:
                    return self.constant(c)
                if kind is action and inner is not None:
                    return self._with_constant(action, below, ARITHMETIC[action](inner, c))
                both_bits = bits | c
                return self._operation(action, left, c, (1 << both_bits.bit_length()) - 1, both_bits)
            case Action.SHIFT_LEFT | Action.SHIFT_RIGHT:
                return self._shift(action, left, c, below, inner)
            case Action.MUL:
                if c & (c - 1) == 0:
                    return self._with_constant(Action.SHIFT_LEFT, left, c.bit_length() - 1) if c else self.zero
                return self._operation(action, left, c, most * c)
            case Action.DIV:
                if c & (c - 1) == 0:
                    return self._with_constant(Action.SHIFT_RIGHT, left, c.bit_length() - 1) if c else self.zero
                return self.zero if most < c else self._operation(action, left, c, most // c)
            case Action.MOD:
                if c & (c - 1) == 0:
                    return self._with_constant(Action.AND, left, c - 1) if c else self.zero
                return left if most < c else self._operation(action, left, c, c - 1)
        raise AssertionError(action)

    def _shift(self, action: Action, left: int, count: int, below: int, inner: int | None) -> int:
        most, bits = self.most[left], self.bits[left]
        if count == 0:
            return left
        if action is Action.SHIFT_RIGHT and bits >> count == 0:
            return self.zero
        if action is Action.SHIFT_LEFT and bits << count & WORD_MASK == 0:
            return self.zero
        if self.nodes[left][0] is action and inner is not None:
            return self._with_constant(action, below, inner + count) if inner + count < 32 else self.zero
        if action is Action.SHIFT_RIGHT:
            return self._operation(action, left, count, most >> count, bits >> count)
        return self._operation(action, left, count, most << count, bits << count & WORD_MASK)

    def _operation(self, action: Action, left: int, c: int, most: int, bits: int | None = None) -> int:
        if most > WORD_MASK:
            most = WORD_MASK if bits is None else (1 << bits.bit_length()) - 1
        return self._add((action, left, self.constant(c)), most, bits)

    def _with_other(self, action: Action, left: int, right: int) -> int:
        most_left, most_right = self.most[left], self.most[right]
        either = (1 << max(most_left, most_right).bit_length()) - 1
        requirements = NOTHING
        most, bits = WORD_MASK, None
        match action:
            case Action.ADD | Action.MUL:
                pulled = self._pull_constant(left, right) if action is Action.ADD else None
                if pulled is not None:
                    return pulled
                most = min(WORD_MASK, ARITHMETIC[action](most_left, most_right))
            case Action.SUB | Action.XOR if left == right:
                return self.zero
            case Action.AND | Action.OR if left == right:
                return left
            case Action.AND:
                bits = self.bits[left] & self.bits[right]
                most = min(most_left, most_right, bits)
            case Action.OR | Action.XOR:
                bits, most = self.bits[left] | self.bits[right], either
            case Action.DIV | Action.MOD:
                requirements = {nonzero_key(right): 1}
                most = most_left if action is Action.DIV else min(most_left, max(most_right - 1, 0))
            case Action.SHIFT_RIGHT:
                most = most_left
        return self._add((action, left, right), most, bits, requirements)

    def _pull_constant(self, left: int, right: int) -> int | None:
        """(y + c) + z as (y + z) + c: so it can become the offset of a load."""
        if Kind.HEADER in (self.nodes[left][0], self.nodes[right][0]):
            return None  # a position keeps its address whole
        for one, other in ((left, right), (right, left)):
            node = self.nodes[one]
            if node[0] is Action.ADD:
                added = self.value(node[2])  # type: ignore[arg-type]
                if added is not None:
                    return self.arithmetic(Action.ADD, self.arithmetic(Action.ADD, node[1], other), self.constant(added))  # type: ignore[arg-type]
        return None

    def _relation(self, action: Action, left: int, right: int) -> int:
        if action is Action.EQUAL and right < left:
            left, right = right, left
        return self._add((action, left, right), 1)

    def _inner_test(self, value: int, ranges: Ranges) -> tuple[int, Ranges] | None:
        """The same question of a part of *value*, if one can be found."""
        kind, *rest = self.nodes[value]
        if not isinstance(kind, Action) or kind in RELATIONS:
            return None
        left: int = rest[0]  # type: ignore[assignment]
        right: int = rest[1]  # type: ignore[assignment]
        c = self.value(right)
        if c is not None:
            return self._inner_of_constant(kind, left, c, ranges)
        if kind in (Action.SUB, Action.XOR):
            zero = ranges == ((0, 0),)
            if zero or ranges == ((1, self.most[value]),):
                return self._relation(Action.EQUAL, left, right), ((1, 1),) if zero else ((0, 0),)
        return None

    def _inner_of_constant(self, kind: Action, left: int, c: int, ranges: Ranges) -> tuple[int, Ranges] | None:
        most = self.most[left]
        match kind:
            case Action.ADD:
                return left, shifted(ranges, -c)
            case Action.XOR:
                points = _exchanged(ranges, c, most | c)
                return None if points is None else (left, points)
            case Action.SHIFT_LEFT if most << c <= WORD_MASK:
                return left, _scaled_down(ranges, 1 << c)
            case Action.MUL if most * c <= WORD_MASK:
                return left, _scaled_down(ranges, c)
            case Action.SHIFT_RIGHT:
                return left, union((low << c, (high + 1 << c) - 1) for low, high in ranges)
            case Action.DIV:
                return left, union((low * c, (high + 1) * c - 1) for low, high in ranges)
            case Action.AND:
                step = c & -c
                if self.bits[left] & ~c < step:  # all that the mask takes away lies below it
                    rounded = ((-(-low // step) * step, high // step * step + step - 1) for low, high in ranges)
                    return left, union(one for one in rounded if one[0] <= one[1])
        return None


def _accepted(action: Action, c: int) -> Ranges:
    """The values that compare so with a constant on their right."""
    match action:
        case Action.EQUAL:
            return ((c, c),)
        case Action.GREATER_THAN:
            return ((c + 1, WORD_MASK),) if c < WORD_MASK else ()
    return ((c, WORD_MASK),)


def _mirrored(action: Action, c: int) -> Ranges:
    """The values that compare so with a constant on their left."""
    match action:
        case Action.EQUAL:
            return ((c, c),)
        case Action.GREATER_THAN:
            return ((0, c - 1),) if c else ()
    return ((0, c),)


def _scaled_down(ranges: Ranges, factor: int) -> Ranges:
    """The numbers whose multiple lies in *ranges*."""
    return union(
        (-(-low // factor), high // factor) for low, high in ranges if -(-low // factor) <= high // factor
    )


def _exchanged(ranges: Ranges, c: int, most: int) -> Ranges | None:
    """The numbers whose exclusive or with *c* lies in *ranges*, where those are one number, or all but one."""
    most = (1 << most.bit_length()) - 1
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return ((ranges[0][0] ^ c, ranges[0][0] ^ c),)
    rest = complement(ranges, most)
    if len(rest) == 1 and rest[0][0] == rest[0][1]:
        return complement(((rest[0][0] ^ c, rest[0][0] ^ c),))
    return None


__all__ = ["EVERYTHING", "EXTENSION_BOUNDS", "RELATIONS", "Expressions", "Kind", "Node", "Test", "TooLarge"]
