"""Problems of an expression whose syntax is right: the place, the fact, and the rule."""

from typing import Literal, TypeAlias

from .syntax_tree import Span

ProblemKind: TypeAlias = Literal[
    "syntax", "number", "address", "range", "qualifier", "name", "link-type", "nesting", "live", "netmask"
]
"""The kinds of problems. Those of kind "link-type", "nesting" and "live" depend on the packets."""


class ExpressionProblem(Exception):
    """A part of an expression that cannot be compiled.

    Args:
        span: The part of the text.
        kind: The kind of the problem.
        fact: The mistake.
        rule: The rule that the text does not follow; may be empty.
    """

    def __init__(self, span: Span, kind: ProblemKind, fact: str, rule: str = "") -> None:
        super().__init__(span, kind, fact, rule)
        self.span = span
        self.kind = kind
        self.fact = fact
        self.rule = rule
