"""cbpf optimize: shorten a program without changing its verdict on any packet."""

from __future__ import annotations

from time import perf_counter

import cbpf

from ..._text import counted
from ..._typing import Any
from ...reporting.optimization_report import flow_of
from ..declarations import argument, option, subcommand
from ..options import (
    dialect_option,
    expression_option,
    goal_option,
    link_type_option,
    program_or_expression,
    target_format_option,
    target_option,
    write_bytes,
)
from ..proof_options import timeout_option
from ..streams import echo
from ..values import FILE


@subcommand("optimize", "Shorten a program without changing its verdicts.")
@argument("program", required=False, kind=FILE)
@expression_option
@link_type_option
@dialect_option
@goal_option
@option(
    "--prove",
    is_flag=True,
    help="Prove that the result is equivalent; requires the extra smt (pip install 'cbpf[smt]').",
)
@timeout_option
@target_format_option("asm")
@target_option
def command(
    program: str | None,
    expression: str | None,
    link_type: str,
    dialect: cbpf.Dialect,
    goal: Any,
    prove: bool,
    timeout: float,
    target_format: str,
    target: str | None,
) -> None:
    """Optimise PROGRAM, by default read from standard input, for size or for speed.

    The result gives the same verdict on every packet, including truncated ones, under the rules of the dialect. The
    size and the longest path before and after are printed on stderr.

    Exit code: 0 success, 2 error, 3 --prove has no answer within the time limit, and nothing is written.

    \b
      cbpf optimize filter.c
      cbpf optimize --prove --to c -w shorter.c filter.c
    """
    plain = program_or_expression(program, expression, link_type, optimizer=None)
    started = perf_counter()
    optimized = cbpf.optimize(plain, dialect=dialect, goal=goal, prove=prove, timeout=timeout)
    seconds = perf_counter() - started
    write_bytes(target, cbpf.render_bytes(optimized, target_format))
    longest = [flow_of(program, dialect).longest for program in (plain, optimized)]
    echo(
        f"{counted(len(plain), 'instruction')}, now {len(optimized):,};"
        f" longest path {longest[0]:,}, now {longest[1]:,};"
        f" {seconds * 1e3:.0f} ms{', proved equivalent' if prove else ''}",
        err=True,
    )
    limit = dialect.longest
    if limit is not None and len(optimized) > limit:
        echo(f"cbpf: warning: {dialect.name} accepts at most {limit:,} instructions", err=True)
