"""The notations, in the order in which they are looked for: the more telling ones first."""

import re
from collections.abc import Callable
from typing import Final

from ..errors import FieldError, ProgramFormatError
from ..isa.program import Program
from .assembler import parse_assembly
from .base import BytesFormat, TextFormat
from .disassembler import render_assembly
from .numeric import (
    looks_like_c,
    parse_c,
    parse_comma,
    parse_decimal,
    parse_hexadecimal,
    parse_json,
    render_c,
    render_comma,
    render_debugger,
    render_decimal,
    render_go,
    render_hexadecimal,
    render_json,
    render_tcpdump,
)
from .savefile import Savefile


def _begins(pattern: str) -> Callable[[str], bool]:
    """Whether a text begins with *pattern*, blanks apart."""
    compiled = re.compile(r"\s*+" + pattern)
    return lambda text: compiled.match(text) is not None


TEXT_FORMATS: Final = {
    one.name: one
    for one in (
        TextFormat(
            "tcpdump",
            _begins(r"\(\d+\)"),
            parse_assembly,
            render_tcpdump,
            False,
            "the listing of tcpdump -d",
        ),
        TextFormat(
            "dbg",
            _begins("l0:"),
            parse_assembly,
            render_debugger,
            False,
            "the listing of bpf_dbg (disassemble)",
        ),
        TextFormat(
            "json",
            _begins(r'(?:\[|\{\s*")'),
            parse_json,
            render_json,
            True,
            "an array of objects with op, jt, jf, k",
        ),
        TextFormat("c", looks_like_c, parse_c, render_c, True, "C initialisers, as tcpdump -dd and bpf_asm -c"),
        TextFormat(
            "comma",
            _begins(r"\d+\s*,"),
            parse_comma,
            render_comma,
            True,
            "a count and instructions between commas: bpf_asm, iptables -m bpf",
        ),
        TextFormat(
            "hex",
            _begins(r"[0-9a-fA-F]{16}(?:\s|$)"),
            parse_hexadecimal,
            render_hexadecimal,
            True,
            "struct sock_filter as hexadecimal digits, in this machine's byte order",
        ),
        TextFormat(
            "decimal",
            _begins(r"\d+[^\S\n]*(?:\n|$)"),
            parse_decimal,
            render_decimal,
            True,
            "a count, then four decimal numbers a line, as tcpdump -ddd",
        ),
        TextFormat("asm", _begins(""), parse_assembly, render_assembly, True, "assembly with labels"),
        TextFormat("go", _begins(""), parse_assembly, render_go, True, "the notation of Go's package: relative skips"),
    )
}


def _render_savefile(program: Program) -> bytes:
    try:
        return Savefile(program).to_bytes()
    except FieldError as error:
        raise ProgramFormatError(f"the format savefile cannot carry the program: {error}") from None


BYTES_FORMATS: Final = {
    one.name: one
    for one in (
        BytesFormat(
            "savefile",
            Savefile.recognizes,
            lambda data: Savefile.from_bytes(data).program,
            _render_savefile,
            False,
            "libpcap's cBPF savefile",
        ),
        BytesFormat(
            "raw",
            lambda data: any(byte < 9 or 13 < byte < 32 for byte in data[:4096]),
            Program.from_bytes,
            Program.to_bytes,
            True,
            "an array of struct sock_filter, in this machine's byte order",
        ),
    )
}
