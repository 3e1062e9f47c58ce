"""The lexer of assembly: words, numbers and punctuation marks, each with its offset in the text."""

import re
from bisect import bisect_right
from typing import Final, NamedTuple

from ..errors import Problem
from ..isa.opcodes import EXTENSION_WORDS

_EXTENSION_NAMES: Final = "|".join([*EXTENSION_WORDS.values(), "vlan_pr"])
_MAX_EXCERPT_LENGTH: Final = 100
_MAX_EXCERPT_BEFORE: Final = 60  # characters of the line before the problem

# A line that starts with # is a comment, unless all of it is an operand such as #len. The end of a comment's text shows
# whether the comment was closed. No alternative backtracks, so the time is linear in the length of the text.
_TOKEN: Final = re.compile(
    rf"""
      (?P<blank> \s+ | ;[^\n]* | ^\#(?!(?i:{_EXTENSION_NAMES})\r?$)[^\n]* )
    | (?P<comment> /\*(?s:.*?)(?:\*/|\Z) )
    | (?P<number> 0[xX][0-9a-fA-F]+ | 0[bB][01]+ | [0-9]+ )
    | (?P<word> [A-Za-z_]\w* )
    | (?P<mark> [][()*&,:\#%{{}}+-] )
    | (?P<unknown> . )
    """,
    re.VERBOSE | re.MULTILINE | re.ASCII,
)


class Token(NamedTuple):
    """A token: kind is "word", "number", "mark", "unknown" or "end"; *word* is the text in lower case."""

    kind: str
    text: str
    word: str
    offset: int
    starts_line: bool


class SourceLines:
    """Assembly text: its tokens, the problems found by the lexer, and the line and column of an offset."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.tokens = self._split()

    def problem(self, offset: int, message: str) -> Problem:
        """Return a problem at *offset*, with its line and column, both counted from 1, and an excerpt of the line."""
        line = bisect_right(self._line_starts, offset)
        start = self._line_starts[line - 1]
        end = self._line_starts[line] - 1 if line < len(self._line_starts) else len(self.text)
        excerpt_start = max(start, offset - _MAX_EXCERPT_BEFORE)
        excerpt = self.text[excerpt_start : min(end, excerpt_start + _MAX_EXCERPT_LENGTH)]
        excerpt = excerpt.rstrip("\r").replace("\t", " ")
        return Problem(line, offset - start + 1, message, f"{excerpt}\n{' ' * (offset - excerpt_start)}^")

    def _split(self) -> list[Token]:
        tokens, starts_line, make = [], True, Token._make
        for match in _TOKEN.finditer(self.text):
            kind, text = match.lastgroup or "", match[0]
            if kind == "comment" and (len(text) < 4 or not text.endswith("*/")):
                self.problems.append(self.problem(match.start(), "unterminated comment"))
            if kind in ("blank", "comment"):
                starts_line = starts_line or "\n" in text
            else:
                tokens.append(make((kind, text, text.lower(), match.start(), starts_line)))
                starts_line = False
        return [*tokens, Token("end", "", "", len(self.text.rstrip()), True)]
