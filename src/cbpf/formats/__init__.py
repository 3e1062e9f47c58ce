"""Every notation of a program, in and out: `parse` finds out which it is by looking, `render` writes one.

asm       instructions in Go's notation, a line each; jumps by label or by relative skip
c         C initialisers, `{ 0x28, 0, 0, 0x0000000c },`, as tcpdump -dd
decimal   a count, then four decimal numbers a line, as tcpdump -ddd
raw       the bytes of an array of struct sock_filter, in this machine's order
tcpdump   the listing of tcpdump -d; written only
"""

from typing import Final

from ..errors import FieldError, ProgramFormatError
from ..program import Program
from .assembler import parse_assembly
from .format import Format
from .labels import render_assembly
from .numbers import (
    looks_like_c,
    looks_like_decimal,
    parse_c,
    parse_decimal,
    render_c,
    render_decimal,
    render_tcpdump,
)

FORMATS: Final = {
    one.name: one
    for one in (
        Format("decimal", looks_like_decimal, parse_decimal, render_decimal),
        Format("c", looks_like_c, parse_c, render_c),
        Format("tcpdump", None, None, render_tcpdump),
        Format("asm", lambda text: True, parse_assembly, render_assembly),
    )
}


def parse(source: str | bytes, *, format: str = "auto") -> Program:
    r"""The program that *source* describes, in any of the notations.

    Bytes that are not text are the format raw. Raises `ProgramFormatError` with line and column, or byte offset.

    >>> parse("ldh [12]; the EtherType\nret a") == parse("2\n40 0 0 12\n22 0 0 0")
    True
    """
    if format not in ("auto", "raw", *FORMATS):
        raise FieldError(f"parse.format: {format!r} is not one of auto, raw, {', '.join(FORMATS)}")
    if format == "raw" or (format == "auto" and isinstance(source, bytes) and not _is_text(source)):
        return Program.from_bytes(source.encode() if isinstance(source, str) else source)
    text = source if isinstance(source, str) else _decode(source)
    if format == "auto":
        chosen = next(one for one in FORMATS.values() if one.recognizes is not None and one.recognizes(text))
    else:
        chosen = FORMATS[format]
    if chosen.parse is None:
        raise ProgramFormatError(f"the format {chosen.name} is only written; use asm, c, decimal or raw")
    return chosen.parse(text)


def render(program: Program, format: str) -> str:
    """The program as text of a notation other than raw, with a newline at its end."""
    if format not in FORMATS:
        raise FieldError(f"render.format: {format!r} is not one of {', '.join(FORMATS)}")
    return FORMATS[format].render(program)


def _is_text(data: bytes) -> bool:
    return not any(byte < 9 or 13 < byte < 32 for byte in data[:4096])


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ProgramFormatError(f"byte {error.start}: {data[error.start]:#04x} is not UTF-8 text") from None
