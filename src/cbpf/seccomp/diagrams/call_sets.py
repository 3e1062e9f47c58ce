"""The calls of a region, as ranges of architectures and numbers and conditions on operands."""

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa.opcodes import WORD_MASK
from ...isa.word_ranges import Ranges
from ..rules import ALL_WORDS, Condition, MaskedRanges
from .record_bits import ARCHITECTURE, ARGUMENTS, FIELDS, INSTRUCTION_POINTER, NUMBER
from .regions import Region

OPERAND_FIELDS: Final = (*ARGUMENTS, INSTRUCTION_POINTER, NUMBER, ARCHITECTURE)
"""The fields by the numbers of the operands of a `Condition`."""


class CallSet(NamedTuple):
    """A set of calls.

    Args:
        architectures: The architectures, as ranges of AUDIT_ARCH numbers.
        numbers: The numbers of the calls, as ranges.
        conditions: The conditions on the operands, all of which hold.
    """

    architectures: Ranges
    numbers: Ranges
    conditions: tuple[Condition, ...]


def call_set(region: Region) -> CallSet:
    """Return the calls that pass the tests of a region."""
    tests = dict(zip(FIELDS, region.tests, strict=True))
    ranges = {}
    for field in (ARCHITECTURE, NUMBER):
        ranges[field] = ALL_WORDS
        match tests[field]:
            case ((MaskedRanges(mask=mask, ranges=words),),) if mask == WORD_MASK:
                ranges[field] = words
                tests[field] = ()
    conditions = [
        Condition(operand, alternatives)
        for operand, field in enumerate(OPERAND_FIELDS)
        for alternatives in tests[field]
    ]
    return CallSet(ranges[ARCHITECTURE], ranges[NUMBER], tuple(conditions))
