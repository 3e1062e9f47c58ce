"""The notations that are plain numbers: tcpdump -dd and -ddd; and the listing of tcpdump -d."""

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from ..errors import FieldError, ProgramFormatError
from ..instructions import RawInstruction
from ..listing import c_initializers, decimal_lines, listing
from ..program import Program

_LONGEST_NUMBER: Final = 20  # digits; a longer one fits no field
_C_ROW: Final = re.compile(r"\{([^{}]*)\}")
_C_DECLARATION: Final = re.compile(r"[^{}=]*=\s*\{")
_WORD_AT_START: Final = re.compile(r"^\s*[A-Za-z_]", re.MULTILINE)
_C_NOISE: Final = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def looks_like_decimal(text: str) -> bool:
    """A first line that is one number."""
    return text.split("\n", 1)[0].strip().isdigit()


def parse_decimal(text: str) -> Program:
    """A count, then that many lines of four decimal numbers: code, jt, jf, k."""
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines or len(lines[0][1]) != 1 or not lines[0][1][0].isdecimal() or len(lines[0][1][0]) > _LONGEST_NUMBER:
        raise ProgramFormatError("line 1, column 1: expected the number of instructions")
    count = int(lines[0][1][0])
    if count != len(lines) - 1:
        raise ProgramFormatError(f"line 1, column 1: promises {count} instructions, and {len(lines) - 1} follow")
    return Program(_row(fields, 10, partial("line {}, column 1".format, number)) for number, fields in lines[1:])


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
        rows.append(_row([field.strip() for field in match[1].split(",")], 0, partial(_place, code, match.start())))
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


def _row(fields: list[str], base: int, place: Callable[[], str]) -> RawInstruction:
    if len(fields) != 4:
        raise ProgramFormatError(f"{place()}: has {len(fields)} numbers; an instruction has four: code, jt, jf, k")
    try:
        return RawInstruction(*(int(field[: _LONGEST_NUMBER + 1], base) for field in fields))
    except FieldError as error:
        raise ProgramFormatError(f"{place()}: {error}") from None
    except ValueError:
        raise ProgramFormatError(f"{place()}: {' '.join(fields)[:60]!r} is not four numbers") from None


def render_c(program: Program) -> str:
    """As tcpdump -dd."""
    return c_initializers(program) + "\n"


def render_decimal(program: Program) -> str:
    """As tcpdump -ddd."""
    return decimal_lines(program) + "\n"


def render_tcpdump(program: Program) -> str:
    """As tcpdump -d."""
    return listing(program) + "\n"
