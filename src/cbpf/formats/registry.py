"""The table of formats, in the order in which they are tried on unknown input: the most specific first."""

import re
from collections.abc import Callable
from typing import Final

from ..errors import FieldError, ProgramFormatError
from ..isa.program import Program
from .assembler import parse_assembly
from .base import BytesFormat, TextFormat
from .disassembler import render_assembly, render_bpf_dbg, render_go, render_tcpdump
from .numeric import (
    looks_like_c,
    parse_c,
    parse_comma,
    parse_decimal,
    parse_hexadecimal,
    parse_json,
    render_c,
    render_comma,
    render_decimal,
    render_hexadecimal,
    render_json,
)
from .savefile import Savefile


def _starts_with(pattern: str) -> Callable[[str], bool]:
    """Return a function that tests whether a text starts with *pattern*, after any whitespace."""
    compiled = re.compile(r"\s*+" + pattern)
    return lambda text: compiled.match(text) is not None


def _looks_binary(data: bytes) -> bool:
    """Return whether the first 4 KiB contain a control character that no text format uses."""
    return any(byte < 9 or 13 < byte < 32 for byte in data[:4096])


def _render_savefile(program: Program) -> bytes:
    try:
        return Savefile(program).to_bytes()
    except FieldError as error:
        raise ProgramFormatError(f"the format savefile cannot represent the program: {error}") from None


_TEXT_FORMATS: Final = (
    TextFormat(
        "tcpdump",
        _starts_with(r"\(\d+\)"),
        parse_assembly,
        render_tcpdump,
        False,
        "the listing of tcpdump -d",
    ),
    TextFormat(
        "dbg",
        _starts_with("l0:"),
        parse_assembly,
        render_bpf_dbg,
        False,
        "the listing of bpf_dbg (disassemble)",
    ),
    TextFormat(
        "json",
        _starts_with(r'(?:\[|\{\s*")'),
        parse_json,
        render_json,
        True,
        "an array of objects with op, jt, jf, k",
    ),
    TextFormat(
        "c",
        looks_like_c,
        parse_c,
        render_c,
        True,
        "C initialisers, as tcpdump -dd and bpf_asm -c",
    ),
    TextFormat(
        "comma",
        _starts_with(r"\d+\s*,"),
        parse_comma,
        render_comma,
        True,
        "a count and instructions, separated by commas, as bpf_asm and iptables -m bpf",
    ),
    TextFormat(
        "hex",
        _starts_with(r"[0-9a-fA-F]{16}(?:\s|$)"),
        parse_hexadecimal,
        render_hexadecimal,
        True,
        "struct sock_filter as hexadecimal digits, in this machine's byte order",
    ),
    TextFormat(
        "decimal",
        _starts_with(r"\d+[^\S\n]*(?:\n|$)"),
        parse_decimal,
        render_decimal,
        True,
        "a count, then four decimal numbers per line, as tcpdump -ddd",
    ),
    TextFormat(
        "asm",
        _starts_with(""),
        parse_assembly,
        render_assembly,
        True,
        "assembly with labels",
    ),
    TextFormat(
        "go",
        _starts_with(""),
        parse_assembly,
        render_go,
        True,
        "the syntax of Go's package bpf, with relative skips",
    ),
)

_BYTES_FORMATS: Final = (
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
        _looks_binary,
        Program.from_bytes,
        Program.to_bytes,
        True,
        "an array of struct sock_filter, in this machine's byte order",
    ),
)

TEXT_FORMATS: Final = {entry.name: entry for entry in _TEXT_FORMATS}
BYTES_FORMATS: Final = {entry.name: entry for entry in _BYTES_FORMATS}
