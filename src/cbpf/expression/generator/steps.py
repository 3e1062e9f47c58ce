"""Instructions without jumps, the parts of conditions: loads from the packet and from scratch slots, and arithmetic."""

from ..._typing import Final, TypeAlias
from ...isa.enumerations import Extension, extension_size
from ...isa.opcodes import CODE_OF, EXTENSION_OFFSET, WORD_MASK, Action, Operand
from ...isa.raw_instruction import RawInstruction

Steps: TypeAlias = tuple[RawInstruction, ...]
"""Instructions that run one after the other."""


def raw(op: int, k: int = 0, jt: int = 0, jf: int = 0) -> RawInstruction:
    """Return an instruction whose fields need no check; *k* is taken modulo 2**32."""
    return tuple.__new__(RawInstruction, (op, jt, jf, k & WORD_MASK))


_ABSOLUTE: Final = {size: CODE_OF[Action.LOAD_A, Operand.ABSOLUTE, size] for size in (1, 2, 4)}
_INDIRECT: Final = {size: CODE_OF[Action.LOAD_A, Operand.INDIRECT, size] for size in (1, 2, 4)}
_CONSTANT: Final = CODE_OF[Action.LOAD_A, Operand.K, 4]
_SCRATCH_TO_A: Final = CODE_OF[Action.LOAD_A, Operand.SCRATCH, 4]
_SCRATCH_TO_X: Final = CODE_OF[Action.LOAD_X, Operand.SCRATCH, 4]
_CONSTANT_TO_X: Final = CODE_OF[Action.LOAD_X, Operand.K, 4]
_HEADER_LENGTH_TO_X: Final = CODE_OF[Action.LOAD_X, Operand.MEMORY_SHIFT, 1]
_STORE_A: Final = CODE_OF[Action.STORE_A, Operand.SCRATCH, 4]

A_TO_X: Final = raw(CODE_OF[Action.TAX, Operand.NONE, 4])
"""Copy A to X."""
X_TO_A: Final = raw(CODE_OF[Action.TXA, Operand.NONE, 4])
"""Copy X to A."""
NEGATE: Final = raw(CODE_OF[Action.NEGATE, Operand.NONE, 4])
"""Replace A by its negative, modulo 2**32."""
WIRE_LENGTH: Final = raw(CODE_OF[Action.LOAD_A, Operand.LENGTH, 4])
"""Load the length of the packet on the wire into A."""


def absolute(offset: int, size: int) -> RawInstruction:
    """Load *size* bytes at *offset* into A."""
    return raw(_ABSOLUTE[size], offset)


def extension(number: Extension) -> RawInstruction:
    """Load metadata of the packet into A."""
    return absolute(EXTENSION_OFFSET + number, extension_size(number))


def indirect(displacement: int, size: int) -> RawInstruction:
    """Load *size* bytes at X + *displacement* into A."""
    return raw(_INDIRECT[size], displacement)


def constant(value: int) -> RawInstruction:
    """Load a constant into A."""
    return raw(_CONSTANT, value)


def constant_to_x(value: int) -> RawInstruction:
    """Load a constant into X."""
    return raw(_CONSTANT_TO_X, value)


def header_length_to_x(offset: int) -> RawInstruction:
    """Load four times the lower half of the byte at *offset*, the length of an IPv4 header, into X."""
    return raw(_HEADER_LENGTH_TO_X, offset)


def scratch_to_a(slot: int) -> RawInstruction:
    """Load a scratch slot into A."""
    return raw(_SCRATCH_TO_A, slot)


def scratch_to_x(slot: int) -> RawInstruction:
    """Load a scratch slot into X."""
    return raw(_SCRATCH_TO_X, slot)


def store_a(slot: int) -> RawInstruction:
    """Store A in a scratch slot."""
    return raw(_STORE_A, slot)


def arithmetic(action: Action, k: int | None = None) -> RawInstruction:
    """Apply an operation to A and a constant, or to A and X if there is none."""
    return raw(CODE_OF[action, Operand.X, 4]) if k is None else raw(CODE_OF[action, Operand.K, 4], k)


def add(k: int | None = None) -> RawInstruction:
    """Add a constant, or X, to A."""
    return arithmetic(Action.ADD, k)


def mask(bits: int) -> RawInstruction:
    """Clear all other bits of A than *bits*."""
    return arithmetic(Action.AND, bits)
