"""The parser's reader of tokens, and the primitives that contain no other conditions."""

from .._typing import Final
from .lexer import Token
from .syntax_tree import Match, Primitive, Protocol, Qualifiers, Span
from .vocabulary import ARGUMENTS, DIRECTIONS, FIELDS, FLAGS, KINDS, QUALIFIERS, WLAN

EXPECTED_CONDITION: Final = "a primitive such as 'tcp' or 'host 192.0.2.1'"
EXPECTED_ARITHMETIC: Final = "a number, 'len' or a field such as 'ip[8]'"
EXPECTED_NUMBER: Final = "a number"

_EXPECTED_BY_KIND: Final = {
    "host": "an address or a host name",
    "net": "a network such as 192.0.2.0/24",
    "port": "a port number or a service name",
    "portrange": "two ports such as 8000-8080",
    "proto": "a protocol number or name",
    "protochain": "a protocol number or name",
    "gateway": "a host name",
}
_OPPOSITE: Final = {"src": "dst", "dst": "src"}
_RELATIONS: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})
_BYTE_OPERATORS: Final = frozenset({"=", "<", ">", "&", "|"})


class SyntaxProblem(Exception):
    """The text is not an expression.

    Args:
        found: The first token that cannot follow the tokens before it.
        expected: A description of the tokens that can.
        qualifiers: The qualifiers whose identifier is missing, or None.
        after_value: Whether the tokens before are a number or value that is not compared with another.
        opening: The parenthesis that is still open, or None.
    """

    def __init__(
        self,
        found: Token,
        expected: str,
        *,
        qualifiers: Qualifiers | None = None,
        after_value: bool = False,
        opening: Token | None = None,
    ) -> None:
        super().__init__(found, expected)
        self.found = found
        self.expected = expected
        self.qualifiers = qualifiers
        self.after_value = after_value
        self.opening = opening


