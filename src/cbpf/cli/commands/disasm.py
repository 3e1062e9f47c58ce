"""cbpf disasm: a program to readable text."""

from __future__ import annotations

import click

import cbpf

from ..options import expression_option, link_type_option, program_or_expression, write_bytes


@click.command("disasm", short_help="A program to readable text.")
@click.argument("program", required=False)
@expression_option
@link_type_option
@click.option(
    "--to", "target_format", type=click.Choice(["asm", "dbg", "go", "tcpdump"]), default="asm", show_default=True
)
@click.option("-w", "target", metavar="FILE", help="Write to FILE instead of standard output.")
def command(
    program: str | None, expression: str | None, link_type: str, target_format: str, target: str | None
) -> None:
    """Show PROGRAM, by default standard input, as assembly with labels."""
    loaded = program_or_expression(program, expression, link_type)
    write_bytes(target, cbpf.render_bytes(loaded, target_format))
