"""Stores for the tests of archives."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project import optional_library


@pytest.fixture
def memory() -> Iterator[str]:
    """The URL of an empty store in memory."""
    fsspec = optional_library("fsspec")
    if fsspec is None:
        pytest.skip("archives need fsspec; ./dev test --all installs it")
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]
    yield "memory://archive"
    filesystem.store.clear()


@pytest.fixture(params=["memory", "file"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The path or URL of an empty folder, in each kind of store that is always there."""
    if request.param == "file":
        return str(tmp_path)
    url: str = request.getfixturevalue("memory")
    return url
