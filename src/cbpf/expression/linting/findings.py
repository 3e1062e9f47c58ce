"""A finding about a filter expression, and the draft of one that a rule returns."""

from ..._named_tuple import NamedTuple
from ..._record import Record
from ..._typing import TYPE_CHECKING, Any, Literal, TypeAlias
from ...errors import Problem
from ..syntax_tree import Span

if TYPE_CHECKING:
    from ...proofs.equivalence import Difference

Severity: TypeAlias = Literal["error", "warning", "note", "undecided"]
"""The severity of a finding, from a filter that cannot work to a question without an answer."""


class LintFinding(Record):
    """A finding about a filter expression that can be compiled.

    Args:
        identifier: The name of the rule in kebab case, stable across releases.
        severity: "error": the filter cannot work; "warning": it hardly means the intention; "note": a property that
            many filters have, and few users know; "undecided": a question that was not answered.
        span: The offsets in the expression of the text that the finding concerns: first character, end.
        related: The spans of other parts that have a share in it.
        problem: The line, the column, the fact and an excerpt of the expression.
        rule: The rule of the language, or the remedy.
        suggestion: An expression to write instead, which can be compiled; empty if there is none.
        is_equivalent: Whether the suggestion accepts the packets that the expression accepts, and no others.
        difference: A packet on which the expression (left) and the suggestion (right) differ, or None. There is none if
            they are equivalent, and none is known without the extra `smt`.
    """

    identifier: str
    severity: Severity
    span: Span
    related: tuple[Span, ...]
    problem: Problem
    rule: str
    suggestion: str
    is_equivalent: bool
    difference: "Difference | None"

    @property
    def fact(self) -> str:
        """The fact that was found."""
        return self.problem.message

    @property
    def place(self) -> str:
        """The place as text: "column 5", with the line if it is not the first."""
        line = f"line {self.problem.line}, " if self.problem.line > 1 else ""
        return f"{line}column {self.problem.column}"

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as a dictionary that can be converted to JSON.

        Returns:
            The identifier, the severity, the place, the texts, and the packet in hexadecimal with its metadata and both
            verdicts.
        """
        packet = self.difference
        return {
            "identifier": self.identifier,
            "severity": self.severity,
            "line": self.problem.line,
            "column": self.problem.column,
            "span": list(self.span),
            "related": [list(span) for span in self.related],
            "fact": self.fact,
            "rule": self.rule,
            "suggestion": self.suggestion,
            "is_equivalent": self.is_equivalent,
            "packet": packet.packet.hex() if packet else None,
            "wire_length": packet.wire_length if packet else None,
            "metadata": packet.metadata.as_dict() if packet else None,
            "verdict": packet.left_verdict if packet else None,
            "suggestion_verdict": packet.right_verdict if packet else None,
        }

    def __str__(self) -> str:
        return f"{self.place}: {self.severity}: {self.fact}; {self.rule} [{self.identifier}]"


class Draft(NamedTuple):
    """The result of a rule, which the linter completes.

    Args:
        span: The text that the finding concerns.
        fact: The fact.
        rule: The rule of the language, or the remedy.
        related: The spans of other parts that have a share in it.
        suggestion: The expression to write instead, or an empty text.
        is_equal: Whether the suggestion has the meaning of the expression.
        is_certain: Whether the finding is a mistake even if its suggestion has the meaning of the expression, which it
            should not have.
    """

    span: Span
    fact: str
    rule: str
    related: tuple[Span, ...] = ()
    suggestion: str = ""
    is_equal: bool = False
    is_certain: bool = False