class TokenReader:
    """The tokens of an expression, read one after the other with one token of look-ahead."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._index = 0
        self.keyword = ""
        """The next token, if it is a keyword, protocol or operator; else an empty text."""
        self._set_keyword()

    def peek(self) -> Token:
        """Return the next token. Raises `SyntaxProblem` if it is an invalid number or address."""
        token = self._tokens[self._index]
        if token.kind == "invalid":
            raise SyntaxProblem(token, "")
        return token

    def next(self) -> Token:
        """Return the next token and continue with the one after it."""
        token = self.peek()
        self._index += 1
        self._set_keyword()
        return token

    def _set_keyword(self) -> None:
        token = self._tokens[min(self._index, len(self._tokens) - 1)]
        self.keyword = token.word if token.kind in ("keyword", "protocol", "operator") else ""

    def expect(self, word: str, expected: str) -> Token:
        """Read the token *word*. Raises `SyntaxProblem` if the next token is another one."""
        self.peek()
        if self.keyword != word:
            raise self.problem(expected)
        return self.next()

    def expect_kind(self, *kinds: str, expected: str) -> Token:
        """Read a token of one of the kinds. Raises `SyntaxProblem` if the next token has another kind."""
        if self.peek().kind not in kinds:
            raise self.problem(expected)
        return self.next()

    def problem(
        self,
        expected: str,
        qualifiers: Qualifiers | None = None,
        *,
        after_value: bool = False,
        opening: Token | None = None,
    ) -> SyntaxProblem:
        """Return the problem that the next token is not one of the expected ones."""
        return SyntaxProblem(self.peek(), expected, qualifiers=qualifiers, after_value=after_value, opening=opening)


def starts_qualifiers(keyword: str) -> bool:
    """Return whether a keyword is a direction or the kind of an identifier."""
    return keyword in QUALIFIERS


def read_qualifiers(reader: TokenReader, protocol: str | None) -> Qualifiers:
    """Read a direction, a kind, or both."""
    first = reader.next().word
    if first not in DIRECTIONS:
        return Qualifiers(protocol, None, first)
    direction = first
    reader.peek()
    if first in _OPPOSITE and reader.keyword in ("and", "or"):
        junction, other = reader.next().word, _OPPOSITE[first]
        reader.expect(other, f"'{other}'")
        direction = f"src {junction} dst"
    reader.peek()
    return Qualifiers(protocol, direction, reader.next().word if reader.keyword in KINDS else None)


def expected_identifier(qualifiers: Qualifiers) -> str:
    """Return a description of the identifiers that may follow qualifiers."""
    if qualifiers.kind is None:
        return "'host', 'net', 'port' or an address"
    return _EXPECTED_BY_KIND[qualifiers.kind]


def read_identifier(reader: TokenReader, qualifiers: Qualifiers | None) -> Match:
    """Read an identifier that is not a number, with its prefix length or mask."""
    token = reader.peek()
    if qualifiers is None:
        raise SyntaxProblem(token, EXPECTED_CONDITION)
    reader.next()
    mask = None
    if token.kind in ("ipv4", "ipv6") and reader.peek():
        if reader.keyword == "/":
            reader.next()
            mask = reader.expect_kind("number", expected="a prefix length")
        elif reader.keyword == "mask" and token.kind == "ipv4":
            reader.next()
            mask = reader.expect_kind("ipv4", expected="a mask such as 255.255.255.0")
    return Match(qualifiers, token, mask, Span(token.start, (mask or token).end))


def read_primitive(reader: TokenReader, first: Token, protocol: str) -> Protocol | Primitive:
    """Read a primitive other than an identifier, after the protocol *first* if there is one."""
    word, token = reader.keyword, reader.peek()
    name, arguments = protocol or None, _arguments(reader, word, token, is_after_protocol=bool(protocol))
    if arguments is not None:
        return Primitive(word, name, arguments, Span(first.start, (arguments[-1] if arguments else token).end))
    if protocol:
        return Protocol(protocol, Span(first.start, first.end))
    raise reader.problem(EXPECTED_CONDITION)


def _arguments(reader: TokenReader, word: str, token: Token, *, is_after_protocol: bool) -> tuple[Token, ...] | None:
    """Read a keyword and return its arguments; None if no primitive begins with it."""
    if word in ("broadcast", "multicast"):
        reader.next()
        return ()
    if word in WLAN:
        return _wlan_arguments(reader, word)
    if is_after_protocol or token.kind != "keyword":
        return None
    if word in FLAGS:
        reader.next()
        return ()
    if word in ARGUMENTS:
        reader.next()
        return (_read_argument(reader, ARGUMENTS[word]),)
    if word in FIELDS:
        reader.next()
        return _field_arguments(reader)
    if word == "byte":
        reader.next()
        return _byte_arguments(reader)
    if word == "llc":
        reader.next()
        has_type = reader.peek().kind == "name" or reader.keyword == "rnr"
        return (reader.next(),) if has_type else ()
    return None


def _read_argument(reader: TokenReader, kinds: tuple[str, ...]) -> Token:
    return reader.expect_kind(*kinds, expected=" or ".join(f"a {kind}" for kind in kinds))


def _wlan_arguments(reader: TokenReader, word: str) -> tuple[Token, ...]:
    reader.next()
    first = _read_argument(reader, WLAN[word])
    reader.peek()
    if word != "type" or reader.keyword != "subtype":
        return (first,)
    reader.next()
    return first, _read_argument(reader, ("number", "name"))


def _byte_arguments(reader: TokenReader) -> tuple[Token, ...]:
    index = reader.expect_kind("number", expected=EXPECTED_NUMBER)
    reader.peek()
    if reader.keyword not in _BYTE_OPERATORS:
        raise reader.problem("'=', '<', '>', '&' or '|'")
    operator = reader.next()
    return index, operator, reader.expect_kind("number", expected=EXPECTED_NUMBER)


def _field_arguments(reader: TokenReader) -> tuple[Token, ...]:
    """Read a number, a comparison and a number, or numbers in parentheses with `or` between."""
    reader.peek()
    if reader.keyword in _RELATIONS:
        relation = reader.next()
        return relation, reader.expect_kind("number", expected=EXPECTED_NUMBER)
    if reader.keyword != "(":
        return (reader.expect_kind("number", expected="a number, a comparison or '('"),)
    reader.next()
    numbers = [reader.expect_kind("number", expected=EXPECTED_NUMBER)]
    while reader.peek() and reader.keyword == "or":
        reader.next()
        numbers.append(reader.expect_kind("number", expected=EXPECTED_NUMBER))
    reader.expect(")", "'or' or ')'")
    return tuple(numbers)
