"""Expressions of commands: a parser of numbers, registers, scratch slots and bytes of the packet.

The grammar, from weak to strong operators. As in Python, and unlike in C, & | and ^ are stronger than comparisons:

    formula     or | and | not | == != < <= > >= | "|" | ^ | & | << >> | + - | * / %
    value       NUMBER | A | X | M[n] | packet[offset:size] | [offset:size] | len | caplen | -value | ~value | (formula)

All values are unsigned numbers of 32 bits, and a comparison is 1 or 0. Nothing is evaluated as Python.
"""

from __future__ import annotations

import operator

from ..._named_tuple import NamedTuple
from ..._typing import Callable, Final, TypeAlias
from .errors import DebuggerError, quoted, unknown_word
from .lexer import Token, tokens
from .state import State, Unavailable, check_slot

Evaluate: TypeAlias = Callable[[State], int]
"""Returns the value in a state; raises `Unavailable`."""
_Operation: TypeAlias = Callable[[int, int], int]

_MASK: Final = 0xFFFF_FFFF
_MAX_DEPTH: Final = 20  # of parentheses; each takes 24 frames of the stack of Python
_SIZES: Final = (1, 2, 4)  # bytes
_NAMES: Final = ("A", "X", "M", "packet", "len", "caplen")


class Formula(NamedTuple):
    """A parsed expression.

    Args:
        text: Its text, with single spaces.
        is_condition: Whether its value is true or false, and not a number.
        reads: Its inputs: "A", "X", "M" and "packet", as far as it has them.
        value: The function that evaluates it.
    """

    text: str
    is_condition: bool
    reads: frozenset[str]
    value: Evaluate

    def holds(self, state: State) -> bool:
        """Return whether it is not 0; False also if a byte is missing, or a division is by zero."""
        try:
            return self.value(state) != 0
        except Unavailable:
            return False


def parse_formula(text: str) -> Formula:
    """Return the parsed expression of a text.

    Raises:
        DebuggerError: The text is not an expression.
    """
    parser = _Parser(text)
    value = parser.parse_level(0)
    parser.expect_end()
    return Formula(" ".join(text.split()), parser.is_condition, frozenset(parser.reads), value)


def _divide(left: int, right: int) -> int:
    return left // _divisor(right)


def _remainder(left: int, right: int) -> int:
    return left % _divisor(right)


def _divisor(number: int) -> int:
    if number == 0:
        raise Unavailable("division by zero")
    return number


def _shift_left(left: int, right: int) -> int:
    return left << right if right < 32 else 0


