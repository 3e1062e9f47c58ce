"""The questions of the page that need a solver; `cbpf explore` answers them where the extra smt is installed."""

from __future__ import annotations

from importlib.util import find_spec

import cbpf

from .._typing import Any, Callable, Final, Mapping
from ..reporting.documents import diff_document
from .lint import lint_pane
from .packets import change_pane, one_packet
from .sources import BadRequest, runnable

_TIMEOUT: Final = 10.0  # seconds
_LONGEST: Final = 65_535  # bytes of a packet


def has_solver() -> bool:
    """Return whether the library of the extra smt is installed."""
    return find_spec("bitwuzla") is not None


def difference(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of `cbpf diff --verdicts accept` for two sources."""
    _, source, left = runnable(request)
    _, other, right = runnable(request, "other")
    found = cbpf.difference(left, right, dialect=source.dialect, verdicts="accept", longest=_LONGEST, timeout=_TIMEOUT)
    return diff_document(
        (source.text, other.text),
        (left, right),
        found,
        dialect=source.dialect,
        relation="equal",
        verdicts="accept",
        shortest=0,
        longest=_LONGEST,
    )


def dead(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the instructions and branches that no packet reaches."""
    _, source, program = runnable(request)
    return cbpf.dead(program, dialect=source.dialect, longest=_LONGEST, timeout=_TIMEOUT).as_dict()


def witness(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return under "witness" a packet that is accepted or rejected, or that reaches an instruction; None: a proof."""
    _, source, program = runnable(request)
    verdict, reaches = request.get("verdict"), request.get("reaches")
    if verdict not in (None, "accept", "reject") or not isinstance(reaches, int | None):
        raise BadRequest("witness: expected verdict accept or reject, and the index of an instruction")
    found = cbpf.witness(
        program, verdict=verdict, reaches=reaches, dialect=source.dialect, longest=_LONGEST, timeout=_TIMEOUT
    )
    return {"witness": None if found is None else found.as_dict()}


def lint(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the findings of the linter, with the rules that compare programs."""
    subject, source, _ = runnable(request)
    return lint_pane(subject, source, timeout=_TIMEOUT)


def why(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of `cbpf why` about a packet, with the smallest change that inverts the verdict."""
    subject, source, _ = runnable(request)
    return change_pane(one_packet(request.get("packet"), None), subject, source, timeout=_TIMEOUT)


PROOFS: Final[dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    function.__name__: function for function in (difference, dead, witness, lint, why)
}
"""The questions by name."""
