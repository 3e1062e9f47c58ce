"""Questions about expressions: every comparison with a constant asks whether a value lies in ranges.

`jeq`, `jgt`, `jge`, networks and single bits are one thing then. Each is asked of the innermost expression that can
tell: not whether x + 5 is 7, but whether x is 2. Two values that are compared make an expression of their own, a
relation, which is 1 or 0.
"""

from typing import Final, TypeAlias

from ...isa.opcodes import WORD_MASK, Action
from ...isa.word_ranges import Ranges, complement, intersection, shifted, union
from .simplify import arithmetic
from .value_numbering import Operation, ValueTable

RelationTest: TypeAlias = bool | tuple[int, Ranges]
"""Whether an expression lies in ranges; or what is known already."""

RELATIONS: Final = frozenset({Action.EQUAL, Action.GREATER_THAN})


def compare(table: ValueTable, action: Action, left: int, right: int) -> RelationTest:
    """What a comparison of the semantics asks."""
    if action is Action.BITS_SET:
        return range_test(table, arithmetic(table, Action.AND, left, right), ((1, WORD_MASK),))
    a, b = table.number(left), table.number(right)
    if b is not None:
        return range_test(table, left, _accepted(action, b))
    if a is not None:
        return range_test(table, right, _mirrored(action, a))
    if left == right:
        return action is not Action.GREATER_THAN
    if action is Action.GREATER_OR_EQUAL:
        return _relation(table, Action.GREATER_THAN, right, left), ((0, 0),)
    return _relation(table, action, left, right), ((1, 1),)


def range_test(table: ValueTable, value: int, ranges: Ranges) -> RelationTest:
    """Whether *value* lies in *ranges*."""
    while True:
        number = table.number(value)
        if number is not None:
            return any(low <= number <= high for low, high in ranges)
        most = table.most[value]
        ranges = intersection(ranges, ((0, most),))
        if not ranges or ranges == ((0, most),):
            return bool(ranges)
        if table.bits[value] & (table.bits[value] - 1) == 0:  # a single bit: not 0 is all that it is
            has_zero, has_bit = ranges[0][0] == 0, ranges[-1][1] == most
            if has_zero == has_bit:
                return has_zero
            ranges = ((0, 0),) if has_zero else ((1, most),)
        inner = _inner(table, value, ranges)
        if inner is None:
            return value, ranges
        value, ranges = inner


def _relation(table: ValueTable, action: Action, left: int, right: int) -> int:
    if action is Action.EQUAL and right < left:
        left, right = right, left
    return table.add(Operation(action, left, right), 1)


def _inner(table: ValueTable, value: int, ranges: Ranges) -> tuple[int, Ranges] | None:
    """The same question of a part of *value*, if one can be found."""
    node = table.nodes[value]
    if not isinstance(node, Operation) or node.action in RELATIONS:
        return None
    c = table.number(node.right)
    if c is not None:
        return _inner_of_constant(table, node.action, node.left, c, ranges)
    if node.action in (Action.SUB, Action.XOR):
        if ranges == ((0, 0),):
            return _relation(table, Action.EQUAL, node.left, node.right), ((1, 1),)
        if ranges == ((1, table.most[value]),):
            return _relation(table, Action.EQUAL, node.left, node.right), ((0, 0),)
    return None


def _inner_of_constant(
    table: ValueTable, action: Action, left: int, c: int, ranges: Ranges
) -> tuple[int, Ranges] | None:
    most = table.most[left]
    match action:
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
            if table.bits[left] & ~c < step:  # all that the mask takes away lies below it
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
        case Action.GREATER_OR_EQUAL:
            return ((c, WORD_MASK),)
    raise NotImplementedError(f"optimizer.ir.range_tests: no ranges for {action.name}")


def _mirrored(action: Action, c: int) -> Ranges:
    """The values that compare so with a constant on their left."""
    match action:
        case Action.EQUAL:
            return ((c, c),)
        case Action.GREATER_THAN:
            return ((0, c - 1),) if c else ()
        case Action.GREATER_OR_EQUAL:
            return ((0, c),)
    raise NotImplementedError(f"optimizer.ir.range_tests: no ranges for {action.name}")


def _scaled_down(ranges: Ranges, factor: int) -> Ranges:
    """The numbers whose multiple lies in *ranges*."""
    scaled = ((-(-low // factor), high // factor) for low, high in ranges)
    return union(one for one in scaled if one[0] <= one[1])


def _exchanged(ranges: Ranges, c: int, most: int) -> Ranges | None:
    """The numbers whose exclusive or with *c* lies in *ranges*, where those are one number, or all but one."""
    most = (1 << most.bit_length()) - 1
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return ((ranges[0][0] ^ c, ranges[0][0] ^ c),)
    rest = complement(ranges, most)
    if len(rest) == 1 and rest[0][0] == rest[0][1]:
        return complement(((rest[0][0] ^ c, rest[0][0] ^ c),))
    return None
