"""The formats that consist of numbers: decimal, comma-separated, hexadecimal, C and JSON; a parser and a writer each.

Errors give the line and column, the index of the instruction, or the byte offset.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from ..errors import FieldError, ProgramFormatError
from ..isa.instructions import RawInstruction
from ..isa.listing import c_initializers, decimal_lines
from ..isa.program import INSTRUCTION_SIZE, Program

# At most 20 digits: longer numbers fit no field, and Python limits the length of the numbers that it converts.
_INTEGER: Final = re.compile(r"0[xX][0-9a-fA-F]{1,20}|[0-9]{1,20}", re.ASCII)


def _instruction(fields: list[str], place: Callable[[], str]) -> RawInstruction:
    """Return the instruction of four numbers, decimal or hexadecimal with 0x; *place* describes the location."""
    if len(fields) != 4:
        raise ProgramFormatError(f"{place()}: has {len(fields)} numbers; an instruction has four: code, jt, jf, k")
    for field in fields:
        if not _INTEGER.fullmatch(field):
            raise ProgramFormatError(f"{place()}: {field[:40]!r} is not a decimal or hexadecimal number")
    try:
        return RawInstruction(*(int(field, 16 if field[1:2] in ("x", "X") else 10) for field in fields))
    except FieldError as error:
        raise ProgramFormatError(f"{place()}: {error}") from None


def _place(text: str, offset: int) -> str:
    line_start = text.rfind("\n", 0, offset) + 1
    return f"line {text.count(chr(10), 0, offset) + 1}, column {offset - line_start + 1}"


# -- decimal, as tcpdump -ddd; comma, as bpf_asm and iptables ------------------------------------------------


def parse_decimal(text: str) -> Program:
    """Parse a count, then one line per instruction with four decimal numbers: code, jt, jf, k."""
    lines = [(line_number, line.split()) for line_number, line in enumerate(text.split("\n"), 1) if line.strip()]
    _check_count(" ".join(lines[0][1]) if lines else "", len(lines) - 1)
    return Program(
        _instruction(fields, partial("line {}, column 1".format, line_number)) for line_number, fields in lines[1:]
    )


def render_decimal(program: Program) -> str:
    """Return the output of `tcpdump -ddd`."""
    return decimal_lines(program) + "\n"


def parse_comma(text: str) -> Program:
    """Parse a count, then instructions of four decimal numbers, separated by commas; a final comma is allowed."""
    count, *parts = text.strip().removesuffix(",").split(",")
    _check_count(count.strip(), len(parts))
    return Program(
        _instruction(part.split(), partial("instruction {}".format, index)) for index, part in enumerate(parts)
    )


def render_comma(program: Program) -> str:
    """Return the format of bpf_asm and of iptables' xt_bpf, without the final comma of bpf_asm."""
    return ",".join([str(len(program)), *("{} {} {} {}".format(*raw) for raw in program)]) + "\n"


def _check_count(declared: str, actual: int) -> None:
    if not _INTEGER.fullmatch(declared):
        raise ProgramFormatError("line 1, column 1: expected the number of instructions")
    if int(declared, 0 if declared.startswith(("0x", "0X")) else 10) != actual:
        raise ProgramFormatError(f"line 1, column 1: header declares {declared} instructions, found {actual}")


# -- hexadecimal ---------------------------------------------------------------------------------------------


def parse_hexadecimal(text: str) -> Program:
    """Parse struct sock_filter, in this machine's byte order, as hexadecimal digits; whitespace is ignored."""
    invalid = re.search(r"[^0-9a-fA-F\s]", text)
    if invalid is not None:
        raise ProgramFormatError(f"{_place(text, invalid.start())}: {invalid[0]!r} is not a hexadecimal digit")
    digits = "".join(text.split())
    if len(digits) % 2:
        raise ProgramFormatError(f"byte {len(digits) // 2}: has one digit; a byte has two")
    return Program.from_bytes(bytes.fromhex(digits))


