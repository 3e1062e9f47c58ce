"""Real captures, which the repository does not contain: parameters of tests that are skipped without them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from support.project import ROOT

FOLDER: Final = ROOT.parent / "shared" / "captures"


def real_captures(pattern: str) -> list[Path]:
    """Return the captures whose names match a pattern, sorted by name."""
    return sorted(FOLDER.glob(pattern))


def parameters_of(captures: list[Path]) -> list[object]:
    """Return a test parameter for each capture, or a skipped one if there is none."""
    if not captures:
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"needs the captures of {FOLDER}"))]
    return [pytest.param(path, id=path.stem) for path in captures]
