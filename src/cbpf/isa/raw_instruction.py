"""Encoded instructions: four fields with their ranges, and the successors of an instruction."""

from .._named_tuple import NamedTuple
from .._typing import TYPE_CHECKING, Any, Final, Iterable, Self
from .._validators import Check, check_word, within
from .opcodes import CONDITIONS, OPCODE_BY_CODE, Action, has_stray_bits

if TYPE_CHECKING:
    from .instructions import Instruction


class _Fields(NamedTuple):
    op: int
    jt: int
    jf: int
    k: int


_CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("RawInstruction.op", within(0, 0xFFFF, "an unsigned 16-bit number")),
    ("RawInstruction.jt", within(0, 0xFF, "an unsigned 8-bit number")),
    ("RawInstruction.jf", within(0, 0xFF, "an unsigned 8-bit number")),
    ("RawInstruction.k", check_word),
)


class RawInstruction(_Fields):
    """One encoded instruction: struct sock_filter (linux/filter.h), struct bpf_insn (libpcap).

    Any bit pattern is allowed. The instruction is a tuple of its four fields, and compares as a tuple. `str` returns
    Go's syntax, or a C initialiser if that syntax would lose a bit.

    Args:
        op: The operation code, 16 bits.
        jt: The number of instructions that a conditional jump skips if its test holds, 0 to 255.
        jf: The number of instructions that a conditional jump skips if its test fails, 0 to 255.
        k: The constant operand, 32 bits: a value, an offset in bytes, a scratch slot, or the skip of `ja`.

    Raises:
        FieldError: A number does not fit its field.

    >>> print(RawInstruction(0x28, k=12), RawInstruction(0x16, k=1))
    ldh [12] { 0x16, 0, 0, 0x00000001 }
    """

    __slots__ = ()

    def __new__(cls, op: int, jt: int = 0, jf: int = 0, k: int = 0) -> Self:
        """Check that each number fits its field."""
        checked = zip(_CHECKS, (op, jt, jf, k), strict=True)
        return tuple.__new__(cls, [check(path, value) for (path, check), value in checked])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(op={self.op:#04x}, jt={self.jt}, jf={self.jf}, k={self.k})"

    def __str__(self) -> str:
        from .go_syntax import go_syntax

        return go_syntax(*self)

    def __reduce__(self) -> tuple[type[Self], tuple[int, int, int, int]]:
        return type(self), (self.op, self.jt, self.jf, self.k)

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Self:  # type: ignore[override]
        return cls(*iterable)

    def successors(self, index: int) -> tuple[int, ...]:
        """Return the indices of the instructions that may run directly after this one.

        A load or a division may also end the program; its successor is the next instruction all the same.

        Args:
            index: The index of this instruction in its program, from 0.

        Returns:
            Two indices for a conditional jump (test holds, test fails; they may be equal), none for `ret` and for
            an undefined opcode, else one. If no dialect accepts the program, an index may be past its end.
        """
        opcode = OPCODE_BY_CODE.get(self.op)
        if opcode is None or opcode.action is Action.RETURN:
            return ()
        following = index + 1
        if opcode.action in CONDITIONS:
            return following + self.jt, following + self.jf
        return (following + self.k,) if opcode.action is Action.JUMP else (following,)

    def as_dict(self) -> dict[str, int]:
        """Return the instruction as a dictionary that can be converted to JSON, as `cbpf convert --to json` writes it.

        Returns:
            The four fields by name: op, jt, jf and k.
        """
        return self._asdict()

    def assemble(self) -> "RawInstruction":
        """Return this instruction, which is already encoded.

        Returns:
            This object.
        """
        return self

    def disassemble(self) -> "Instruction":
        """Decode the instruction.

        Returns:
            The typed instruction that assembles to exactly these bits, or this object if there is none.
        """
        opcode = OPCODE_BY_CODE.get(self.op)
        if opcode is None or has_stray_bits(opcode, self.jt, self.jf, self.k):
            return self
        from .instructions import decode

        return decode(opcode, self) or self
