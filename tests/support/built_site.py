"""The documentation site, built once for all tests of a run."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from support.project import ROOT

_FOLDERS: Final = ("docs", "documentation", "explorer", "src")
_IGNORED: Final = ("__pycache__", "node_modules", "page", "site")


def _can_isolate() -> bool:
    """Return whether this process may run a program without a network; in many containers, root may not."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-n", "true"], stderr=subprocess.DEVNULL).returncode == 0


def _build(folder: Path) -> None:
    """Build the site from a copy of its sources, without a network if possible."""
    shutil.copy(ROOT / "zensical.toml", folder)
    for name in _FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*_IGNORED))
    command = [sys.executable, "-m", "documentation.site"]
    isolated = ["unshare", "-n", *command] if _can_isolate() else command
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "src")])}
    result = subprocess.run(isolated, cwd=folder, check=False, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr


def built_site(factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site, without the explorer page; the first of the processes of a run builds it."""
    pytest.importorskip("zensical")
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "documentation"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            _build(folder)
            (folder / "complete").touch()
    return folder / "site"
