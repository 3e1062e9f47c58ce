"""cbpf archive split: apply several filters to each object of an archive in one pass."""

from __future__ import annotations

import cbpf

from ...._typing import Any
from ...archive_options import (
    compress_outputs_option,
    dry_run_option,
    json_option,
    outputs_option,
    period_options,
    print_report,
    source_argument,
    work_options,
)
from ...capture_options import sample_options, snaplen_option
from ...declarations import argument, option, subcommand
from ...options import container_options, dialect_option, read_route
from ...values import ROUTE, TEXT


@subcommand("archive split", "Sort the packets of each object by filters, in one pass.")
@source_argument
@argument("routes", metavar="EXPRESSION=FOLDER...", kind=ROUTE, multiple=True, required=True)
@outputs_option
@option("--rest", metavar="FOLDER", kind=TEXT, help="Write the packets that no expression accepts to FOLDER.")
@period_options
@sample_options
@snaplen_option
@container_options
@compress_outputs_option
@dialect_option
@work_options
@dry_run_option
@json_option
def command(
    source: str,
    routes: tuple[str, ...],
    target: str,
    rest: str | None,
    since: str | None,
    until: str | None,
    sample: int | None,
    seed: int,
    snaplen: int | None,
    container: Any,
    compress: str | None,
    dialect: cbpf.Dialect,
    dry_run: bool,
    as_json: bool,
    work: dict[str, Any],
) -> int:
    """Copy the packets of each object that each EXPRESSION accepts to its FOLDER in TARGET.

    Each argument is split at its last =. A packet goes to the output of every expression that accepts it. The outputs
    of an expression are those of cbpf archive filter, in its folder.

    Exit code: 0 success, 2 error, also if an object is damaged or cannot be read.

    \b
      cbpf archive split '*.pcap' -w out 'port 53=dns' arp=arp --rest other
    """
    report = cbpf.archive.split(
        source,
        target,
        [read_route(text, "FOLDER") for text in routes],
        rest=rest,
        since=since,
        until=until,
        sample=sample,
        seed=seed,
        snaplen=snaplen,
        container=container,
        compress=compress,
        dialect=dialect,
        dry_run=dry_run,
        **work,
    )
    return print_report(report, as_json=as_json)
