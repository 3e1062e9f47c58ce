"""cbpf lint: find mistakes in a filter expression that compiles."""

from __future__ import annotations

from collections.abc import Iterator

import cbpf

from ..._text import counted
from ..._typing import Final
from ...packet.packet_text import packet_lines
from ..declarations import argument, option, subcommand
from ..failures import UNDECIDED
from ..options import (
    display_name,
    expression_file_option,
    link_type_option,
    netmask_option,
    new_json_option,
    read_expression,
)
from ..proof_options import new_timeout_option
from ..streams import echo, echo_json
from ..values import EXPRESSION

_FINDINGS: Final = 1
_OUTCOMES: Final = {True: "accepted", False: "rejected"}


@subcommand("lint", "Find mistakes in a filter expression that compiles.")
@argument("expression", kind=EXPRESSION, required=False, multiple=True)
@link_type_option
@expression_file_option
@netmask_option
@option("--all", "show_notes", is_flag=True, help="Show notes as well: properties that nearly all filters have.")
@option("--live", is_flag=True, help="Judge the expression for a live Linux packet socket, as cbpf compile --live.")
@new_timeout_option(10, "Time limit of all comparisons of programs, in seconds.")
@new_json_option("finding")
def command(
    expression: tuple[str, ...],
    link_type: str,
    expression_file: str | None,
    netmask: str | None,
    show_notes: bool,
    live: bool,
    timeout: float,
    as_json: bool,
) -> int:
    """Find parts of a filter expression (pcap-filter(7)) that hardly mean the intention of their author.

    Each finding has the name of its rule and, where there is one, an expression to write instead, with a packet on
    which both differ. The comparisons of programs need the extra smt; without it, the other rules run.

    Exit code: 0 no errors and warnings, 1 errors or warnings, 2 the expression cannot be compiled, or another error,
    3 no errors and warnings within the time limit.

    \b
      cbpf lint tcp port 80
      cbpf lint --all tcp port 80
      cbpf lint 'not port 80 or 443'
    """
    text = read_expression(expression, expression_file)
    findings = cbpf.lint_expression(text, link_type=link_type, netmask=netmask, notes=True, timeout=timeout, live=live)
    shown = [finding for finding in findings if show_notes or finding.severity != "note"]
    dialect = cbpf.LINUX if live else cbpf.PCAP
    for finding in shown:
        if finding.severity == "undecided":
            echo(f"cbpf: {finding.fact}; {finding.rule} [{finding.identifier}]", err=True)
        elif as_json:
            echo_json(finding.as_dict())
        else:
            echo("\n".join(_lines(finding, expression_file, dialect)))
    severities = [finding.severity for finding in findings]
    mistakes = severities.count("error") + severities.count("warning")
    if not as_json:
        echo(_summary(mistakes, len(findings) - len(shown)))
    if mistakes:
        return _FINDINGS
    return UNDECIDED if any(finding.identifier == "time-limit" for finding in findings) else 0


def _lines(finding: cbpf.LintFinding, source: str | None, dialect: cbpf.Dialect) -> Iterator[str]:
    """Yield the text of a finding: its message, its place, and the expression to write instead."""
    yield f"{'expression' if source is None else display_name(source)}: {finding}"
    yield _underlined(finding)
    if finding.suggestion:
        introduction = "is equivalent" if finding.is_equivalent else "write"
        yield f"  {introduction}: {finding.suggestion}"
    packet = finding.difference
    if packet is not None:
        outcomes = [_OUTCOMES[bool(verdict)] for verdict in (packet.left_verdict, packet.right_verdict)]
        yield f"  this packet is {outcomes[0]} as written, and {outcomes[1]} by the suggestion:"
        for line in packet_lines(packet.packet, packet.wire_length, packet.metadata, dialect):
            yield f"  {line}"


def _underlined(finding: cbpf.LintFinding) -> str:
    """Return the line of the finding, with a caret below its beginning, and tildes below the rest and related parts."""
    line, caret = finding.problem.excerpt.split("\n")
    first = len(caret) - 1
    marks = [" "] * max(len(line), len(caret))
    for span in (finding.span, *finding.related):
        start, end = (max(first + offset - finding.span.start, 0) for offset in span)
        marks[start:end] = "~" * (min(end, len(marks)) - start)
    marks[first] = "^"
    return f"{line}\n{''.join(marks).rstrip()}"


def _summary(mistakes: int, hidden: int) -> str:
    """Return the numbers of findings."""
    notes = f"; {counted(hidden, 'note')} with --all" if hidden else ""
    return f"{counted(mistakes, 'mistake') if mistakes else 'no mistakes found'}{notes}"
