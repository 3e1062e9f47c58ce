"""cbpf archive filter: copy the packets that a filter accepts from each object of an archive."""

from __future__ import annotations

import cbpf

from ...._typing import Any
from ...archive_options import (
    accept_options,
    copy_options,
    json_option,
    outputs_option,
    print_report,
    source_argument,
)
from ...declarations import option, subcommand
from ...failures import UsageError


@subcommand("archive filter", "Copy the accepted packets of each object.")
@source_argument
@accept_options
@outputs_option
@option("--invert", is_flag=True, help="Accept the packets that do not match, and reject the others.")
@copy_options
@json_option
def command(
    source: str,
    accept: Any,
    target: str,
    invert: bool,
    as_json: bool,
    copying: dict[str, Any],
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
        invert=invert,
        **copying,
    )
    return print_report(report, as_json=as_json)
