"""cbpf seccomp audit: the weaknesses of a filter, each with a call that shows it."""

from __future__ import annotations

import json

import cbpf

from ...._typing import Final
from ...declarations import argument, option, subcommand
from ...seccomp_sources import FilterReader, FilterSource, Words, filter_options
from ...streams import echo
from ...values import FILE, Choice

_SEVERITIES: Final = ("low", "medium", "high")


@subcommand("seccomp audit", "Find the weaknesses of a filter of system calls.")
@argument("filters", kind=FILE, required=False, multiple=True, divided=True, metavar="[FILTER]... [-- COMMAND...]")
@filter_options
@option(
    "--ignore",
    "ignored",
    metavar="ID",
    multiple=True,
    help="Ignore findings with this identifier, or all findings of a rule, such as escape; may be repeated.",
)
@option(
    "--severity",
    kind=Choice(_SEVERITIES),
    default="low",
    shows_default=True,
    help="Report findings of this severity, and more severe ones.",
)
@option("--on-kernel", is_flag=True, help="Also report actions that the kernel of this machine does not know.")
@option("--json", "as_json", is_flag=True, help="Print one line of JSON per finding.")
def command(
    filters: Words, reader: FilterReader, ignored: tuple[str, ...], severity: str, on_kernel: bool, as_json: bool
) -> int:
    """Print the weaknesses of FILTER, by default read from standard input, and its parts without effect.

    The rules examine the exact policy. The lines after a finding are a call that was evaluated, a call that is denied
    although it does the same, and the remedy. A call that runs is reported if it leads out of a sandbox; whether the
    process needs it is for you to decide. Names of calls need the extra seccomp.

    Exit code: 0 nothing was found, 1 something was found, 2 error, 3 undecided.

    \b
      cbpf seccomp audit profile.json
      cbpf seccomp audit --severity high --ignore escape:ptrace profile.json
      cbpf seccomp audit --json profile.json
    """
    sources = reader.each(filters)
    found = False
    for index, source in enumerate(sources):
        findings = _findings(source, reader, ignored, severity, on_kernel)
        found = found or bool(findings)
        if len(sources) > 1 and not as_json:
            echo(("\n" if index else "") + source.name)
        for finding in findings:
            echo(json.dumps(finding.as_dict()) if as_json else finding)
    if not found and not as_json:
        echo("no findings")
    return 1 if found else 0


def _findings(
    source: FilterSource, reader: FilterReader, ignored: tuple[str, ...], severity: str, on_kernel: bool
) -> list[cbpf.seccomp.AuditFinding]:
    """Return the findings about a filter that are severe enough and not ignored."""
    severe = _SEVERITIES[_SEVERITIES.index(severity) :]
    findings = cbpf.seccomp.audit(source.filter, architecture=reader.architecture, ignore=ignored, on_kernel=on_kernel)
    return [finding for finding in findings if finding.severity in severe]
