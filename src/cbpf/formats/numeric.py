"""The formats that consist of numbers: decimal, comma-separated, and the tables of seccomp-tools and libseccomp.

Errors give the line and column; all of a text are reported.
"""

import re

from .._named_tuple import NamedTuple
from .._span import Span
from .._typing import Final, Iterator
from ..errors import FieldError, ProgramFormatError
from ..isa.listing import c_initializers, decimal_lines
from ..isa.program import Program
from ..isa.raw_instruction import RawInstruction
from .text_input import SourceText, place

# At most 20 digits: longer numbers fit no field, and Python limits the length of the numbers that it converts.
_INTEGER: Final = re.compile(r"0[xX][0-9a-fA-F]{1,20}|[0-9]{1,20}", re.ASCII)


class _Row(NamedTuple):
    """The text of an instruction, and its offset."""

    offset: int
    text: str

    @property
    def span(self) -> Span:
        """The place of the numbers."""
        start = self.offset + len(self.text) - len(self.text.lstrip())
        return Span(start, start + len(self.text.strip()))


def _instruction(fields: list[str]) -> RawInstruction:
    """Return the instruction of four numbers, decimal or hexadecimal with 0x; raise `FieldError`."""
    if len(fields) != 4:
        raise FieldError(f"has {len(fields)} numbers; an instruction has four: code, jt, jf, k")
    for field in fields:
        if not _INTEGER.fullmatch(field):
            raise FieldError(f"{field[:40]!r} is not a decimal or hexadecimal number")
    return RawInstruction(*(int(field, 16 if field[1:2] in ("x", "X") else 10) for field in fields))


def _program(text: str, rows: list[_Row], header: tuple[int, str]) -> Program:
    """Return the program of rows of numbers; raise `ProgramFormatError` with every problem.

    *header* is the offset of the text before the rows, and the error in it, which is empty if there is none.
    """
    instructions, errors = [], [header] if header[1] else []
    for row in rows:
        try:
            instructions.append(_instruction(row.text.split()))
        except FieldError as error:
            errors.append((row.span.start, str(error)))
    return _checked(text, instructions, errors)


def _checked(text: str, instructions: list[RawInstruction], errors: list[tuple[int, str]]) -> Program:
    """Return the program of instructions; raise `ProgramFormatError` if there are errors, by their offsets."""
    if errors:
        source = SourceText(text)
        raise ProgramFormatError([source.problem(*error) for error in errors])
    return Program(instructions)


# -- decimal, as tcpdump -ddd; comma, as bpf_asm and iptables ------------------------------------------------


def parse_decimal(text: str) -> Program:
    """Parse one line per instruction with four decimal numbers (code, jt, jf, k), after a line with their count.

    The count may be missing, as in the output of `bpfc -f tcpdump`.
    """
    header, rows = _decimal_rows(text)
    error = _count_error(header.text.strip(), len(rows)) if header else ""
    return _program(text, rows, (header.span.start if header else 0, error))


def decimal_spans(text: str) -> list[Span]:
    """Return the places of the instructions of `parse_decimal`."""
    return [row.span for row in _decimal_rows(text)[1]]


def _decimal_rows(text: str) -> tuple[_Row | None, list[_Row]]:
    """Return the line of the count, which may be missing, and those of the instructions."""
    rows = [row for row in _lines(text) if row.text.strip()]
    if rows and len(rows[0].text.split()) == 4:
        return None, rows
    return rows[0] if rows else _Row(0, ""), rows[1:]


def _lines(text: str) -> Iterator[_Row]:
    offset = 0
    for line in text.split("\n"):
        yield _Row(offset, line)
        offset += len(line) + 1


def render_decimal(program: Program) -> str:
    """Return the output of `tcpdump -ddd`."""
    return decimal_lines(program) + "\n"


# A command or output around the numbers: an argument of iptables or tc, a command of bpf_dbg, a line of `ss -b`.
_COMMAND: Final = re.compile(
    r"""bytecode\s+["']?(?=\d) | \bload\s+bpf\s+["']?(?=\d) | \bbpf\s+filter\s+\((?P<count>\d{1,9})\):\s*""", re.VERBOSE
)
_COMMA_END: Final = re.compile(r"""[^\sxX0-9a-fA-F,]|(?<=[\s,])[a-fA-F]|\n[ \t]*(?=\S*[^\s0-9,])""")
_LONE_COMMAS: Final = re.compile(r"""\s*+["']?\d+\s*,""")


def looks_like_commas(text: str) -> bool:
    """Return whether a text is a count and instructions separated by commas, or a command with them."""
    return _LONE_COMMAS.match(text) is not None or _COMMAND.search(text) is not None


def parse_comma(text: str) -> Program:
    """Parse a count, then instructions of four decimal numbers, separated by commas; a final comma is allowed.

    A command around them is ignored: `--bytecode "..."` of iptables, `bytecode '...'` of tc, `load bpf ...` of bpf_dbg,
    and `bpf filter (4): ...` of `ss -b`, whose numbers begin after the count.
    """
    header, rows = _comma_rows(text)
    return _program(text, rows, (header.span.start, _count_error(header.text.strip(), len(rows))))


