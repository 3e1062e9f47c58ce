"""The notations that are plain numbers, in C, JSON, decimal or hexadecimal; and writers of listings."""

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from ..errors import FieldError, ProgramFormatError
from ..isa.instructions import RawInstruction
from ..isa.listing import c_initializers, debugger_listing, decimal_lines, listing
from ..isa.program import INSTRUCTION_SIZE, Program

# A number of at most 20 digits: what has more fits no field, and Python limits how many it reads.
_INTEGER: Final = re.compile(r"0[xX][0-9a-fA-F]{1,20}|[0-9]{1,20}", re.ASCII)

_C_ROW: Final = re.compile(r"\{([^{}]*)\}")
_C_DECLARATION: Final = re.compile(r"[^{}=]*=\s*\{")
_WORD_AT_START: Final = re.compile(r"^[ \t]*[A-Za-z_]", re.MULTILINE)
_C_NOISE: Final = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\n]*", re.DOTALL)


def parse_decimal(text: str) -> Program:
    """A count, then that many lines of four decimal numbers: code, jt, jf, k."""
    lines = [(number, line.split()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    _require_count(" ".join(lines[0][1]) if lines else "", len(lines) - 1)
    return Program(_row(fields, partial("line {}, column 1".format, number)) for number, fields in lines[1:])


def parse_comma(text: str) -> Program:
    """A count, then instructions of four decimal numbers, separated by commas; one may stand at the end."""
    count, *parts = text.strip().removesuffix(",").split(",")
    _require_count(count.strip(), len(parts))
    return Program(_row(part.split(), partial("instruction {}".format, index)) for index, part in enumerate(parts))


def _require_count(count: str, following: int) -> None:
    if not _INTEGER.fullmatch(count):
        raise ProgramFormatError("line 1, column 1: expected the number of instructions")
    if int(count, 0 if count.startswith(("0x", "0X")) else 10) != following:
        raise ProgramFormatError(f"line 1, column 1: promises {count} instructions, and {following} follow")


def looks_like_c(text: str) -> bool:
    """Braces, perhaps behind comments and a declaration, and no line that begins with a word."""
    code = _C_NOISE.sub("", text).lstrip()
    declaration = _C_DECLARATION.match(code)
    body = code[declaration.end() :] if declaration else code
    return bool(declaration or code.startswith("{")) and not _WORD_AT_START.search(body)


def parse_c(text: str) -> Program:
    """Rows of four numbers in braces; the array's declaration around them may be there or not."""
    code = _C_NOISE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    declaration = _C_DECLARATION.match(code)
    end = declaration.end() if declaration else 0
    rows = []
    for match in _C_ROW.finditer(code, end):
        _require_only(",", code, end, match.start())
        rows.append(_row([field.strip() for field in match[1].split(",")], partial(_place, code, match.start())))
        end = match.end()
    _require_only(",};" if declaration else ",", code, end, len(code))
    return Program(rows)


def _require_only(allowed: str, text: str, start: int, end: int) -> None:
    """Raises for the first character of text[start:end] that is neither blank nor *allowed*."""
    rest = text[start:end].lstrip(allowed + " \t\r\n")
    if rest:
        raise ProgramFormatError(f"{_place(text, end - len(rest))}: expected a row {{ code, jt, jf, k }}")


def _place(text: str, offset: int) -> str:
    line_start = text.rfind("\n", 0, offset) + 1
    return f"line {text.count(chr(10), 0, offset) + 1}, column {offset - line_start + 1}"


def _row(fields: list[str], place: Callable[[], str]) -> RawInstruction:
    if len(fields) != 4:
        raise ProgramFormatError(f"{place()}: has {len(fields)} numbers; an instruction has four: code, jt, jf, k")
    for field in fields:
        if not _INTEGER.fullmatch(field):
            raise ProgramFormatError(f"{place()}: {field[:40]!r} is no number that an instruction can hold")
    try:
        return RawInstruction(*(int(field, 16 if field[1:2] in ("x", "X") else 10) for field in fields))
    except FieldError as error:
        raise ProgramFormatError(f"{place()}: {error}") from None


def parse_hexadecimal(text: str) -> Program:
    """The bytes of struct sock_filter in this machine's order, as hexadecimal digits; blanks do not matter."""
    bad = re.search(r"[^0-9a-fA-F\s]", text)
    if bad is not None:
        raise ProgramFormatError(f"{_place(text, bad.start())}: {bad[0]!r} is no hexadecimal digit")
    digits = "".join(text.split())
    if len(digits) % 2:
        raise ProgramFormatError(f"byte {len(digits) // 2}: one digit is left over; a byte has two")
    return Program.from_bytes(bytes.fromhex(digits))


def parse_json(text: str) -> Program:
    """An array of instructions, each an object with op, jt, jf and k, or an array of these four numbers."""
    import json

    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise ProgramFormatError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise ProgramFormatError(f"line 1, column 1: {error}") from None
    if not isinstance(rows, list):
        raise ProgramFormatError("line 1, column 1: expected an array of instructions")
    return Program(_json_row(row, index) for index, row in enumerate(rows))


def _json_row(row: object, index: int) -> RawInstruction:
    fields = row
    if isinstance(row, dict):
        unknown = sorted(row.keys() - set(_KEYS))
        if unknown or "op" not in row:
            fact = f"{unknown[0][:40]!r} is unknown" if unknown else "op is missing"
            raise ProgramFormatError(f"instruction {index}: {fact}; the keys are op, jt, jf and k")
        fields = [row.get(name, 0) for name in _KEYS]
    if not isinstance(fields, list) or len(fields) != 4:
        raise ProgramFormatError(f"instruction {index}: expected an object, or an array of four numbers")
    for name, value in zip(_KEYS, fields, strict=True):
        if type(value) is not int:
            raise ProgramFormatError(f"instruction {index}: {name} is no whole number")
    try:
        return RawInstruction(*fields)
    except FieldError as error:
        raise ProgramFormatError(f"instruction {index}: {error}") from None


_KEYS: Final = ("op", "jt", "jf", "k")


def render_c(program: Program) -> str:
    """As tcpdump -dd."""
    return c_initializers(program) + "\n"


def render_decimal(program: Program) -> str:
    """As tcpdump -ddd."""
    return decimal_lines(program) + "\n"


def render_tcpdump(program: Program) -> str:
    """As tcpdump -d."""
    return listing(program) + "\n"


def render_debugger(program: Program) -> str:
    """As `disassemble` of bpf_dbg."""
    return debugger_listing(program) + "\n"


def render_comma(program: Program) -> str:
    """As bpf_asm writes it, and iptables' xt_bpf reads it; without bpf_asm's last comma."""
    return ",".join([str(len(program)), *("{} {} {} {}".format(*raw) for raw in program)]) + "\n"


def render_hexadecimal(program: Program) -> str:
    """16 digits an instruction, one a line."""
    data = bytes(program)
    size = INSTRUCTION_SIZE
    return "".join(f"{data[start : start + size].hex()}\n" for start in range(0, len(data), size))


def render_json(program: Program) -> str:
    """An array of objects, one a line."""
    rows = [f'  {{"op": {raw.op}, "jt": {raw.jt}, "jf": {raw.jf}, "k": {raw.k}}}' for raw in program]
    return "[\n" + ",\n".join(rows) + "\n]\n" if rows else "[]\n"


def render_go(program: Program) -> str:
    """Go's notation, one instruction a line."""
    return "".join(f"{raw}\n" for raw in program)
