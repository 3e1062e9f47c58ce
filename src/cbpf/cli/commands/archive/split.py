"""cbpf archive split: apply several filters to each object of an archive in one pass."""

from __future__ import annotations

import cbpf

from ...._typing import Any
from ...archive_options import (
    copy_options,
    json_option,
    outputs_option,
    print_report,
    source_argument,
)
from ...declarations import argument, option, subcommand
from ...options import read_route
from ...values import ROUTE, TEXT


@subcommand("archive split", "Sort the packets of each object by filters, in one pass.")
@source_argument
@argument("routes", metavar="EXPRESSION=FOLDER...", kind=ROUTE, multiple=True, required=True)
@outputs_option
@option("--rest", metavar="FOLDER", kind=TEXT, help="Write the packets that no expression accepts to FOLDER.")
@copy_options
@json_option
def command(
    source: str,
    routes: tuple[str, ...],
    target: str,
    rest: str | None,
    as_json: bool,
    copying: dict[str, Any],
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
        **copying,
    )
    return print_report(report, as_json=as_json)
