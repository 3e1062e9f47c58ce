"""cbpf convert: a program from any notation to any other."""

from __future__ import annotations

import click

import cbpf

from ..options import (
    expression_option,
    format_choice,
    link_type_option,
    program_or_expression,
    read_program,
    write_bytes,
)


@click.command("convert", short_help="A program from any notation to any other.")
@click.argument("program", required=False)
@expression_option
@link_type_option
@click.option("--from", "source_format", type=format_choice, help="By default PROGRAM is looked at.")
@click.option("--to", "target_format", type=format_choice, default="asm", show_default=True)
@click.option("-w", "target", metavar="FILE", help="Write to FILE instead of standard output.")
def command(
    program: str | None,
    expression: str | None,
    link_type: str,
    source_format: str | None,
    target_format: str,
    target: str | None,
) -> None:
    """Write PROGRAM, by default standard input, in another notation."""
    if source_format is not None and expression is None:
        loaded = read_program("-" if program is None else program, source_format)
    else:
        loaded = program_or_expression(program, expression, link_type)
    write_bytes(target, cbpf.render_bytes(loaded, target_format))
