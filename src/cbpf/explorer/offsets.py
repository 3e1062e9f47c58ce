"""Places in a text as offsets in UTF-16 units, in which JavaScript counts."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left

from .._typing import Final

_ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]")  # characters of two UTF-16 units


class Offsets:
    """The places in one text; finding one takes logarithmic time, after one pass through the text.

    Args:
        text: The text.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines: array[int] | None = None
        self._astral: array[int] | None = None

    def of(self, line: int, column: int) -> int:
        """Return the offset in characters of a line and a column, both from 1, at most the length of the text."""
        if self._lines is None:
            self._lines = array("q", [0, *(found.end() for found in re.finditer("\n", self._text))])
        length = len(self._text)
        return min(self._lines[line - 1] + column - 1, length) if line <= len(self._lines) else length

    def utf16(self, position: int) -> int:
        """Return an offset in characters in UTF-16 units; that of the end for one after it."""
        if self._astral is None:
            is_ascii = self._text.isascii()
            self._astral = array("q", () if is_ascii else (found.start() for found in _ASTRAL.finditer(self._text)))
        position = min(position, len(self._text))
        return position + bisect_left(self._astral, position)

    def span(self, start: int, end: int) -> dict[str, int]:
        """Return the JSON values "start" and "end" of a part of the text, from offsets in characters."""
        return {"start": self.utf16(start), "end": self.utf16(end)}
