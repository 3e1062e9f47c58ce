"""Rules about actions: those that kernels do not know, data that is lost, and filters that have one answer."""

import errno
from collections.abc import Iterator
from functools import partial

from ...isa.verdicts import SeccompAction
from ..diagrams.decision_diagram import FALSE, TRUE, Node
from ..names.actions import ACTION_WORDS, MAX_ERRNO, action_text
from .findings import AuditFinding
from .subject import Subject

_ERRNO = ACTION_WORDS["errno"].value
_WITH_DATA = frozenset(ACTION_WORDS[word].value for word in ("errno", "trap", "trace"))


def never_allows(subject: Subject) -> Iterator[AuditFinding]:
    """Yield a finding if no call runs, and no other process may run it."""
    if subject.denied == TRUE:
        yield subject.finding(
            "never-allows",
            "high",
            "no system call runs, not even exit.",
            "Allow the calls that the process needs.",
            calls=[TRUE],
        )


def denies_nothing(subject: Subject) -> Iterator[AuditFinding]:
    """Yield a finding if all calls run."""
    if subject.allowed == TRUE:
        yield subject.finding(
            "denies-nothing",
            "medium",
            "the filter runs every system call.",
            "Remove the filter, or deny the calls that the process does not need.",
            calls=[TRUE],
        )


def undefined_actions(subject: Subject) -> Iterator[AuditFinding]:
    """Yield the actions that Linux does not define."""
    for action in _sorted(subject):
        if not action.is_known:
            yield subject.finding(
                f"undefined-action:{action_text(action)}",
                "medium",
                f"Linux does not define the action {action_text(action)}, and kills the process.",
                "Return kill_process if that is meant.",
                calls=[_with(subject, action)],
            )


def unavailable_actions(subject: Subject) -> Iterator[AuditFinding]:
    """Yield the actions that Linux defines, but that the running kernel does not know."""
    from ..kernel.kernel_calls import knows_action

    for kind in dict.fromkeys(SeccompAction(action.value) for action in _sorted(subject) if action.is_known):
        if not knows_action(kind.value):
            name = kind.name.lower()
            yield subject.finding(
                f"unavailable-action:{name}",
                "medium",
                f"the running kernel does not know the action {name}, and kills the process or the thread.",
                "Use an action that all kernels have on which the filter is installed.",
                calls=[subject.where(partial(_is_of_kind, kind))],
            )


def lost_data(subject: Subject) -> Iterator[AuditFinding]:
    """Yield the actions whose data the kernel changes or ignores."""
    for action in _sorted(subject):
        if action.value == _ERRNO and action.data > MAX_ERRNO:
            yield subject.finding(
                f"errno-too-large:{action.data}",
                "medium",
                f"the kernel replaces the errno {action.data} by {MAX_ERRNO}, the largest one.",
                "Return an errno that programs know, such as EPERM.",
                calls=[_with(subject, action)],
            )
        elif action.data and action.is_known and action.value not in _WITH_DATA:
            yield subject.finding(
                f"data-ignored:{action_text(action)}",
                "low",
                f"the kernel ignores the data of {action_text(action)}.",
                "Return the action with 0 as its data.",
                calls=[_with(subject, action)],
            )


def errno_zero(subject: Subject) -> Iterator[AuditFinding]:
    """Yield a finding if calls are skipped but return success."""
    calls = _with(subject, SeccompAction(_ERRNO))
    if calls != FALSE:
        yield subject.finding(
            "errno-zero",
            "low",
            "calls with errno(0) do not run, and return 0 as if they had succeeded.",
            f"Return an errno such as {errno.errorcode[errno.EPERM]}, unless programs need this answer.",
            calls=[calls],
        )


def computed_verdicts(subject: Subject) -> Iterator[AuditFinding]:
    """Yield a finding about calls that the other rules do not examine: arithmetic decides about them."""
    if subject.computed != FALSE:
        yield subject.finding(
            "computed-verdict",
            "low",
            "arithmetic on words of the call decides, and the other rules do not examine these calls.",
            "Compare words with constants instead.",
            calls=[subject.computed],
        )


def _with(subject: Subject, action: SeccompAction) -> Node:
    """Return the calls that have an action, with its data."""
    return subject.where(lambda other: other == action)


def _is_of_kind(kind: SeccompAction, action: SeccompAction) -> bool:
    return action.value == kind.value


def _sorted(subject: Subject) -> list[SeccompAction]:
    return sorted(subject.actions, key=lambda action: action.verdict)
