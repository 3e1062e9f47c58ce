"""Whole processes as contenders."""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.timing import Contender

PYTHON: Final = sys.executable
CBPF: Final = str(Path(PYTHON).with_name("cbpf"))

_directory: Final = tempfile.TemporaryDirectory(prefix="cbpf-bench-")
WORKSPACE: Final = Path(_directory.name)
"""A directory that lives as long as this process."""

# Bytecode is always kept, and away from the checkout: where it is not, each run compiles all that it imports.
_ENVIRONMENT: Final = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(WORKSPACE / "bytecode")}


def output(command: list[str]) -> str:
    """What the command prints; raises `CalledProcessError` if it fails."""
    return subprocess.run(command, env=_ENVIRONMENT, check=True, capture_output=True, text=True).stdout


def process(name: str, command: list[str], *, units: int = 1) -> Contender:
    """A contender that starts *command*, throws its output away, and waits for its end."""
    words = [word if word == "/dev/null" else word.rpartition("/")[2] for word in command]
    return Contender(name, lambda: output(command), f"`{shlex.join(words)}`", units)
