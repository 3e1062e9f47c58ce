"""cbpf verify: check a program against the rules of a dialect."""

from __future__ import annotations

import click

import cbpf

from ...reporting.packet_output import counted
from ..options import dialect_option, expression_option, link_type_option, program_or_expression
from ..values import FILE


@click.command("verify", short_help="Check a program against the rules of a dialect.")
@click.argument("program", required=False, type=FILE)
@expression_option
@link_type_option
@dialect_option
@click.pass_context
def command(
    context: click.Context, program: str | None, expression: str | None, link_type: str, dialect: cbpf.Dialect
) -> None:
    """Check PROGRAM, by default read from standard input, against the rules of a dialect.

    Exit code: 0 the dialect accepts the program, 1 it does not, with one line per finding on stderr, 2 error.

    \b
      cbpf verify --dialect linux filter.c
      cbpf verify -e 'tcp port 80'
    """
    loaded = program_or_expression(program, expression, link_type, dialect)
    name = program if expression is None else f"-e {expression!r}"
    if name is None or name == "-":
        name = "standard input"
    findings = cbpf.findings(loaded, dialect=dialect)
    for finding in findings:
        click.echo(f"{name}: {finding}", err=True)
    if findings:
        context.exit(1)
    click.echo(f"{name}: {counted(len(loaded), 'instruction')}, accepted by {dialect.name}")
