"""The Go syntax of an instruction (golang.org/x/net/bpf): decimal numbers, jumps as relative skips."""

from .._typing import Final
from .enumerations import EXTENSION_WORDS, extension_of
from .opcodes import CONDITIONS, OPCODE_BY_CODE, Action, Opcode, Operand, has_stray_bits

_ARGUMENTS: Final = {
    Operand.NONE: "",
    Operand.K: " #{k}",
    Operand.X: " x",
    Operand.A: " a",
    Operand.SCRATCH: " M[{k}]",
    Operand.LENGTH: " #len",
    Operand.ABSOLUTE: " [{k}]",
    Operand.INDIRECT: " [x + {k}]",
    Operand.MEMORY_SHIFT: " 4*([{k}]&0xf)",
}

# The mnemonics of the opposite tests, for jumps that skip only if the test of their opcode fails.
_OPPOSITES: Final = {Action.EQUAL: "jneq", Action.GREATER_THAN: "jle", Action.GREATER_OR_EQUAL: "jlt"}


def go_syntax(op: int, jt: int, jf: int, k: int) -> str:
    """Return an instruction in Go's syntax, or as a C initialiser if Go's syntax would lose a bit.

    >>> go_syntax(0x15, 0, 8, 42), go_syntax(0x16, 0, 0, 1)
    ('jneq #42,8', '{ 0x16, 0, 0, 0x00000001 }')
    """
    opcode = OPCODE_BY_CODE.get(op)
    if opcode is None or has_stray_bits(opcode, jt, jf, k):
        return f"{{ {op:#04x}, {jt}, {jf}, {k:#010x} }}"
    if opcode.action is Action.JUMP:
        return f"ja {k}"
    extension = extension_of(opcode, k) if opcode.size == 4 else None
    argument = _ARGUMENTS[opcode.operand].format(k=k) if extension is None else f" #{EXTENSION_WORDS[extension]}"
    if opcode.action in CONDITIONS:
        return _conditional_jump(opcode, argument, jt, jf)
    return opcode.mnemonic + argument


def _conditional_jump(opcode: Opcode, argument: str, jt: int, jf: int) -> str:
    opposite = _OPPOSITES.get(opcode.action)
    if jt == 0 and opposite is not None:
        return f"{opposite}{argument},{jf}"
    return f"{opcode.mnemonic}{argument},{jt}" + (f",{jf}" if jf else "")
