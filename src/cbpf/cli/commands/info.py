"""cbpf info: describe captures."""

from __future__ import annotations

import json

import cbpf

from ..capture_options import sample_options, time_options
from ..declarations import argument, option, subcommand
from ..progress import progress_bar
from ..streams import echo
from ..tcpdump_options import TCPDUMP_OPTIONS
from ..values import FILE


@subcommand("info", "Describe captures.", foreign_options=TCPDUMP_OPTIONS)
@argument("captures", multiple=True, required=True, metavar="CAPTURE...", kind=FILE)
@option("--json", "as_json", is_flag=True, help="Print one line of JSON per capture.")
@time_options
@sample_options
@option("--no-progress", is_flag=True, help="Do not show a progress bar.")
def command(
    captures: tuple[str, ...],
    as_json: bool,
    since: str | None,
    until: str | None,
    sample: int | None,
    seed: int,
    no_progress: bool,
) -> int:
    """Describe each CAPTURE: format, packets, bytes, times (UTC), interfaces, damage.

    A CAPTURE is a file, or - for standard input: pcap or pcapng, also compressed by gzip, zstd, lz4, xz or bzip2. If a
    capture is damaged, the packets before the damage are counted. With --since, --until or --sample, packets, bytes and
    times are those of the selected packets; all other lines describe the whole capture.

    Exit code: 0 success, 2 error, also if a capture is damaged.

    \b
      cbpf info in.pcap
      cbpf info --json in.pcap
      cbpf info --since 2026-11-27T08:00:00Z --until 2026-11-27T09:00:00Z in.pcap
    """
    is_first, has_failed = True, False
    for capture in captures:
        try:
            with progress_bar([capture], hidden=no_progress) as progress:
                info = cbpf.capture_info(capture, since=since, until=until, sample=sample, seed=seed, progress=progress)
        except cbpf.FieldError:  # of a time, for all captures
            raise
        except cbpf.CbpfError as error:
            message: str | None = str(error)
        else:
            message = info.damage
            echo(json.dumps(info.as_dict()) if as_json else ("" if is_first else "\n") + str(info))
            is_first = False
        if message is not None:
            echo(f"cbpf: {message}", err=True)
            has_failed = True
    return 2 if has_failed else 0
