"""The bits of struct seccomp_data, the record that a filter decides about, as variables of a decision diagram.

The order of the variables is that in which people read a policy: the architecture, the number of the call, the six
arguments and the instruction pointer, each with its most significant bit first. Arguments and the instruction pointer
are numbers of 64 bits, so the same variables serve both byte orders.

>>> NUMBER.first, ARGUMENTS[0].first, ARGUMENTS[0].bits
(32, 64, 64)
>>> first_variable(16, "little") - ARGUMENTS[0].first, first_variable(16, "big") - ARGUMENTS[0].first
(32, 0)
"""

from collections.abc import Mapping, Set

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa.dialects import FetchOrder


class Field(NamedTuple):
    """A number of the record, in consecutive variables.

    Args:
        name: The field of struct seccomp_data.
        offset: The offset of its first byte.
        bits: Its size.
        first: The variable of its most significant bit.
    """

    name: str
    offset: int
    bits: int
    first: int

    @property
    def end(self) -> int:
        """The variable after those of the field."""
        return self.first + self.bits

    def value(self, true_variables: Set[int]) -> int:
        """Return the number of the field in the record whose true bits are these."""
        return sum(
            1 << self.end - 1 - variable for variable in range(self.first, self.end) if variable in true_variables
        )


ARCHITECTURE: Final = Field("arch", 4, 32, 0)
NUMBER: Final = Field("nr", 0, 32, 32)
ARGUMENTS: Final = tuple(Field(f"args[{index}]", 16 + 8 * index, 64, 64 + 64 * index) for index in range(6))
INSTRUCTION_POINTER: Final = Field("instruction_pointer", 8, 64, 448)

FIELDS: Final = (ARCHITECTURE, NUMBER, *ARGUMENTS, INSTRUCTION_POINTER)
"""The fields in the order of their variables."""

RECORD_BITS: Final = INSTRUCTION_POINTER.end
"""The number of variables of a record; those of values that a diagram does not represent follow."""

_FIELD_BY_OFFSET: Final[Mapping[int, Field]] = {field.offset: field for field in FIELDS}


def first_variable(offset: int, byte_order: FetchOrder) -> int:
    """Return the variable of the most significant bit of the word of 32 bits at an offset, a multiple of 4."""
    field = _FIELD_BY_OFFSET.get(offset) or _FIELD_BY_OFFSET[offset - 4]
    is_low_half = field.bits == 64 and (offset == field.offset) == (byte_order == "little")
    return field.first + 32 if is_low_half else field.first
