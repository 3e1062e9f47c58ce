"""Syntax trees as text, and expressions in their canonical form.

The order of tests and the tree remain as they are, so the plain code does as well. Each identifier is written with its
qualifiers; consecutive alternatives with the same qualifiers are a list, as in `tcp port (80 or 443)`. Parentheses are
written where the grammar requires them, and where a reader could see another structure than the compiler:

- `and` and `or` have the same precedence for the compiler, and for many readers they have not. No text contains both
  without parentheses: `a or b and c` becomes `(a or b) and c`.
- Only `*` and `/` before `+` and `-` are common knowledge; the precedence of `<<`, `&` and `|` differs between
  languages, and that of `%` and `^` is peculiar to libpcap's grammar: `7 % 2 + 1` becomes `7 % (2 + 1)`.
- A computed offset has parentheses before its size: `tcp[((tcp[12] & 0xf0) >> 2):4]`.
"""

import re
from collections.abc import Iterator
from itertools import groupby

from .._typing import Final, TypeAlias
from .._validators import within
from ..errors import FieldError
from .front_end import check_characters
from .lexer import tokens
from .parser import PRECEDENCE, parse
from .primitives import SyntaxProblem
from .spelling import DEFAULT_LINK_WORD, identifier_text, link_word, protocol_text, qualifiers_text, token_text
from .syntax_tree import (
    And,
    Arithmetic,
    Binary,
    Condition,
    Length,
    Load,
    Match,
    Negate,
    Not,
    Number,
    Or,
    Primitive,
    Protocol,
    Relation,
)
from .vocabulary import FIELDS, WLAN

_List: TypeAlias = tuple[Match, ...]
"""Two or more alternatives with the same qualifiers."""
_Part: TypeAlias = "str | Condition | Arithmetic"

_SIMILAR: Final = {operator: operators for operators in ("+-*/", ("<<", ">>"), "&", "|") for operator in operators} | {
    "%": "",
    "^": "",
}
"""The operators whose precedence relative to an operator all readers know."""

_UNRELATED: Final = ""
"""The qualifiers of a condition that is not an identifier."""


_check_width: Final = within(1, 0xFFFF_FFFF, "a number of columns")
_BREAK: Final = re.compile("(?<!src)(?<!dst) (?=(?:and|or) )")
"""A blank before an operator, except in `src and dst`."""


def format_expression(expression: str, *, width: int | None = None) -> str:
    """Return an expression in its canonical form, which compiles to the same program.

    Identifiers have explicit qualifiers, and parentheses are written where the grammar or a reader needs them. The
    expression is not compiled: names are not resolved, and an expression that fits no link type has a form as well.

    Args:
        expression: The expression in tcpdump's language (pcap-filter(7)).
        width: The number of columns that lines should not exceed (1 or more); lines begin with `and` or `or`, after two
            blanks. By default, the form is one line.

    Returns:
        The canonical form; an empty text for an empty expression. The form of the result is the result.

    Raises:
        ExpressionError: The text is not an expression.
        FieldError: An argument is invalid.

    >>> format_expression("tcp port http || https and not src 192.0.2.1")
    'tcp port (http or https) and not src host 192.0.2.1'
    >>> format_expression("arp or ip and ether[6:2] & 0XFF == 7 % 2 + 1")
    '(arp or ip) and ether[6:2] & 0xff = 7 % (2 + 1)'
    >>> print(format_expression("udp port 53 or 5353 or 5355", width=20))
    udp port (53 or 5353
      or 5355)
    """
    columns = None if width is None else _check_width("format_expression.width", width)
    text = text_of(parsed(expression), link=link_word(tokens(expression)))
    return text if columns is None else "\n".join(_lines(text, columns))


def _lines(text: str, width: int) -> Iterator[str]:
    """Yield lines that begin with an operator, each as long as *width* allows."""
    line: list[str] = []
    length = -1  # without the blank before the first operand
    for operand in _BREAK.split(text):
        if line and length + 1 + len(operand) > width:
            yield " ".join(line)
            line, length = [" "], 1
        line.append(operand)
        length += 1 + len(operand)
    yield " ".join(line)


def parsed(expression: str) -> "Condition | None":
    """Return the syntax tree of an expression; None if it is empty.

    Raises `ExpressionError` if the text is not an expression, and `FieldError` if the argument is not text.
    """
    if not isinstance(expression, str):
        raise FieldError(f"expression: {expression!r} is not text")
    check_characters(expression)
    try:
        return parse(expression)
    except SyntaxProblem as problem:
        from .diagnosis.explain import diagnose_syntax

        raise diagnose_syntax(expression, problem) from None


def text_of(tree: "Condition | Arithmetic | None", *, link: str = DEFAULT_LINK_WORD) -> str:
    """Return the canonical text of a tree, where *link* is the word for the link layer.

    Parsing the text results in an equal tree, except for spans, nested nodes of one operator, which become one node,
    and the defaults that `spelling` omits or adds.
    """
    writer = _Writer(link)
    written: list[str] = []
    pending: list[_Part] = [] if tree is None else [tree]
    while pending:
        part = pending.pop()
        if isinstance(part, str):
            written.append(part)
        else:
            pending.extend(reversed(writer.parts(part)))
    return "".join(written)


