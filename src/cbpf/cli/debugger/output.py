"""Lines on standard output, folded where a terminal is narrower; the output of a script is not folded."""

from __future__ import annotations

import sys

from ..._typing import Final
from ..streams import echo

_INDENTATION: Final = 5  # columns of the further lines of a folded one, after those of the line itself
_MIN_WIDTH: Final = 20  # columns


def show(text: object = "") -> None:
    """Print a line; in a terminal, on several lines if it is longer than the terminal is wide."""
    line = str(text)
    if not sys.stdout.isatty():
        echo(line)
        return
    import shutil

    for part in folded(line, max(shutil.get_terminal_size().columns, _MIN_WIDTH)):
        echo(part)


def folded(line: str, width: int) -> list[str]:
    """Return a line as lines of at most this width, broken at spaces; words that are longer remain."""
    if len(line.expandtabs()) <= width:
        return [line]
    import textwrap

    indentation = len(line) - len(line.lstrip()) + _INDENTATION
    return textwrap.wrap(
        line.expandtabs(),
        width,
        subsequent_indent=" " * min(indentation, width // 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
