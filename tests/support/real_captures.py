"""Real captures, which the repository does not contain: parameters of tests that are skipped without them.

The environment variable CBPF_EXTRA_CAPTURES names the folder of these captures.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

FOLDER: Final = os.environ.get("CBPF_EXTRA_CAPTURES")


def real_captures(pattern: str) -> list[Path]:
    """Return the captures whose names match a pattern, sorted by name."""
    return sorted(Path(FOLDER).glob(pattern)) if FOLDER else []


def parameters_of(captures: list[Path]) -> list[object]:
    """Return a test parameter for each capture, or a skipped one if there is none."""
    if not captures:
        return [pytest.param(None, marks=pytest.mark.skip(reason="needs the captures in $CBPF_EXTRA_CAPTURES"))]
    return [pytest.param(path, id=path.stem) for path in captures]
