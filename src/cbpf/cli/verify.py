"""cbpf verify: whether a dialect accepts a program, and every reason why not."""

import click

import cbpf

from .common import dialect_option, read_program


@click.command("verify", short_help="Whether a dialect accepts a program.")
@click.argument("program")
@dialect_option
@click.pass_context
def command(context: click.Context, program: str, dialect: cbpf.Dialect) -> None:
    """Check PROGRAM against a dialect: exit 0 if it is accepted, else 1 with one line a finding on stderr."""
    loaded = read_program(program)
    found = cbpf.findings(loaded, dialect=dialect)
    for finding in found:
        click.echo(f"{program}: {finding}", err=True)
    if found:
        context.exit(1)
    click.echo(f"{program}: {len(loaded)} instructions, accepted by {dialect.name}")
