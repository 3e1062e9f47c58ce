"""The conditions of a syntax tree, for tests that classify expressions."""

from collections.abc import Iterator

from cbpf.expression.syntax_tree import And, Condition, Match, Not, Or, Primitive, Protocol, Relation


def conditions_of(tree: Condition | None) -> Iterator[Match | Protocol | Primitive | Relation]:
    """Yield the primitives and relations of a tree; there are none in an empty expression."""
    pending = [] if tree is None else [tree]
    while pending:
        match pending.pop():
            case And(operands=operands) | Or(operands=operands):
                pending += operands
            case Not(operand=operand):
                pending.append(operand)
            case leaf:
                yield leaf
