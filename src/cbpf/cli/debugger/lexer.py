"""The words of expressions: numbers in C syntax, names and operators."""

from __future__ import annotations

import re

from ..._named_tuple import NamedTuple
from ..._typing import Final, Iterator
from .errors import DebuggerError, quoted

_TOKEN: Final = re.compile(r"\s*(?:(?P<number>[0-9]\w*)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[=!<>]=|<<|>>|&&|\|\||\S))")
_DIGITS: Final = {"x": (16, "hexadecimal"), "b": (2, "binary"), "": (8, "octal")}
_SPELLINGS: Final = {"&&": "and", "||": "or", "!": "not"}
_MAX_NUMBER: Final = 0xFFFF_FFFF
_MAX_DIGITS: Final = 32  # those of a binary number


class Token(NamedTuple):
    """A word of an expression: a number, or a name or sign as text."""

    text: str
    number: int | None = None


def tokens(text: str) -> Iterator[Token]:
    """Yield the words of an expression; C's spellings of and, or and not become these words."""
    text = text.rstrip()
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None  # the last alternative matches any other character
        position = match.end()
        if match["number"]:
            yield Token(match["number"], number(match["number"]))
        elif match["name"]:
            yield Token(match["name"])
        else:
            yield Token(_SPELLINGS.get(match["sign"], match["sign"]))


def number(text: str) -> int:
    """Return the value of an unsigned 32-bit number in C syntax: decimal, 0x, 0b, or octal with a leading 0."""
    prefix = text[1:2].lower()
    if text.startswith("0") and len(text) > 1:
        base, name = _DIGITS.get(prefix, _DIGITS[""])
        digits = text[2:] if prefix in _DIGITS else text[1:]
    else:
        base, name, digits = 10, "decimal", text
    if len(digits.lstrip("0")) > _MAX_DIGITS:
        raise DebuggerError(f"{quoted(text)} is too long: numbers have at most 32 bits")
    try:
        if not (digits.isascii() and digits.isalnum()):
            raise ValueError(digits)
        value = int(digits.lstrip("0") or digits[:1], base)
    except ValueError:
        note = " (a leading 0 means octal)" if name == "octal" else ""
        raise DebuggerError(f"invalid {name} number {quoted(text)}{note}") from None
    if value > _MAX_NUMBER:
        raise DebuggerError(f"{text} is too large: numbers have at most 32 bits")
    return value
