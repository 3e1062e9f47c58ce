"""The values of constant expressions in source code.

An expression is evaluated by the precedence of C, Rust and Python, and by that of Go; if the two values differ, it is
rejected, and so is each operation whose result depends on the width or the sign of a type that is not written.
"""

import re
import sys
from collections.abc import Callable, Sequence

from ..._named_tuple import NamedTuple
from ..._typing import Final, NoReturn, TypeAlias
from .symbols import structures
from .tokens import Token

_C_PRECEDENCE: Final = {"*": 6, "/": 6, "%": 6, "+": 5, "-": 5, "<<": 4, ">>": 4, "&": 3, "^": 2, "|": 1}
_GO_PRECEDENCE: Final = {"*": 2, "/": 2, "%": 2, "<<": 2, ">>": 2, "&": 2, "&^": 2, "+": 1, "-": 1, "|": 1, "^": 1}
_UNARY: Final = frozenset("-+~^")

_INTEGER_TYPE: Final = re.compile(r"(?:c_)?(?:__)?(u?)_?(?:int|i|s)?(8|16|32|64|128)(?:_t)?|(u?)size(?:_t)?")
_C_WORDS: Final = {"unsigned", "signed", "int", "long", "short", "char", "const", "__force"}
_UNSIGNED: Final = {
    **dict.fromkeys(("byte", "u_char", "uchar"), 8),
    **dict.fromkeys(("ushort", "u_short"), 16),
    **dict.fromkeys(("uint", "u_int"), 32),
    **dict.fromkeys(("ulong", "u_long"), 64),
}
_WORD_MASK: Final = 0xFFFF_FFFF
_MAX_NUMBER_LENGTH: Final = 40

# The functions that exchange bytes where the machine's byte order is not that of the network, and their sizes.
_SWAPS: Final = {
    prefix + name: size
    for prefix in ("", "__constant_", "__")
    for name, size in (
        *(("htons", 2), ("ntohs", 2), ("htonl", 4), ("ntohl", 4)),
        *(("cpu_to_be16", 2), ("cpu_to_be32", 4), ("be16_to_cpu", 2), ("be32_to_cpu", 4), ("htobe16", 2)),
        *(("htobe32", 4),),
    )
}
_OFFSETS: Final = {"offsetof", "__builtin_offsetof", "offset_of"}
_SIZES: Final = {"sizeof"}
_ESCAPES: Final = {"n": 10, "t": 9, "r": 13, "0": 0, "a": 7, "b": 8, "f": 12, "v": 11, "\\": 92, "'": 39, '"': 34}


