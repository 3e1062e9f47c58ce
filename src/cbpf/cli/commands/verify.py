"""cbpf verify: whether a dialect accepts a program, and every reason why not."""

from __future__ import annotations

import click

import cbpf

from ..options import dialect_option, expression_option, link_type_option, program_or_expression


@click.command("verify", short_help="Whether a dialect accepts a program.")
@click.argument("program", required=False)
@expression_option
@link_type_option
@dialect_option
@click.pass_context
def command(
    context: click.Context, program: str | None, expression: str | None, link_type: str, dialect: cbpf.Dialect
) -> None:
    """Check PROGRAM against a dialect: exit 0 if it is accepted, else 1 with one line a finding on stderr."""
    loaded = program_or_expression(program, expression, link_type, dialect)
    name = program if expression is None else f"-e {expression!r}"
    if name is None or name == "-":
        name = "standard input"
    found = cbpf.findings(loaded, dialect=dialect)
    for finding in found:
        click.echo(f"{name}: {finding}", err=True)
    if found:
        context.exit(1)
    click.echo(f"{name}: {len(loaded)} instructions, accepted by {dialect.name}")
