"""Stores for the tests of archives."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project import optional_library
from support.s3_servers import Bucket, moto_server


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


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of a server of S3 in this process, by moto."""
    yield from moto_server()


@pytest.fixture
def bucket(s3_endpoint: str) -> Bucket:
    """A new bucket of the server in this process."""
    return Bucket.create(s3_endpoint)
