"""The findings of an audit: the record, and its severities."""

from ..._record import Record, json_value
from ..._text import Readable
from ..._typing import Any, Final, Literal, TypeAlias
from ...errors import FieldError
from ...isa.verdicts import SeccompAction
from ..calls import SystemCall
from ..diagrams.call_sets import CallSet
from ..names.actions import action_text
from ..texts.call_texts import example_text
from ..texts.condition_rendering import conditions_text

Severity: TypeAlias = Literal["low", "medium", "high"]
"""How much a finding weakens a filter."""

SEVERITIES: Final[tuple[Severity, ...]] = ("low", "medium", "high")
"""The severities in ascending order."""


class AuditFinding(Readable, Record):
    """A finding of an audit: a weakness of a filter, or a part of it without effect.

    Args:
        identifier: The rule, and after a colon the subject if the rule has several: "escape:ptrace".
        severity: "low", "medium" or "high".
        message: A sentence about the finding.
        advice: A sentence about a remedy.
        calls: The calls that are concerned, as disjoint sets; () if the finding states that none exists.
        witness: One of the calls, which was evaluated; None if the finding states that none exists.
        action: The action for the witness.
        contrast: A call that is denied although it does the same; None if there is nothing to compare.
        contrast_action: The action for *contrast*.
        is_computed: Whether *calls* contain other calls as well: the exact set has no short description.
    """

    identifier: str
    severity: Severity
    message: str
    advice: str
    calls: tuple[CallSet, ...] = ()
    witness: SystemCall | None = None
    action: SeccompAction | None = None
    contrast: SystemCall | None = None
    contrast_action: SeccompAction | None = None
    is_computed: bool = False

    @property
    def rule(self) -> str:
        """The identifier without the subject."""
        return self.identifier.partition(":")[0]

    def __str__(self) -> str:
        witnesses = [each for each in (self._witness_text(self.witness), self._witness_text(self.contrast)) if each]
        lines = [f"{self.severity}: {self.identifier}: {self.message}", *witnesses, self.advice]
        return "\n    ".join(lines)

    def _witness_text(self, call: SystemCall | None) -> str:
        action = self.action if call is self.witness else self.contrast_action
        if call is None or action is None:
            return ""
        return f"{action_text(action)}: {example_text(call)}"

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as values of JSON.

        Returns:
            A dictionary with the attributes. "calls" is a list of sets, each with the ranges "audit_arch" and
            "numbers", and the condition on the arguments as text, "if"; "computed" is *is_computed*.
            "witness" and "contrast" have "architecture", "audit_arch", "name", "number", "arguments",
            "instruction_pointer" and "action".
        """
        return {
            "identifier": self.identifier,
            "severity": self.severity,
            "message": self.message,
            "advice": self.advice,
            "calls": [
                {
                    "audit_arch": json_value(each.architectures),
                    "numbers": json_value(each.numbers),
                    "if": conditions_text(each.conditions),
                }
                for each in self.calls
            ],
            "computed": self.is_computed,
            "witness": _call_dict(self.witness, self.action),
            "contrast": _call_dict(self.contrast, self.contrast_action),
        }


def _call_dict(call: SystemCall | None, action: SeccompAction | None) -> dict[str, Any] | None:
    if call is None or action is None:
        return None
    return {**call.as_dict(), "action": action_text(action)}


def severity_of(text: str) -> Severity:
    """Return the severity with a name; raise `FieldError` if there is none."""
    for severity in SEVERITIES:
        if severity == text:
            return severity
    raise FieldError(f"severity: {text!r} is not one of {', '.join(SEVERITIES)}")
