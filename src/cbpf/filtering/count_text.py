"""Counts of packets as text: a table, and a sparkline for each filter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from .._text import aligned
from .._typing import TYPE_CHECKING, Final
from ..capture.base import SECOND

if TYPE_CHECKING:
    from .counting import PacketCount, PacketCounts

_BARS: Final = "▁▂▃▄▅▆▇█"
_MAX_WIDTH: Final = 60  # bars
_NUMBERS: Final = ("packets", "captured", "on the wire")


def count_text(counts: PacketCounts) -> str:
    """Return a table with a line for each count; columns of a single value are left out."""
    columns: dict[str, list[str]] = {}
    if counts.every_ns is not None:
        columns["time (UTC)"] = [_time(row, counts.every_ns) for row in counts.rows]
    if any(row.link_type is not None for row in counts.rows):
        columns["link type"] = [row.link_type or "" for row in counts.rows]
    if len(counts.filters) > 1:
        columns["filter"] = [row.filter for row in counts.rows]
    for index, title in enumerate(_NUMBERS, 3):
        columns[title] = [f"{row[index]:,}" for row in counts.rows]
    lines = [line.rstrip() for line in _table(columns)]
    sparklines = [] if counts.every_ns is None else list(_sparklines(counts, counts.every_ns))
    return "\n".join([*lines, *([""] if sparklines else []), *aligned(sparklines)])


def _table(columns: dict[str, list[str]]) -> Iterator[str]:
    """Yield the line of titles and the lines of a table; numbers are right-aligned."""
    widths = {title: max(map(len, [title, *cells])) for title, cells in columns.items()}
    for row in ([*columns], *zip(*columns.values(), strict=True)):
        yield "  ".join(
            cell.rjust(width) if title in _NUMBERS else cell.ljust(width)
            for (title, width), cell in zip(widths.items(), row, strict=True)
        )


def _time(row: PacketCount, every_ns: int) -> str:
    """Return the start of an interval, with the digits of a second that are not zero in all of them."""
    if row.start is None:
        return "without time"
    if every_ns % SECOND == 0:
        return row.start[:-11] + "Z"
    zeros = next(digits for digits in (6, 3, 0) if every_ns % 10**digits == 0)
    return row.start[: -1 - zeros] + "Z"


def _sparklines(counts: PacketCounts, every_ns: int) -> Iterator[tuple[str, str]]:
    """Yield the name of each filter and its packets over time, with the largest number of packets of a bar."""
    starts = [row.start_ns for row in counts.rows if row.start_ns is not None]
    if not starts:
        return
    first = min(starts)
    bar_ns = every_ns * (((max(starts) - first) // every_ns) // _MAX_WIDTH + 1)
    heights: list[defaultdict[int, int]] = [defaultdict(int) for _ in counts.filters]
    for index, row in enumerate(counts.rows):
        if row.start_ns is not None:
            heights[index % len(counts.filters)][(row.start_ns - first) // bar_ns] += row.packets
    count = (max(starts) - first) // bar_ns + 1
    for name, bars in zip(counts.filters, heights, strict=True):
        values = [bars[index] for index in range(count)]
        yield name, f"{_sparkline(values)}  at most {max(values):,} packets in {bar_ns / SECOND:g} s"


def _sparkline(values: Sequence[int]) -> str:
    """Return a bar for each value, or a space for 0."""
    largest = max(values)
    return "".join(_BARS[(value * len(_BARS) - 1) // largest] if value else " " for value in values)
