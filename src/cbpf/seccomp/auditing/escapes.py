"""The rule about calls by which a process gets out of a sandbox, or harms the machine."""

from collections.abc import Iterator

from ..diagrams.decision_diagram import FALSE, TRUE, Node
from ..names.architectures import Architecture
from ..names.arguments import arguments_of
from ..names.system_calls import call_names
from ..texts.condition_text import parse_conditions
from .catalog import Escape, escapes
from .findings import AuditFinding
from .phrases import names_text
from .subject import Subject, condition_node


def open_escapes(subject: Subject) -> Iterator[AuditFinding]:
    """Yield the calls of the catalog that run."""
    for row in escapes():
        for name in row.calls:
            yield from _open_escape(subject, row, name)


def _open_escape(subject: Subject, row: Escape, name: str) -> Iterator[AuditFinding]:
    opened: dict[str, Node] = {}
    for architecture in subject.architectures:
        if name in call_names(architecture):
            allowed = subject.arguments(subject.allowed, architecture, name)
            if allowed != FALSE:
                arguments = subject.diagram.both(allowed, _condition(subject, row, name, architecture))
                if arguments != FALSE:
                    opened[architecture.name] = subject.call(architecture, name, arguments)
    if opened:
        call, _, constant = (
            f"{name} with {row.condition}".partition(" = ") if " = " in row.condition else (name, "", "")
        )
        condition = f" with {row.condition}" if row.condition else ""
        yield subject.finding(
            f"escape:{name}.{constant}" if call != name else f"escape:{name}",
            row.severity,
            f"{name}{condition} runs ({names_text(opened)}): it {row.reason}; see {row.source}.",
            f"Deny {name}{condition}, unless the process needs it.",
            calls=opened.values(),
        )


def _condition(subject: Subject, row: Escape, name: str, architecture: Architecture) -> Node:
    """Return the condition on the arguments, as far as the kernel reads them."""
    if not row.condition:
        return TRUE
    masks = [(1 << argument.width) - 1 for argument in arguments_of(name, architecture)]
    return condition_node(subject.diagram, parse_conditions(row.condition, [name], architecture), masks)
