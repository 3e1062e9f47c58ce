"""Text for people: counts, rows of names and values, and the base class of results that notebooks show as their text.

The commands print the same text, so that a result looks alike in a terminal, in Python and in a notebook.
"""

from ._typing import Final, Iterable

_STYLE: Final = "font-family: monospace; white-space: pre; overflow-x: auto; line-height: 1.3"
"""Columns stay aligned: some notebooks show preformatted text in another font, or break its lines."""


class Readable:
    """The base class of results whose `str` is their text for people; notebooks display it."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """Return the text as HTML, for notebooks."""
        import html

        return f'<pre style="{_STYLE}">{html.escape(str(self))}</pre>'


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, which has the plural -s: "1 byte", "1,000 bytes"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def number_range(low: int, high: int) -> str:
    """Return a range of numbers as text; a single number if both ends are equal."""
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def aligned(rows: Iterable[tuple[str, str]], *, margin: str = "") -> list[str]:
    """Return a line for each name and value, with the values in one column."""
    pairs = list(rows)
    width = max((len(name) for name, _ in pairs), default=0)
    return [f"{margin}{name:{width}}  {value}" for name, value in pairs]
