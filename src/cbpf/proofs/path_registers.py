"""The registers and scratch slots whose values keep paths apart, at each instruction of a program.

These are the ones that decide the position of a later load, or on which a later product, quotient or remainder depends:
a solver proves equalities of these only if they are the same terms in both programs. A `Machine` runs the semantics on
words that are the registers which they depend on, so this module contains no rules of its own about instructions.
"""

from collections.abc import Sequence

from .._typing import Final
from ..analysis.register_machine import RegisterMachine, X
from ..isa.dialects import Dialect, FetchOrder
from ..isa.enumerations import Extension
from ..isa.opcodes import Action
from ..isa.raw_instruction import RawInstruction
from ..isa.semantics import execute

_HARD_OPERATIONS: Final = frozenset({Action.MUL, Action.DIV, Action.MOD})
_SEARCHES: Final = frozenset({Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED})


class _Dependencies(RegisterMachine):
    """A `Machine` whose words are the registers that they depend on.

    Attributes:
        decisive: The registers that keep paths apart before the instruction.
        results: The registers on which each register that is written depends.
    """

    def __init__(self) -> None:
        self.decisive = 0
        self.results: dict[int, int] = {}

    def before(self, after: int) -> int:
        """Return the registers that keep paths apart before the instruction, from those after it."""
        bits = self.decisive
        for register, inputs in self.results.items():
            if after >> register & 1:
                bits |= inputs
                after &= ~(1 << register)
        return bits | after

    def load_scratch(self, slot: int) -> int:
        return self.results.get(slot, 1 << slot)

    def store_scratch(self, slot: int, value: int) -> None:
        self.results[slot] = value

    def arithmetic(self, action: Action, left: int, right: int) -> int:
        if action in _HARD_OPERATIONS:
            self.decisive |= left | right
        return left | right

    def fetch(self, base: int, displacement: int, size: int, byte_order: FetchOrder) -> int:
        self.decisive |= base
        return 0

    def extension(self, extension: Extension, a: int, x: int) -> int:
        if extension in _SEARCHES:
            self.decisive |= a | x
        return 0


def path_registers(program: Sequence[RawInstruction], dialect: Dialect) -> list[tuple[int, ...]]:
    """Return, per instruction, the numbers of the registers whose values before it keep paths apart."""
    cache: dict[RawInstruction, _Dependencies] = {}
    before = [0] * len(program)
    for index in range(len(program) - 1, -1, -1):
        raw = program[index]
        dependencies = cache.get(raw)
        if dependencies is None:
            dependencies = cache[raw] = _Dependencies()
            execute(dependencies, raw, index, dialect)
        after = 0
        for successor in raw.successors(index):
            after |= before[successor]
        before[index] = dependencies.before(after)
    numbers = {bits: tuple(register for register in range(X + 1) if bits >> register & 1) for bits in set(before)}
    return [numbers[bits] for bits in before]
