"""The findings about a source, with offsets for the editor of the page."""

from __future__ import annotations

import cbpf

from .._typing import Any, Final
from .analysis import analysis_pane
from .names import PAGE_NAMES
from .offsets import Offsets
from .sources import Settings, Subject

_MAX_FINDINGS: Final = 500  # about one source


def lint_pane(subject: Subject, source: Settings, *, timeout: float = 5) -> dict[str, Any]:
    """Return the findings about a source, at most 500, and the number of those that are left out.

    They are those of the linter about an expression, and those of the analysis that concern other places.
    """
    found = [] if subject.mapped is None else _lint(source, timeout)
    errors = [finding for finding in found if finding["severity"] != "note"]
    found += [each for each in analysis_pane(subject, source) if not any(_overlap(each, error) for error in errors)]
    return {"findings": found[:_MAX_FINDINGS], "more": max(len(found) - _MAX_FINDINGS, 0)}


def _overlap(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return bool(left["start"] < right["end"] and right["start"] < left["end"])


def _lint(source: Settings, timeout: float) -> list[dict[str, Any]]:
    """Return the findings of the linter, with the offsets "start" and "end" in UTF-16 units."""
    findings = cbpf.lint_expression(
        source.text,
        link_type=source.link_type,
        netmask=source.netmask,
        notes=True,
        timeout=timeout,
        names=PAGE_NAMES,
        live=source.live,
    )
    offsets = Offsets(source.text)
    return [
        {**finding.as_dict(), **offsets.span(*finding.span)} for finding in findings if finding.severity != "undecided"
    ]
