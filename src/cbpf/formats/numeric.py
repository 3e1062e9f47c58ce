"""The formats that consist of numbers: decimal, comma-separated, and the tables of seccomp-tools and libseccomp.

Errors give the line and column, or the index of the instruction.
"""

import re
from collections.abc import Callable
from functools import partial

from .._typing import Final
from ..errors import FieldError, ProgramFormatError
from ..isa.listing import c_initializers, decimal_lines
from ..isa.program import Program
from ..isa.raw_instruction import RawInstruction
from .text_input import place

# At most 20 digits: longer numbers fit no field, and Python limits the length of the numbers that it converts.
_INTEGER: Final = re.compile(r"0[xX][0-9a-fA-F]{1,20}|[0-9]{1,20}", re.ASCII)


def _instruction(fields: list[str], location: Callable[[], str]) -> RawInstruction:
    """Return the instruction of four numbers, decimal or hexadecimal with 0x; *location* describes the place."""
    if len(fields) != 4:
        raise ProgramFormatError(f"{location()}: has {len(fields)} numbers; an instruction has four: code, jt, jf, k")
    for field in fields:
        if not _INTEGER.fullmatch(field):
            raise ProgramFormatError(f"{location()}: {field[:40]!r} is not a decimal or hexadecimal number")
    try:
        return RawInstruction(*(int(field, 16 if field[1:2] in ("x", "X") else 10) for field in fields))
    except FieldError as error:
        raise ProgramFormatError(f"{location()}: {error}") from None


# -- decimal, as tcpdump -ddd; comma, as bpf_asm and iptables ------------------------------------------------


def parse_decimal(text: str) -> Program:
    """Parse one line per instruction with four decimal numbers (code, jt, jf, k), after a line with their count.

    The count may be missing, as in the output of `bpfc -f tcpdump`.
    """
    lines = [(line_number, line.split()) for line_number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines or len(lines[0][1]) != 4:
        _check_count(" ".join(lines[0][1]) if lines else "", len(lines) - 1)
        del lines[:1]
    return Program(
        _instruction(fields, partial("line {}, column 1".format, line_number)) for line_number, fields in lines
    )


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
    commands = [*_COMMAND.finditer(text)]
    if len(commands) > 1:
        raise ProgramFormatError(f"{place(text, commands[1].start())}: a second program; keep one")
    if commands:
        start = commands[0].end()
        end = _COMMA_END.search(text, start)
        text = text[start : end.start() if end else len(text)]
        text = f"{commands[0]['count']},{text}" if commands[0]["count"] else text
    count, *parts = text.strip().strip("\"'").strip().removesuffix(",").split(",")
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
    for number, line in enumerate(_COLOUR.sub("", text).split("\n"), 1):
        if _TABLE_HEADER.fullmatch(line):
            continue
        location, match = f"line {number}, column 1", _TABLE_ROW.fullmatch(line)
        if match is None:
            rule = "rows are '0000: 0x20 0x00 0x00 0x00000004', as seccomp-tools dump prints them"
            raise ProgramFormatError(f"{location}: expected a row with an index and four hexadecimal numbers; {rule}")
        if int(match[1]) != len(instructions):
            fact = f"expected the index {len(instructions):04}, not {match[1]}; a table is one program"
            raise ProgramFormatError(f"{location}: {fact}")
        instructions.append(_instruction(["0x" + field for field in match.groups()[1:]], partial(str, location)))
    return Program(instructions)


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
