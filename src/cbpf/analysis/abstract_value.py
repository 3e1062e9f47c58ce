"""Abstract values: the name of a 32-bit word and the set of values that it may have, without a packet.

This is the abstract domain of the analysis: an interval, refined by a small set of possible or excluded values. The
name is a term over the inputs of the program, such as `0x800`, `[12:2]` (the 2 bytes at offset 12),
`(([14:1] & 0xf) << 2)`, `[(([14:1] & 0xf) << 2) + 16:2]`, `len` and `mark`; `a@17` is the value of A on entry to
instruction 17. Within one execution, two words with the same name have the same value.

`join` is the least upper bound at a control-flow join (of intervals, hence approximate), `refine` applies the outcome
of a comparison, and `transfer` is the transfer function of the arithmetic operations.
"""

from collections.abc import Callable

from .._record import JsonRecord
from .._typing import Final, Self
from ..isa.alu import ARITHMETIC, COMPARISONS
from ..isa.opcodes import SIGNS, WORD_MASK, Action

_MAX_VALUES: Final = 16  # possible or excluded values listed one by one; larger sets are approximated by an interval
_MAX_VALUES_IN_TEXT: Final = 4


class Known(JsonRecord):
    """An abstract value: a name and the possible values of an unsigned 32-bit word.

    Args:
        name: The term over the packet and its metadata that the word equals, such as `[12:2]`.
        low: The lowest possible value.
        high: The highest possible value, inclusive.
        values: All possible values if there are at most 16, else None.
        excluded: Values between `low` and `high` that the word cannot have, at most 16; empty if `values` is given.

    >>> from cbpf import Flow, compile
    >>> facts = Flow(compile("tcp")).facts(2)  # after the test whether the EtherType is 0x800, on its false branch
    >>> str(facts.a), facts.a.name, facts.a.high, facts.a.excluded
    ('[12:2] in 0..0xffff != 0x800', '[12:2]', 65535, frozenset({2048}))
    """

    name: str
    low: int
    high: int
    values: frozenset[int] | None = None
    excluded: frozenset[int] = frozenset()

    @property
    def value(self) -> int | None:
        """The only possible value, or None if there are several."""
        return self.low if self.low == self.high else None

    def may_be(self, value: int) -> bool:
        """Return whether the word may have a value.

        Args:
            value: An unsigned 32-bit number.

        Returns:
            False if the analysis excludes the value; True if it is possible as far as the analysis knows.
        """
        if self.values is not None:
            return value in self.values
        return self.low <= value <= self.high and value not in self.excluded

    def with_name(self, name: str) -> Self:
        """Return a word with the same possible values and another name.

        Args:
            name: The name of the new word.

        Returns:
            A copy with that name.
        """
        return self.replace(name=name)

    def __str__(self) -> str:
        if self.value is not None:
            number = format_number(self.low)
            return number if self.name == number else f"{self.name} == {number}"
        if self.values is not None and len(self.values) <= _MAX_VALUES_IN_TEXT:
            return f"{self.name} in {{{', '.join(map(format_number, sorted(self.values)))}}}"
        text = self.name
        if (self.low, self.high) != (0, WORD_MASK):
            text += f" in {format_number(self.low)}..{format_number(self.high)}"
        if self.excluded:
            text += f" != {', '.join(map(format_number, sorted(self.excluded)))}"
        return text


def format_number(value: int) -> str:
    """Format a number of a name: decimal below 10, else hexadecimal as in protocol specifications."""
    return str(value) if value < 10 else f"{value:#x}"


def offset_name(name: str, distance: int) -> str:
    """Format the sum of a term and a constant: decimal below 0x10000, as it is usually a byte offset."""
    return f"{name} + {distance if distance < 0x10000 else format_number(distance)}"


def constant(value: int) -> Known:
    """Return the word that always has *value*; its name is the number."""
    return Known(format_number(value), value, value, frozenset((value,)))


def interval(name: str, low: int = 0, high: int = WORD_MASK, excluded: frozenset[int] = frozenset()) -> Known:
    """Return a word from *low* to *high*, without *excluded*; at most 16 values become an explicit set."""
    while low in excluded:
        low += 1
    while high in excluded:
        high -= 1
    if high - low < _MAX_VALUES:
        return one_of(name, frozenset(range(low, high + 1)) - excluded)
    inside = [value for value in excluded if low < value < high]
    return Known(name, low, high, None, frozenset(sorted(inside)[:_MAX_VALUES]))


