"""Simplification: operations on values in canonical form, so that equal computations get one value number.

>>> from cbpf.isa.dialects import PCAP
>>> from cbpf.optimizer.ir.requirements import PACKET
>>> table = ValueTable(PCAP)
>>> x = table.load(PACKET, 14, 1)
>>> masked = simplify_operation(table, Action.AND, x, table.constant(0x0F))
>>> scaled = simplify_operation(table, Action.MUL, masked, table.constant(4))  # a product with 2**n is a shift
>>> table.definitions[scaled].action.name, table.upper[scaled]
('SHIFT_LEFT', 60)
>>> doubled = simplify_operation(table, Action.ADD, x, x)
>>> simplify_operation(table, Action.ADD, doubled, table.constant(0)) == doubled
True
"""

from ..._typing import Final
from ...isa.alu import ARITHMETIC
from ...isa.opcodes import WORD_MASK, Action
from .requirements import NOTHING, ValueId, nonzero_key
from .value_numbering import HeaderPosition, Operation, ValueTable

COMMUTATIVE: Final = frozenset({Action.ADD, Action.MUL, Action.AND, Action.OR, Action.XOR})


def simplify_operation(table: ValueTable, action: Action, left: ValueId, right: ValueId) -> ValueId:
    """Return the value of `left <action> right` modulo 2**32.

    The caller ensures that the operation is executed only with a divisor other than 0 or a shift count below 32.
    """
    a, b = table.constant_of(left), table.constant_of(right)
    if a is not None and b is not None:
        if action in (Action.DIV, Action.MOD) and b == 0:
            return table.zero  # never executed
        return table.constant(ARITHMETIC[action](a, b) & WORD_MASK)
    if action in COMMUTATIVE and (a is not None or (b is None and right < left)):
        left, right, b = right, left, a
    return (
        _simplify_values(table, action, left, right) if b is None else _simplify_with_constant(table, action, left, b)
    )


