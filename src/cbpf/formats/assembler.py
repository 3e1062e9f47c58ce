"""The assembler: instructions in Go's notation, one a line, and labels.

A line is `label:`, an instruction, or both. Comments begin with `;` anywhere or with `#` as a line's first
character. Numbers are decimal or 0x hexadecimal, a negative one stands for its two's complement. A jump
goes to a label, or skips a number of instructions. What no notation shows is written in braces:
`{ 0x16, 0, 0, 0x00000040 }`.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from ..errors import FieldError, ProgramFormatError
from ..instructions import RawInstruction, notation
from ..isa import (
    CONDITIONS,
    EXTENSION_OFFSET,
    EXTENSION_WORDS,
    OPCODE_BY_CODE,
    OPCODES,
    WORD_MASK,
    Action,
    Extension,
    Opcode,
    Operand,
)
from ..program import Program

_NUMBER: Final = r"([+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+))"
_LABEL: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*:")
_STATEMENT: Final = re.compile(r"\s*([A-Za-z]\w*)\s*(.*?)\s*$")
_BRACES: Final = re.compile(r"\s*\{\s*(\w+)\s*,\s*(\w+)\s*,\s*(\w+)\s*,\s*(\w+)\s*\},?\s*$")

# How each operand is spelled; the first group, if there is one, is k.
_SPELLINGS: Final = tuple(
    (operand, re.compile(pattern.replace("NUMBER", _NUMBER) + r"$", re.IGNORECASE))
    for operand, pattern in (
        (Operand.K, r"#\s*NUMBER"),
        (Operand.X, r"%?x"),
        (Operand.A, r"%?a"),
        (Operand.LENGTH, r"#?(?:len|pktlen)"),
        (Operand.SCRATCH, r"M\s*\[\s*NUMBER\s*\]"),
        (Operand.INDIRECT, r"\[\s*%?x\s*\+\s*NUMBER\s*\]"),
        (Operand.ABSOLUTE, r"\[\s*NUMBER\s*\]"),
        (Operand.MEMORY_SHIFT, r"4\s*\*\s*\(\s*\[\s*NUMBER\s*\]\s*&\s*0xf\s*\)"),
        (Operand.NONE, r""),
    )
)

_EXTENSIONS: Final = {word: number for number, word in EXTENSION_WORDS.items() if number is not Extension.LEN}
_NEGATIVES: Final = {"jneq": "jeq", "jne": "jeq", "jle": "jgt", "jlt": "jge"}
_MNEMONICS: Final = {opcode.mnemonic for opcode in OPCODES} | {"ldxb", "jmp", *_NEGATIVES}


class _Statement(NamedTuple):
    """An instruction's text and where it stands; *position* is its index in the program."""

    mnemonic: str
    argument: str
    position: int
    line: int
    column: int

    def error(self, message: str) -> ProgramFormatError:
        return ProgramFormatError(f"line {self.line}, column {self.column}: {message}")


def parse_assembly(text: str) -> Program:
    """The program of assembly text; raises `ProgramFormatError` with line and column."""
    labels: dict[str, int] = {}
    statements = list(_statements(text, labels))
    return Program(_assemble(statement, labels) for statement in statements)


def _statements(text: str, labels: dict[str, int]) -> Iterator[_Statement]:
    """The instructions of the text; fills *labels* with the index that each label names."""
    index = 0
    for number, line in enumerate(text.splitlines(), 1):
        code = "" if line.startswith("#") else line.partition(";")[0]
        offset = 0
        while (match := _LABEL.match(code, offset)) is not None:
            if labels.setdefault(match[1], index) != index:
                raise ProgramFormatError(f"line {number}, column {match.start(1) + 1}: label {match[1]!r} stands twice")
            offset = match.end()
        rest = code[offset:]
        if not rest.strip():
            continue
        column = offset + len(rest) - len(rest.lstrip()) + 1
        statement = _STATEMENT.match(rest)
        if statement is not None:
            yield _Statement(statement[1].lower(), statement[2], index, number, column)
        else:
            yield _Statement("", rest.strip(), index, number, column)
        index += 1


def _assemble(statement: _Statement, labels: dict[str, int]) -> RawInstruction:
    if not statement.mnemonic:
        return _parse_braces(statement)
    if statement.mnemonic not in _MNEMONICS:
        raise statement.error(f"{statement.mnemonic!r} is no instruction")
    mnemonic = {"ldxb": "ldx", "jmp": "ja"}.get(statement.mnemonic, statement.mnemonic)
    if mnemonic == "ja":
        skip = _skip(statement, statement.argument, labels)
        return RawInstruction(_opcode(statement, "ja", Operand.K).code, 0, 0, skip)
    if mnemonic in _NEGATIVES or mnemonic.startswith("j"):
        return _assemble_jump(statement, mnemonic, labels)
    word = statement.argument.removeprefix("#").lower()
    if mnemonic in ("ld", "ldh", "ldb") and word in _EXTENSIONS:
        return RawInstruction(
            _opcode(statement, mnemonic, Operand.ABSOLUTE).code, k=EXTENSION_OFFSET + _EXTENSIONS[word]
        )
    operand, k = _operand(statement, statement.argument)
    return RawInstruction(_opcode(statement, mnemonic, operand).code, k=k)