def render_hexadecimal(program: Program) -> str:
    """Return 16 digits per instruction, one instruction per line."""
    data = bytes(program)
    size = INSTRUCTION_SIZE
    return "".join(f"{data[start : start + size].hex()}\n" for start in range(0, len(data), size))


# -- C, as tcpdump -dd and bpf_asm -c ------------------------------------------------------------------------

_C_ROW: Final = re.compile(r"\{([^{}]*)\}")
_C_DECLARATION: Final = re.compile(r"[^{}=]*=\s*\{")
_C_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\n]*", re.DOTALL)
_WORD_AT_LINE_START: Final = re.compile(r"^[ \t]*[A-Za-z_]", re.MULTILINE)


def looks_like_c(text: str) -> bool:
    """Return whether a text looks like C: optional comments and declaration, rows in braces, no line of assembly."""
    code = _C_COMMENT.sub("", text).lstrip()
    declaration = _C_DECLARATION.match(code)
    body = code[declaration.end() :] if declaration else code
    return bool(declaration or code.startswith("{")) and not _WORD_AT_LINE_START.search(body)


def parse_c(text: str) -> Program:
    """Parse rows of four numbers in braces, with or without the declaration of their array."""
    code = _C_COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    declaration = _C_DECLARATION.match(code)
    end = declaration.end() if declaration else 0
    rows = []
    for match in _C_ROW.finditer(code, end):
        _check_between_rows(",", code, end, match.start())
        fields = [field.strip() for field in match[1].split(",")]
        rows.append(_instruction(fields, partial(_place, code, match.start())))
        end = match.end()
    _check_between_rows(",};" if declaration else ",", code, end, len(code))
    return Program(rows)


def render_c(program: Program) -> str:
    """Return the output of `tcpdump -dd`."""
    return c_initializers(program) + "\n"


def _check_between_rows(allowed: str, text: str, start: int, end: int) -> None:
    """Reject the first character of text[start:end] that is neither whitespace nor *allowed*."""
    rest = text[start:end].lstrip(allowed + " \t\r\n")
    if rest:
        raise ProgramFormatError(f"{_place(text, end - len(rest))}: expected a row {{ code, jt, jf, k }}")


# -- JSON ----------------------------------------------------------------------------------------------------

_JSON_KEYS: Final = ("op", "jt", "jf", "k")


def parse_json(text: str) -> Program:
    """Parse an array of instructions, each an object with op, jt, jf and k, or an array of these four numbers.

    Only op is required; a missing jt, jf or k is 0.
    """
    import json

    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise ProgramFormatError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise ProgramFormatError(f"line 1, column 1: {error}") from None
    if not isinstance(rows, list):
        raise ProgramFormatError("line 1, column 1: expected an array of instructions")
    return Program(_json_instruction(row, index) for index, row in enumerate(rows))


def render_json(program: Program) -> str:
    """Return an array of objects, one per line."""
    rows = [f'  {{"op": {raw.op}, "jt": {raw.jt}, "jf": {raw.jf}, "k": {raw.k}}}' for raw in program]
    return "[\n" + ",\n".join(rows) + "\n]\n" if rows else "[]\n"


def _json_instruction(row: object, index: int) -> RawInstruction:
    fields = row
    if isinstance(row, dict):
        unknown = sorted(row.keys() - set(_JSON_KEYS))
        if unknown or "op" not in row:
            fact = f"unknown key {unknown[0][:40]!r}" if unknown else "missing key 'op'"
            raise ProgramFormatError(f"instruction {index}: {fact}; the keys are op, jt, jf and k")
        fields = [row.get(name, 0) for name in _JSON_KEYS]
    if not isinstance(fields, list) or len(fields) != 4:
        raise ProgramFormatError(f"instruction {index}: expected an object, or an array of four numbers")
    for name, value in zip(_JSON_KEYS, fields, strict=True):
        if type(value) is not int:
            raise ProgramFormatError(f"instruction {index}: {name} is not an integer")
    try:
        return RawInstruction(*fields)
    except FieldError as error:
        raise ProgramFormatError(f"instruction {index}: {error}") from None