def one_of(name: str, values: frozenset[int]) -> Known:
    """Return a word that is one of *values*, which is not empty; above 16 values, only the bounds are recorded."""
    low, high = min(values), max(values)
    return Known(name, low, high, values if len(values) <= _MAX_VALUES else None)


def join(name: str, left: Known, right: Known) -> Known:
    """Return a word that has every possible value of *left* and of *right*."""
    if left.values is not None and right.values is not None:
        return one_of(name, left.values | right.values)
    candidates = left.excluded | right.excluded
    excluded = frozenset(value for value in candidates if not left.may_be(value) and not right.may_be(value))
    return interval(name, min(left.low, right.low), max(left.high, right.high), excluded)


def refine(word: Known, comparison: Action, operand: int, holds: bool) -> Known | None:
    """Return *word* restricted to the values for which a comparison holds, or fails; None if there is none.

    Args:
        word: The left side of the comparison.
        comparison: EQUAL, GREATER_THAN or GREATER_OR_EQUAL. BITS_SET is tested as the comparison of an AND with 0.
        operand: The right side of the comparison, a constant.
        holds: The outcome of the comparison.
    """
    if word.values is not None:
        remaining = frozenset(value for value in word.values if COMPARISONS[comparison](value, operand) is holds)
        return one_of(word.name, remaining) if remaining else None
    low, high, excluded = word.low, word.high, word.excluded
    match comparison, holds:
        case Action.EQUAL, True:
            return one_of(word.name, frozenset((operand,))) if word.may_be(operand) else None
        case Action.EQUAL, False:
            excluded |= {operand}
        case Action.GREATER_THAN, True:
            low = max(low, operand + 1)
        case Action.GREATER_THAN, False:
            high = min(high, operand)
        case Action.GREATER_OR_EQUAL, True:
            low = max(low, operand)
        case Action.GREATER_OR_EQUAL, False:
            high = min(high, operand - 1)
        case _:
            raise NotImplementedError(f"analysis.abstract_value: {comparison.name} does not refine a range")
    if low > high or (high - low < len(excluded) and not frozenset(range(low, high + 1)) - excluded):
        return None
    return interval(word.name, low, high, excluded)


def transfer(action: Action, left: Known, right: Known) -> Known:
    """Return the result of an operation modulo 2**32, for divisors other than 0 and shift counts below 32."""
    name = f"({left.name} {SIGNS[action]} {right.name})"
    if action is Action.ADD and right.name == format_number(right.low):
        name = f"({offset_name(left.name, right.low)})"
    if action in (Action.DIV, Action.MOD):
        right = refine(right, Action.EQUAL, 0, False) or constant(1)  # if it is always 0, no result is used
    if left.values is not None and right.values is not None:
        operation = ARITHMETIC[action]
        results = frozenset(operation(a, b) & WORD_MASK for a in left.values for b in right.values)
        return constant(min(results)) if len(results) == 1 else one_of(name, results)
    low, high = _RANGES[action](left, right)
    return interval(name, low, high) if low >= 0 and high <= WORD_MASK else interval(name)


def _bit_mask(value: int) -> int:
    """Return the greatest number with the bit length of *value*."""
    return (1 << value.bit_length()) - 1


def _possible_bits(word: Known) -> int:
    """Return the bits of a word that may be 1."""
    return _bit_mask(word.high) if word.value is None else word.low


# Bounds of the exact result, before it is reduced modulo 2**32.
_RANGES: Final[dict[Action, Callable[[Known, Known], tuple[int, int]]]] = {
    Action.ADD: lambda left, right: (left.low + right.low, left.high + right.high),
    Action.SUB: lambda left, right: (left.low - right.high, left.high - right.low),
    Action.MUL: lambda left, right: (left.low * right.low, left.high * right.high),
    Action.DIV: lambda left, right: (left.low // right.high, left.high // right.low),
    Action.MOD: lambda left, right: (0, min(left.high, right.high - 1)),
    Action.OR: lambda left, right: (max(left.low, right.low), _bit_mask(left.high | right.high)),
    Action.AND: lambda left, right: (0, min(left.high, right.high, _possible_bits(left) & _possible_bits(right))),
    Action.XOR: lambda left, right: (0, _bit_mask(left.high | right.high)),
    Action.SHIFT_LEFT: lambda left, right: (left.low << right.low, left.high << right.high),
    Action.SHIFT_RIGHT: lambda left, right: (left.low >> right.high, left.high >> right.low),
}
