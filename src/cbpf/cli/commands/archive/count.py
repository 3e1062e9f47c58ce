"""cbpf archive count: the numbers of packets of an archive, by filter and interval of time."""

from __future__ import annotations

import cbpf

from ...._typing import Any
from ...archive_options import (
    accept_options,
    dry_run_option,
    json_option,
    period_options,
    print_report,
    source_argument,
    work_options,
)
from ...counts_output import csv_option, require_one_form
from ...declarations import option, subcommand
from ...failures import UsageError
from ...options import dialect_option
from ...values import EXPRESSION, TEXT


@subcommand("archive count", "Count packets of objects by filter and time.")
@source_argument
@accept_options
@option(
    "-e",
    "expressions",
    metavar="EXPRESSION",
    kind=EXPRESSION,
    multiple=True,
    help="Count the packets that EXPRESSION accepts; may be repeated, for counts side by side.",
)
@option(
    "--every", metavar="DURATION", kind=TEXT, help="Count by intervals of this length, such as 100ms, 90s or 1h30m."
)
@period_options
@work_options
@dialect_option
@dry_run_option
@csv_option
@json_option
def command(
    source: str,
    accept: Any,
    expressions: tuple[str, ...],
    every: str | None,
    since: str | None,
    until: str | None,
    dialect: Any,
    dry_run: bool,
    as_csv: bool,
    as_json: bool,
    work: dict[str, Any],
) -> int:
    """Count the packets of all objects that SOURCE names, or those that filter expressions (pcap-filter(7)) accept.

    SOURCE is a path or URL of an object or a folder, a pattern, the beginning of names, @ and the path of a list of
    these, or a manifest. Without an EXPRESSION, and for whole minutes, a manifest has the answer, and no object is
    read.

    Exit code: 0 success, 2 error, also if an object is damaged or cannot be read.

    \b
      cbpf archive count '*.pcap' --every 1m tcp port 443
      cbpf archive count '*.pcap' -e 'tcp port 443' -e arp --every 1m --csv
      cbpf archive count '*.pcap' --since 2026-11-20T17:59:00Z --json
    """
    require_one_form(as_csv=as_csv, as_json=as_json)
    if as_csv and dry_run:
        raise UsageError("--csv cannot be combined with --dry-run, which counts nothing")
    if expressions and accept is not None:
        raise UsageError("-e cannot be combined with EXPRESSION, -F, --program, --hosts or --ports")
    filters = expressions if accept is None or accept == "" else (accept,)
    report = cbpf.archive.count(
        source, *filters, every=every, since=since, until=until, dialect=dialect, dry_run=dry_run, **work
    )
    return print_report(report, as_json=as_json, as_csv=as_csv)
