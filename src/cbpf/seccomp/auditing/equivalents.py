"""Rules about denied calls that other calls replace: those of the catalog, and those that socketcall and ipc make."""

from collections.abc import Iterator, Mapping

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ..diagrams.decision_diagram import FALSE, TRUE, Node
from ..diagrams.record_bits import ARGUMENTS
from ..diagrams.word_sets import set_of
from ..names.architectures import Architecture
from ..names.multiplexers import IPC_CALLS, SOCKET_CALLS
from ..names.system_calls import call_names
from ..rules import MaskedRanges
from .catalog import Equivalence, equivalences, ring_operations
from .findings import AuditFinding
from .phrases import names_text
from .subject import Subject

_RING: Final = "io_uring_setup"


class _Multiplexer(NamedTuple):
    """A call that makes others.

    Args:
        calls: The numbers of the others.
        mask: The bits of argument 0 that have such a number.
    """

    calls: Mapping[str, int]
    mask: int


class _Replacement(NamedTuple):
    """Calls that replace a denied one, and run.

    Args:
        architecture: The architecture.
        calls: The names of the calls.
        denied: The arguments for which the replaced call is denied.
    """

    architecture: Architecture
    calls: tuple[str, ...]
    denied: Node


_MULTIPLEXERS: Final = {
    "socketcall": _Multiplexer(SOCKET_CALLS, 0xFFFF_FFFF),
    "ipc": _Multiplexer(IPC_CALLS, 0xFFFF),  # the upper 16 bits are a version
}


def open_equivalents(subject: Subject) -> Iterator[AuditFinding]:
    """Yield the calls that are denied deliberately, and that calls replace which run.

    After ENOSYS, libraries use older calls, so that this does not count as a denial where the replacement is older.
    """
    not_missing = {
        row: subject.diagram.choose(subject.enosys(row), FALSE, subject.denied) for row in subject.architectures
    }
    denied = dict.fromkeys(subject.architectures, subject.denied)
    for each in equivalences():
        for name in each.denied:
            yield from _open_equivalents(subject, each, name, not_missing if each.since is None else denied)


def _open_equivalents(
    subject: Subject, row: Equivalence, name: str, counted: Mapping[Architecture, Node]
) -> Iterator[AuditFinding]:
    found: list[_Replacement] = []
    for architecture in subject.architectures:
        if name in call_names(architecture) and subject.denies_deliberately(architecture, name):
            denied = subject.arguments(counted[architecture], architecture, name)
            found += [
                _Replacement(architecture, calls, denied)
                for calls in row.replacements
                if _replaces(subject, architecture, calls, denied)
            ]
    if found:
        replacements = names_text("+".join(each.calls) for each in found)
        yield subject.finding(
            f"equivalent-open:{name}",
            row.severity,
            f"{name} is denied{_partly(found[0].denied)}, but not {replacements}: {row.reason}.",
            f"Deny {replacements} as well, or allow {name}.",
            calls=[_last_call(subject, each) for each in found],
            contrast=subject.member(subject.call(found[0].architecture, name, found[0].denied)),
        )


def _last_call(subject: Subject, replacement: _Replacement) -> Node:
    """Return the last call of a replacement, as far as it runs."""
    row, name = replacement.architecture, replacement.calls[-1]
    return subject.call(row, name, subject.arguments(subject.allowed, row, name))


def _replaces(subject: Subject, row: Architecture, replacement: tuple[str, ...], denied: Node) -> bool:
    """Return whether calls replace one that is denied with these arguments.

    If it is denied for some arguments only, they must run with all arguments.
    """
    if denied == FALSE or not all(name in call_names(row) for name in replacement):
        return False
    allowed = [subject.arguments(subject.allowed, row, name) for name in replacement]
    return FALSE not in allowed if denied == TRUE else set(allowed) == {TRUE}


def open_io_uring(subject: Subject) -> Iterator[AuditFinding]:
    """Yield a finding if io_uring executes calls that are denied deliberately: no filter sees its operations."""
    opened: dict[str, Node] = {}
    denied: dict[str, Node] = {}
    names = [name for row in ring_operations() for name in row.calls]
    for row in subject.architectures:
        allowed = subject.arguments(subject.allowed, row, _RING) if _RING in call_names(row) else FALSE
        if allowed != FALSE:
            for name in names:
                if name in call_names(row) and subject.denies_deliberately(row, name):
                    condition = subject.arguments(subject.denied, row, name)
                    denied.setdefault(name, subject.call(row, name, condition))
                    opened[row.name] = subject.call(row, _RING, allowed)
    if opened:
        yield subject.finding(
            "io-uring-open",
            "high",
            f"io_uring executes calls that are denied, without a filter: {names_text(denied)} ({names_text(opened)}).",
            "Deny io_uring_setup.",
            calls=opened.values(),
            contrast=subject.member(next(iter(denied.values()))),
        )


def open_multiplexers(subject: Subject) -> Iterator[AuditFinding]:
    """Yield the calls that are denied deliberately, and that socketcall or ipc makes on the same machine."""
    for multiplexer, (calls, mask) in _MULTIPLEXERS.items():
        for name, number in calls.items():
            yield from _open_multiplexer(subject, multiplexer, name, MaskedRanges(mask, ((number, number),)))


def _open_multiplexer(subject: Subject, multiplexer: str, name: str, test: MaskedRanges) -> Iterator[AuditFinding]:
    diagram = subject.diagram
    opened: dict[str, Node] = {}
    denied: list[tuple[Architecture, Node]] = []
    for family in subject.families:
        rows = [row for row in family if name in call_names(row) and subject.denies_deliberately(row, name)]
        for row in family if rows else ():
            if multiplexer in call_names(row):
                allowed = subject.arguments(subject.allowed, row, multiplexer)
                arguments = diagram.both(allowed, set_of(diagram, ARGUMENTS[0], [test]))
                if arguments != FALSE:
                    opened[row.name] = subject.call(row, multiplexer, arguments)
                    nearest = row if row in rows else rows[0]
                    denied.append((nearest, subject.arguments(subject.denied, nearest, name)))
    if opened:
        architecture, condition = denied[0]
        yield subject.finding(
            f"multiplexer-open:{name}",
            "high",
            f"{multiplexer} makes the call {name} on {names_text(opened)}, with arguments in memory that no filter"
            f" reads, and {name} is denied{_partly(condition)}.",
            f"Deny {multiplexer} with argument 0 = {test.ranges[0][0]}, or the calls of {names_text(opened)}.",
            calls=opened.values(),
            contrast=subject.member(subject.call(architecture, name, condition)),
        )


def _partly(condition: Node) -> str:
    """Return words for a call that is denied under a condition on its arguments."""
    return "" if condition == TRUE else " for some arguments"
