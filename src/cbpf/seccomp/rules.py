"""Rules about system calls: the common form of all policies, whether they are written, read from profiles, or found.

A rule names the architectures, the numbers of system calls and the conditions on arguments for which it applies. In a
list of rules, the first one that matches a call decides it.
"""

from .._record import JsonRecord, Record
from .._typing import Annotated, Final
from .._validators import Check, Word, text, within
from ..errors import FieldError
from ..isa.opcodes import WORD_MASK
from ..isa.word_ranges import Ranges

INSTRUCTION_POINTER: Final = 6
"""The operand that is the instruction pointer; 0 to 5 are the arguments."""

NUMBER: Final = 7
"""The operand that is the number of the call, for tests that are not a few ranges, such as those of single bits."""

ARCHITECTURE: Final = 8
"""The operand that is the architecture, for such tests."""

OPERAND_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF
"""The greatest value of an operand."""

ALL_WORDS: Final[Ranges] = ((0, WORD_MASK),)
"""All values of the architecture, or of the number, of a call."""


def _ranges_up_to(upper: int) -> Check:
    """Return a validator of ascending, disjoint ranges of numbers up to *upper*."""

    def check(path: str, value: object) -> Ranges:
        if not isinstance(value, tuple):
            raise FieldError(f"{path}: {value!r} is not a tuple of ranges")
        previous = -1
        for index, bounds in enumerate(value):
            place = f"{path}[{index}]"
            if not (isinstance(bounds, tuple) and len(bounds) == 2 and all(type(bound) is int for bound in bounds)):
                raise FieldError(f"{place}: {bounds!r} is not a pair of integers")
            low, high = bounds
            if not 0 <= low <= high <= upper:
                raise FieldError(f"{place}: ({low:#x}, {high:#x}) is not an ascending pair of numbers up to {upper:#x}")
            if low <= previous:
                raise FieldError(f"{place}: {low:#x} is not above {previous:#x}, the end of the range before it")
            previous = high
        return value

    return check


def tuple_of(kind: type, *, at_least: int = 0) -> Check:
    """Return a validator of tuples of instances of a class, with at least this many items."""

    def check(path: str, value: object) -> object:
        if not isinstance(value, tuple) or not all(isinstance(item, kind) for item in value):
            raise FieldError(f"{path}: {value!r} is not a tuple of {kind.__name__} objects")
        if len(value) < at_least:
            raise FieldError(f"{path}: an empty tuple; at least one {kind.__name__} is required")
        return value

    return check


_check_words: Final = _ranges_up_to(WORD_MASK)


class MaskedRanges(JsonRecord):
    """The test that some bits of an operand, as a number, are in one of several ranges.

    Args:
        mask: The bits of the operand that are tested.
        ranges: Ascending, disjoint pairs of the first and the last number of a range; the bits that *mask* does not
            have are 0 in the number that is compared with them.

    Raises:
        FieldError: A number exceeds 64 bits, or the ranges are not ascending and disjoint.

    >>> low_byte_above_3 = MaskedRanges(0xFF, ((4, 0xFF),))
    >>> low_byte_above_3.contains(0x103), low_byte_above_3.contains(0x104)
    (False, True)
    """

    mask: Annotated[int, within(0, OPERAND_MASK, "an unsigned 64-bit number")] = OPERAND_MASK
    ranges: Annotated[Ranges, _ranges_up_to(OPERAND_MASK)] = ((0, OPERAND_MASK),)

    def contains(self, value: int) -> bool:
        """Return whether an operand passes the test.

        Args:
            value: The operand, an unsigned number of 64 bits.

        Returns:
            Whether its bits under the mask are in one of the ranges.
        """
        masked = value & self.mask
        return any(low <= masked <= high for low, high in self.ranges)


class Condition(JsonRecord):
    """A condition on one operand of a system call, which holds if any of its alternatives holds.

    Args:
        operand: The index of the argument, 0 to 5; 6 is the instruction pointer, 7 the number of the call, and 8 its
            architecture.
        alternatives: The tests of the operand, at least one.

    Raises:
        FieldError: The operand is not a number from 0 to 8, or *alternatives* is empty.

    >>> condition = Condition(0, (MaskedRanges(ranges=((0, 37),)), MaskedRanges(ranges=((39, 39),))))
    >>> condition.holds(38), condition.holds(39)
    (False, True)
    """

    operand: Annotated[int, within(0, ARCHITECTURE, "an operand")]
    alternatives: Annotated[tuple[MaskedRanges, ...], tuple_of(MaskedRanges, at_least=1)]

    def holds(self, value: int) -> bool:
        """Return whether the condition holds.

        Args:
            value: The operand, an unsigned number of 64 bits.

        Returns:
            Whether any of the alternatives holds for it.
        """
        return any(alternative.contains(value) for alternative in self.alternatives)


class Rule(Record):
    """A rule about system calls: those that it matches, and their verdict.

    Args:
        architectures: The architectures, as ranges of AUDIT_ARCH numbers: ascending, disjoint pairs.
        numbers: The numbers of the calls, as such ranges. Those of x32 include the bit 0x40000000.
        conditions: The conditions on the operands, which must all hold.
        verdict: The value that the filter returns: the action and its data.
        place: The position in the file from which the rule was read, for messages.

    Raises:
        FieldError: Ranges are not ascending and disjoint, a number exceeds 32 bits, or an item of *conditions* is not a
            Condition.

    >>> rule = Rule(architectures=ALL_WORDS, numbers=((39, 39),), conditions=(), verdict=0x7FFF0000)
    >>> rule.matches(0xC000003E, 39), rule.matches(0xC000003E, 40)
    (True, False)
    """

    architectures: Annotated[Ranges, _check_words]
    numbers: Annotated[Ranges, _check_words]
    conditions: Annotated[tuple[Condition, ...], tuple_of(Condition)]
    verdict: Word
    place: Annotated[str, text] = ""

    def matches(
        self, architecture: int, number: int, arguments: tuple[int, ...] = (), instruction_pointer: int = 0
    ) -> bool:
        """Return whether the rule matches a call.

        Args:
            architecture: The number of the architecture, AUDIT_ARCH_*.
            number: The number of the call, unsigned, of 32 bits.
            arguments: Up to six arguments, unsigned numbers of 64 bits; the others are 0.
            instruction_pointer: The address after the instruction that made the call.

        Returns:
            Whether the architecture and the number are among those of the rule, and all conditions hold.
        """
        if not (_contains(self.architectures, architecture) and _contains(self.numbers, number)):
            return False
        missing = (0,) * (INSTRUCTION_POINTER - len(arguments))
        operands = (*arguments, *missing, instruction_pointer, number, architecture)
        return all(condition.holds(operands[condition.operand]) for condition in self.conditions)


def _contains(ranges: Ranges, word: int) -> bool:
    return any(low <= word <= high for low, high in ranges)
