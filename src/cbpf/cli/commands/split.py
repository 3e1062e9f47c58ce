"""cbpf split: apply several filters to captures in one pass, each with its own output."""

from __future__ import annotations

from collections.abc import Sequence

import cbpf

from ..._text import counted
from ..._typing import Any
from ..capture_options import rotation_options, sample_options, snaplen_option, time_options, with_selection
from ..declarations import argument, option, subcommand
from ..options import (
    as_socket_option,
    compress_option,
    container_options,
    dialect_option,
    engine_option,
    read_route,
    sources_option,
    sources_to_read,
)
from ..progress import progress_bar, with_progress
from ..streams import echo
from ..tcpdump_options import TCPDUMP_OPTIONS
from ..values import FILE, ROUTE


@subcommand("split", "Sort packets into files by filters, in one pass.", foreign_options=TCPDUMP_OPTIONS)
@argument("routes", metavar="EXPRESSION=FILE...", kind=ROUTE, multiple=True, required=True)
@sources_option
@option("--rest", kind=FILE, help="Write the packets that no expression accepts to FILE.")
@rotation_options
@time_options
@sample_options
@snaplen_option
@container_options
@compress_option
@with_progress
@dialect_option
@engine_option
@as_socket_option
@with_selection
def command(
    routes: tuple[str, ...],
    sources: tuple[str, ...],
    rest: str | None,
    rotation: cbpf.Rotation | None,
    snaplen: int | None,
    container: Any,
    compress: str | None,
    no_progress: bool,
    quiet: bool,
    selection: dict[str, Any],
) -> None:
    """Copy the packets that each EXPRESSION accepts to its FILE; several expressions, or none, may accept a packet.

    Each argument is split at its last =. An empty expression accepts all packets. Each file is the one that cbpf filter
    would write.

    \b
      cbpf split -r in.pcap 'port 53=dns.pcap' arp=arp.pcap --rest rest.pcap
    """
    pairs = [read_route(text) for text in routes]
    names = [expression or "all packets" for expression, _ in pairs]
    names.append("the rest" if rest is not None else "the rest, not written")
    captures = sources_to_read(sources)
    try:
        with progress_bar(captures, hidden=quiet or no_progress) as progress:
            summaries: Sequence[cbpf.Summary] = cbpf.split_capture(
                captures,
                pairs,
                rest=rest,
                snaplen=snaplen,
                container=container,
                compress=compress,
                rotation=rotation,
                progress=progress,
                **selection,
            )
    except cbpf.DamagedCapture as damage:
        _report(names, damage.summaries, quiet)
        raise
    _report(names, summaries, quiet)


def _report(names: list[str], summaries: Sequence[cbpf.Summary], quiet: bool) -> None:
    if quiet or not summaries:
        return
    width = max(len(f"{summary.packets_accepted:,}") for summary in summaries)
    for name, summary in zip(names, summaries, strict=True):
        echo(f"{summary.packets_accepted:>{width},}  {name}", err=True)
    first = summaries[0]
    packets, size = counted(first.packets_seen, "packet"), counted(first.bytes_seen, "byte")
    echo(f"{packets} seen, {size}; {first.seconds:.3f} s", err=True)
