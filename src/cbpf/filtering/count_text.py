"""Counts of packets as text: a table, and a sparkline for each filter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from .._text import aligned, counted
from .._typing import TYPE_CHECKING, Final
from ..capture.base import SECOND
from ..capture.time_text import duration_text, iso_time

if TYPE_CHECKING:
    from .counting import PacketCounts

_BARS: Final = "▁▂▃▄▅▆▇█"
_MAX_WIDTH: Final = 60  # bars
_NUMBERS: Final = ("packets", "captured", "on the wire")


def count_text(counts: PacketCounts) -> str:
    """Return a table with a line for each count; columns of a single value are left out, and repeated cells empty."""
    if not any(row.packets for row in counts.rows):
        return "no packets"
    columns: dict[str, list[str]] = {}
    if counts.every_ns is not None:
        columns["time (UTC)"] = [_time(row.start, counts.every_ns) for row in counts.rows]
    if any(row.link_type is not None for row in counts.rows):
        columns["link type"] = [row.link_type or "" for row in counts.rows]
    if len(counts.filters) > 1:
        columns = _without_repetitions(columns)
        columns["filter"] = [row.filter for row in counts.rows]
    for index, title in enumerate(_NUMBERS, 3):
        columns[title] = [f"{row[index]:,}" for row in counts.rows]
    lines = [line.rstrip() for line in _table(columns)]
    sparklines = [] if counts.every_ns is None else list(_sparklines(counts, counts.every_ns))
    return "\n".join([*lines, *sparklines])


def _without_repetitions(columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return columns with empty cells in each row that equals the row before it."""
    rows = list(zip(*columns.values(), strict=True))
    is_new = [index == 0 or row != rows[index - 1] for index, row in enumerate(rows)]
    return {
        title: [cell if shown else "" for cell, shown in zip(cells, is_new, strict=True)]
        for title, cells in columns.items()
    }


def _table(columns: dict[str, list[str]]) -> Iterator[str]:
    """Yield the line of titles and the lines of a table; numbers are right-aligned."""
    widths = {title: max(map(len, [title, *cells])) for title, cells in columns.items()}
    for row in ([*columns], *zip(*columns.values(), strict=True)):
        yield "  ".join(
            cell.rjust(width) if title in _NUMBERS else cell.ljust(width)
            for (title, width), cell in zip(widths.items(), row, strict=True)
        )


def _time(start: str | None, every_ns: int) -> str:
    """Return the start of an interval, with the digits of a second that are not zero in all of them."""
    if start is None:
        return "without time"
    if every_ns % SECOND == 0:
        return start[:-11] + "Z"
    zeros = next(digits for digits in (6, 3, 0) if every_ns % 10**digits == 0)
    return start[: -1 - zeros] + "Z"


def _sparklines(counts: PacketCounts, every_ns: int) -> Iterator[str]:
    """Yield the times of the bars, and for each filter its packets over time, with the largest number of a bar."""
    starts = [row.start_ns for row in counts.rows if row.start_ns is not None]
    if not starts:
        return
    first = min(starts)
    bar_ns = every_ns * (((max(starts) - first) // every_ns) // _MAX_WIDTH + 1)
    count = (max(starts) - first) // bar_ns + 1
    limits = (_time(iso_time(limit), every_ns) for limit in (first, first + count * bar_ns))
    yield ""
    yield f"{duration_text(bar_ns)} per bar, from {' to '.join(limits)}"
    heights: list[defaultdict[int, int]] = [defaultdict(int) for _ in counts.filters]
    for index, row in enumerate(counts.rows):
        if row.start_ns is not None:
            heights[index % len(counts.filters)][(row.start_ns - first) // bar_ns] += row.packets
    values = [[bars[index] for index in range(count)] for bars in heights]
    yield from aligned(zip(counts.filters, map(_bars, values), strict=True))


def _bars(values: Sequence[int]) -> str:
    """Return a bar for each value, and the largest value."""
    largest = max(values)
    return f"{_sparkline(values)}  at most {counted(largest, 'packet')}" if largest else "no packets"


def _sparkline(values: Sequence[int]) -> str:
    """Return a bar for each value, or a space for 0."""
    largest = max(values)
    return "".join(_BARS[(value * len(_BARS) - 1) // largest] if value else " " for value in values)
