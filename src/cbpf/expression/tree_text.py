"""The syntax tree of an expression as text: a line for each node, with its span."""

from collections.abc import Iterator

from .._typing import Final, TypeAlias
from .formatting import parsed
from .lexer import Token
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

_Node: TypeAlias = "Condition | Arithmetic"

_MAX_INDENTED: Final = 40
"""The depth from which nodes are not indented further, so that the text of a deep tree is not quadratic."""


def tree_listing(expression: str) -> str:
    """Return the syntax tree of an expression as text.

    Args:
        expression: The expression in tcpdump's language (pcap-filter(7)).

    Returns:
        A line for each node: the numbers of its first and last character, from 1, and the node, indented by its depth;
        nodes at a depth above 40 have the number of their depth. The text is empty for an empty expression.

    Raises:
        ExpressionError: The text is not an expression.
        FieldError: The argument is not text.

    >>> print(tree_listing("tcp port 80 or 443 and ip[8] < 0x10"))
     1-35 and
     1-18   or
     1-11     tcp port: number 80
    16-18     tcp port: number 443
    24-35   <
    24-28     1 byte of ip
    27-27       number 8
    32-35     number 0x10 (16)
    """
    tree = parsed(expression)
    return "" if tree is None else "\n".join(_lines(tree))


def _lines(tree: "Condition") -> Iterator[str]:
    width = len(str(tree.span.end))
    pending: list[tuple[_Node, int]] = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        indentation = "  " * min(depth, _MAX_INDENTED) + (f"({depth}) " if depth > _MAX_INDENTED else "")
        yield f"{node.span.start + 1:{width}}-{node.span.end:<{width}} {indentation}{_label(node)}"
        pending += ((child, depth + 1) for child in reversed(_children(node)))


def _children(node: "_Node") -> "tuple[_Node, ...]":
    match node:
        case And(operands) | Or(operands):
            return operands
        case Not(operand) | Negate(operand):
            return (operand,)
        case Relation(_, left, right) | Binary(_, left, right):
            return left, right
        case Load(_, offset):
            return (offset,)
    return ()


def _label(node: "_Node") -> str:
    match node:
        case And() | Or() | Not():
            return type(node).__name__.lower()
        case Match(qualifiers, identifier, mask):
            masked = f", mask {mask.text}" if mask else ""
            return f"{' '.join(filter(None, qualifiers))}: {_token_label(identifier)}{masked}"
        case Protocol(name):
            return f"protocol {name}"
        case Primitive(name, protocol, arguments):
            words = f"{protocol} {name}" if protocol else name
            return f"primitive {words}" + (f": {', '.join(map(_token_label, arguments))}" if arguments else "")
        case Number(value, _, text):
            return f"number {text}" if text == str(value) else f"number {text} ({value})"
        case Length():
            return "len"
        case Load(protocol, _, size):
            return f"{size} byte{'s' if size > 1 else ''} of {protocol}"
        case Negate():
            return "negative"
        case Relation(operator) | Binary(operator):
            return operator


def _token_label(token: Token) -> str:
    return token.word if token.kind in ("operator", "keyword") else f"{token.kind} {token.text}"
