"""cbpf explain: show how the optimiser changes the program of an expression, with a proof."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

import cbpf

from ..._text import counted, number_range
from ..._typing import Any, Final
from ...packet.packet_text import packet_lines
from ...reporting.clause_output import plain_lines
from ...reporting.optimization_report import Comparison, OptimizationReport, flow_of
from ..declarations import argument, option, subcommand
from ..failures import UNDECIDED, undecided_message
from ..options import (
    dialect_option,
    expression_file_option,
    goal_option,
    json_option,
    link_type_option,
    read_expression,
)
from ..proof_options import timeout_option
from ..streams import echo, echo_json
from ..values import EXPRESSION, FILE

_MAX_CLAUSE: Final = 24  # characters beside an instruction
_GAP: Final = "   "
_INDENT: Final = " " * 13

_ANSWERS: Final = {
    "equal": "identical verdicts on all packets",
    "different": "different verdicts on some packets",
}


@subcommand("explain", "Show how an expression is optimised, with a proof.")
@argument("expression", kind=EXPRESSION, required=False, multiple=True)
@link_type_option
@expression_file_option
@dialect_option
@goal_option
@timeout_option
@option("-w", "target", kind=FILE, help="Write the packet whose verdict libpcap's optimiser changes as a capture.")
@json_option
def command(
    expression: tuple[str, ...],
    link_type: str,
    expression_file: str | None,
    dialect: cbpf.Dialect,
    goal: Any,
    timeout: float,
    target: str | None,
    as_json: bool,
) -> int:
    """Show the plain program of a filter expression with its clauses, and the program as optimised by cbpf.

    Instructions of optimised programs belong to no clause, because one test may serve several clauses.

    Also show the size of the program after each pass, the proof that both programs are equivalent, and whether
    libpcap's own optimiser preserves all verdicts, with a counterexample if it does not. The proofs require the extra
    smt (pip install 'cbpf[smt]').

    Exit code: 0 success, 2 error, 3 one of the proofs has no answer within the time limit.

    \b
      cbpf explain tcp port 80
    """
    text = read_expression(expression, expression_file)
    report = OptimizationReport(text, link_type=link_type, dialect=dialect, goal=goal, timeout=timeout)
    if as_json:
        echo_json(report.as_dict())
    else:
        _print(report, target)
    if target is not None and report.libpcap.difference is not None:
        difference = report.libpcap.difference
        cbpf.write_capture(target, [(difference.packet, difference.wire_length)], link_type=link_type)
    return UNDECIDED if "undecided" in (report.proof.answer, report.libpcap.answer) else 0


def _print(report: OptimizationReport, target: str | None) -> None:
    """Print the two programs, the size after each pass, and the proofs, each when it is made."""
    for line in _listings(report):
        echo(line)
    echo()
    for line in _pass_lines(report):
        echo(line)
    echo()
    echo(f"proof        {_answer(report.proof)}")
    libpcap = report.libpcap
    if libpcap.program is None:
        echo(f"libpcap -O   not compared: {libpcap.error}")
        return
    echo(f"libpcap -O   {counted(len(libpcap.program), 'instruction')}, {_answer(libpcap)}")
    if libpcap.difference is not None:
        _print_difference(libpcap.difference, report.dialect)
        if target is None:
            echo(f"{_INDENT}(-w FILE writes this packet; compare tcpdump -r FILE with and without -O)")


def _answer(comparison: Comparison) -> str:
    """Return an answer in words, with its time or the reason for which it is missing."""
    if comparison.seconds is not None:
        return f"{_ANSWERS[comparison.answer]} ({comparison.seconds * 1e3:.1f} ms)"
    if isinstance(comparison.error, cbpf.Undecided):
        return undecided_message(comparison.error)
    return f"not attempted: {comparison.error}"


def _listings(report: OptimizationReport) -> Iterator[str]:
    """Yield the two listings side by side, below their sizes and path lengths; the plain one with its clauses."""
    mapped, optimized = report.mapped, report.optimized
    headings = [
        f"{name}: {counted(len(program), 'instruction')}, path length {number_range(flow.shortest, flow.longest)}"
        for name, program in (("plain", mapped.program), ("optimised", optimized))
        for flow in [flow_of(program, report.dialect)]
    ]
    listings = [
        list(plain_lines(mapped, _MAX_CLAUSE)),
        cbpf.listing(optimized, dialect=report.dialect).expandtabs(8).split("\n"),
    ]
    width = max(map(len, (headings[0], *listings[0])))
    yield f"{headings[0]:{width}}{_GAP}{headings[1]}"
    for left, right in zip_longest(*listings, fillvalue=""):
        yield f"{left:{width}}{_GAP}{right}".rstrip()


def _pass_lines(report: OptimizationReport) -> Iterator[str]:
    """Yield the size that the program has after each pass, with the change."""
    before = len(report.mapped.program)
    yield f"{before:6,}       plain code"
    for stage in report.stages:
        change = len(stage.program) - before
        yield f"{len(stage.program):6,} {f'{change:+,}' if change else '':>5} {stage.name}"
        before = len(stage.program)


def _print_difference(difference: cbpf.Difference, dialect: cbpf.Dialect) -> None:
    verdicts = (difference.left_verdict, difference.right_verdict)
    plain, libpcap = (cbpf.describe_verdict(verdict, dialect=dialect) for verdict in verdicts)
    echo(f"{_INDENT}plain code {plain}, libpcap's optimised code {libpcap}")
    for line in packet_lines(difference.packet, difference.wire_length, difference.metadata, dialect):
        echo(f"{_INDENT}{line}")
