"""A machine whose words are sets of registers, for analyses of the registers that an instruction reads and writes.

A set is an integer with a bit for each register: bits 0 to 15 are the scratch slots, bits 16 and 17 A and X.
"""

from .._typing import Final
from ..isa.dialects import FetchOrder
from ..isa.enumerations import Extension
from ..isa.opcodes import SCRATCH_SLOTS, Action
from ..isa.semantics import HeaderKind

A: Final = SCRATCH_SLOTS
"""The number of register A."""

X: Final = SCRATCH_SLOTS + 1
"""The number of register X."""


class RegisterMachine:
    """A `Machine` whose words are the registers from which they are computed; it ignores jumps and verdicts.

    A subclass records the reads and writes of registers, and overrides the actions whose operands it records.
    """

    a = property(lambda self: self.load_scratch(A), lambda self, value: self.store_scratch(A, value))
    x = property(lambda self: self.load_scratch(X), lambda self, value: self.store_scratch(X, value))

    def load_scratch(self, slot: int) -> int:
        """Return the word in a register or slot; defined by each subclass."""
        raise NotImplementedError

    def store_scratch(self, slot: int, value: int) -> None:
        """Record that a register or slot is written; defined by each subclass."""
        raise NotImplementedError

    def word(self, value: int) -> int:
        """Return a constant."""
        return 0

    def arithmetic(self, action: Action, left: int, right: int) -> int:
        """Return the result of an operation."""
        return left | right

    def compare(self, action: Action, left: int, right: int) -> int:
        """Return the result of a comparison."""
        return left | right

    def select(self, condition: int, then: int, otherwise: int) -> int:
        """Return one of two words."""
        return condition | then | otherwise

    def captured_length(self) -> int:
        """Return the captured length."""
        return 0

    def wire_length(self) -> int:
        """Return the length on the wire."""
        return 0

    def header(self, header: HeaderKind) -> int:
        """Return the position of a header."""
        return 0

    def fetch(self, base: int, displacement: int, size: int, byte_order: FetchOrder) -> int:
        """Return loaded bytes."""
        return 0

    def lacks_device(self) -> int:
        """Return whether the packet has no network interface."""
        return 0

    def extension(self, extension: Extension, a: int, x: int) -> int:
        """Return the result of an extension load."""
        return 0

    def return_if(self, condition: int, verdict: int) -> None:
        """Ignore a conditional return."""

    def finish(self, verdict: int) -> None:
        """Ignore a return."""

    def jump(self, target: int) -> None:
        """Ignore a jump."""

    def branch(self, condition: int, target_true: int, target_false: int) -> None:
        """Ignore a conditional jump."""
