"""Programs as tcpdump and bpf_dbg print them: the listing of -d, the C initialisers of -dd, the numbers of -ddd.

The functions return text without a final newline. Sources: libpcap (bpf_image.c), Linux (tools/bpf/bpf_dbg.c).
"""

from collections.abc import Iterable, Mapping, Sequence

from .._named_tuple import NamedTuple
from .._typing import Final
from .dialects import Dialect, check_dialect
from .enumerations import EXTENSION_WORDS, Extension, extension_of
from .opcodes import CONDITIONS, OPCODE_BY_CODE, SIGN_BIT, WORD_MASK, Action, Opcode, Operand
from .raw_instruction import RawInstruction


class _Style(NamedTuple):
    """The format of a listing: templates of lines and operands, and the actions whose constants are hexadecimal."""

    line: str
    plain: str
    conditional: str
    unknown: str
    hexadecimal: frozenset[Action]
    zero: str  # the hexadecimal constant 0
    arguments: Mapping[Operand, str]
    extension_names: Mapping[Extension, str]


# The constants of all other actions are signed decimal numbers.
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

_TCPDUMP: Final = _Style(
    line="({index:03}) {image}",
    plain="{mnemonic:8} {argument}",
    conditional="{mnemonic:8} {argument:16} jt {jt}\tjf {jf}",
    unknown="unimp    {op:#x}",
    hexadecimal=_HEXADECIMAL,
    zero="0x0",
    arguments=_ARGUMENTS,
    extension_names=EXTENSION_WORDS | {Extension.VLAN_TAG_PRESENT: "vlanp", Extension.RAND: "random"},
)

# A verdict of seccomp is an action and its data, 16 bits each, which a signed decimal hides.
_SECCOMP: Final = _TCPDUMP._replace(hexadecimal=_HEXADECIMAL | {Action.RETURN})

_BPF_DBG: Final = _Style(
    line="l{index}:\t{image}",
    plain="{mnemonic} {argument}",
    conditional="{mnemonic} {argument}, l{jt}, l{jf}",
    unknown="nosup {op:#x}",
    hexadecimal=_HEXADECIMAL | {Action.RETURN},
    zero="0",
    arguments=_ARGUMENTS | {Operand.A: "a", Operand.LENGTH: "#len", Operand.INDIRECT: "[x+{k}]"},
    extension_names={},
)


def listing(instructions: Iterable[RawInstruction], *, dialect: Dialect | None = None) -> str:
    """Render instructions as `tcpdump -d` does: one line per instruction, with absolute jump targets."""
    return _lines(instructions, _style(dialect))


def listing_line(raw: RawInstruction, index: int, *, dialect: Dialect | None = None) -> str:
    """Return the line of an instruction in a `listing`, with spaces in place of tabs."""
    style = _style(dialect)
    return style.line.format(index=index, image=_image(raw, index, style)).rstrip().replace("\t", " ")


def _style(dialect: Dialect | None) -> _Style:
    return _TCPDUMP if dialect is None or check_dialect(dialect).record_size is None else _SECCOMP


def debugger_listing(instructions: Iterable[RawInstruction]) -> str:
    """Render instructions as bpf_dbg's `disassemble` does (Linux tools/bpf): one labelled line per instruction.

    An instruction that bpf_dbg does not know is shown as `nosup`.

    >>> print(debugger_listing([RawInstruction(0x28, k=12), RawInstruction(0x15, 0, 3, 0x800)]))
    l0:	ldh [12]
    l1:	jeq #0x800, l2, l5
    """
    return _lines(instructions, _BPF_DBG)


def c_initializers(instructions: Iterable[RawInstruction]) -> str:
    """Render instructions as `tcpdump -dd` does: one C initialiser of struct bpf_insn per line."""
    return "\n".join(f"{{ {raw.op:#x}, {raw.jt}, {raw.jf}, {raw.k:#010x} }}," for raw in instructions)


def decimal_lines(instructions: Sequence[RawInstruction]) -> str:
    """Render instructions as `tcpdump -ddd` does: the number of lines, then four decimal numbers per line."""
    return "\n".join([str(len(instructions)), *(f"{raw.op} {raw.jt} {raw.jf} {raw.k}" for raw in instructions)])


def signed(k: int) -> int:
    """Return the value of a 32-bit number in two's complement."""
    return k - 2 * SIGN_BIT if k & SIGN_BIT else k


def _lines(instructions: Iterable[RawInstruction], style: _Style) -> str:
    images = (_image(raw, index, style) for index, raw in enumerate(instructions))
    return "\n".join(style.line.format(index=index, image=image) for index, image in enumerate(images))


def _image(raw: RawInstruction, index: int, style: _Style) -> str:
    opcode = OPCODE_BY_CODE.get(raw.op)
    if opcode is None or (opcode.action is Action.LOAD_X and opcode.operand is Operand.LENGTH):
        return style.unknown.format(op=raw.op)
    mnemonic = "ldxb" if opcode.operand is Operand.MEMORY_SHIFT else opcode.mnemonic
    argument = _argument(opcode, raw, index, style)
    if opcode.action not in CONDITIONS:
        return style.plain.format(mnemonic=mnemonic, argument=argument)
    jt, jf = raw.successors(index)
    return style.conditional.format(mnemonic=mnemonic, argument=argument, jt=jt, jf=jf)


def _argument(opcode: Opcode, raw: RawInstruction, index: int, style: _Style) -> str:
    if opcode.action is Action.JUMP:
        (target,) = raw.successors(index)
        return str(signed(target & WORD_MASK))
    if opcode.operand is Operand.K:
        if opcode.action not in style.hexadecimal:
            return f"#{signed(raw.k)}"
        return f"#{raw.k:#x}" if raw.k else f"#{style.zero}"
    extension = extension_of(opcode, raw.k)
    name = None if extension is None else style.extension_names.get(extension)
    return style.arguments[opcode.operand].format(k=name or signed(raw.k))
