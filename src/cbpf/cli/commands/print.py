"""cbpf print: packets of captures as text."""

from __future__ import annotations

from itertools import islice

import cbpf

from ..._typing import Any
from ..capture_options import filter_options, sample_options, time_options, with_selection
from ..declarations import option, subcommand
from ..options import as_socket_option, dialect_option, engine_option
from ..packet_lines import FOREIGN_LINE_OPTIONS, PacketLines, line_options
from ..tcpdump_options import TCPDUMP_OPTIONS
from ..values import Integer


@subcommand("print", "Print packets, one per line.", foreign_options=FOREIGN_LINE_OPTIONS | TCPDUMP_OPTIONS)
@filter_options
@option("-c", "count", metavar="COUNT", kind=Integer(1), help="Stop after COUNT packets.")
@line_options
@time_options
@sample_options
@dialect_option
@engine_option
@as_socket_option
@option("-l", "by_line", is_flag=True, help="Write each line at once, for a live pipe; without it, output is buffered.")
@option("-n", is_flag=True, expose_value=False, help="Accepted for tcpdump compatibility; names are never looked up.")
@with_selection
def command(
    captures: list[str],
    accept: Any,
    count: int | None,
    lines_of: PacketLines,
    by_line: bool,
    selection: dict[str, Any],
) -> None:
    """Print the packets that a filter expression (pcap-filter(7)) accepts, one per line.

    A line has the fields that tcpdump -n prints of Ethernet, ARP, IP, ICMP, TCP and UDP: times, addresses with ports,
    flags, and the length of the payload. [|TCP] marks a header that was not captured completely. The content of DNS
    messages requires cbpf[print].

    \b
      cbpf print -r in.pcap 'tcp port 443'
      cbpf print -r in.pcap --sample 1/100 --since +10s tcp
      cbpf print -r in.pcap --json -c 10 udp port 53
    """
    remaining = count
    for source in captures:
        with cbpf.read_capture(source, filter=accept, **selection) as capture:
            for packet in islice(capture, remaining):
                lines = lines_of(packet, capture.interfaces[packet.interface])
                print(*lines, sep="\n", flush=by_line)
                remaining = None if remaining is None else remaining - 1
