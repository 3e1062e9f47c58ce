"""The lexer of filter expressions: the tokens of libpcap's scanner, each with its offsets in the text.

The longest match wins, as in flex. A text that no rule matches becomes a token of kind "unknown"; a number or address
that matches a rule but has no value becomes one of kind "invalid", whose word is the reason. Offsets are in characters.
"""

import re
from functools import cache

from .._named_tuple import NamedTuple
from .._typing import Final, Literal, TypeAlias
from .vocabulary import KEYWORDS, NAMED_NUMBERS, PROTOCOLS

TokenKind: TypeAlias = Literal[
    "protocol", "keyword", "number", "name", "ipv4", "ipv6", "mac", "arcnet", "operator", "unknown", "invalid", "end"
]


class Token(NamedTuple):
    """A token of an expression.

    Args:
        kind: The kind; "ipv4" has two to four numbers with dots between.
        text: The characters in the expression.
        word: The canonical spelling of a keyword or operator (`and` for `&&`); of a name, the text without a leading
            backslash; of an invalid token, the reason.
        start: The offset of the first character.
        value: The value of a number, and 0 for other kinds.
    """

    kind: TokenKind
    text: str
    word: str
    start: int
    value: int = 0

    @property
    def end(self) -> int:
        """The offset after the last character."""
        return self.start + len(self.text)


_NUMBER_PATTERN: Final = "(?:0[xX][0-9A-Fa-f]+|[0-9]+)"


def _ipv6_pattern() -> str:
    """Return a pattern that matches the longest IPv6 address: with `::` and at most seven groups, or with eight.

    Two groups at the end may be a dotted quad.
    """
    group, quad = "[0-9A-Fa-f]{1,4}", rf"{_NUMBER_PATTERN}(?:\.{_NUMBER_PATTERN}){{3}}"
    alternatives = [f"(?:{group}:){{6}}{quad}", f"(?:{group}:){{7}}{group}"]
    for before in range(8):
        head = f"(?:{group}:){{{before}}}:" if before else "::"
        after = 7 - before
        tails = [f"(?:{group}:){{0,{after - 2}}}{quad}"] if after >= 2 else []
        tails += [f"(?:{group}:){{0,{after - 1}}}{group}"] if after else []
        alternatives.append(f"{head}(?:{'|'.join(tails)})?" if tails else head)
    return "|".join(alternatives)


_WORD: Final = re.compile(r"[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?")
_NUMBER: Final = re.compile(_NUMBER_PATTERN)
_IPV4: Final = re.compile(rf"{_NUMBER_PATTERN}(?:\.{_NUMBER_PATTERN}){{1,3}}")
_MAC: Final = (
    r"[0-9A-Fa-f]{1,2}(?:-[0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{1,2}(?:\.[0-9A-Fa-f]{1,2}){5}"
    r"|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}|[0-9A-Fa-f]{12}"
)
_SHORTEST_MAC: Final = 11  # 1-2-3-4-5-6
_COLON_MAC: Final = r"[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2}){5}"
_BAD_MAC: Final = r"[0-9A-Fa-f]{1,2}:+(?:[0-9A-Fa-f]{1,2}:+)+"
_COLON_WORD: Final = re.compile("[0-9A-Fa-f:]+")
_OTHER: Final = re.compile(
    r"(?P<blank>[ \t\r\n]+)|(?P<arcnet>\$[0-9A-Fa-f]{1,2})|\\(?P<name>[^ !()\n\t]+)"
    r"|(?P<operator>&&|\|\||==|[!<>]=|<<|>>|[-+*/%:\[\]!<>()&|^=])|(?P<unknown>(?s:.))"
)
_OPERATOR_WORDS: Final = {"&&": "and", "||": "or", "!": "not", "==": "="}


