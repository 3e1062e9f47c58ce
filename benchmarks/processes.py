"""Whole processes as contenders."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.timing import Contender

PYTHON: Final = sys.executable
CBPF: Final = str(Path(PYTHON).with_name("cbpf"))

_directory: Final = tempfile.TemporaryDirectory(prefix="cbpf-bench-", dir=os.environ.get("CBPF_BENCH_DIR"))
WORKSPACE: Final = Path(_directory.name)
"""A directory that lives as long as this process; CBPF_BENCH_DIR says below which."""

KEPT_CODE: Final = WORKSPACE / "kept"
"""The $XDG_CACHE_HOME of contenders: where they find the machine code that runs before them have kept."""
EMPTIED: Final = WORKSPACE / "emptied"
"""The same for those that find none, if `forget` comes before them."""

# Bytecode is always kept, and away from the checkout: where it is not, each run compiles all that it imports.
_ENVIRONMENT: Final = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(WORKSPACE / "bytecode")}


def forget() -> None:
    """Empties `EMPTIED`."""
    shutil.rmtree(EMPTIED, ignore_errors=True)


def output(command: list[str], *, cache: Path = KEPT_CODE) -> str:
    """What the command prints; raises `CalledProcessError` if it fails."""
    environment = _ENVIRONMENT | {"XDG_CACHE_HOME": str(cache)}
    try:
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        raise


def process(
    name: str,
    command: list[str],
    *,
    units: int = 1,
    before: Callable[[], object] | None = None,
    cache: Path = KEPT_CODE,
) -> Contender:
    """A contender that starts *command*, throws its output away, and waits for its end."""
    shown = _short(shlex.join(command))
    return Contender(name, lambda: output(command, cache=cache), f"`{shown}`", units, before)


def cold(name: str, command: list[str], *, units: int = 1, before: Callable[[], object] | None = None) -> Contender:
    """The same, with no machine code kept from earlier runs."""

    def prepare() -> None:
        forget()
        if before is not None:
            before()

    return process(name, command, units=units, before=prepare, cache=EMPTIED)


def script(
    name: str, text: str, *, how: str = "", units: int = 1, before: Callable[[], object] | None = None
) -> Contender:
    """A contender that is a few commands of the shell; the first that fails ends it."""
    return Contender(name, lambda: output(["sh", "-ec", text]), how or f"`{_short(text)}`", units, before)


def _short(text: str) -> str:
    """Without the directories, which no reader has."""
    return re.sub(r"(?<![^\s='])/(?!dev/null)[^\s=']*/", "", text)
