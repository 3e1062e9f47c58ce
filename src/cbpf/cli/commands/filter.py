"""cbpf filter: copy the packets of captures that a filter accepts."""

from __future__ import annotations

import sys

import cbpf

from ..._text import counted
from ..._typing import Any
from ..capture_options import (
    filter_options,
    rotation_options,
    sample_options,
    snaplen_option,
    time_options,
    with_selection,
)
from ..declarations import option, subcommand
from ..failures import UsageError
from ..options import as_socket_option, compress_option, container_options, dialect_option, engine_option
from ..progress import progress_bar, with_progress
from ..streams import echo
from ..tcpdump_options import TCPDUMP_OPTIONS
from ..values import FILE, Integer


@subcommand("filter", "Copy the packets that a filter accepts.", foreign_options=TCPDUMP_OPTIONS)
@filter_options
@option(
    "-w",
    "target",
    kind=FILE,
    help="Capture to write, - for standard output (the default); may be one of the inputs.",
)
@option("-c", "count", metavar="COUNT", kind=Integer(1), help="Stop after COUNT accepted packets.")
@option("--count", "only_count", is_flag=True, help="Print the number of accepted packets; write no capture.")
@option("--invert", is_flag=True, help="Accept the packets that do not match, and reject the others.")
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
@option("-O", is_flag=True, expose_value=False, help="Accepted for tcpdump compatibility; has no effect.")
@option("-n", is_flag=True, expose_value=False, help="Accepted for tcpdump compatibility; has no effect.")
@with_selection
def command(
    captures: list[str],
    accept: Any,
    target: str | None,
    count: int | None,
    only_count: bool,
    invert: bool,
    rotation: cbpf.Rotation | None,
    snaplen: int | None,
    container: Any,
    compress: str | None,
    no_progress: bool,
    quiet: bool,
    selection: dict[str, Any],
) -> None:
    """Copy the packets that a filter expression (pcap-filter(7)) accepts.

    They are exactly those that tcpdump -O (without libpcap's optimiser) writes. An empty expression accepts all
    packets. Packets of an interface whose link type an expression does not fit do not match, with a warning. Captures
    are pcap or pcapng, also compressed by gzip, zstd, lz4, xz or bzip2. The output has the format, byte order and time
    resolution of the input; it is compressed if its name or --compress requires it. A summary is printed on stderr.

    \b
      cbpf filter -r in.pcap -w out.pcap 'tcp port 443'
      cbpf filter -r in.pcap --count udp port 53
    """
    written = {"-w FILE": target, "--snaplen N": snaplen, "--compress KIND[:LEVEL]": compress}
    if container != "same":
        written[f"--{container}"] = container
    useless = [name for name, value in written.items() if value is not None]
    if only_count and useless:
        raise UsageError(f"--count and {useless[0]} are mutually exclusive")
    if rotation is not None and target is None:
        raise UsageError("-C SIZE and -G SECONDS require -w FILE")
    destination = None if only_count else _destination(target)
    try:
        with progress_bar(captures, hidden=quiet or no_progress) as progress:
            summary = cbpf.filter_capture(
                captures,
                destination,
                accept,
                snaplen=snaplen,
                container=container,
                compress=compress,
                count=count,
                rotation=rotation,
                invert=invert,
                progress=progress,
                **selection,
            )
    except cbpf.DamagedCapture as damage:
        if damage.summary is not None:
            _report(damage.summary, only_count, quiet)
        raise
    _report(summary, only_count, quiet)


def _destination(target: str | None) -> str:
    if target is None and sys.stdout.isatty():
        raise UsageError("standard output is a terminal; give -w FILE or --count")
    return "-" if target is None else target


def _report(summary: cbpf.Summary, only_count: bool, quiet: bool) -> None:
    if only_count:
        echo(summary.packets_accepted)
    if not quiet:
        echo(
            f"{counted(summary.packets_seen, 'packet')} seen, {summary.packets_accepted:,} accepted;"
            f" {summary.bytes_accepted:,} of {counted(summary.bytes_seen, 'byte')}; {summary.seconds:.3f} s",
            err=True,
        )
