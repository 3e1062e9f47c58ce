"""cbpf convert: convert a program to another format."""

from __future__ import annotations

import cbpf

from ..declarations import argument, option, subcommand
from ..options import (
    expression_option,
    format_choice,
    program_source,
    target_format_option,
    target_option,
    write_bytes,
)
from ..values import FILE, LINK_TYPE


@subcommand("convert", "Convert a program to another format.")
@argument("program", required=False, kind=FILE)
@expression_option
@option(
    "-y",
    "link_type",
    kind=LINK_TYPE,
    shows_default="RAW with --to iptables, else EN10MB",
    help="Link type for EXPRESSION: a name, or a LINKTYPE number such as 1.",
)
@option(
    "--from",
    "source_format",
    metavar="FORMAT",
    kind=format_choice,
    help="Input format, one of those of --to; detected by default.",
)
@target_format_option("asm")
@target_option
def command(
    program: str | None,
    expression: str | None,
    link_type: str | None,
    source_format: str | None,
    target_format: str,
    target: str | None,
) -> None:
    """Write PROGRAM, by default read from standard input, in another format.

    \b
      cbpf convert --to json filter.c
      cbpf convert --to go -e 'udp port 53'
    """
    source = program_source(program, expression, source_format or "auto")
    write_bytes(target, cbpf.render_bytes(source, target_format, link_type=link_type))
