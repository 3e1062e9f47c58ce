"""The syntax tree of a filter expression: immutable nodes, each with its span in the text.

`and` and `or` bind equally and to the left, so `a or b and c` is `And(Or(a, b), c)`. Operands of one operator in
sequence are one flat node. A node of alternating operators is as deep as the text is long: functions of a tree are
iterative.
"""

from .._named_tuple import NamedTuple
from .._record import Record
from .._span import Span as Span  # of each node
from .._typing import TypeAlias
from .lexer import Token


class Qualifiers(NamedTuple):
    """The qualifiers of an identifier.

    Args:
        protocol: The protocol, such as "tcp", or None.
        direction: "src", "dst", "src or dst", "src and dst", "addr1" to "addr4", "ra" or "ta", or None.
        kind: "host", "net", "port", "portrange", "proto", "protochain" or "gateway", or None.
    """

    protocol: str | None
    direction: str | None
    kind: str | None


class And(Record):
    """The conjunction of two or more operands."""

    operands: "tuple[Condition, ...]"
    span: Span


class Or(Record):
    """The disjunction of two or more operands."""

    operands: "tuple[Condition, ...]"
    span: Span


class Not(Record):
    """The negation of an operand."""

    operand: "Condition"
    span: Span


class Match(Record):
    """An identifier with its qualifiers, which are written before it or carried over from an earlier one.

    Args:
        qualifiers: The qualifiers.
        identifier: The identifier.
        mask: The prefix length or mask of a network, or None.
        span: The span of the identifier, and of the qualifiers that are written before it.
    """

    qualifiers: Qualifiers
    identifier: Token
    mask: Token | None
    span: Span


class Protocol(Record):
    """A protocol alone, such as `tcp`."""

    name: str
    span: Span


class Primitive(Record):
    """Any other primitive, such as `vlan 5`, `ether broadcast` or `vpi (1 or 2)`.

    Args:
        name: The canonical keyword.
        protocol: The protocol before the keyword, or None.
        arguments: The tokens after the keyword, without parentheses.
        span: The span.
    """

    name: str
    protocol: str | None
    arguments: tuple[Token, ...]
    span: Span


class Relation(Record):
    """A comparison of two arithmetic expressions: "=", "!=", "<", "<=", ">" or ">="."""

    operator: str
    left: "Arithmetic"
    right: "Arithmetic"
    span: Span


class Number(Record):
    """A number.

    Args:
        value: The value.
        span: The span.
        text: The characters in the expression, which may be a name such as `tcp-syn`; empty for a number without them.
    """

    value: int
    span: Span
    text: str = ""


class Length(Record):
    """The length of the packet on the wire."""

    span: Span


class Load(Record):
    """Bytes of a header: `tcp[13]`, or `ip[2:2]` with a size."""

    protocol: str
    offset: "Arithmetic"
    size: int
    span: Span


class Negate(Record):
    """The negative of a value, modulo 2**32."""

    operand: "Arithmetic"
    span: Span


class Binary(Record):
    """An arithmetic operation on two values."""

    operator: str
    left: "Arithmetic"
    right: "Arithmetic"
    span: Span


Condition: TypeAlias = And | Or | Not | Match | Protocol | Primitive | Relation
Arithmetic: TypeAlias = Number | Length | Load | Negate | Binary
