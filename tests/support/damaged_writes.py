"""Failures of writing files: a full disk, limits, injected errors, and a user without privileges."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cbpf import _replacement

NOBODY = 65534


def limit_file_size(size: int) -> None:
    """Let writes beyond *size* bytes fail in this process, which ignores SIGXFSZ as Python does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextmanager
def limited_file_size(size: int) -> Iterator[None]:
    """Let writes fail that make a file larger, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def unprivileged_folder() -> Iterator[Path]:
    """Yield a folder of a user without privileges, as whom the block runs; skip the test unless root runs it."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    folder = Path(tempfile.mkdtemp())
    groups = os.getgroups()
    try:
        os.chown(folder, NOBODY, NOBODY)
        os.setgroups([])
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        yield folder
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
        shutil.rmtree(folder)


def use_named_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the writer work as on a file system that has no files without a name."""
    monkeypatch.setattr(_replacement, "UNNAMED_FLAG", 0)


class Injection:
    """Replaces a function of the module `os`; at its *number*-th call, counted from 1, *action* is run first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, number: int, action: Any) -> None:
        self._function = getattr(os, name)
        self._number = number
        self._action = action
        self.calls = 0
        monkeypatch.setattr(os, name, self)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls == self._number:
            self._action()
        return self._function(*arguments, **options)
