"""The lexer of assembly: words, numbers and punctuation marks, each with its offset in the text."""

import re

from .._named_tuple import NamedTuple
from .._typing import Final
from ..errors import Problem
from ..isa.enumerations import EXTENSION_WORDS
from ..isa.opcodes import OPCODES, Operand
from .text_input import SourceText

NEGATED_JUMPS: Final = {"jneq": "jeq", "jne": "jeq", "jle": "jgt", "jlt": "jge"}
ALIASES: Final = {"ldi": "ld", "ldxi": "ldx", "ldxb": "ldx", "jmp": "ja"}
MNEMONICS: Final = {opcode.mnemonic for opcode in OPCODES} | NEGATED_JUMPS.keys() | ALIASES.keys()
OPERAND_MNEMONICS: Final = MNEMONICS - {opcode.mnemonic for opcode in OPCODES if opcode.operand is Operand.NONE}
_EXTENSION_NAMES: Final = "|".join([*EXTENSION_WORDS.values(), "vlan_pr"])

# A line that starts with # is a comment, unless all of it is an operand such as #len; any other # begins a comment
# unless it follows a mnemonic (`SourceLines`). The end of a comment's text shows whether the comment was closed. No
# alternative backtracks, so the time is linear in the length of the text.
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

_LONE_OPERAND: Final = re.compile(rf"(?:{_EXTENSION_NAMES})[ \t]*$", re.IGNORECASE | re.MULTILINE)

# The text after a # in the middle of a line that begins a comment: no operand.
_COMMENT_END: Final = re.compile(rf"[\s#!]|\Z|(?!(?:a|x|pktlen|{_EXTENSION_NAMES})\b)[A-Za-z_]", re.IGNORECASE)

_STATEMENT: Final = re.compile(
    rf"^[ \t]*+(?:\w+:[ \t]*+)*+(?:{'|'.join(sorted(MNEMONICS))})\b(?![ \t]*+[=.:(,;]|[ \t]*+[-+|&^*/<>]?=)",
    re.MULTILINE | re.IGNORECASE | re.ASCII,
)


def looks_like_assembly(text: str) -> bool:
    """Return whether a line begins with a mnemonic, after any labels, and is not an assignment or a call."""
    return _STATEMENT.search(text) is not None


class Token(NamedTuple):
    """A token: kind is "word", "number", "mark", "unknown" or "end"; *word* is the text in lower case."""

    kind: str
    text: str
    word: str
    offset: int
    starts_line: bool


class SourceLines(SourceText):
    """Assembly text: its tokens, the problems found by the lexer, and the line and column of an offset."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.problems: list[Problem] = []
        self.tokens = self._split()

    def _split(self) -> list[Token]:
        tokens: list[Token] = []
        position, end, starts_line, make = 0, len(self.text), True, Token._make
        while position < end:
            match = _TOKEN.match(self.text, position)
            assert match is not None, "one of the alternatives matches any character"
            kind, text = match.lastgroup or "", match[0]
            position = match.end()
            is_operand = bool(tokens) and tokens[-1].word in OPERAND_MNEMONICS
            if text == "#" and not is_operand and self._is_comment(position, starts_line):
                kind, position = "blank", self._line_end(position)
            if kind == "comment" and (len(text) < 4 or not text.endswith("*/")):
                self.problems.append(self.problem(match.start(), "unterminated comment"))
            if kind in ("blank", "comment"):
                starts_line = starts_line or "\n" in text
            else:
                tokens.append(make((kind, text, text.lower(), match.start(), starts_line)))
                starts_line = False
        return [*tokens, Token("end", "", "", len(self.text.rstrip()), True)]

    def _is_comment(self, offset: int, starts_line: bool) -> bool:
        """Return whether a # before *offset* that does not follow a mnemonic begins a comment."""
        if starts_line:
            return _LONE_OPERAND.match(self.text, offset) is None
        return _COMMENT_END.match(self.text, offset) is not None

    def _line_end(self, offset: int) -> int:
        end = self.text.find("\n", offset)
        return end if end >= 0 else len(self.text)