class SourceError(Exception):
    """An error at an offset of the text; *others* are errors in later instructions."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.others: list[SourceError] = []


class Value(NamedTuple):
    """A number, and whether it has a type of less than 32 bits."""

    number: int
    is_narrow: bool = False


class _Cast(NamedTuple):
    """A conversion to an integer type."""

    bits: int
    is_signed: bool


class _Operator(NamedTuple):
    """An operator on the stack: kind is "(", "unary", "binary", "cast" or "swap"; *detail* belongs to the kind."""

    kind: str
    token: Token
    detail: object = None


Resolver: TypeAlias = Callable[[Token], int]
"""A function that returns the value of a name, or raises `SourceError`."""


def evaluate(tokens: Sequence[Token], start: int, end: int, resolve: Resolver) -> int:
    """Return the value of the constant expression tokens[start:end]; raise `SourceError`."""
    value = _Evaluation(tokens, start, end, resolve, _C_PRECEDENCE).run()
    operators = {tokens[index].text for index in range(start, end)} & _GO_PRECEDENCE.keys()
    if len(operators) > 1 and value != _Evaluation(tokens, start, end, resolve, _GO_PRECEDENCE).run():
        fact = f"the order of {' and '.join(sorted(operators))} differs between C and Go; add parentheses"
        raise SourceError(tokens[start].offset, fact)
    return value


def number_value(token: Token) -> int:
    """Return the value of a number with its prefix and suffix."""
    text = re.sub(r"(?<=[0-9a-fA-F_])(?:[uUlL]+|[iu](?:8|16|32|64|128|size))$", "", token.text).replace("_", "")
    if len(text) > _MAX_NUMBER_LENGTH:
        raise SourceError(token.offset, f"{text[:_MAX_NUMBER_LENGTH]!r}... does not fit in 32 bits")
    is_octal = len(text) > 1 and text.isdigit() and text.startswith("0")
    try:
        return int(text, 8 if is_octal else 0)
    except ValueError:
        raise SourceError(token.offset, f"invalid octal number {text!r} (a leading 0 means octal)") from None


def _character_value(token: Token) -> int:
    content = token.value
    if len(content) == 1:
        return ord(content)
    if content[:1] == "\\" and content[1:] in _ESCAPES:
        return _ESCAPES[content[1:]]
    if re.fullmatch(r"\\x[0-9a-fA-F]{1,2}|\\[0-7]{1,3}", content):
        return int(content[2:], 16) if content[1] == "x" else int(content[1:], 8)
    raise SourceError(token.offset, f"{_shown(token)} is not a number")


def _type(words: Sequence[str]) -> _Cast | None:
    """Return the conversion to the type that *words* name, or None if they do not name an integer type."""
    if not words:
        return None
    if len(words) == 1 and (match := _INTEGER_TYPE.fullmatch(words[0])):
        return _Cast(64 if match[2] is None else int(match[2]), not (match[1] or match[3]))
    if len(words) == 1 and words[0] in _UNSIGNED:
        return _Cast(_UNSIGNED[words[0]], False)
    if not _C_WORDS.issuperset(words):
        other = [word for word in words if word not in ("const", "__force")]
        return _type(other) if len(other) == 1 and len(words) > 1 else None
    bits = 64 if "long" in words else 16 if "short" in words else 8 if "char" in words else 32
    return _Cast(bits, "unsigned" not in words)


def _shown(token: Token) -> str:
    return ascii(token.text if len(token.text) <= 40 else token.text[:40] + "...")


class _Evaluation:
    """One evaluation of an expression, with a stack of operators and one of values."""

    def __init__(
        self, tokens: Sequence[Token], start: int, end: int, resolve: Resolver, precedence: dict[str, int]
    ) -> None:
        self._tokens = tokens
        self._index = start
        self._end = end
        self._resolve = resolve
        self._precedence = precedence
        self._operators: list[_Operator] = []
        self._values: list[Value] = []

    def run(self) -> int:
        expects_operand = True
        last = self._tokens[self._end - 1] if self._end > self._index else self._tokens[max(self._index - 1, 0)]
        while self._index < self._end:
            token = self._tokens[self._index]
            self._index += 1
            expects_operand = self._operand(token) if expects_operand else self._operator(token)
        if expects_operand:
            raise SourceError(last.offset, f"expected a number after {_shown(last)}")
        self._reduce(0)
        if self._operators:
            self._fail(self._operators[-1].token, "is not closed")
        return self._values[-1].number

    def _fail(self, token: Token, fact: str) -> NoReturn:
        raise SourceError(token.offset, f"{_shown(token)} {fact}")

    def _text(self, ahead: int = 0) -> str:
        return self._tokens[self._index + ahead].text if self._index + ahead < self._end else ""

    def _push(self, number: int) -> bool:
        self._values.append(Value(number))
        return False

    # -- Tokens; each function returns whether an operand is expected next

    def _operand(self, token: Token) -> bool:
        match token.kind:
            case "number":
                return self._push(number_value(token))
            case "char":
                return self._push(_character_value(token))
            case "name":
                return self._name(token)
            case "mark" if token.text == "(":
                cast = self._cast_in_parentheses()
                self._operators.append(_Operator("cast", token, cast) if cast else _Operator("(", token))
            case "mark" if token.text in _UNARY:
                self._operators.append(_Operator("unary", token, token.text))
            case _:
                self._fail(token, "is not a number")
        return True

    def _name(self, token: Token) -> bool:
        is_call = self._text() == "(" or (self._text() == "!" and self._text(1) == "(")
        if not is_call:
            return self._push(self._resolve(token))
        if token.word in _OFFSETS | _SIZES:
            return self._push(self._layout(token))
        cast = _type([token.word])
        if cast:
            self._operators.append(_Operator("cast", token, cast))
        elif token.word in _SWAPS:
            self._operators.append(_Operator("swap", token, _SWAPS[token.word]))
        else:
            self._fail(token, "is a function whose value is not known; write the number")
        return True

    def _cast_in_parentheses(self) -> _Cast | None:
        """Return the conversion `type)` that follows, and advance past it; None if there is none."""
        words, index = [], self._index
        while index < self._end and self._tokens[index].kind == "name":
            words.append(self._tokens[index].word)
            index += 1
        cast = _type(words)
        if cast and index < self._end and self._tokens[index].text == ")":
            self._index = index + 1
            return cast
        return None

    def _operator(self, token: Token) -> bool:
        if token.text == ")":
            self._reduce(0)
            if not self._operators:
                self._fail(token, "has no opening parenthesis")
            self._operators.pop()
            return False
        if token.text == "as":
            self._reduce(max(self._precedence.values()) + 1)
            cast = _type([self._text().rpartition(":")[2]])
            if cast is None:
                self._fail(token, "is not followed by an integer type")
            self._index += 1
            self._values.append(self._convert(cast, self._values.pop()))
            return False
        precedence = self._precedence.get(token.text)
        if precedence is None:
            self._fail(token, "is not an operator of constant expressions")
        self._reduce(precedence)
        self._operators.append(_Operator("binary", token, precedence))
        return True

    def _layout(self, token: Token) -> int:
        """Return the value of offsetof(struct NAME, FIELD) or sizeof(struct NAME), and advance past it."""
        words = []
        while self._index < self._end and (text := self._text()) != ")":
            words.append(self._tokens[self._index])
            self._index += 1
        self._index += 1
        names = [word.text for word in words if word.text not in ("!", "(", "struct", "libc::seccomp_data")]
        if any(word.text == "libc::seccomp_data" for word in words):
            names.insert(0, "seccomp_data")
        name, *rest = names or [""]
        structure = structures().get(name)
        if structure is not None and token.word in _SIZES and not rest:
            return structure.size
        field = "".join(rest)
        match = re.fullmatch(r",(\w+)(?:\[(\w+)\])?", field)
        if structure is not None and token.word in _OFFSETS and match and match[1] in structure:
            offset, size = structure[match[1]]
            index = 0 if match[2] is None else number_value(Token("number", match[2], token.offset))
            if index * size <= structure.size - offset - size:
                return offset + index * size
        text = f"{token.text}({' '.join(word.text for word in words[1:])})"
        raise SourceError(token.offset, f"the value of {text[:60]!a} is not known; write the number")

    # -- Operations

    def _reduce(self, precedence: int) -> None:
        """Apply the operators on the stack that bind at least as strongly as *precedence*, down to a parenthesis."""
        while self._operators and self._operators[-1].kind != "(":
            operator = self._operators[-1]
            if operator.kind == "binary" and isinstance(operator.detail, int) and operator.detail < precedence:
                return
            self._operators.pop()
            self._values.append(self._apply(operator))

    def _apply(self, operator: _Operator) -> Value:
        right = self._values.pop()
        match operator.kind, operator.detail:
            case "cast", _Cast() as cast:
                return self._convert(cast, right)
            case "swap", int() as size:
                return self._swapped(operator.token, right.number, size)
            case "binary", _:
                return Value(_arithmetic(operator.token, self._values.pop().number, right.number))
        if right.is_narrow and operator.token.text != "+":
            self._fail(operator.token, "depends on the width of its operand's type; write the number")
        number = {"-": -right.number, "+": right.number, "~": ~right.number, "^": ~right.number}[operator.token.text]
        return Value(number)

    def _swapped(self, token: Token, number: int, size: int) -> Value:
        if not 0 <= number < 1 << 8 * size:
            self._fail(token, f"has an argument that does not fit in {8 * size} bits")
        return Value(int.from_bytes(number.to_bytes(size, sys.byteorder), "big"))

    def _convert(self, cast: _Cast, value: Value) -> Value:
        number = value.number & ((1 << cast.bits) - 1)
        if cast.is_signed and number >> (cast.bits - 1):
            number -= 1 << cast.bits
        return Value(number, cast.bits < 32)


def _fits(number: int) -> bool:
    return -(_WORD_MASK // 2) - 1 <= number <= _WORD_MASK


def _arithmetic(operator: Token, left: int, right: int) -> int:
    """Return the result of a binary operator, whose value must not depend on the types of its operands."""
    symbol = operator.text
    if symbol in ("<<", ">>", "/", "%") and not (left >= 0 or (symbol == "<<" and _fits(left))):
        raise SourceError(operator.offset, f"'{symbol}' has a negative operand; its result depends on the type")
    if symbol in ("<<", ">>") and not 0 <= right < 64:
        raise SourceError(operator.offset, f"shift count {right % 1000} is out of range (0..63)")
    if symbol in ("/", "%") and right <= 0:
        raise SourceError(operator.offset, f"'{symbol}' has a divisor that is not positive")
    result = {
        "*": lambda: left * right,
        "/": lambda: left // right,
        "%": lambda: left % right,
        "+": lambda: left + right,
        "-": lambda: left - right,
        "<<": lambda: left << right,
        ">>": lambda: left >> right,
        "&": lambda: left & right,
        "&^": lambda: left & ~right,
        "^": lambda: left ^ right,
        "|": lambda: left | right,
    }[symbol]()
    bound = _WORD_MASK if _fits(left) and _fits(right) else (1 << 64) - 1
    if not -(bound // 2) - 1 <= result <= bound:
        raise SourceError(operator.offset, f"the result of '{symbol}' does not fit in {bound.bit_length()} bits")
    return result
