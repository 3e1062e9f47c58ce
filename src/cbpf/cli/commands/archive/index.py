"""cbpf archive index: a manifest of the objects of an archive."""

from __future__ import annotations

import cbpf

from ...._typing import Any
from ...archive_options import dry_run_option, json_option, print_report, source_argument, work_options
from ...declarations import option, subcommand
from ...values import FILE


@subcommand("archive index", "Make a manifest of objects, or bring it up to date.")
@source_argument
@option(
    "-w", "manifest", metavar="MANIFEST", kind=FILE, required=True, help="The folder of the manifest: a path or URL."
)
@work_options
@dry_run_option
@json_option
def command(source: str, manifest: str, dry_run: bool, as_json: bool, work: dict[str, Any]) -> int:
    """Write the times, packets, bytes and link types of each object that SOURCE names into MANIFEST.

    SOURCE is a path or URL of an object or a folder, a pattern, the beginning of names, or @ and the path of a list of
    these. MANIFEST is a folder of Parquet files. As the SOURCE of another command, it replaces the listing, and with
    --since and --until the command reads no object without packets in that period.

    Objects that MANIFEST has are not read again unless they were replaced, so the same command brings it up to date,
    and continues after an interruption. Of a damaged object, the complete packets are counted.

    Exit code: 0 success, 2 error, also if an object is damaged or cannot be read.

    \b
      cbpf archive index '*.pcap' -w manifest --dry-run
      cbpf archive index '*.pcap' -w manifest
    """
    report = cbpf.archive.index(source, manifest, dry_run=dry_run, **work)
    return print_report(report, as_json=as_json)
