"""Rules about architectures: those that a filter does not test, and those that run calls that another one denies."""

from collections.abc import Iterable, Iterator

from ..diagrams.decision_diagram import FALSE, TRUE, Node
from ..diagrams.record_bits import ARCHITECTURE, ARGUMENTS
from ..diagrams.word_sets import set_of
from ..names.architectures import Architecture
from ..names.arguments import arguments_of
from ..names.system_calls import call_names
from ..rules import MaskedRanges
from .findings import AuditFinding
from .phrases import names_text
from .subject import UNKNOWN_AUDIT_ARCH, Subject, fixed


def untested_architecture(subject: Subject) -> Iterator[AuditFinding]:
    """Yield a finding if the verdict does not depend on the architecture."""
    if subject.tests_architecture or subject.allowed in (FALSE, TRUE):
        return
    native, *others = subject.families[0]
    foreign = _audit_arch(subject, [other for other in others if other.audit_arch != native.audit_arch])
    if foreign == FALSE:  # the machine has one architecture
        foreign = subject.diagram.negate(_audit_arch(subject, [native]))
    calls = subject.diagram.both(subject.allowed, foreign)
    yield subject.finding(
        "architecture-untested",
        "high" if others else "low",
        "the filter does not test the architecture, so its numbers mean other calls on another one.",
        f"Deny all calls first whose architecture is not AUDIT_ARCH {native.audit_arch:#x} ({native.name}).",
        calls=[calls],
    )


def other_architectures(subject: Subject) -> Iterator[AuditFinding]:
    """Yield a finding if calls of architectures run that the filter does not name."""
    if not subject.tests_architecture or subject.allowed == TRUE:
        return
    diagram = subject.diagram
    if fixed(diagram, subject.allowed, ARCHITECTURE, UNKNOWN_AUDIT_ARCH) == FALSE:
        return
    foreign = diagram.negate(_audit_arch(subject, subject.architectures))
    yield subject.finding(
        "other-architectures-open",
        "low",
        "calls of architectures run that the filter does not test.",
        "Deny the calls of all other architectures.",
        calls=[diagram.both(subject.allowed, foreign)],
    )


def open_abis(subject: Subject) -> Iterator[AuditFinding]:
    """Yield the architectures of a machine that run calls that its native one denies."""
    for family in subject.families:
        running = [row for row in family if subject.of_architecture(subject.allowed, row) != FALSE]
        for other in running[1:]:
            yield from _open_abi(subject, running[0], other)


def _open_abi(subject: Subject, native: Architecture, other: Architecture) -> Iterator[AuditFinding]:
    opened: dict[str, Node] = {}
    for name in call_names(native):
        if name in call_names(other):
            arguments = _opened(subject, native, other, name)
            if arguments != FALSE:
                opened[name] = arguments
    if not opened:
        return
    first = next(iter(opened))
    yield subject.finding(
        f"abi-open:{other.name}",
        "high",
        f"{other.name} runs calls that {native.name} denies: {names_text(opened)}.",
        f"Deny the calls of {other.name}, or give them the rules of {native.name}.",
        calls=[subject.call(other, name, arguments) for name, arguments in opened.items()],
        contrast=subject.member(subject.call(native, first, opened[first])),
    )


def _opened(subject: Subject, native: Architecture, other: Architecture, name: str) -> Node:
    """Return the arguments for which a call is denied natively, and runs on another architecture."""
    diagram = subject.diagram
    denied = subject.arguments(subject.denied, native, name)
    allowed = subject.arguments(subject.allowed, other, name)
    if FALSE in (denied, allowed):
        return FALSE
    if denied != TRUE and _names(name, native) != _names(name, other):
        return FALSE
    opened = diagram.both(denied, allowed)
    return opened if opened == TRUE else diagram.both(opened, _usual_forms(subject, other, name))


def _usual_forms(subject: Subject, row: Architecture, name: str) -> Node:
    """Return the arguments in which all bits are 0 that the kernel does not read."""
    diagram = subject.diagram
    widths = [argument.width for argument in arguments_of(name, row)]
    widths += [row.register_bits] * (len(ARGUMENTS) - len(widths))
    result = TRUE
    for field, width in zip(ARGUMENTS, widths, strict=True):
        discarded = MaskedRanges((1 << field.bits) - (1 << width), ((0, 0),))
        result = diagram.both(result, set_of(diagram, field, [discarded]))
    return result


def _names(name: str, row: Architecture) -> list[str]:
    return [argument.name for argument in arguments_of(name, row)]


def _audit_arch(subject: Subject, rows: Iterable[Architecture]) -> Node:
    """Return the calls of several architectures."""
    return subject.any_of(subject.of(row, TRUE) for row in rows)
