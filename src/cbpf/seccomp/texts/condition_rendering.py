"""Conditions as text, in the grammar that `condition_text` reads.

The names of constants are used where a value is tested for equality, and for the bits of masks. Beside an order, as in
`family < 38 or = 39 or > 40`, values are numbers.
"""

from collections.abc import Collection, Mapping, Sequence

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa.opcodes import WORD_MASK
from ...isa.word_ranges import Ranges, complement, union
from ..names.architectures import Architecture, ArchitectureName
from ..names.architectures import architecture as architecture_named
from ..names.constants import Constant, constants_of
from ..rules import INSTRUCTION_POINTER, OPERAND_MASK, Condition, MaskedRanges
from .condition_text import OTHER_OPERANDS, argument_names

_MAX_DECIMAL: Final = 4096
_MAX_DECIMAL_MASK: Final = 10
_MAX_LISTED: Final = 4
"""The number of values with names that are listed, also where they are a range."""


def conditions_text(
    conditions: Sequence[Condition],
    call: str | None = None,
    architecture: ArchitectureName | None = None,
    *,
    halves: Collection[int] = (),
) -> str:
    """Return conditions as text, which `parse_conditions` reads.

    Args:
        conditions: The conditions.
        call: The name of the system call, whose arguments and constants have names; None: arg0 to arg5, and numbers.
        architecture: The architecture of the call, or its name; None for x86-64.
        halves: The arguments whose upper halves are not printed, by index: a test of the lower half looks like one of
            the argument, so that it has another meaning in a policy file. None of the conditions may test the upper
            half of such an argument.

    Returns:
        The conditions joined by `and`; an empty text if there is none.

    >>> low_or_39 = MaskedRanges(ranges=((0, 37), (39, 39)))
    >>> conditions_text([Condition(0, (low_or_39,))], "socket")
    'family < 38 or = 39'
    >>> conditions_text([Condition(0, (MaskedRanges(ranges=((38, 38),)),))], "socket")
    'family = AF_ALG'
    """
    row = None if architecture is None else architecture_named(architecture)
    return " and ".join(_condition_text(each, call, row, halves) for each in conditions)


def _condition_text(
    condition: Condition, call: str | None, architecture: Architecture | None, halves: Collection[int]
) -> str:
    operand = condition.operand
    named: Mapping[int, Constant] = {}
    name = OTHER_OPERANDS.get(operand, f"arg{operand}")
    if call is not None and operand < INSTRUCTION_POINTER:
        names = argument_names(call, architecture)
        name = names[operand] if operand < len(names) else name
        named = constants_of(call, operand, architecture)
    texts: list[str] = []
    complete = WORD_MASK if operand in halves else OPERAND_MASK
    prefix, mask = f"{name} ", complete
    for test in condition.alternatives:
        if test.mask != mask:
            mask = test.mask
            prefix = f"{name} " if mask == complete else f"{prefix}& {_mask_text(mask, named)} "
        first, *others = _relations(test, named)
        texts += [prefix + first, *others]
        prefix = ""
    return " or ".join(texts)


class _Values(NamedTuple):
    """The possible values of some bits of an operand: numbered from 0, in ascending order.

    Args:
        mask: The bits.
        named: The constants by number.
    """

    mask: int
    named: Mapping[int, Constant]

    @property
    def last(self) -> int:
        """The number of the greatest value."""
        return (1 << self.mask.bit_count()) - 1

    @property
    def is_of_bits(self) -> bool:
        """Whether the bits are flags, or otherwise not the lowest ones of a number."""
        return self.mask & (self.mask + 1) != 0 or _flag_names(self.mask, self.named) is not None

    def name(self, index: int) -> str | None:
        """Return a value as the name of a constant, or the names of flags; None if it has none."""
        return constant_name(self.value(index), self.named, is_of_bits=self.is_of_bits)

    def below(self, bound: int) -> int:
        """Return how many values are below a number."""
        result = 0
        for position in range(max(bound.bit_length(), self.mask.bit_length()) - 1, -1, -1):
            if bound >> position & 1:
                result += 1 << (self.mask & ((1 << position) - 1)).bit_count()
                if not self.mask >> position & 1:
                    break
        return result

    def value(self, index: int) -> int:
        """Return the value with a number."""
        result = 0
        for position in range(self.mask.bit_length()):
            if self.mask >> position & 1:
                result |= (index & 1) << position
                index >>= 1
        return result

    def digits(self, index: int) -> str:
        """Return a value as a number."""
        return _digits(self.value(index), _MAX_DECIMAL)

    def text(self, index: int) -> str:
        """Return a value as a name or names, or else as a number."""
        return self.name(index) or self.digits(index)

    def has_text(self, index: int) -> bool:
        """Return whether a value is one with names, or no flag."""
        return self.name(index) is not None or (index == 0 and self.is_of_bits)


