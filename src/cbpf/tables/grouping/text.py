"""The largest groups of packets as text."""

from __future__ import annotations

from ..._text import counted
from ..._typing import TYPE_CHECKING, Any, Final, Iterator

if TYPE_CHECKING:
    from .groups import TopGroups

_NULL: Final = "-"


def groups_text(groups: TopGroups) -> str:
    """Return a table with a line for each group, and the totals below it."""
    keys = [[name, *(_key_text(group.key[index]) for group in groups.groups)] for index, name in enumerate(groups.by)]
    numbers = [*_numbers(groups)]
    lines = [
        "  ".join([*_padded(keys, row, is_number=False), *_padded(numbers, row, is_number=True)]).rstrip()
        for row in range(len(groups.groups) + 1)
    ]
    return "\n".join([*lines, "", *_totals(groups)])


def _key_text(value: Any) -> str:
    return _NULL if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _padded(columns: list[list[str]], row: int, *, is_number: bool) -> Iterator[str]:
    for column in columns:
        width = max(map(len, column))
        yield column[row].rjust(width) if is_number else column[row].ljust(width)


def _numbers(groups: TopGroups) -> Iterator[list[str]]:
    """Yield the columns of packets and bytes, with their shares and, if they are approximate, their errors."""
    rows = groups.groups
    shares = [groups.shares(group) for group in rows]
    packets = [(group.packets, group.packets_error) for group in rows]
    yield from _measure("packets", packets, [share for share, _ in shares], is_exact=groups.is_exact)
    sizes = [(group.bytes, group.bytes_error) for group in rows]
    yield from _measure("bytes", sizes, [share for _, share in shares], is_exact=groups.is_exact)


def _measure(title: str, pairs: list[tuple[int, int]], shares: list[float], *, is_exact: bool) -> Iterator[list[str]]:
    """Yield the columns of one measure, given the value and the error of each group."""
    yield [title, *(f"{value:,}" for value, _ in pairs)]
    if not is_exact:
        yield ["up to", *(f"+{error:,}" if error else "exact" for _, error in pairs)]
    yield ["%", *(f"{100 * share:.1f}" for share in shares)]


def _totals(groups: TopGroups) -> Iterator[str]:
    totals = f"{counted(groups.packets, 'packet')}, {counted(groups.bytes, 'byte')}"
    if groups.group_count is not None:
        yield f"{totals}, {counted(groups.group_count, 'group')}"
        return
    total, unit = (groups.packets, "packets") if groups.sort == "packets" else (groups.bytes, "bytes")
    error = groups.packets_error if groups.sort == "packets" else groups.bytes_error
    yield f"{totals}, more than {counted(groups.max_groups, 'group')}"
    yield f"approximate (Space-Saving): a group has at least the number of {unit} shown, and at most"
    yield f"as many more as the column after it states; a group that was not counted has at most {error:,}"
    yield f"(never more than {total:,} / {groups.max_groups + 1:,} = {total // (groups.max_groups + 1):,})"