def _assemble_jump(statement: _Statement, mnemonic: str, labels: dict[str, int]) -> RawInstruction:
    value, *targets = (part.strip() for part in statement.argument.split(","))
    negative = mnemonic in _NEGATIVES
    if not 1 <= len(targets) <= (1 if negative else 2):
        raise statement.error(f"{mnemonic} takes a value and {'one target' if negative else 'one or two targets'}")
    operand, k = _operand(statement, value)
    opcode = _opcode(statement, _NEGATIVES.get(mnemonic, mnemonic), operand)
    skips = [_skip(statement, target, labels) for target in targets]
    for skip in skips:
        if skip > 255:
            raise statement.error(f"a conditional jump skips at most 255 instructions, not {skip}")
    jt, jf = (0, skips[0]) if negative else (*skips, 0)[:2]
    return RawInstruction(opcode.code, jt, jf, k)


def _opcode(statement: _Statement, mnemonic: str, operand: Operand) -> Opcode:
    for opcode in OPCODES:
        if opcode.mnemonic == mnemonic and opcode.operand is operand:
            return opcode
    shown = f"{statement.mnemonic} {statement.argument}".strip()
    raise statement.error(f"{shown!r}: {mnemonic} does not take this operand")


def _operand(statement: _Statement, text: str) -> tuple[Operand, int]:
    for operand, pattern in _SPELLINGS:
        match = pattern.match(text)
        if match is not None:
            return operand, _number(statement, match[1]) if pattern.groups else 0
    raise statement.error(f"{text!r} is no operand")


def _number(statement: _Statement, text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        raise statement.error(f"{text!r} is no number; an octal one would be ambiguous") from None
    if not -(WORD_MASK // 2) - 1 <= number <= WORD_MASK:
        raise statement.error(f"{text} does not fit 32 bits")
    return number & WORD_MASK


def _skip(statement: _Statement, target: str, labels: dict[str, int]) -> int:
    """How many instructions a jump to *target*, a label or a number of instructions to skip, passes over."""
    if target in labels:
        skip = labels[target] - statement.position - 1
        if skip < 0:
            raise statement.error(f"label {target!r} lies behind; jumps go forward")
        return skip
    if re.fullmatch(_NUMBER, target):
        return _number(statement, target)
    raise statement.error(f"{target!r} is no label here")


def _parse_braces(statement: _Statement) -> RawInstruction:
    match = _BRACES.match(statement.argument)
    if match is None:
        raise statement.error(f"{statement.argument!r} is no instruction")
    try:
        return RawInstruction(*(int(field, 0) for field in match.groups()))
    except FieldError as error:
        raise statement.error(str(error)) from None
    except ValueError:
        raise statement.error(f"{statement.argument!r} is not four numbers") from None


def render_assembly(program: Program) -> str:
    """Assembly text with a label, L and its index, at each target of a jump."""
    targets = {target for index, raw in enumerate(program) for target in _targets(index, raw)}
    last = len(program)
    lines = []
    for index, raw in enumerate(program):
        label = f"L{index}:" if index in targets else ""
        lines.append(f"{label:8}{_with_labels(raw, index, last)}")
    return "\n".join(lines) + "\n"


def _targets(index: int, raw: RawInstruction) -> tuple[int, ...]:
    opcode = OPCODE_BY_CODE.get(raw.op)
    if opcode is None or notation(raw).startswith("{"):
        return ()
    if opcode.action is Action.JUMP:
        return (index + 1 + raw.k,)
    return (index + 1 + raw.jt, index + 1 + raw.jf) if opcode.action in CONDITIONS else ()


def _with_labels(raw: RawInstruction, index: int, last: int) -> str:
    """The instruction in Go's notation, its skips replaced by labels where their targets exist."""
    text = notation(raw)
    if not _targets(index, raw):
        return text
    head, *skips = re.split(r",| (?=\d+$)", text)
    targets = [index + 1 + int(skip) for skip in skips]
    labels = [f"L{target}" if target < last else skip for target, skip in zip(targets, skips, strict=True)]
    return head + (" " if head == "ja" else ",") + ",".join(labels)