def _relations(test: MaskedRanges, named: Mapping[int, Constant]) -> list[str]:
    """Return the relations, at least one, that represent a set of ranges."""
    values = _Values(test.mask, named)
    bounds = ((values.below(low), values.below(high + 1) - 1) for low, high in test.ranges)
    ranges = union((low, high) for low, high in bounds if low <= high)
    others = complement(ranges, values.last)
    if not ranges:
        return ["< 0"]
    if _is_value(others) and (others[0][0] == 0 or not _is_value(ranges)):
        return [f"!= {values.text(others[0][0])}"]
    if all(low == high for low, high in ranges):
        return [f"= {values.text(low)}" for low, _ in ranges]
    if others and sum(high - low + 1 for low, high in ranges) <= _MAX_LISTED:
        members = [index for low, high in ranges for index in range(low, high + 1)]
        if all(map(values.has_text, members)):
            return [f"= {values.text(index)}" for index in members]
    return [_range_text(low, high, values) for low, high in ranges]


def _is_value(ranges: Ranges) -> bool:
    """Return whether ranges are a single value."""
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]


def _range_text(low: int, high: int, values: _Values) -> str:
    if low == high:
        return f"= {values.digits(low)}"
    if low == 0:
        return f"<= {values.digits(high)}" if high == values.last else f"< {values.digits(high + 1)}"
    if high == values.last:
        return f"> {values.digits(low - 1)}"
    return f"= {values.digits(low)}..{values.digits(high)}"


def constant_name(number: int, named: Mapping[int, Constant], *, is_of_bits: bool) -> str | None:
    """Return a number as the name of a constant, or the names of flags; None if it has none.

    *is_of_bits*: it is a mask, or the value of some bits, so that only flags have names.
    """
    if is_of_bits:
        return _flag_names(number, named)
    return named[number].name if number in named else _flag_names(number, named, and_other=True)


def _mask_text(mask: int, named: Mapping[int, Constant]) -> str:
    return _flag_names(mask, named) or _digits(mask, _MAX_DECIMAL_MASK)


def _flag_names(number: int, named: Mapping[int, Constant], *, and_other: bool = False) -> str | None:
    """Return the names of the bits of a number; None unless each of them has one, or if it is 0.

    Args:
        number: The number.
        named: The constants by number.
        and_other: Whether a constant that is not a flag may be one of the names, as SOCK_STREAM beside SOCK_CLOEXEC.
    """
    rest = number
    used = []
    for value in sorted((value for value in named if named[value].is_flag), key=_order_of_flags):
        if value and value & ~rest == 0:
            rest &= ~value
            used.append(value)
    if and_other and used and rest in named and not named[rest].is_flag:
        used.append(rest)
        rest = 0
    return "|".join(named[value].name for value in sorted(used)) if used and not rest else None


def _order_of_flags(value: int) -> tuple[int, int]:
    """Return the key of the order in which flags are taken: those of several bits, such as O_SYNC, first."""
    return -value.bit_count(), value


def _digits(number: int, end_of_decimal: int) -> str:
    return str(number) if number < end_of_decimal else f"{number:#x}"
