"""Operations on expressions, in the simplest form that is known: so two ways to compute the same thing meet."""

from typing import Final

from ...isa.alu import ARITHMETIC
from ...isa.opcodes import WORD_MASK, Action
from .requirements import NOTHING, nonzero_key
from .value_numbering import HeaderPosition, Operation, ValueTable

COMMUTATIVE: Final = frozenset({Action.ADD, Action.MUL, Action.AND, Action.OR, Action.XOR})


def arithmetic(table: ValueTable, action: Action, left: int, right: int) -> int:
    """Left <action> right modulo 2**32; the divisor is not 0 where this is computed, a shift count below 32."""
    a, b = table.number(left), table.number(right)
    if a is not None and b is not None:
        if action in (Action.DIV, Action.MOD) and b == 0:
            return table.zero  # never computed
        return table.constant(ARITHMETIC[action](a, b) & WORD_MASK)
    if action in COMMUTATIVE and (a is not None or (b is None and right < left)):
        left, right, b = right, left, a
    return _of_two(table, action, left, right) if b is None else _of_constant(table, action, left, b)


def _of_constant(table: ValueTable, action: Action, left: int, c: int) -> int:
    most = table.most[left]
    match action:
        case Action.SUB:
            return _of_constant(table, Action.ADD, left, -c & WORD_MASK)
        case Action.ADD:
            inner, added = table.terms(left)
            total = (added + c) & WORD_MASK
            return _operation(table, action, inner, total, table.most[inner] + total) if total else inner
        case Action.AND:
            return _masked(table, left, c)
        case Action.OR | Action.XOR:
            return _combined(table, action, left, c)
        case Action.SHIFT_LEFT | Action.SHIFT_RIGHT:
            return _shifted(table, action, left, c)
        case Action.MUL | Action.DIV | Action.MOD if c & (c - 1) == 0:
            return _by_power_of_two(table, action, left, c)
        case Action.MUL:
            return _operation(table, action, left, c, most * c)
        case Action.DIV:
            return table.zero if most < c else _operation(table, action, left, c, most // c)
        case Action.MOD:
            return left if most < c else _operation(table, action, left, c, c - 1)
    raise AssertionError(action)


def _masked(table: ValueTable, left: int, c: int) -> int:
    bits = table.bits[left]
    if c & bits == bits:
        return left
    if c & bits == 0:
        return table.zero
    masked = table.with_constant(left, Action.AND)
    if masked is not None:
        return _masked(table, masked[0], masked[1] & c)
    shifted = table.with_constant(left, Action.SHIFT_LEFT)
    if shifted is not None:
        inner, count = shifted
        return _shifted(table, Action.SHIFT_LEFT, _masked(table, inner, c >> count), count)
    return _operation(table, Action.AND, left, c & bits, min(table.most[left], c & bits), bits & c)


def _combined(table: ValueTable, action: Action, left: int, c: int) -> int:
    """An or, or an exclusive or, with a constant."""
    if c == 0:
        return left
    bits = table.bits[left]
    if action is Action.OR and c & bits == bits:
        return table.constant(c)
    inner = table.with_constant(left, action)
    if inner is not None:
        return _combined(table, action, inner[0], ARITHMETIC[action](inner[1], c))
    return _operation(table, action, left, c, (1 << (bits | c).bit_length()) - 1, bits | c)


def _shifted(table: ValueTable, action: Action, left: int, count: int) -> int:
    if count == 0:
        return left
    bits = ARITHMETIC[action](table.bits[left], count) & WORD_MASK
    if bits == 0:
        return table.zero
    inner = table.with_constant(left, action)
    if inner is not None:
        return _shifted(table, action, inner[0], inner[1] + count) if inner[1] + count < 32 else table.zero
    return _operation(table, action, left, count, ARITHMETIC[action](table.most[left], count), bits)


def _by_power_of_two(table: ValueTable, action: Action, left: int, c: int) -> int:
    if c == 0:
        return table.zero  # a product; a division by 0 is never computed
    match action:
        case Action.MUL:
            return _shifted(table, Action.SHIFT_LEFT, left, c.bit_length() - 1)
        case Action.DIV:
            return _shifted(table, Action.SHIFT_RIGHT, left, c.bit_length() - 1)
        case Action.MOD:
            return _masked(table, left, c - 1)
    raise AssertionError(action)


def _operation(table: ValueTable, action: Action, left: int, c: int, most: int, bits: int | None = None) -> int:
    return table.add(Operation(action, left, table.constant(c)), min(most, WORD_MASK), bits)


def _of_two(table: ValueTable, action: Action, left: int, right: int) -> int:
    if left == right and action in (Action.SUB, Action.XOR):
        return table.zero
    if left == right and action in (Action.AND, Action.OR):
        return left
    if action is Action.ADD:
        pulled = _pull_constant(table, left, right)
        if pulled is not None:
            return pulled
    requirements = {nonzero_key(right): 1} if action in (Action.DIV, Action.MOD) else NOTHING
    most, bits = _bounds(table, action, left, right)
    return table.add(Operation(action, left, right), most, bits, requirements)


def _bounds(table: ValueTable, action: Action, left: int, right: int) -> tuple[int, int | None]:
    """The greatest value of an operation, and the bits that may be 1, if that says more."""
    most_left, most_right = table.most[left], table.most[right]
    match action:
        case Action.ADD | Action.MUL:
            return min(WORD_MASK, ARITHMETIC[action](most_left, most_right)), None
        case Action.AND:
            bits = table.bits[left] & table.bits[right]
            return min(most_left, most_right, bits), bits
        case Action.OR | Action.XOR:
            return (1 << max(most_left, most_right).bit_length()) - 1, table.bits[left] | table.bits[right]
        case Action.DIV | Action.SHIFT_RIGHT:
            return most_left, None
        case Action.MOD:
            return min(most_left, max(most_right - 1, 0)), None
    return WORD_MASK, None


def _pull_constant(table: ValueTable, left: int, right: int) -> int | None:
    """(y + c) + z as (y + z) + c: c may become the offset of a load. A header's position keeps its address whole."""
    if isinstance(table.nodes[left], HeaderPosition) or isinstance(table.nodes[right], HeaderPosition):
        return None
    for one, other in ((left, right), (right, left)):
        inner, added = table.terms(one)
        if added:
            return _of_constant(table, Action.ADD, arithmetic(table, Action.ADD, inner, other), added)
    return None