def _simplify_with_constant(table: ValueTable, action: Action, left: ValueId, c: int) -> ValueId:
    upper = table.upper[left]
    match action:
        case Action.SUB:
            return _simplify_with_constant(table, Action.ADD, left, -c & WORD_MASK)
        case Action.ADD:
            inner, addend = table.split_sum(left)
            total = (addend + c) & WORD_MASK
            return _operation(table, action, inner, total, table.upper[inner] + total) if total else inner
        case Action.AND:
            return _and_constant(table, left, c)
        case Action.OR | Action.XOR:
            return _or_constant(table, action, left, c)
        case Action.SHIFT_LEFT | Action.SHIFT_RIGHT:
            return _shift_constant(table, action, left, c)
        case Action.MUL | Action.DIV | Action.MOD if c & (c - 1) == 0:
            return _by_power_of_two(table, action, left, c)
        case Action.MUL:
            return _operation(table, action, left, c, upper * c)
        case Action.DIV:
            return table.zero if upper < c else _operation(table, action, left, c, upper // c)
        case Action.MOD:
            return left if upper < c else _operation(table, action, left, c, c - 1)
    raise AssertionError(action)


def _and_constant(table: ValueTable, left: ValueId, c: int) -> ValueId:
    bits = table.possible_bits[left]
    if c & bits == bits:
        return left
    if c & bits == 0:
        return table.zero
    masked = table.split_constant(left, Action.AND)
    if masked is not None:
        return _and_constant(table, masked[0], masked[1] & c)
    shifted = table.split_constant(left, Action.SHIFT_LEFT)
    if shifted is not None:
        inner, count = shifted
        return _shift_constant(table, Action.SHIFT_LEFT, _and_constant(table, inner, c >> count), count)
    return _operation(table, Action.AND, left, c & bits, min(table.upper[left], c & bits), bits & c)


def _or_constant(table: ValueTable, action: Action, left: ValueId, c: int) -> ValueId:
    """Return the value of OR or XOR with a constant."""
    if c == 0:
        return left
    bits = table.possible_bits[left]
    if action is Action.OR and c & bits == bits:
        return table.constant(c)
    inner = table.split_constant(left, action)
    if inner is not None:
        return _or_constant(table, action, inner[0], ARITHMETIC[action](inner[1], c))
    return _operation(table, action, left, c, (1 << (bits | c).bit_length()) - 1, bits | c)


def _shift_constant(table: ValueTable, action: Action, left: ValueId, count: int) -> ValueId:
    if count == 0:
        return left
    bits = ARITHMETIC[action](table.possible_bits[left], count) & WORD_MASK
    if bits == 0:
        return table.zero
    inner = table.split_constant(left, action)
    if inner is not None:
        return _shift_constant(table, action, inner[0], inner[1] + count) if inner[1] + count < 32 else table.zero
    return _operation(table, action, left, count, ARITHMETIC[action](table.upper[left], count), bits)


def _by_power_of_two(table: ValueTable, action: Action, left: ValueId, c: int) -> ValueId:
    if c == 0:
        return table.zero  # a product; a division by 0 is never executed
    match action:
        case Action.MUL:
            return _shift_constant(table, Action.SHIFT_LEFT, left, c.bit_length() - 1)
        case Action.DIV:
            return _shift_constant(table, Action.SHIFT_RIGHT, left, c.bit_length() - 1)
        case Action.MOD:
            return _and_constant(table, left, c - 1)
    raise AssertionError(action)


def _operation(
    table: ValueTable, action: Action, left: ValueId, c: int, upper: int, bits: int | None = None
) -> ValueId:
    return table.add(Operation(action, left, table.constant(c)), min(upper, WORD_MASK), bits)


def _simplify_values(table: ValueTable, action: Action, left: ValueId, right: ValueId) -> ValueId:
    """Return the value of an operation on two values that are not constants."""
    if left == right and action in (Action.SUB, Action.XOR):
        return table.zero
    if left == right and action in (Action.AND, Action.OR):
        return left
    if action is Action.ADD:
        reassociated = _reassociate(table, left, right)
        if reassociated is not None:
            return reassociated
    requirements = {nonzero_key(right): 1} if action in (Action.DIV, Action.MOD) else NOTHING
    upper, bits = _bounds(table, action, left, right)
    return table.add(Operation(action, left, right), upper, bits, requirements)


def _bounds(table: ValueTable, action: Action, left: ValueId, right: ValueId) -> tuple[int, int | None]:
    """Return the upper bound of an operation, and its possible bits unless the upper bound implies them."""
    upper_left, upper_right = table.upper[left], table.upper[right]
    match action:
        case Action.ADD | Action.MUL:
            return min(WORD_MASK, ARITHMETIC[action](upper_left, upper_right)), None
        case Action.AND:
            bits = table.possible_bits[left] & table.possible_bits[right]
            return min(upper_left, upper_right, bits), bits
        case Action.OR | Action.XOR:
            bits = table.possible_bits[left] | table.possible_bits[right]
            return (1 << max(upper_left, upper_right).bit_length()) - 1, bits
        case Action.DIV | Action.SHIFT_RIGHT:
            return upper_left, None
        case Action.MOD:
            return min(upper_left, max(upper_right - 1, 0)), None
    return WORD_MASK, None


def _reassociate(table: ValueTable, left: ValueId, right: ValueId) -> ValueId | None:
    """Rewrite (y + c) + z as (y + z) + c, so that c can become the offset of a load; None if there is no such c.

    A sum with a header's position is not rewritten: its other term is the complete address.
    """
    if isinstance(table.definitions[left], HeaderPosition) or isinstance(table.definitions[right], HeaderPosition):
        return None
    for term, other in ((left, right), (right, left)):
        inner, addend = table.split_sum(term)
        if addend:
            return _simplify_with_constant(
                table, Action.ADD, simplify_operation(table, Action.ADD, inner, other), addend
            )
    return None
