"""The catalog of the audit: system calls that lead out of a sandbox, and calls that replace others (`catalog.txt`)."""

import os
from collections.abc import Iterator
from functools import cache

from ..._named_tuple import NamedTuple
from ..._typing import Final
from .findings import Severity, severity_of


class Escape(NamedTuple):
    """A row of the section "escapes": calls by which a process gets out of a sandbox, or harms the machine.

    Args:
        calls: The names of the calls.
        condition: The condition on the arguments, as `condition_text` has it; empty for all arguments.
        severity: The severity of a finding.
        since: The first version of Linux that has the first call.
        reason: The effect of each of the calls, as a verb phrase.
        source: Where this is documented.
    """

    calls: tuple[str, ...]
    condition: str
    severity: Severity
    since: str
    reason: str
    source: str


class Equivalence(NamedTuple):
    """A row of the section "equivalents": calls that other calls replace.

    Args:
        denied: The names of the calls that are replaced.
        replacements: The replacements of each of them, each of which needs all of its calls.
        severity: The severity of a finding.
        since: The first version of Linux that has the first replacement; None if it is not newer than the calls.
        reason: How they replace it, as a sentence.
        source: Where this is documented.
    """

    denied: tuple[str, ...]
    replacements: tuple[tuple[str, ...], ...]
    severity: Severity
    since: str | None
    reason: str
    source: str


class RingOperation(NamedTuple):
    """A row of the section "io_uring": calls that have an operation of io_uring, which no filter sees.

    Args:
        calls: The names of the calls.
        since: The first version of Linux that has the operations.
        source: Where this is documented.
    """

    calls: tuple[str, ...]
    since: str
    source: str


_ESCAPES: Final = "escapes"
_EQUIVALENTS: Final = "equivalents"
_IO_URING: Final = "io_uring"


@cache
def escapes() -> tuple[Escape, ...]:
    """Return the calls that lead out of a sandbox.

    >>> next(row.since for row in escapes() if "setns" in row.calls)
    '3.0'
    """
    return tuple(
        Escape(tuple(calls.split()), condition, severity_of(severity), since, reason, source)
        for calls, condition, severity, since, reason, source in _rows(_ESCAPES)
    )


@cache
def equivalences() -> tuple[Equivalence, ...]:
    """Return the calls that replace others.

    >>> next(row.replacements for row in equivalences() if "execve" in row.denied)
    (('execveat',),)
    """
    return tuple(
        Equivalence(
            tuple(denied.split()),
            tuple(tuple(replacement.split("+")) for replacement in replacements.split()),
            severity_of(severity),
            since or None,
            reason,
            source,
        )
        for denied, replacements, severity, since, reason, source in _rows(_EQUIVALENTS)
    )


@cache
def ring_operations() -> tuple[RingOperation, ...]:
    """Return the calls that have an operation of io_uring.

    >>> next(row.since for row in ring_operations() if "socket" in row.calls)
    '5.19'
    """
    return tuple(RingOperation(tuple(calls.split()), since, source) for calls, since, source in _rows(_IO_URING))


def _rows(section: str) -> Iterator[list[str]]:
    """Yield the fields of each row of a section."""
    current = ""
    with open(os.path.join(os.path.dirname(__file__), "catalog.txt"), encoding="utf-8") as stream:
        for line in map(str.strip, stream):
            if line.startswith("["):
                current = line.strip("[]")
            elif line and not line.startswith("#") and current == section:
                yield ["" if field == "-" else field for field in line.split(" | ")]
