"""A program as tcpdump prints it: the listing of -d, the C initialisers of -dd, the decimal lines of -ddd.

These functions take raw instructions and give text without a final newline. The wording is libpcap's
(bpf_image.c, pcap_compile(3PCAP)): absolute jump targets, `#pktlen`, `unimp` for what it does not know.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from .instructions import RawInstruction
from .isa import (
    CONDITIONS,
    EXTENSION_WORDS,
    OPCODE_BY_CODE,
    SIGN_BIT,
    Action,
    Extension,
    Opcode,
    Operand,
    extension_of,
)

# Constants of bit operations and comparisons are shown in hexadecimal, all other numbers as signed decimals.
_HEXADECIMAL: Final = CONDITIONS | {Action.LOAD_A, Action.LOAD_X, Action.AND, Action.OR, Action.XOR}

_ARGUMENTS: Final = {
    Operand.NONE: "",
    Operand.X: "x",
    Operand.A: "",
    Operand.SCRATCH: "M[{k}]",
    Operand.LENGTH: "#pktlen",
    Operand.ABSOLUTE: "[{k}]",
    Operand.INDIRECT: "[x + {k}]",
    Operand.MEMORY_SHIFT: "4*([{k}]&0xf)",
}

_WORDS: Final = EXTENSION_WORDS | {Extension.VLAN_TAG_PRESENT: "vlanp", Extension.RAND: "random"}


def listing(instructions: Iterable[RawInstruction]) -> str:
    """One line an instruction, as `tcpdump -d`.

    >>> print(listing([RawInstruction(0x28, k=12), RawInstruction(0x15, 0, 3, 0x800)]))
    (000) ldh      [12]
    (001) jeq      #0x800           jt 2	jf 5
    """
    return "\n".join(f"({index:03}) {_image(raw, index)}" for index, raw in enumerate(instructions))


def c_initializers(instructions: Iterable[RawInstruction]) -> str:
    """One C initialiser of struct bpf_insn a line, as `tcpdump -dd`."""
    return "\n".join(f"{{ {raw.op:#x}, {raw.jt}, {raw.jf}, {raw.k:#010x} }}," for raw in instructions)


def decimal_lines(instructions: Sequence[RawInstruction]) -> str:
    """The number of instructions, then four decimal numbers a line, as `tcpdump -ddd`."""
    return "\n".join([str(len(instructions)), *(f"{raw.op} {raw.jt} {raw.jf} {raw.k}" for raw in instructions)])


def signed(k: int) -> int:
    """The 32-bit number *k* read as two's complement."""
    return k - 2 * SIGN_BIT if k & SIGN_BIT else k


def _image(raw: RawInstruction, index: int) -> str:
    opcode = OPCODE_BY_CODE.get(raw.op)
    if opcode is None or (opcode.action is Action.LOAD_X and opcode.operand is Operand.LENGTH):
        return f"unimp    {raw.op:#x}"
    mnemonic = "ldxb" if opcode.operand is Operand.MEMORY_SHIFT else opcode.mnemonic
    argument = _argument(opcode, raw, index)
    if opcode.action in CONDITIONS:
        return f"{mnemonic:8} {argument:16} jt {index + 1 + raw.jt}\tjf {index + 1 + raw.jf}"
    return f"{mnemonic:8} {argument}"


def _argument(opcode: Opcode, raw: RawInstruction, index: int) -> str:
    if opcode.action is Action.JUMP:
        return str(signed((index + 1 + raw.k) % (2 * SIGN_BIT)))
    if opcode.operand is Operand.K:
        return f"#{raw.k:#x}" if opcode.action in _HEXADECIMAL else f"#{signed(raw.k)}"
    extension = extension_of(opcode, raw.k)
    return _ARGUMENTS[opcode.operand].format(k=signed(raw.k) if extension is None else _WORDS[extension])
