"""The table of formats, in the order in which they are tried on unknown input: the most specific first."""

import re
from collections.abc import Callable
from functools import partial

from .._span import Span
from .._typing import Final
from ..errors import FieldError, ProgramFormatError
from ..isa.program import Program
from .assembler import assembly_spans, parse_assembly
from .base import BytesFormat, TextFormat
from .byte_text import byte_spans, looks_like_bytes, parse_bytes, render_hexadecimal
from .disassembler import render_assembly, render_bpf_dbg, render_go, render_tcpdump
from .numeric import (
    comma_spans,
    decimal_spans,
    looks_like_commas,
    looks_like_table,
    parse_comma,
    parse_decimal,
    parse_table,
    render_c,
    render_comma,
    render_decimal,
    render_json,
    render_table,
    table_spans,
)
from .python_code import render_python
from .recognition import OTHER_BYTE_ORDER, looks_like_source
from .rules import MATCH_OF_TC, render_iptables, render_tc
from .savefile import Savefile

_COLOUR: Final = re.compile(rb"\x1b\[[0-9;]*m")


def _starts_with(pattern: str) -> Callable[[str], bool]:
    """Return a function that tests whether a text starts with *pattern*, after any whitespace."""
    compiled = re.compile(r"\s*+" + pattern)
    return lambda text: compiled.match(text) is not None


def _looks_binary(data: bytes) -> bool:
    """Return whether the first 4 KiB contain a control character that no text format uses.

    The sequences that colour the output of seccomp-tools do not count.
    """
    return any(byte < 9 or 13 < byte < 32 for byte in _COLOUR.sub(b"", data[:4096]))


def _parse_source(text: str) -> Program:
    from .source.parsing import parse_source

    return parse_source(text)


def _source_spans(text: str) -> list[Span]:
    from .source.parsing import source_spans

    return source_spans(text)


def _parse_go(text: str) -> Program:
    """Parse the syntax in which Go prints instructions, or Go source code."""
    try:
        return parse_assembly(text)
    except ProgramFormatError:
        if not looks_like_source(text):
            raise
    return _parse_source(text)


def _go_spans(text: str) -> list[Span]:
    """Return the places of the instructions of `_parse_go`."""
    return _source_spans(text) if looks_like_source(text) else assembly_spans(text)


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
        locate=assembly_spans,
    ),
    TextFormat(
        "dbg",
        _starts_with("l0:"),
        parse_assembly,
        render_bpf_dbg,
        False,
        "the listing of bpf_dbg (disassemble)",
        locate=assembly_spans,
    ),
    TextFormat(
        "table",
        looks_like_table,
        parse_table,
        render_table,
        True,
        "the table of seccomp-tools dump and disasm, and of libseccomp's scmp_bpf_disasm",
        locate=table_spans,
    ),
    TextFormat(
        "json",
        _starts_with(r'(?:\[\s*(?:[\[{]|\])|\{\s*")'),
        _parse_source,
        render_json,
        True,
        "an array of objects with op, jt, jf, k",
        locate=_source_spans,
    ),
    TextFormat(
        "hex",
        looks_like_bytes,
        parse_bytes,
        render_hexadecimal,
        True,
        "struct sock_filter as hexadecimal digits, in this machine's byte order",
        locate=byte_spans,
    ),
    TextFormat(
        "comma",
        looks_like_commas,
        parse_comma,
        render_comma,
        True,
        "a count and instructions, separated by commas, as bpf_asm and iptables -m bpf",
        locate=comma_spans,
    ),
    # The format comma reads these two as well, and is tried before them.
    TextFormat(
        "iptables",
        lambda text: False,
        parse_comma,
        render_iptables,
        False,
        "the command that appends a rule with the program, for packets that begin with the IP header (at most 64 "
        "instructions)",
        link_type="RAW",
        locate=comma_spans,
    ),
    TextFormat(
        "tc",
        lambda text: False,
        parse_comma,
        render_tc,
        False,
        "the command that adds a filter with the program to a device, for Ethernet frames (at most 2,039 instructions)",
        verdict=MATCH_OF_TC,
        locate=comma_spans,
    ),
    TextFormat(
        "python",
        _starts_with(r"(?:import|from) cbpf\b"),
        _parse_source,
        render_python,
        True,
        "Python code that constructs the program from typed instructions",
        locate=_source_spans,
    ),
    TextFormat(
        "c",
        looks_like_source,
        _parse_source,
        render_c,
        True,
        "C initialisers, as tcpdump -dd and bpf_asm -c",
        locate=_source_spans,
    ),
    TextFormat(
        "decimal",
        _starts_with(r"\d+[^\S\n]*(?:\n|$|\d+[^\S\n]+\d+[^\S\n]+\d+[^\S\n]*(?:\n|$))"),
        parse_decimal,
        render_decimal,
        True,
        "a count, then four decimal numbers per line, as tcpdump -ddd",
        locate=decimal_spans,
    ),
    TextFormat(
        "asm",
        _starts_with(""),
        parse_assembly,
        render_assembly,
        True,
        "assembly with labels",
        locate=assembly_spans,
    ),
    TextFormat(
        "go",
        _starts_with(""),
        _parse_go,
        render_go,
        True,
        "the syntax of Go's package bpf, with relative skips",
        locate=_go_spans,
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
    BytesFormat(
        "raw-swapped",
        lambda data: False,
        partial(Program.from_bytes, byte_order=OTHER_BYTE_ORDER),
        partial(Program.to_bytes, byte_order=OTHER_BYTE_ORDER),
        True,
        "an array of struct sock_filter, in the other byte order; it is not recognised by content",
    ),
)

TEXT_FORMATS: Final = {entry.name: entry for entry in _TEXT_FORMATS}
BYTES_FORMATS: Final = {entry.name: entry for entry in _BYTES_FORMATS}
