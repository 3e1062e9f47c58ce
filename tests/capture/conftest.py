"""Fixtures of the tests of captures."""

from __future__ import annotations

import pytest

from support.captures import Pcapng


@pytest.fixture(params="<>")
def build(request: pytest.FixtureRequest) -> Pcapng:
    """Return a builder of pcapng blocks in each byte order."""
    return Pcapng(request.param)
