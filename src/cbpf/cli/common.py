"""What several subcommands share: programs from files, expressions from words or a file, common options."""

import sys
from pathlib import Path
from typing import Final, get_args

import click

import cbpf


def _dialect(context: click.Context, parameter: click.Parameter, name: str) -> cbpf.Dialect:
    return cbpf.DIALECTS[name]


dialect_option: Final = click.option(
    "--dialect",
    type=click.Choice(list(cbpf.DIALECTS)),
    default="pcap",
    show_default=True,
    callback=_dialect,
    help="Whose rules and whose arithmetic.",
)

engine_option: Final = click.option(
    "--engine",
    type=click.Choice(get_args(cbpf.EngineName)),
    default="auto",
    show_default=True,
    help="What runs the program.",
)

expression_file_option: Final = click.option(
    "-F", "expression_file", metavar="FILE", help="Read the expression from FILE; no expression may be given."
)


def read_bytes(path: str) -> bytes:
    """A whole file, or standard input for "-"."""
    if not path:
        raise click.UsageError("an empty name names no file")
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def read_program(path: str) -> cbpf.Program:
    """The program in a file; errors begin with its name."""
    try:
        return cbpf.parse(read_bytes(path))
    except cbpf.CbpfError as error:
        raise cbpf.ProgramFormatError(f"{path}: {error}") from None


def read_expression(words: tuple[str, ...], expression_file: str | None) -> str:
    """The expression of the command line, or of -F FILE."""
    if expression_file is None:
        return " ".join(words)
    if words:
        raise click.UsageError("an expression and -F FILE exclude each other")
    try:
        return read_bytes(expression_file).decode().strip()
    except UnicodeDecodeError as error:
        raise cbpf.ExpressionError(f"{expression_file}: byte {error.start} is not UTF-8 text") from None
