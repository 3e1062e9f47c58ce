"""The findings of the linter, with offsets for the editor of the page."""

from __future__ import annotations

import cbpf

from .._typing import Any
from .sources import Settings, utf16_offset


def lint_pane(source: Settings, *, timeout: float = 5) -> list[dict[str, Any]]:
    """Return the findings about an expression, with the offsets "start" and "end" in UTF-16 units."""
    findings = cbpf.lint_expression(source.text, link_type=source.link_type, notes=True, timeout=timeout)
    return [
        {
            **finding.as_dict(),
            "start": utf16_offset(source.text, finding.span.start),
            "end": utf16_offset(source.text, finding.span.end),
        }
        for finding in findings
        if finding.severity != "undecided"
    ]
