"""Sequences of instructions, encoded and decoded."""

from .._typing import TYPE_CHECKING, Iterable
from ..errors import FieldError
from .raw_instruction import RawInstruction

if TYPE_CHECKING:
    from .instructions import Instruction


def to_raw(instruction: object) -> RawInstruction:
    """Encode a typed or raw instruction, or a tuple or list (op, jt, jf, k); raise `FieldError` for anything else."""
    if type(instruction) is RawInstruction:
        return instruction
    if isinstance(instruction, tuple | list) and len(instruction) == 4 and not isinstance(instruction, RawInstruction):
        return RawInstruction(*instruction)
    from .instructions import TypedInstruction

    if isinstance(instruction, TypedInstruction | RawInstruction):
        raw = instruction.assemble()
        return raw if type(raw) is RawInstruction else RawInstruction(*raw)  # of a subclass, which nothing has checked
    hint = (
        "; compile reads an expression, and parse a program as text or bytes"
        if isinstance(instruction, str | int)
        else ""
    )
    raise FieldError(f"instruction: {instruction!r} is neither an instruction nor four numbers (op, jt, jf, k){hint}")


def assemble(instructions: "Iterable[Instruction]") -> tuple[RawInstruction, ...]:
    """Encode instructions, without checking the rules of any dialect (`verify` checks them).

    Args:
        instructions: Typed and raw instructions.

    Returns:
        The raw instructions, in order.

    Raises:
        FieldError: An item is not an instruction.

    >>> from cbpf import LoadAbsolute, RetA
    >>> assemble([LoadAbsolute(12, 2), RetA()])
    (RawInstruction(op=0x28, jt=0, jf=0, k=12), RawInstruction(op=0x16, jt=0, jf=0, k=0))
    """
    return tuple(map(to_raw, instructions))


def disassemble(raw: Iterable[RawInstruction]) -> "tuple[tuple[Instruction, ...], bool]":
    """Decode instructions, without loss: `assemble(disassemble(raw)[0]) == tuple(raw)`.

    Args:
        raw: Raw instructions.

    Returns:
        The typed form of each instruction, or the raw one if it has none; and whether all have a typed form.

    Raises:
        FieldError: An item is not an instruction.

    >>> disassemble([RawInstruction(0x28, k=12), RawInstruction(0x16)])
    ((LoadAbsolute(off=12, size=2), RetA()), True)
    """
    instructions = tuple(to_raw(item).disassemble() for item in raw)
    return instructions, not any(type(instruction) is RawInstruction for instruction in instructions)
