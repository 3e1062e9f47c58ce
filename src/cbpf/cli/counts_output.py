"""The results of the subcommands that count packets, as text, CSV or JSON."""

from __future__ import annotations

import json

import cbpf

from .._typing import Any, Callable, Final, Protocol
from .declarations import option
from .failures import UsageError
from .streams import echo

csv_option: Final = option("--csv", "as_csv", is_flag=True, help="Print the counts as CSV (RFC 4180).")


class _Counts(Protocol):
    """A result that is printed, also as JSON, with the error of a damaged capture."""

    @property
    def damage(self) -> str | None: ...

    def as_dict(self) -> dict[str, Any]: ...


def require_one_form(*, as_csv: bool, as_json: bool) -> None:
    """Raise an error if two forms of the output are requested."""
    if as_csv and as_json:
        raise UsageError("--csv and --json are mutually exclusive")


def print_counts(counts: _Counts, print_csv: Callable[[Any], None], *, as_csv: bool, as_json: bool) -> int:
    """Print counts on standard output, and a damage on standard error; return the exit code."""
    if as_csv:
        print_csv(counts)
    else:
        echo(json.dumps(counts.as_dict()) if as_json else counts)
    if counts.damage is None:
        return 0
    echo(f"cbpf: {counts.damage}", err=True)
    return 2


def write_csv(counts: cbpf.PacketCounts) -> None:
    """Print the numbers of packets and bytes as CSV, a line for each interval, link type and filter."""
    import csv
    import sys

    rows = csv.writer(sys.stdout)
    rows.writerow(("start", "link_type", "filter", "packets", "captured_bytes", "wire_bytes"))
    for row in counts.rows:
        rows.writerow((row.start, row.link_type, row.filter, row.packets, row.captured_bytes, row.wire_bytes))