class _Writer:
    """The text of one node, in which its children remain nodes."""

    def __init__(self, link: str) -> None:
        self._link = link

    def parts(self, node: "Condition | Arithmetic") -> list[_Part]:
        """Return the text of a node with the nodes in it."""
        match node:
            case And() | Or():
                return self._junction(node)
            case Not(operand):
                return ["not ", *self._condition(operand)]
            case Match(qualifiers, identifier, mask):
                return [f"{qualifiers_text(qualifiers, self._link)} {identifier_text(identifier, mask)}"]
            case Protocol(name):
                return [protocol_text(name, self._link)]
            case Primitive():
                return [self._primitive(node)]
            case Relation(operator, left, right):
                return [left, f" {operator} ", right]
            case Number(value, _, text):
                return [text.lower() or str(value)]
            case Length():
                return ["len"]
            case Load(protocol, offset, size):
                is_grouped = size != 1 and isinstance(offset, Binary)
                end = "]" if size == 1 else f":{size}]"
                return [f"{protocol_text(protocol, self._link)}[", *_grouped(offset, is_grouped), end]
            case Negate(operand):
                return ["-", *_grouped(operand, isinstance(operand, Binary))]
            case Binary(operator, left, right):
                return [*_left_operand(operator, left), f" {operator} ", *_right_operand(operator, right)]

    def _junction(self, node: And | Or) -> list[_Part]:
        """Return the parts of a junction; one that is a list needs no parentheses in any other node."""
        word = " and " if isinstance(node, And) else " or "
        parts: list[_Part] = []
        for index, item in enumerate(self._items(node)):
            if index:
                parts.append(word)
            if isinstance(item, tuple):
                parts.append(self._list(item))
            else:
                parts.extend(self._condition(item))
        return parts

    def _condition(self, node: "Condition") -> list[_Part]:
        """Return an operand of a junction or negation."""
        return _grouped(node, isinstance(node, And | Or) and not self._is_list(node))

    def _items(self, node: And | Or) -> "Iterator[Condition | _List]":
        """Yield the operands of a junction, with lists in place of alternatives that have the same qualifiers."""
        if isinstance(node, And):
            yield from _flat(node)
            return
        for qualifiers, group in groupby(_flat(node), self._qualifiers):
            operands = tuple(group)
            if qualifiers == _UNRELATED or len(operands) == 1:
                yield from operands
            else:
                yield operands  # type: ignore[misc]

    def _qualifiers(self, node: "Condition") -> str:
        return qualifiers_text(node.qualifiers, self._link) if isinstance(node, Match) else _UNRELATED

    def _is_list(self, node: And | Or) -> bool:
        items = self._items(node)
        return isinstance(next(items), tuple) and next(items, None) is None

    def _list(self, matches: _List) -> str:
        identifiers = " or ".join(identifier_text(match.identifier, match.mask) for match in matches)
        return f"{qualifiers_text(matches[0].qualifiers, self._link)} ({identifiers})"

    def _primitive(self, node: Primitive) -> str:
        arguments = [token_text(token) for token in node.arguments]
        if node.name in ("broadcast", "multicast"):
            return f"{protocol_text(node.protocol or 'link', self._link)} {node.name}"
        if node.name in WLAN and len(arguments) == 2:
            return f"{node.name} {arguments[0]} subtype {arguments[1]}"
        if node.name in FIELDS:
            if arguments[0] == "=":
                del arguments[0]
            elif node.arguments[0].kind == "number" and len(arguments) > 1:
                arguments = [f"({' or '.join(arguments)})"]
        return " ".join([node.name, *arguments])


def _flat(node: And | Or) -> "Iterator[Condition]":
    """Yield the operands of a junction, and in their place those of operands with the same operator."""
    pending: list[Condition] = [node]
    while pending:
        operand = pending.pop()
        if isinstance(operand, And | Or) and type(operand) is type(node):
            pending.extend(reversed(operand.operands))
        else:
            yield operand


def _grouped(node: "Condition | Arithmetic", is_grouped: bool) -> list[_Part]:
    return ["(", node, ")"] if is_grouped else [node]


def _left_operand(operator: str, operand: "Arithmetic") -> list[_Part]:
    is_negative = isinstance(operand, Negate) and PRECEDENCE[operator] is None  # -5 % 3 is -(5 % 3)
    return _grouped(operand, is_negative or _is_grouped(operator, operand))


def _right_operand(operator: str, operand: "Arithmetic") -> list[_Part]:
    is_equal = isinstance(operand, Binary) and PRECEDENCE[operand.operator] == PRECEDENCE[operator]
    return _grouped(operand, is_equal or _is_grouped(operator, operand))


def _is_grouped(outer: str, operand: "Arithmetic") -> bool:
    """Return whether an operation needs parentheses in both operands of an operator."""
    if not isinstance(operand, Binary):
        return False
    inner = operand.operator
    return outer not in _SIMILAR[inner] or (PRECEDENCE[inner] or 0) < (PRECEDENCE[outer] or 0)
