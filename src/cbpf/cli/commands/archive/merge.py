"""cbpf archive merge: merge the objects of an archive into one capture."""

from __future__ import annotations

import cbpf

from ...._typing import Any
from ...archive_options import (
    accept_options,
    dry_run_option,
    json_option,
    period_options,
    print_report,
    source_argument,
    storage_options,
)
from ...declarations import option, subcommand
from ...options import container_options, dialect_option
from ...values import FILE


@subcommand("archive merge", "Merge objects into one capture in the order of time.")
@source_argument
@accept_options
@option("-w", "target", metavar="FILE", kind=FILE, required=True, help="The capture to write: a path or URL.")
@period_options
@container_options
@option(
    "--compress",
    metavar="KIND[:LEVEL]",
    help="Compress the output: zstd, gzip, lz4, xz, bzip2, also with a level as in zstd:3; or none. By default, the "
    "name of FILE decides.",
)
@dialect_option
@storage_options
@dry_run_option
@json_option
def command(
    source: str,
    accept: Any,
    target: str,
    since: str | None,
    until: str | None,
    container: Any,
    compress: str | None,
    dialect: cbpf.Dialect,
    storage_options: dict[str, Any] | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Merge the packets of all objects, or those that an expression accepts, into FILE in the order of time.

    Packets of equal times are in the order of the objects. Within an object, packets remain in their order; objects
    that are not in the order of time are listed. An object is read when the merge reaches its first packet, so memory
    use depends on the number of objects with packets of one time. FILE is a pcap if all objects are pcaps of one link
    type, and otherwise a pcapng; it appears when it is complete.

    Exit code: 0 success, 2 error, also if an object is damaged or cannot be read.

    \b
      cbpf archive merge '*.pcap' -w merged.pcap.zst
      cbpf archive merge '*.pcap' -w merged.pcapng --pcapng tcp port 443
    """
    report = cbpf.archive.merge(
        source,
        target,
        accept,
        since=since,
        until=until,
        container=container,
        compress=compress,
        dialect=dialect,
        storage_options=storage_options,
        dry_run=dry_run,
    )
    return print_report(report, as_json=as_json)
