"""cbpf archive filter: copy the packets that a filter accepts from each object of an archive."""

from __future__ import annotations

import cbpf

from ...._typing import Any
from ...archive_options import (
    accept_options,
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
from ...declarations import option, subcommand
from ...failures import UsageError
from ...options import container_options, dialect_option


@subcommand("archive filter", "Copy the accepted packets of each object.")
@source_argument
@accept_options
@outputs_option
@option("--invert", is_flag=True, help="Accept the packets that do not match, and reject the others.")
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
    accept: Any,
    target: str,
    invert: bool,
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
    """Copy the packets that a filter expression (pcap-filter(7)) accepts from each object to one in TARGET.

    Outputs have the names of the objects, relative to SOURCE; for a list or a manifest, their whole paths. Each appears
    when it is complete, and is the capture that cbpf filter writes. The same command continues a run that was
    interrupted, and reads new and replaced objects only. Of a damaged object, the complete packets are filtered; it is
    listed, and the exit code is 2.

    An empty expression ('') accepts all packets. Workers receive programs: an expression is compiled here, for each
    link type that occurs.

    Exit code: 0 success, 2 error, also if an object is damaged or cannot be read.

    \b
      cbpf archive filter '*.pcap' -w out tcp port 443
      cbpf archive filter '*.pcap' -w out --workers 2 tcp port 443
    """
    if accept is None:
        raise UsageError("an EXPRESSION, -F FILE or --program PROGRAM is required; '' accepts all packets")
    report = cbpf.archive.filter(
        source,
        target,
        accept,
        since=since,
        until=until,
        sample=sample,
        seed=seed,
        invert=invert,
        snaplen=snaplen,
        container=container,
        compress=compress,
        dialect=dialect,
        dry_run=dry_run,
        **work,
    )
    return print_report(report, as_json=as_json)
