"""A syntax error and its repair: the values that the rules of this package exchange."""

import socket
import unicodedata
from collections.abc import Callable

from ..._named_tuple import NamedTuple
from ..._typing import Final, TypeAlias
from ..lexer import Token
from ..primitives import EXPECTED_CONDITION, SyntaxProblem
from ..vocabulary import QUALIFIERS

ID_KINDS: Final = frozenset({"number", "name", "ipv4", "ipv6", "mac", "arcnet"})
"""The kinds of tokens that are identifiers."""

PORT_PROTOCOLS: Final = frozenset({"tcp", "udp", "sctp"})
"""The protocols that have ports."""

RELATIONS: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})
ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"})


class Edit(NamedTuple):
    """A replacement of the text from *start* to *end*."""

    start: int
    end: int
    text: str

    def apply(self, text: str) -> str:
        """Return the edited text, with blanks between words."""
        before, after = text[: self.start], text[self.end :]
        inserted = self.text
        if inserted and before and inserted[0].isalnum() and before[-1].isalnum():
            inserted = f" {inserted}"
        if inserted and after and inserted[-1].isalnum() and after[0].isalnum():
            inserted += " "
        return before + inserted + after


class Repair(NamedTuple):
    """The explanation of a syntax error.

    Args:
        start: The offset of the mistake.
        fact: The mistake.
        edit: The change that corrects it, or None.
        advice: The remedy where the text is not enough to correct the mistake.
        introduction: The words before the corrected expression.
        is_guess: Whether the text leaves the intention open; such a repair does not follow another one.
    """

    start: int
    fact: str
    edit: Edit | None = None
    advice: str = ""
    introduction: str = "write"
    is_guess: bool = False


class Situation(NamedTuple):
    """A syntax error.

    Args:
        text: The expression.
        tokens: Its tokens.
        found_index: The index of the token that the parser did not expect.
        problem: The result of the parser.
        accepts: Whether an expression can be compiled.
    """

    text: str
    tokens: list[Token]
    found_index: int
    problem: SyntaxProblem
    accepts: Callable[[str], bool]

    @property
    def found(self) -> Token:
        """The token that the parser did not expect."""
        return self.tokens[self.found_index]

    def token(self, distance: int) -> Token:
        """Return the token at a distance from the unexpected one; an empty token beyond both ends."""
        index = self.found_index + distance
        return self.tokens[index] if 0 <= index < len(self.tokens) else _NONE

    @property
    def is_operand_expected(self) -> bool:
        """Whether a condition is missing here."""
        return self.problem.expected == EXPECTED_CONDITION

    @property
    def is_complete(self) -> bool:
        """Whether the tokens before are a complete expression or group."""
        return self.problem.expected.startswith("'and'")

    def place(self, token: Token) -> str:
        """Return the place of a token before the unexpected one as text."""
        line_start = self.text.rfind("\n", 0, token.start) + 1
        line = f"line {self.text.count(chr(10), 0, token.start) + 1}, " if "\n" in self.text else ""
        return f"{line}column {token.start - line_start + 1}"

    def replace_found(self, text: str) -> Edit:
        """Return the edit that replaces the unexpected token."""
        return Edit(self.found.start, self.found.end, text)

    def head_index(self) -> int:
        """Return the index of the first token of the qualifiers before the unexpected token."""
        index = self.found_index
        while index > 0 and _is_qualifier(self.tokens, index - 1):
            index -= 1
        return index


_NONE: Final = Token("end", "", "", 0)
Rule: TypeAlias = Callable[[Situation], Repair | None]


def _is_qualifier(tokens: list[Token], index: int) -> bool:
    token = tokens[index]
    if token.kind == "keyword" and token.word in ("and", "or") and 0 < index < len(tokens) - 1:
        return {tokens[index - 1].word, tokens[index + 1].word} == {"src", "dst"}
    return token.kind == "protocol" or (token.kind == "keyword" and token.word in QUALIFIERS)


def is_keyword(token: Token) -> bool:
    """Return whether a token is a reserved word."""
    return token.kind in ("keyword", "protocol")


def shown(token: Token) -> str:
    """Return a token for a message: quoted, shortened, and with the name of a character that ASCII does not have."""
    if token.kind == "end":
        return "the end of the expression"
    if token.kind == "unknown" and not (token.text.isascii() and token.text.isprintable()):
        name = unicodedata.name(token.text, "").lower()
        return f"U+{ord(token.text):04X}" + (f" ({name})" if name else "")
    return quoted(token.text)


def quoted(text: str) -> str:
    """Return text for a message: in quotation marks, shortened, and without control characters."""
    text = text if len(text) <= 40 else f"{text[:40]}..."
    text = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return f'"{text}"' if "'" in text else f"'{text}'"


def is_service(name: str) -> bool:
    """Return whether services(5) has a port of this name."""
    try:
        socket.getservbyname(name)
    except OSError:
        return False
    return True