def tokens(text: str) -> list[Token]:
    """Return the tokens of an expression; the last one has the kind "end" and is located after the last character."""
    found: list[Token] = []
    offset, length = 0, len(text)
    while offset < length:
        word = _WORD.match(text, offset)
        if word is not None:
            token = _word_token(text, word[0], offset)
        elif text.startswith("::", offset):
            token = _colon_token(text, ":", offset)
        else:
            match = _OTHER.match(text, offset)
            assert match is not None
            kind, matched = match.lastgroup, match[0]
            offset = match.end()
            if kind != "blank":
                inner = match["name"] or _OPERATOR_WORDS.get(matched, matched)
                found.append(Token(kind, matched, inner, match.start()))  # type: ignore[arg-type]
            continue
        found.append(token)
        offset = token.end
    return [*found, Token("end", "", "", len(text.rstrip(" \t\r\n")))]


def _word_token(text: str, word: str, offset: int) -> Token:
    """Return the token that begins with a letter or digit; *word* is its longest match without colons."""
    if text.startswith(":", offset + len(word)) and len(word) <= 4:
        token = _colon_token(text, word, offset)
        if token.end > offset + len(word):
            return token
    if word in KEYWORDS:
        canonical = KEYWORDS[word]
        return Token("protocol" if canonical in PROTOCOLS else "keyword", word, canonical, offset)
    if word in NAMED_NUMBERS:
        return Token("number", word, word, offset, NAMED_NUMBERS[word])
    if word[0] in "0123456789abcdefABCDEF":
        if len(word) >= _SHORTEST_MAC and re.fullmatch(_MAC, word):
            return Token("mac", word, word, offset)
        if _NUMBER.fullmatch(word):
            return _number(word, offset)
        if _IPV4.fullmatch(word):
            return Token("ipv4", word, word, offset)
    return Token("name", word, word, offset)


def _colon_token(text: str, word: str, offset: int) -> Token:
    """Return the longest address with colons at *offset*, or the token of *word* alone."""
    found = [(kind, match[0]) for kind, pattern in _colon_patterns() if (match := pattern.match(text, offset))]
    if not found:
        return Token("operator" if word == ":" else "name", word, word, offset)
    kind, address = max(found, key=lambda pair: len(pair[1]))
    if kind == "invalid":
        written = _shortened(_COLON_WORD.match(text, offset)[0])  # type: ignore[index]
        rule = "IPv6 address: '::' may appear once" if "::" in written else "Ethernet address: six pairs of hex digits"
        return Token("invalid", address, f"'{written}' is not an {rule}", offset)
    if kind == "ipv6" and not _is_ipv6(address):
        return Token("invalid", address, f"'{address}' is not an IPv6 address", offset)
    return Token(kind, address, address, offset)


@cache
def _colon_patterns() -> tuple[tuple[TokenKind, re.Pattern[str]], ...]:
    """Return the patterns of tokens with colons, which are compiled at their first use."""
    patterns: tuple[tuple[TokenKind, str], ...] = (
        ("mac", _COLON_MAC),
        ("ipv6", _ipv6_pattern()),
        ("invalid", _BAD_MAC),
    )
    return tuple((kind, re.compile(pattern)) for kind, pattern in patterns)


def _is_ipv6(address: str) -> bool:
    """Return whether the dotted quad of an address, if there is one, has a value that getaddrinfo(3) accepts."""
    quad = address.rpartition(":")[2]
    return "." not in quad or all(_DECIMAL_BYTE.fullmatch(part) for part in quad.split("."))


_DECIMAL_BYTE: Final = re.compile("0|[1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5]")


def _number(text: str, offset: int) -> Token:
    """Return the token of a number: decimal, hexadecimal with 0x, or octal with a leading 0."""
    base = 16 if text[:2] in ("0x", "0X") else 8 if text[0] == "0" else 10
    digits = text[2:] if base == 16 else text
    if base == 8 and ("8" in digits or "9" in digits):
        reason = f"invalid octal number '{_shortened(text)}' (a leading 0 means octal)"
        return Token("invalid", text, reason, offset)
    digits = digits.lstrip("0") or "0"
    if len(digits) > 32 or int(digits, base) > 0xFFFF_FFFF:
        return Token("invalid", text, f"number {_shortened(text)} does not fit in 32 bits", offset)
    return Token("number", text, text, offset, int(digits, base))


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."
