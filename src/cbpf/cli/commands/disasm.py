"""cbpf disasm: disassemble a program."""

from __future__ import annotations

import cbpf

from ..declarations import argument, subcommand
from ..options import (
    expression_option,
    link_type_option,
    program_or_expression,
    target_format_option,
    target_option,
    write_bytes,
)
from ..values import FILE, Choice


@subcommand("disasm", "Disassemble a program.")
@argument("program", required=False, kind=FILE)
@expression_option
@link_type_option
@target_format_option("asm", Choice(("asm", "dbg", "go", "tcpdump")))
@target_option
def command(
    program: str | None, expression: str | None, link_type: str, target_format: str, target: str | None
) -> None:
    """Print PROGRAM, by default read from standard input, as assembly with labels.

    \b
      cbpf disasm filter.c
      cbpf disasm --to tcpdump -e 'tcp port 80'
    """
    loaded = program_or_expression(program, expression, link_type)
    write_bytes(target, cbpf.render_bytes(loaded, target_format))
