"""What can be known of a word without a packet: its name, and which numbers it may be.

Two words of one name are the same number in one run. A name is a term over the packet: `0x800`, `[12:2]` (the 2 bytes
at 12), `(([14:1] & 0xf) << 0x2)`, `[(...) + 16:2]`, `len`, `mark`; `a@17` is what A is as a
run comes to instruction 17.
"""

from collections.abc import Callable
from typing import Final, Self

from .._record import Record
from ..isa.alu import ARITHMETIC, COMPARISONS
from ..isa.opcodes import SIGNS, WORD_MASK, Action

_MOST_VALUES: Final = 16  # numbers that are remembered one by one, as possible or as excluded; more are a range
_MOST_SHOWN: Final = 4


class Known(Record):
    """What is known of a 32-bit word: it lies in low..high, is one of *values* if they are given, none of *excluded*.

    >>> str(between("[23:1]", 0, 255)), str(constant(2048))
    ('[23:1] in 0..0xff', '0x800')
    """

    name: str
    low: int
    high: int
    values: frozenset[int] | None = None
    excluded: frozenset[int] = frozenset()

    @property
    def value(self) -> int | None:
        """The number, where there is only one that it can be."""
        return self.low if self.low == self.high else None

    def may_be(self, number: int) -> bool:
        """Whether nothing that is known speaks against *number*."""
        if self.values is not None:
            return number in self.values
        return self.low <= number <= self.high and number not in self.excluded

    def named(self, name: str) -> Self:
        """The same under another name."""
        return self.replace(name=name)

    def __str__(self) -> str:
        if self.value is not None:
            number = shown(self.low)
            return number if self.name == number else f"{self.name} == {number}"
        if self.values is not None and len(self.values) <= _MOST_SHOWN:
            return f"{self.name} in {{{', '.join(map(shown, sorted(self.values)))}}}"
        text = self.name
        if (self.low, self.high) != (0, WORD_MASK):
            text += f" in {shown(self.low)}..{shown(self.high)}"
        if self.excluded:
            text += f" != {', '.join(map(shown, sorted(self.excluded)))}"
        return text


def shown(number: int) -> str:
    """A number in a name: hexadecimal from 10 on, as filters are mostly read beside protocol tables."""
    return str(number) if number < 10 else f"{number:#x}"


def offset_name(name: str, distance: int) -> str:
    """A sum with a constant, which is mostly a number of bytes: decimal, if it is not large."""
    return f"{name} + {distance if distance < 0x10000 else shown(distance)}"


def constant(number: int) -> Known:
    """A word that is *number*."""
    return Known(shown(number), number, number, frozenset((number,)))


def interval(name: str, low: int = 0, high: int = WORD_MASK, excluded: frozenset[int] = frozenset()) -> Known:
    """A word from *low* to *high*, by default any; few numbers are listed one by one."""
    while low in excluded:
        low += 1
    while high in excluded:
        high -= 1
    if high - low < _MOST_VALUES:
        return one_of(name, frozenset(range(low, high + 1)) - excluded)
    inside = [number for number in excluded if low < number < high]
    return Known(name, low, high, None, frozenset(sorted(inside)[:_MOST_VALUES]))


def one_of(name: str, values: frozenset[int]) -> Known:
    """A word that is one of *values*, of which there is one at least; of many, only the range is kept."""
    low, high = min(values), max(values)
    return Known(name, low, high, values if len(values) <= _MOST_VALUES else None)


def join(name: str, left: Known, right: Known) -> Known:
    """A word that is the one or the other."""
    if left.values is not None and right.values is not None:
        return one_of(name, left.values | right.values)
    excluded = (left.excluded | right.excluded) - {
        number for number in left.excluded | right.excluded if left.may_be(number) or right.may_be(number)
    }
    return interval(name, min(left.low, right.low), max(left.high, right.high), excluded)


def refine(known: Known, comparison: Action, number: int, holds: bool) -> Known | None:
    """The word where its comparison with a constant holds, or fails; None: it never does.

    BITS_SET has no row here: it is a comparison of an AND with 0.
    """
    if known.values is not None:
        left = frozenset(value for value in known.values if COMPARISONS[comparison](value, number) is holds)
        return one_of(known.name, left) if left else None
    low, high, excluded = known.low, known.high, known.excluded
    match comparison, holds:
        case Action.EQUAL, True:
            return one_of(known.name, frozenset((number,))) if known.may_be(number) else None
        case Action.EQUAL, False:
            excluded |= {number}
        case Action.GREATER_THAN, True:
            low = max(low, number + 1)
        case Action.GREATER_THAN, False:
            high = min(high, number)
        case Action.GREATER_OR_EQUAL, True:
            low = max(low, number)
        case Action.GREATER_OR_EQUAL, False:
            high = min(high, number - 1)
    if low > high or (high - low < len(excluded) and not frozenset(range(low, high + 1)) - excluded):
        return None
    return interval(known.name, low, high, excluded)


def transfer(action: Action, left: Known, right: Known) -> Known:
    """The result of an operation modulo 2**32; a divisor is not 0, and a shift count is below 32."""
    name = f"({left.name} {SIGNS[action]} {right.name})"
    if action is Action.ADD and right.name == shown(right.low):
        name = f"({offset_name(left.name, right.low)})"
    if action in (Action.DIV, Action.MOD):
        right = refine(right, Action.EQUAL, 0, False) or constant(1)
    if left.values is not None and right.values is not None:
        operation = ARITHMETIC[action]
        results = frozenset(operation(one, other) & WORD_MASK for one in left.values for other in right.values)
        return constant(min(results)) if len(results) == 1 else one_of(name, results)
    low, high = _RANGES[action](left, right)
    return interval(name, low, high) if low >= 0 and high <= WORD_MASK else interval(name)


def _all_ones(number: int) -> int:
    """The greatest number of as many bits."""
    return (1 << number.bit_length()) - 1


def _possible_bits(known: Known) -> int:
    """The bits that may be 1."""
    return _all_ones(known.high) if known.value is None else known.low


# The least and the greatest result before it is taken modulo 2**32.
_RANGES: Final[dict[Action, Callable[[Known, Known], tuple[int, int]]]] = {
    Action.ADD: lambda left, right: (left.low + right.low, left.high + right.high),
    Action.SUB: lambda left, right: (left.low - right.high, left.high - right.low),
    Action.MUL: lambda left, right: (left.low * right.low, left.high * right.high),
    Action.DIV: lambda left, right: (left.low // right.high, left.high // right.low),
    Action.MOD: lambda left, right: (0, min(left.high, right.high - 1)),
    Action.OR: lambda left, right: (max(left.low, right.low), _all_ones(left.high | right.high)),
    Action.AND: lambda left, right: (0, min(left.high, right.high, _possible_bits(left) & _possible_bits(right))),
    Action.XOR: lambda left, right: (0, _all_ones(left.high | right.high)),
    Action.SHIFT_LEFT: lambda left, right: (left.low << right.low, left.high << right.high),
    Action.SHIFT_RIGHT: lambda left, right: (left.low >> right.high, left.high >> right.low),
}
