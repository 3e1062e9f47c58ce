"""The meaning of a syntax tree as nested tuples: without spans, spellings, defaults, and parentheses."""

from ipaddress import IPv6Address

from cbpf.expression.lexer import Token
from cbpf.expression.syntax_tree import (
    And,
    Arithmetic,
    Binary,
    Condition,
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
from cbpf.expression.vocabulary import WLAN


def meaning(node: Condition | Arithmetic | None) -> object:
    """Return the meaning of a tree that is not nested deeply: trees with equal meanings have the same plain code."""
    match node:
        case And() | Or():
            return (type(node).__name__, *_operands(node))
        case Not(operand) | Negate(operand):
            return type(node).__name__, meaning(operand)
        case Match(qualifiers, identifier, mask):
            direction = None if qualifiers.direction == "src or dst" else qualifiers.direction
            return qualifiers.protocol, direction, qualifiers.kind or "host", _value(identifier), mask and _value(mask)
        case Protocol(name):
            return name
        case Primitive(name, protocol, arguments):
            values = [_value(argument) for argument in arguments if argument.word != "=" or name == "byte"]
            return name, None if name in WLAN else protocol or "link", *values
        case Relation(operator, left, right) | Binary(operator, left, right):
            return operator, meaning(left), meaning(right)
        case Number(value):
            return value
        case Load(protocol, offset, size):
            return protocol, meaning(offset), size
    return type(node).__name__


def _operands(node: And | Or) -> list[object]:
    operands: list[object] = []
    for operand in node.operands:
        operands.extend(
            _operands(operand) if isinstance(operand, And | Or) and type(operand) is type(node) else [meaning(operand)]
        )
    return operands


def _value(token: Token) -> object:
    match token.kind:
        case "number":
            return token.value
        case "ipv4":
            return tuple(part.lstrip("0") for part in token.text.split("."))
        case "ipv6":
            return int(IPv6Address(token.text))
        case "mac":
            groups = token.text.lower().replace(".", ":").replace("-", ":").split(":")
            return "".join(group.zfill(2 if len(groups) == 6 else 4) for group in groups).zfill(12)
        case "arcnet":
            return token.text.lower()
    return token.word