_COMPARISONS: Final[dict[str, _Operation]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: Final[tuple[dict[str, _Operation], ...]] = (
    {"|": operator.or_},
    {"^": operator.xor},
    {"&": operator.and_},
    {"<<": _shift_left, ">>": operator.rshift},
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": _divide, "%": _remainder},
)
"""The operators of arithmetic by level, from weak to strong."""


class _Parser:
    """A parser by recursive descent; chains of operators of one level are loops, so only parentheses nest."""

    def __init__(self, text: str) -> None:
        self._tokens = list(tokens(text))
        self._index = 0
        self._depth = 0
        self.is_condition = False
        """Whether the outermost operator is a comparison, and, or, or not."""
        self.reads: set[str] = set()

    def parse_level(self, level: int) -> Evaluate:
        """Parse operators of a level and stronger ones: 0 or, 1 and, 2 not, 3 comparisons, from 4 on arithmetic."""
        match level:
            case 0:
                return self._junction("or", 0)
            case 1:
                return self._junction("and", 1)
            case 2:
                return self._negation()
            case 3:
                return self._comparison()
            case _ if level - 4 < len(_ARITHMETIC):
                return self._arithmetic(level)
        return self._prefixed()

    def expect_end(self) -> None:
        """Raise an error unless all words have been read."""
        if self._index < len(self._tokens):
            raise DebuggerError(f"unexpected {quoted(self._tokens[self._index].text)}")

    def _peek(self) -> str:
        return self._tokens[self._index].text if self._index < len(self._tokens) else ""

    def _accept(self, *texts: str) -> str:
        """Read and return the next word if it is one of these; otherwise return an empty text."""
        if self._peek() not in texts:
            return ""
        self._index += 1
        return self._tokens[self._index - 1].text

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            found = f"found {quoted(self._peek())}" if self._peek() else "the text ends"
            raise DebuggerError(f"expected {text!r}, {found}")

    def _junction(self, word: str, level: int) -> Evaluate:
        operands = [self.parse_level(level + 1)]
        while self._accept(word):
            operands.append(self.parse_level(level + 1))
        if len(operands) == 1:
            return operands[0]
        self.is_condition = True
        test = all if word == "and" else any
        return lambda state: int(test(operand(state) for operand in operands))

    def _negation(self) -> Evaluate:
        count = 0
        while self._accept("not"):
            count += 1
        operand = self.parse_level(3)
        if not count:
            return operand
        self.is_condition = True
        expected = count % 2 == 0
        return lambda state: int((operand(state) != 0) is expected)

    def _comparison(self) -> Evaluate:
        left = self.parse_level(4)
        sign = self._accept(*_COMPARISONS)
        if not sign:
            if self._peek() == "=":
                raise DebuggerError("'=' is not an operator; use == to compare")
            return left
        right = self.parse_level(4)
        if self._peek() in _COMPARISONS:
            raise DebuggerError("comparisons cannot be chained; join them with 'and'")
        self.is_condition = True
        compare = _COMPARISONS[sign]
        return lambda state: int(compare(left(state), right(state)))

    def _arithmetic(self, level: int) -> Evaluate:
        operations = _ARITHMETIC[level - 4]
        first = self.parse_level(level + 1)
        others: list[tuple[_Operation, Evaluate]] = []
        while sign := self._accept(*operations):
            others.append((operations[sign], self.parse_level(level + 1)))
        if not others:
            return first
        self.is_condition = False

        def value(state: State) -> int:
            result = first(state)
            for operation, operand in others:
                result = operation(result, operand(state)) & _MASK
            return result

        return value

    def _prefixed(self) -> Evaluate:
        signs = []
        while sign := self._accept("-", "~"):
            signs.append(sign)
        operand = self._operand()
        if not signs:
            return operand
        self.is_condition = False

        def value(state: State) -> int:
            result = operand(state)
            for sign in reversed(signs):
                result = (-result if sign == "-" else ~result) & _MASK
            return result

        return value

    def _operand(self) -> Evaluate:
        if self._peek() == "[":
            return self._bytes()
        if self._index == len(self._tokens):
            raise DebuggerError("a value is missing at the end")
        token = self._tokens[self._index]
        self._index += 1
        if token.text == "(":
            return self._nested(")")
        self.is_condition = False
        if token.number is not None:
            constant = token.number
            return lambda state: constant
        return self._named(token)

    def _named(self, token: Token) -> Evaluate:
        name = token.text.lower()
        self.reads.add(name.upper() if name in ("a", "x", "m") else "packet")
        match name:
            case "a":
                return lambda state: state.a
            case "x":
                return lambda state: state.x
            case "m":
                return self._slot()
            case "packet":
                return self._bytes()
            case "len":
                return lambda state: state.packet.wire_length
            case "caplen":
                return lambda state: len(state.packet.data)
        if token.text.isidentifier() and token.text not in ("and", "or", "not"):
            raise unknown_word(token.text, "name", _NAMES)
        raise DebuggerError(f"expected a value, found {quoted(token.text)}")

    def _slot(self) -> Evaluate:
        self._expect("[")
        slot = check_slot(self._constant("the number of a slot"))
        self._expect("]")
        return lambda state: state.scratch[slot]

    def _bytes(self) -> Evaluate:
        self._expect("[")
        self.reads.add("packet")
        offset = self._nested("")
        size = self._constant("a number of bytes") if self._accept(":") else 1
        self._expect("]")
        if size not in _SIZES:
            raise DebuggerError(f"{size} bytes are not a number; use 1, 2 or 4")
        self.is_condition = False
        return lambda state: state.packet.number(offset(state), size)

    def _nested(self, end: str) -> Evaluate:
        """Parse an expression in parentheses, or in brackets."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise DebuggerError(f"nested more than {_MAX_DEPTH} deep")
        value = self.parse_level(0)
        if end:
            self._expect(end)
        self._depth -= 1
        return value

    def _constant(self, kind: str) -> int:
        token = self._tokens[self._index] if self._index < len(self._tokens) else Token("")
        if token.number is None:
            raise DebuggerError(f"expected {kind}, found {quoted(token.text)}" if token.text else f"expected {kind}")
        self._index += 1
        return token.number