def comma_spans(text: str) -> list[Span]:
    """Return the places of the instructions of `parse_comma`."""
    return [row.span for row in _comma_rows(text)[1]]


def _comma_rows(text: str) -> tuple[_Row, list[_Row]]:
    """Return the count and the instructions."""
    commands = [*_COMMAND.finditer(text)]
    if len(commands) > 1:
        raise ProgramFormatError(f"{place(text, commands[1].start())}: a second program; keep one")
    offset, end = 0, len(text)
    if commands:
        offset = commands[0].end()
        match = _COMMA_END.search(text, offset)
        end = match.start() if match else end
    numbers = text[offset:end].strip().strip("\"'").strip().removesuffix(",")
    offset = text.index(numbers, offset)
    rows: list[_Row] = []
    for part in numbers.split(",") if numbers else ():
        rows.append(_Row(offset, part))
        offset += len(part) + 1
    if commands and commands[0]["count"]:
        return _Row(commands[0].start("count"), commands[0]["count"]), rows
    return (rows[0] if rows else _Row(offset, "")), rows[1:]


def render_comma(program: Program) -> str:
    """Return the format of bpf_asm and of iptables' xt_bpf, without the final comma of bpf_asm."""
    return ",".join([str(len(program)), *("{} {} {} {}".format(*raw) for raw in program)]) + "\n"


def _count_error(declared: str, actual: int) -> str:
    """Return the error of a header that declares a number of instructions; empty if it is right."""
    if not _INTEGER.fullmatch(declared):
        return "expected the number of instructions"
    if int(declared, 0 if declared.startswith(("0x", "0X")) else 10) != actual:
        return f"header declares {declared} instructions, found {actual}"
    return ""


# -- tables, as seccomp-tools dump and libseccomp's scmp_bpf_disasm ------------------------------------------

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_TABLE_ROW: Final = re.compile(
    r"[ \t]*(?:\#[ \t]*)?([0-9]{1,9}):[ \t]+0[xX]([0-9a-fA-F]{1,8})"
    r"[ \t]+0[xX]([0-9a-fA-F]{1,8})[ \t]+0[xX]([0-9a-fA-F]{1,8})[ \t]+0[xX]([0-9a-fA-F]{1,9})(?:[ \t].*)?"
)
_TABLE_HEADER: Final = re.compile(
    r"[ \t]*(?:\#[ \t]*)?(?:line[ \t]+(?:CODE|OP)[ \t]+JT[ \t]+JF[ \t]+K[ \t]*|=+[ \t]*)?"
)


def looks_like_table(text: str) -> bool:
    """Return whether the first line with numbers is a row of a table."""
    for line in _COLOUR.sub("", text[:4096]).split("\n"):
        if not _TABLE_HEADER.fullmatch(line):
            return _TABLE_ROW.fullmatch(line) is not None
    return False


def parse_table(text: str) -> Program:
    """Parse rows of an index and four hexadecimal numbers; the disassembly at the end of a row is ignored."""
    instructions: list[RawInstruction] = []
    errors: list[tuple[int, str]] = []
    expected = 0
    for row in _table_rows(text):
        match = _TABLE_ROW.fullmatch(_COLOUR.sub("", row.text))
        if match is None:
            rule = "rows are '0000: 0x20 0x00 0x00 0x00000004', as seccomp-tools dump prints them"
            errors.append((row.offset, f"expected a row with an index and four hexadecimal numbers; {rule}"))
            continue
        if int(match[1]) != expected:
            fact = f"expected the index {expected:04}, not {match[1]}; a table is one program"
            errors.append((row.offset, fact))
        expected = int(match[1]) + 1
        try:
            instructions.append(_instruction(["0x" + field for field in match.groups()[1:]]))
        except FieldError as error:
            errors.append((row.offset, str(error)))
    return _checked(text, instructions, errors)


def table_spans(text: str) -> list[Span]:
    """Return the places of the instructions of `parse_table`: of whole lines."""
    return [row.span for row in _table_rows(text)]


def _table_rows(text: str) -> list[_Row]:
    """Return the lines that are not part of the header."""
    return [row for row in _lines(text) if not _TABLE_HEADER.fullmatch(_COLOUR.sub("", row.text))]


def render_table(program: Program) -> str:
    """Return the table of `seccomp-tools dump`, with Go's syntax as disassembly."""
    rows = (
        f" {index:04}: {raw.op:#04x} {raw.jt:#04x} {raw.jf:#04x} {raw.k:#010x}  {raw}"
        for index, raw in enumerate(program)
    )
    return "\n".join([" line  CODE  JT   JF      K", "=" * 33, *rows]) + "\n"


# -- C and JSON, which `source` parses -----------------------------------------------------------------------


def render_c(program: Program) -> str:
    """Return the output of `tcpdump -dd`."""
    return c_initializers(program) + "\n"


def render_json(program: Program) -> str:
    """Return an array of objects, one per line."""
    rows = [f'  {{"op": {raw.op}, "jt": {raw.jt}, "jf": {raw.jf}, "k": {raw.k}}}' for raw in program]
    return "[\n" + ",\n".join(rows) + "\n]\n" if rows else "[]\n"
