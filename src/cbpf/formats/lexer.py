"""Assembly text as tokens: words, numbers and marks, each with its place."""

import re
from bisect import bisect_right
from typing import Final, NamedTuple

from ..errors import Problem
from ..isa.opcodes import EXTENSION_WORDS

_WORDS: Final = "|".join([*EXTENSION_WORDS.values(), "vlan_pr"])

# A line that begins with # is a comment, unless it is just an operand such as #len. A comment that never ends is told
# by its last characters. The alternatives never need to look back, so that time is linear in the text.
_TOKEN: Final = re.compile(
    rf"""
      (?P<blank> \s+ | ;[^\n]* | ^\#(?!(?i:{_WORDS})\r?$)[^\n]* )
    | (?P<comment> /\*(?s:.*?)(?:\*/|\Z) )
    | (?P<number> 0[xX][0-9a-fA-F]+ | 0[bB][01]+ | [0-9]+ )
    | (?P<word> [A-Za-z_]\w* )
    | (?P<mark> [][()*&,:\#%{{}}+-] )
    | (?P<unknown> . )
    """,
    re.VERBOSE | re.MULTILINE | re.ASCII,
)


class Token(NamedTuple):
    """A piece of text: kind is "word", "number", "mark", "unknown" or "end"; *word* is the text in small letters."""

    kind: str
    text: str
    word: str
    offset: int
    starts_line: bool


class SourceLines:
    """Assembly text: its tokens, and where in it an offset lies."""

    def __init__(self, text: str) -> None:
        """Splits *text*; what is wrong already is in `problems`."""
        self.text = text
        self.problems: list[Problem] = []
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self.tokens = self._split()

    def problem(self, offset: int, message: str) -> Problem:
        """A problem at *offset*, with its line and column, both counted from 1."""
        number = bisect_right(self._lines, offset)
        start = self._lines[number - 1]
        end = self._lines[number] - 1 if number < len(self._lines) else len(self.text)
        shown = max(start, offset - 60)
        part = self.text[shown : min(end, shown + 100)].rstrip("\r").replace("\t", " ")
        return Problem(number, offset - start + 1, message, f"{part}\n{' ' * (offset - shown)}^")

    def _split(self) -> list[Token]:
        tokens, starts_line, make = [], True, Token._make
        for match in _TOKEN.finditer(self.text):
            kind, text = match.lastgroup or "", match[0]
            if kind == "comment" and (len(text) < 4 or not text.endswith("*/")):
                self.problems.append(self.problem(match.start(), "a comment begins here and never ends"))
            if kind in ("blank", "comment"):
                starts_line = starts_line or "\n" in text
            else:
                tokens.append(make((kind, text, text.lower(), match.start(), starts_line)))
                starts_line = False
        return [*tokens, Token("end", "", "", len(self.text.rstrip()), True)]
