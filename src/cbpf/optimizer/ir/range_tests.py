"""Range tests: each comparison with a constant as the test whether a value is in a set of ranges.

`jeq`, `jgt`, `jge`, networks and single bits become the same kind of test. Each test is rewritten to the innermost
value that decides it: x + 5 == 7 becomes x == 2.

>>> from cbpf.isa.dialects import PCAP
>>> from cbpf.optimizer.ir.requirements import PACKET
>>> table = ValueTable(PCAP)
>>> x = table.load(PACKET, 0, 1)
>>> total = simplify_operation(table, Action.ADD, x, table.constant(5))
>>> compare(table, Action.EQUAL, total, table.constant(7)) == (x, ((2, 2),))
True
>>> compare(table, Action.GREATER_THAN, x, table.constant(255))  # a byte is never greater
False

A comparison of two values that are not constants becomes a value of its own, a relation, which is 1 or 0.
"""

from ..._typing import Final, TypeAlias
from ...isa.opcodes import WORD_MASK, Action
from ...isa.word_ranges import Ranges, complement, intersection, shifted, union
from .requirements import ValueId
from .simplify import simplify_operation
from .value_numbering import Operation, ValueTable

RangeTest: TypeAlias = bool | tuple[ValueId, Ranges]
"""A value and the ranges that it is tested against, or the outcome if the test is decided."""

RELATIONS: Final = frozenset({Action.EQUAL, Action.GREATER_THAN})


def compare(table: ValueTable, action: Action, left: ValueId, right: ValueId) -> RangeTest:
    """Return the range test that decides a comparison of two values."""
    if action is Action.BITS_SET:
        return range_test(table, simplify_operation(table, Action.AND, left, right), ((1, WORD_MASK),))
    a, b = table.constant_of(left), table.constant_of(right)
    if b is not None:
        return range_test(table, left, _ranges_left_of(action, b))
    if a is not None:
        return range_test(table, right, _ranges_right_of(action, a))
    if left == right:
        return action is not Action.GREATER_THAN
    if action is Action.GREATER_OR_EQUAL:
        return _relation(table, Action.GREATER_THAN, right, left), ((0, 0),)
    return _relation(table, action, left, right), ((1, 1),)


def range_test(table: ValueTable, value: ValueId, ranges: Ranges) -> RangeTest:
    """Return the simplest test that decides whether *value* is in *ranges*."""
    while True:
        constant = table.constant_of(value)
        if constant is not None:
            return any(low <= constant <= high for low, high in ranges)
        upper = table.upper[value]
        ranges = intersection(ranges, ((0, upper),))
        if not ranges or ranges == ((0, upper),):
            return bool(ranges)
        if table.possible_bits[value] & (table.possible_bits[value] - 1) == 0:  # one bit: the value is 0 or that bit
            has_zero, has_bit = ranges[0][0] == 0, ranges[-1][1] == upper
            if has_zero == has_bit:
                return has_zero
            ranges = ((0, 0),) if has_zero else ((1, upper),)
        inner = _inner_test(table, value, ranges)
        if inner is None:
            return value, ranges
        value, ranges = inner


def _relation(table: ValueTable, action: Action, left: ValueId, right: ValueId) -> ValueId:
    if action is Action.EQUAL and right < left:
        left, right = right, left
    return table.add(Operation(action, left, right), 1)


def _inner_test(table: ValueTable, value: ValueId, ranges: Ranges) -> tuple[ValueId, Ranges] | None:
    """Return an equivalent test of an operand of *value*, or None if there is none."""
    definition = table.definitions[value]
    if not isinstance(definition, Operation) or definition.action in RELATIONS:
        return None
    c = table.constant_of(definition.right)
    if c is not None:
        return _inner_test_of_constant(table, definition.action, definition.left, c, ranges)
    if definition.action in (Action.SUB, Action.XOR):
        if ranges == ((0, 0),):
            return _relation(table, Action.EQUAL, definition.left, definition.right), ((1, 1),)
        if ranges == ((1, table.upper[value]),):
            return _relation(table, Action.EQUAL, definition.left, definition.right), ((0, 0),)
    return None


def _inner_test_of_constant(
    table: ValueTable, action: Action, left: ValueId, c: int, ranges: Ranges
) -> tuple[ValueId, Ranges] | None:
    upper = table.upper[left]
    match action:
        case Action.ADD:
            return left, shifted(ranges, -c)
        case Action.XOR:
            points = _xor_ranges(ranges, c, upper | c)
            return None if points is None else (left, points)
        case Action.SHIFT_LEFT if upper << c <= WORD_MASK:
            return left, _divide_ranges(ranges, 1 << c)
        case Action.MUL if upper * c <= WORD_MASK:
            return left, _divide_ranges(ranges, c)
        case Action.SHIFT_RIGHT:
            return left, union((low << c, (high + 1 << c) - 1) for low, high in ranges)
        case Action.DIV:
            return left, union((low * c, (high + 1) * c - 1) for low, high in ranges)
        case Action.AND:
            step = c & -c
            if table.possible_bits[left] & ~c < step:  # the mask clears nothing but bits below its lowest bit
                rounded = ((-(-low // step) * step, high // step * step + step - 1) for low, high in ranges)
                return left, union((low, high) for low, high in rounded if low <= high)
    return None


def _ranges_left_of(action: Action, c: int) -> Ranges:
    """Return the values v for which `v <action> c` holds."""
    match action:
        case Action.EQUAL:
            return ((c, c),)
        case Action.GREATER_THAN:
            return ((c + 1, WORD_MASK),) if c < WORD_MASK else ()
        case Action.GREATER_OR_EQUAL:
            return ((c, WORD_MASK),)
    raise NotImplementedError(f"optimizer.ir.range_tests: no ranges for {action.name}")


def _ranges_right_of(action: Action, c: int) -> Ranges:
    """Return the values v for which `c <action> v` holds."""
    match action:
        case Action.EQUAL:
            return ((c, c),)
        case Action.GREATER_THAN:
            return ((0, c - 1),) if c else ()
        case Action.GREATER_OR_EQUAL:
            return ((0, c),)
    raise NotImplementedError(f"optimizer.ir.range_tests: no ranges for {action.name}")


def _divide_ranges(ranges: Ranges, factor: int) -> Ranges:
    """Return the numbers n for which n * factor is in *ranges*."""
    divided = ((-(-low // factor), high // factor) for low, high in ranges)
    return union((low, high) for low, high in divided if low <= high)


def _xor_ranges(ranges: Ranges, c: int, upper: int) -> Ranges | None:
    """Return the numbers n for which n ^ c is in *ranges*; None unless that is one number, or all numbers but one."""
    upper = (1 << upper.bit_length()) - 1
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return ((ranges[0][0] ^ c, ranges[0][0] ^ c),)
    excluded = complement(ranges, upper)
    if len(excluded) == 1 and excluded[0][0] == excluded[0][1]:
        return complement(((excluded[0][0] ^ c, excluded[0][0] ^ c),))
    return None
