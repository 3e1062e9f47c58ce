"""cbpf verify: check a program against the rules of a dialect."""

from __future__ import annotations

import cbpf

from ..._text import counted
from ...reporting.documents import verify_document
from ..declarations import argument, subcommand
from ..failures import abridged
from ..options import dialect_option, expression_option, json_option, link_type_option, program_or_expression
from ..streams import echo, echo_json
from ..values import FILE


@subcommand("verify", "Check a program against the rules of a dialect.")
@argument("program", required=False, kind=FILE)
@expression_option
@link_type_option
@dialect_option
@json_option
def command(program: str | None, expression: str | None, link_type: str, dialect: cbpf.Dialect, as_json: bool) -> int:
    """Check PROGRAM, by default read from standard input, against the rules of a dialect.

    Findings are lines on stderr; with --json, they are printed on standard output only.

    Exit code: 0 the dialect accepts the program, 1 it does not, 2 error.

    \b
      cbpf verify --dialect linux filter.c
      cbpf verify -e 'tcp port 80'
    """
    loaded = program_or_expression(program, expression, link_type, dialect)
    name = program if expression is None else f"-e {expression!r}"
    if name is None or name == "-":
        name = "standard input"
    findings = cbpf.findings(loaded, dialect=dialect)
    if as_json:
        echo_json(verify_document(loaded, findings, name=name, dialect=dialect))
        return 1 if findings else 0
    for line in abridged(findings, name):
        echo(line, err=True)
    if not findings:
        echo(f"{name}: {counted(len(loaded), 'instruction')}, accepted by {dialect.name}")
    return 1 if findings else 0
