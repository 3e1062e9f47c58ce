"""Two programs side by side."""

from __future__ import annotations

from difflib import SequenceMatcher

import cbpf

from .._typing import Any, Final, TypeAlias
from .packets import LoadedCapture, verdicts_pane
from .sources import Settings, Subject

_MAX_ALIGNED: Final = 500  # instructions; the alignment takes quadratic time
Runnable: TypeAlias = "tuple[Subject, Settings, cbpf.Program]"


def compare_pane(left: Runnable, right: Runnable, capture: LoadedCapture | None) -> dict[str, Any]:
    """Return the aligned listings of two programs, and the listed packets on which their verdicts differ."""
    listings = [cbpf.listing(program, dialect=source.dialect).splitlines() for _, source, program in (left, right)]
    answer: dict[str, Any] = {"rows": _rows(*listings), "packets": None}
    if capture is not None:
        verdicts = [verdicts_pane(capture, subject, source)["verdicts"] for subject, source, _ in (left, right)]
        answer["packets"] = [
            {"number": number, "left": pair[0], "right": pair[1]}
            for number, pair in enumerate(zip(*verdicts, strict=True), 1)
            if bool(pair[0]) != bool(pair[1])
        ]
    return answer


def changed_lines(before: list[str], after: list[str]) -> list[tuple[str, str]]:
    """Return the lines of two listings, each with "-" if it was removed, "+" if it was added, and "" otherwise.

    Lines are equal if only the targets of their jumps differ. Listings of more than 500 lines are not aligned: all
    lines are those of *after*, with "+" where *before* lacks the line.
    """
    contents, other_contents = ([_jumpless(line) for line in lines] for lines in (before, after))
    if max(len(before), len(after)) > _MAX_ALIGNED:
        known = set(contents)
        return [("" if _jumpless(line) in known else "+", line) for line in after]
    rows: list[tuple[str, str]] = []
    matcher = SequenceMatcher(None, contents, other_contents, autojunk=False)
    for kind, start, stop, other_start, other_stop in matcher.get_opcodes():
        if kind == "equal":
            rows += [("", line) for line in after[other_start:other_stop]]
        else:
            rows += [("-", line) for line in before[start:stop]]
            rows += [("+", line) for line in after[other_start:other_stop]]
    return rows


def _rows(left: list[str], right: list[str]) -> list[list[str | None]]:
    """Return pairs of lines; None beside a line that the other program lacks."""
    if max(len(left), len(right)) > _MAX_ALIGNED:
        longest = max(len(left), len(right))
        return [[_line(left, index), _line(right, index)] for index in range(longest)]
    contents, other_contents = ([_content(text) for text in listing] for listing in (left, right))
    matcher = SequenceMatcher(None, contents, other_contents, autojunk=False)
    rows: list[list[str | None]] = []
    for _, start, stop, other_start, other_stop in matcher.get_opcodes():
        lines, others = left[start:stop], right[other_start:other_stop]
        longest = max(len(lines), len(others))
        rows += [[_line(lines, index), _line(others, index)] for index in range(longest)]
    return rows


def _content(text: str) -> str:
    """Return a line of a listing without the number and the targets of jumps."""
    return _jumpless(text.split(" ", 1)[1])


def _jumpless(line: str) -> str:
    """Return an instruction of a listing without the targets of jumps."""
    return line.split(" jt ")[0].rstrip()


def _line(lines: list[str], index: int) -> str | None:
    """Return a line with its tabs expanded, or None after the last one."""
    return lines[index].expandtabs(8) if index < len(lines) else None
