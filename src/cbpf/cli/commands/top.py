"""cbpf top: the groups of packets with the most packets or bytes."""

from __future__ import annotations

import cbpf

from ..._typing import Any
from ..capture_options import sample_options, time_options, with_selection
from ..counts_output import print_counts, require_one_form
from ..declarations import option, subcommand
from ..options import as_socket_option, dialect_option, engine_option
from ..table_options import capture_and_filter_options, column_names, column_option
from ..tcpdump_options import TCPDUMP_OPTIONS
from ..values import TEXT, Choice, Integer


@subcommand("top", "Find the largest groups of packets.", foreign_options=TCPDUMP_OPTIONS)
@capture_and_filter_options
@option(
    "--by",
    metavar="NAMES",
    kind=TEXT,
    default="src,dst",
    shows_default=True,
    help="Columns whose values make a group, separated by commas: fields of headers such as src_ip, dst_port and"
    " protocol, src and dst (IPv4 or IPv6), link_type, interface, length, and those of --column.",
)
@column_option
@option(
    "-n", "count", metavar="COUNT", kind=Integer(1, 2**31 - 1), default=20, shows_default=True, help="Groups to print."
)
@option(
    "--sort",
    kind=Choice(("packets", "bytes")),
    default="packets",
    shows_default=True,
    help="Compare groups by the number of packets, or by their bytes on the wire.",
)
@option(
    "--max-groups",
    metavar="N",
    kind=Integer(1, 2**31 - 1),
    default=1_000_000,
    shows_default=True,
    help="Count N groups at a time; if there are more, numbers are approximate, and their errors are printed.",
)
@time_options
@sample_options
@option("--csv", "as_csv", is_flag=True, help="Print the groups as CSV (RFC 4180).")
@option("--json", "as_json", is_flag=True, help="Print the groups as one line of JSON.")
@dialect_option
@engine_option
@as_socket_option
@with_selection
def command(
    captures: list[str],
    accept: Any,
    by: str,
    define: dict[str, Any],
    count: int,
    sort: Any,
    max_groups: int,
    as_csv: bool,
    as_json: bool,
    selection: dict[str, Any],
) -> int:
    """Find the groups of packets with the most packets or bytes, among those that an expression accepts.

    CAPTURE is a file, - for standard input. With -r, which may be repeated, all arguments are the expression.

    A group is the packets with the same values of the columns of --by; it has - in place of the values of headers that
    its packets lack. Numbers are exact for up to --max-groups groups. If there are more, the algorithm Space-Saving
    counts the largest ones, and the largest possible error of each number is printed. Requires cbpf[arrow].

    Exit code: 0 success, 2 error, also if a capture is damaged.

    \b
      cbpf top in.pcap --by src,dst -n 20
      cbpf top in.pcap --by dst_port --sort bytes --csv tcp
    """
    require_one_form(as_csv=as_csv, as_json=as_json)
    groups = cbpf.arrow.top(
        captures,
        column_names(by),
        count=count,
        sort=sort,
        filter=accept,
        define=define,
        max_groups=max_groups,
        **selection,
    )
    return print_counts(groups, _print_csv, as_csv=as_csv, as_json=as_json)


def _print_csv(groups: cbpf.arrow.TopGroups) -> None:
    import csv
    import sys

    rows = csv.writer(sys.stdout)
    numbers = ("packets", "packets_share", "packets_error", "bytes", "bytes_share", "bytes_error")
    rows.writerow((*groups.by, *numbers))
    for group in groups.as_dict()["groups"]:
        rows.writerow((*map(_csv_value, group["key"].values()), *(group[name] for name in numbers)))


def _csv_value(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
