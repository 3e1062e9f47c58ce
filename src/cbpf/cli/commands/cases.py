"""cbpf cases: generate test packets that cover a program."""

from __future__ import annotations

from collections.abc import Iterator

import cbpf

from ..._text import counted
from ..._typing import Any
from ...packet.packet_text import changed_metadata
from ..declarations import argument, option, subcommand
from ..options import dialect_option, expression_option, link_type_option, program_or_expression
from ..proof_options import proof_options
from ..streams import echo
from ..values import FILE


@subcommand("cases", "Generate test packets that cover a program.")
@argument("program", required=False, kind=FILE)
@expression_option
@link_type_option
@dialect_option
@proof_options
@option("-w", "target", kind=FILE, help="Write the packets as a capture instead of listing them.")
def command(
    program: str | None,
    expression: str | None,
    link_type: str,
    dialect: cbpf.Dialect,
    target: str | None,
    **limits: Any,
) -> None:
    """Generate packets that cover every instruction, both outcomes of every branch and the bounds of every load.

    PROGRAM is by default read from standard input. Each packet is listed with its verdict and with the reasons for its
    choice, by the indices of instructions: "runs 2" (instruction 2 is executed), "1 is true" or "1 is false" (the
    outcome of its test), "0 just fits" (the packet ends directly after the bytes that it loads), "0 lacks a byte" (the
    packet ends one byte earlier). With -e, the last lines show the outcomes of each clause on these packets. `cbpf run
    PROGRAM cases.pcap` prints the verdicts on a capture written by -w.

    Exit code: 0 success, 2 error, 3 undecided within the time limit.

    \b
      cbpf cases -e 'tcp port 80'
      cbpf cases -w cases.pcap filter.c
    """
    loaded = program_or_expression(program, expression, link_type)
    cases = cbpf.cases(loaded, dialect=dialect, **limits)
    if target is not None:
        cbpf.write_capture(target, [(case.packet, case.wire_length) for case in cases], link_type=link_type)
        _warn_of_metadata(cases)
        return
    for number, case in enumerate(cases, 1):
        echo(f"{number}: {case.describe(dialect=dialect)}")
    if expression is not None:
        for line in _clause_lines(cbpf.clause_coverage(expression, cases, link_type=link_type)):
            echo(line)


def _clause_lines(coverage: tuple[cbpf.ClauseCoverage, ...]) -> Iterator[str]:
    """Yield a line for each clause: the number of packets with each outcome."""
    for clause in coverage:
        counts = {
            "true": clause.true,
            "false": clause.false,
            "with bytes missing": clause.ended,
            "not evaluated": clause.not_evaluated,
        }
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
        yield f"clause {clause.text}: {outcomes}"


def _warn_of_metadata(cases: tuple[cbpf.Case, ...]) -> None:
    count = sum(1 for case in cases if changed_metadata(case.metadata))
    if count:
        echo(f"cbpf: warning: the metadata of {counted(count, 'packet')} cannot be stored in a capture", err=True)
