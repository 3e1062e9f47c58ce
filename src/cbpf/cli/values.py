"""The kinds of values that options and arguments take, as plain data.

`parser` reads the values of a correct command line. `click_parser` presents the kinds to click, which has the messages
about other values and completes values in a shell.
"""

from __future__ import annotations

from .._named_tuple import NamedTuple
from .._typing import Callable, Final, TypeAlias


class Text(NamedTuple):
    """Any text; help texts call the value *name*."""

    name: str

    def read(self, text: str) -> str:
        """Return the value of a text."""
        return text


class Choice(NamedTuple):
    """One of a few words; if a function returns them, the module that defines them is imported at their first use."""

    source: tuple[str, ...] | Callable[[], tuple[str, ...]]

    @property
    def words(self) -> tuple[str, ...]:
        """The words."""
        return self.source() if callable(self.source) else self.source

    def read(self, text: str) -> str:
        """Return the value of a text; raise `ValueError` for any other word."""
        if text not in self.words:
            raise ValueError(text)
        return text


class Integer(NamedTuple):
    """An integer, from *low* to *high* if they are given."""

    low: int | None = None
    high: int | None = None

    def read(self, text: str | int) -> int:
        """Return the value of a text; raise `ValueError` for any other text."""
        number = int(text)
        if (self.low is not None and number < self.low) or (self.high is not None and number > self.high):
            raise ValueError(text)
        return number


class Number(NamedTuple):
    """A number."""

    def read(self, text: str | float) -> float:
        """Return the value of a text; raise `ValueError` for any other text."""
        return float(text)


Kind: TypeAlias = Text | Choice | Integer | Number

TEXT: Final = Text("text")
FILE: Final = Text("file")
EXPRESSION: Final = Text("expression")
ROUTE: Final = Text("expression=file")
LINK_TYPE: Final = Text("linktype")
TOPIC: Final = Text("topic")
