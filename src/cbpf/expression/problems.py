"""Problems of an expression whose syntax is right: the place, the fact, and the rule."""

from .._typing import Final, Literal, TypeAlias
from .syntax_tree import Span

ProblemKind: TypeAlias = Literal[
    "syntax", "number", "address", "range", "qualifier", "name", "link-type", "nesting", "live", "netmask"
]
"""The kinds of problems. Those of kind "link-type", "nesting" and "live" depend on the packets."""

_OF_LINK_TYPES: Final = ("link-type", "live")
"""The kinds of problems that an expression may have with one link type and not with another."""


class ExpressionProblem(Exception):
    """A part of an expression that cannot be compiled.

    Args:
        span: The part of the text.
        kind: The kind of the problem.
        fact: The mistake.
        rule: The rule that the text does not follow; may be empty.
        fits_others: Whether the text may be right for another link type; by default, this depends on the kind.
    """

    def __init__(
        self, span: Span, kind: ProblemKind, fact: str, rule: str = "", *, fits_others: bool | None = None
    ) -> None:
        super().__init__(span, kind, fact, rule)
        self.span = span
        self.kind = kind
        self.fact = fact
        self.rule = rule
        self.fits_others = kind in _OF_LINK_TYPES if fits_others is None else fits_others


class ExpressionProblems(Exception):
    """The problems of an expression or of a part of it, in the order of the text; there is at least one."""

    def __init__(self, problems: tuple[ExpressionProblem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems
