"""Jumps of assembly text, before the places of their labels are known."""

from .._named_tuple import NamedTuple
from ..isa.opcodes import CONDITIONS, Opcode
from ..isa.raw_instruction import RawInstruction
from .lexer import Token


class JumpTarget(NamedTuple):
    """The target of a jump: a label, or a number; *token* is its place in the text."""

    token: Token
    label: str | None
    number: int


class UnresolvedJump(NamedTuple):
    """A jump with one or two targets; *is_negated*: its only target is taken if the test fails."""

    opcode: Opcode
    k: int
    targets: tuple[JumpTarget, ...]
    is_negated: bool = False

    @property
    def is_conditional(self) -> bool:
        """Whether it depends on a test."""
        return self.opcode.action in CONDITIONS

    def with_skips(self, skips: list[int]) -> RawInstruction:
        """Return the instruction with the number of instructions to skip for each target."""
        if not self.is_conditional:
            return RawInstruction(self.opcode.code, k=skips[0])
        jt, jf = (0, skips[0]) if self.is_negated else (*skips, 0)[:2]
        return RawInstruction(self.opcode.code, jt, jf, self.k)
