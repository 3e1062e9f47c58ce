"""cbpf print: packets of captures as text."""

from __future__ import annotations

from itertools import islice

import cbpf

from ..._typing import Any, Final
from ...packet.packet_text import dump
from ...reporting.packet_line import TIMES, PacketPrinter
from ..capture_options import filter_options, time_options
from ..declarations import option, subcommand
from ..failures import UsageError
from ..options import dialect_option, engine_option
from ..tcpdump_options import TCPDUMP_OPTIONS
from ..values import Choice, Integer

_OPTIONS: Final = {
    "--hex prints the bytes of packets": "-x -X -A",
    "--time is the form of the time": "-t",
    "--json prints all fields": "-e -v -S --number",
}
"""The options of tcpdump for printing that this command does not have, by the alternative."""


@subcommand("print", "Print packets, one per line.", foreign_options=_OPTIONS | TCPDUMP_OPTIONS)
@filter_options
@option("-c", "count", metavar="COUNT", kind=Integer(1), help="Stop after COUNT packets.")
@option("--hex", "with_bytes", is_flag=True, help="Print the bytes of each packet below its line.")
@option("--json", "as_json", is_flag=True, help="Print a JSON object per packet, one per line.")
@option(
    "--time",
    kind=Choice(TIMES),
    shows_default="clock, or date with --json",
    help="Time to print: of the day or with the date (UTC), seconds since 1970, or since the first or previous packet.",
)
@time_options
@dialect_option
@engine_option
@option("-l", "by_line", is_flag=True, help="Write each line at once, for a live pipe; without it, output is buffered.")
@option("-n", is_flag=True, expose_value=False, help="Accepted for tcpdump compatibility; names are never looked up.")
def command(
    captures: list[str],
    accept: Any,
    count: int | None,
    with_bytes: bool,
    as_json: bool,
    time: str | None,
    since: str | None,
    until: str | None,
    by_line: bool,
    dialect: cbpf.Dialect,
    engine: Any,
) -> None:
    """Print the packets that a filter expression (pcap-filter(7)) accepts, one per line.

    A line has the fields that tcpdump -n prints of Ethernet, ARP, IP, ICMP, TCP and UDP: times, addresses with ports,
    flags, and the length of the payload. [|TCP] marks a header that was not captured completely. The content of DNS
    messages requires cbpf[print].

    \b
      cbpf print -r in.pcap 'tcp port 443'
      cbpf print -r in.pcap --json -c 10 udp port 53
    """
    if with_bytes and as_json:
        raise UsageError("--hex and --json are mutually exclusive")
    printer = PacketPrinter(time or ("date" if as_json else "clock"))
    remaining = count
    for source in captures:
        with cbpf.read_capture(
            source, filter=accept, since=since, until=until, engine=engine, dialect=dialect
        ) as capture:
            for packet in islice(capture, remaining):
                interface = capture.interfaces[packet.interface]
                line = printer.json(packet, interface) if as_json else printer.text(packet, interface)
                lines = [line, *dump(packet.data)] if with_bytes else [line]
                print(*lines, sep="\n", flush=by_line)
                remaining = None if remaining is None else remaining - 1
