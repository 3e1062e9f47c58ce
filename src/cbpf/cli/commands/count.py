"""cbpf count: the numbers of packets of captures, by filter, interval of time and link type."""

from __future__ import annotations

import cbpf

from ..._typing import Any
from ..capture_options import filter_options, sample_options, time_options, with_selection
from ..counts_output import csv_option, print_counts, require_one_form, write_csv
from ..declarations import option, subcommand
from ..failures import UsageError
from ..options import as_socket_option, dialect_option, engine_option
from ..progress import progress_bar, with_progress
from ..tcpdump_options import TCPDUMP_OPTIONS
from ..values import EXPRESSION, TEXT, Choice


@subcommand("count", "Count packets by filter, time and link type.", foreign_options=TCPDUMP_OPTIONS)
@filter_options
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
@option("--by", kind=Choice(("link_type",)), help="Count by link type.")
@time_options
@sample_options
@csv_option
@option("--json", "as_json", is_flag=True, help="Print the counts as one line of JSON.")
@with_progress
@dialect_option
@engine_option
@as_socket_option
@with_selection
def command(
    captures: list[str],
    accept: Any,
    expressions: tuple[str, ...],
    every: str | None,
    by: Any,
    as_csv: bool,
    as_json: bool,
    no_progress: bool,
    quiet: bool,
    selection: dict[str, Any],
) -> int:
    """Count the packets and bytes that filter expressions (pcap-filter(7)) accept, or those of all packets.

    Intervals begin at multiples of their length since 1970 (UTC). Intervals in which no filter accepts a packet are
    left out of the table; the sparkline of a filter, below it, has a gap for each without a packet.

    Exit code: 0 success, 2 error, also if a capture is damaged.

    \b
      cbpf count -r in.pcap --every 1m 'tcp port 443'
      cbpf count -r in.pcap -e tcp -e udp -e icmp --csv
    """
    require_one_form(as_csv=as_csv, as_json=as_json)
    if expressions and accept != "":
        raise UsageError("-e cannot be combined with EXPRESSION, -F, --program, --hosts or --ports")
    with progress_bar(captures, hidden=quiet or no_progress) as progress:
        counts = cbpf.count_packets(
            captures,
            *(expressions or (accept,)),
            every=every,
            by=by,
            progress=progress,
            **selection,
        )
    return print_counts(counts, write_csv, as_csv=as_csv, as_json=as_json)
