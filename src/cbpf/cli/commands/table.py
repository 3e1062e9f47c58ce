"""cbpf table: packets of captures as a table."""

from __future__ import annotations

import sys

import cbpf

from ..._text import counted
from ..._typing import Any
from ..capture_options import sample_options, time_options, with_selection
from ..declarations import option, subcommand
from ..failures import UsageError
from ..options import as_socket_option, dialect_option, display_name, engine_option
from ..streams import echo
from ..table_options import capture_and_filter_options, column_names, column_option
from ..tcpdump_options import TCPDUMP_OPTIONS
from ..values import FILE, TEXT, Choice, Integer

_BINARY = ("parquet", "arrow", "arrows")


@subcommand("table", "Write packets as a table: Parquet, Arrow, CSV, JSON.", foreign_options=TCPDUMP_OPTIONS)
@capture_and_filter_options
@option(
    "-w",
    "target",
    kind=FILE,
    help="Table to write, - for standard output (the default).",
)
@option(
    "--to",
    "format",
    metavar="FORMAT",
    kind=Choice((*_BINARY, "csv", "jsonl", "text")),
    help="Format: parquet, arrow (a file), arrows (a stream), csv, jsonl or text. By default, the suffix of -w decides;"
    " it is text on standard output.",
)
@option(
    "--columns",
    metavar="NAMES",
    kind=TEXT,
    help="Columns, separated by commas, in their order: number, time, length, captured, interface, link_type, data,"
    " fields of headers such as src_ip and dst_port, src and dst (IPv4 or IPv6), and those of --column.",
)
@column_option
@option("-c", "count", metavar="COUNT", kind=Integer(1), help="Stop after COUNT packets.")
@time_options
@sample_options
@option("-q", "--quiet", is_flag=True, help="Do not print the number of packets on stderr.")
@dialect_option
@engine_option
@as_socket_option
@option("-n", is_flag=True, expose_value=False, help="Accepted for tcpdump compatibility; has no effect.")
@with_selection
def command(
    captures: list[str],
    accept: Any,
    target: str | None,
    format: Any,
    columns: str | None,
    define: dict[str, Any],
    count: int | None,
    quiet: bool,
    selection: dict[str, Any],
) -> None:
    """Write the packets that a filter expression (pcap-filter(7)) accepts as a table, with a row for each.

    CAPTURE is a file, - for standard input. With -r, which may be repeated, all arguments are the expression.

    Parquet and Arrow files have typed columns, by default those of the capture with the bytes of the packets; Python
    can make a capture of them. In CSV, JSON lines and text, addresses, times (UTC) and bytes are text. A value is null
    where a packet lacks the header: an empty field in CSV, - in text. A file appears when it is complete; if a capture
    is damaged, it has the complete packets. Requires cbpf[arrow].

    \b
      cbpf table in.pcap -w out.parquet
      cbpf table in.pcap -w dns.csv --columns time,src,dst,length udp port 53
      cbpf table in.pcap -c 5 --columns time,src_ip,dns --column dns='port 53'
    """
    chosen: Any = format or ("text" if target in (None, "-") else None)
    destination = "-" if target is None else target
    is_shown = destination == "-" and sys.stdout.isatty()
    if is_shown and chosen in _BINARY:
        raise UsageError(f"standard output is a terminal; give -w FILE or another format than {chosen}")
    names = None if columns is None else column_names(columns)
    if names is not None:
        names += [name for name in define if name not in names]
    rows = cbpf.arrow.write_table(
        captures,
        destination,
        format=chosen,
        columns=names,
        define=define,
        filter=accept,
        count=count,
        width=_terminal_width() if is_shown and chosen == "text" else None,
        **selection,
    )
    if destination != "-" and not quiet:
        echo(f"{counted(rows, 'packet')} written to {display_name(destination)}", err=True)


def _terminal_width() -> int:
    import shutil

    return shutil.get_terminal_size().columns
