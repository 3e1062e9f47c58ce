"""cbpf optimize: a shorter program with the same verdict on every packet."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import click

import cbpf

from ..options import (
    dialect_option,
    expression_option,
    flow_of,
    format_choice,
    goal_option,
    link_type_option,
    plain_program,
    write_bytes,
)


@click.command("optimize", short_help="A shorter program with the same verdicts.")
@click.argument("program", required=False)
@expression_option
@link_type_option
@dialect_option
@goal_option
@click.option("--prove", is_flag=True, help="Prove that the result is equal; needs the extra smt.")
@click.option("--to", "target_format", type=format_choice, default="asm", show_default=True)
@click.option("-w", "target", metavar="FILE", help="Write to FILE instead of standard output.")
def command(
    program: str | None,
    expression: str | None,
    link_type: str,
    dialect: cbpf.Dialect,
    goal: Any,
    prove: bool,
    target_format: str,
    target: str | None,
) -> None:
    """Write PROGRAM, by default standard input, as short as it can be made, or as fast.

    The result gives the same verdict on every packet, however short, under the rules of the dialect. What was reached
    is told on standard error.
    """
    plain = plain_program(program, expression, link_type)
    started = perf_counter()
    found = cbpf.optimize(plain, dialect=dialect, goal=goal, prove=prove)
    seconds = perf_counter() - started
    write_bytes(target, cbpf.render_bytes(found, target_format))
    longest = [flow_of(one, dialect).longest for one in (plain, found)]
    click.echo(
        f"{len(plain):,} instructions, now {len(found):,}; longest path {longest[0]:,}, now {longest[1]:,};"
        f" {seconds * 1e3:.0f} ms{', proved equal' if prove else ''}",
        err=True,
    )
    limit = dialect.longest
    if limit is not None and len(found) > limit:
        click.echo(f"cbpf: warning: {dialect.name} takes at most {limit:,} instructions", err=True)
