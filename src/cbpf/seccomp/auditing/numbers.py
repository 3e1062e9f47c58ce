"""Rules about numbers that have no name: those between the system calls, and those of calls to come."""

from collections.abc import Iterator

from ..._typing import Final
from ..diagrams.decision_diagram import FALSE, TRUE, Node
from ..diagrams.record_bits import NUMBER
from ..diagrams.word_sets import set_of
from ..names.architectures import Architecture
from ..names.system_calls import call_names
from ..rules import MaskedRanges
from .findings import AuditFinding
from .phrases import names_text
from .subject import Subject

_PRIVATE_NUMBERS: Final = 0xF_0000
"""The first number of private calls: those of arm."""


def default_allow(subject: Subject) -> Iterator[AuditFinding]:
    """Yield a finding if calls run that the filter does not name."""
    if subject.allowed == TRUE:
        return
    diagram = subject.diagram
    open_calls: dict[str, Node] = {}
    for row in subject.architectures:
        unnamed = diagram.both(subject.of_architecture(subject.allowed, row), subject.numbers_without_name(row))
        if unnamed != FALSE:
            open_calls[row.name] = subject.of(row, unnamed)
    if open_calls:
        yield subject.finding(
            "default-allow",
            "medium",
            "calls run that the filter does not name, and so will the new calls of later kernels"
            f" ({names_text(open_calls)}).",
            "List the calls that the process needs, and deny all others with ENOSYS.",
            calls=open_calls.values(),
        )


def errno_of_new_calls(subject: Subject) -> Iterator[AuditFinding]:
    """Yield a finding if calls of later kernels fail otherwise than with ENOSYS."""
    diagram = subject.diagram
    failing = subject.where(lambda action: action.name == "ERRNO")
    failing_calls: dict[str, Node] = {}
    for row in subject.architectures:
        if diagram.both(subject.of_architecture(subject.allowed, row), _numbers(subject, row.number_base)) == FALSE:
            continue
        later = diagram.both(_numbers(subject, _newest_number(row) + 1), subject.numbers_without_name(row))
        other = diagram.choose(subject.enosys(row), FALSE, failing)
        calls = diagram.both(subject.of_architecture(other, row), later)
        if calls != FALSE:
            failing_calls[row.name] = subject.of(row, calls)
    if failing_calls:
        yield subject.finding(
            "errno-of-new-calls",
            "low",
            "system calls of later kernels fail with another errno than ENOSYS, which libraries expect before they use"
            f" older calls ({names_text(failing_calls)}).",
            "Return errno(ENOSYS) for numbers above those that the filter knows.",
            calls=failing_calls.values(),
        )


def _newest_number(row: Architecture) -> int:
    """Return the number of the newest call; the private calls of an architecture have larger numbers."""
    return max(number for number in call_names(row).values() if number < row.number_base + _PRIVATE_NUMBERS)


def _numbers(subject: Subject, first: int) -> Node:
    """Return the numbers from *first* to the last one of its architecture."""
    return set_of(subject.diagram, NUMBER, [MaskedRanges(ranges=((first, first | 0x3FFF_FFFF),))])
