"""Complete processes as contenders."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Container
from pathlib import Path
from typing import Final

from benchmarks.timing import Contender

PYTHON: Final = sys.executable
CBPF: Final = str(Path(PYTHON).with_name("cbpf"))

_directory: Final = tempfile.TemporaryDirectory(prefix="cbpf-bench-", dir=os.environ.get("CBPF_BENCH_DIR"))
WORKSPACE: Final = Path(_directory.name)
"""A directory that exists as long as this process, below CBPF_BENCH_DIR if that is set."""

WARM_CACHE: Final = WORKSPACE / "warm"
"""The $XDG_CACHE_HOME of contenders that may use machine code cached by earlier runs."""
COLD_CACHE: Final = WORKSPACE / "cold"
"""The $XDG_CACHE_HOME of contenders that must compile; `clear_cold_cache` empties it before each run."""

# Bytecode is always cached, outside the checkout; otherwise each run would compile all its imports.
_ENVIRONMENT: Final = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(WORKSPACE / "bytecode")}


def clear_cold_cache() -> None:
    """Empty `COLD_CACHE`."""
    shutil.rmtree(COLD_CACHE, ignore_errors=True)


def output(command: list[str], *, cache: Path = WARM_CACHE, exit_codes: Container[int] = (0,)) -> str:
    """Return the output of a command; raise `CalledProcessError` if its exit code is another one than *exit_codes*."""
    environment = _ENVIRONMENT | {"XDG_CACHE_HOME": str(cache)}
    result = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if result.returncode not in exit_codes:
        print(result.stderr, file=sys.stderr)
        raise subprocess.CalledProcessError(result.returncode, command)
    return result.stdout


def process(
    name: str,
    command: list[str],
    *,
    units: int = 1,
    before: Callable[[], object] | None = None,
    cache: Path = WARM_CACHE,
    exit_codes: Container[int] = (0,),
) -> Contender:
    """Return a contender that runs *command* to its end and discards its output."""
    shown = _short(shlex.join(command))
    return Contender(name, lambda: output(command, cache=cache, exit_codes=exit_codes), f"`{shown}`", units, before)


def cold(name: str, command: list[str], *, units: int = 1, before: Callable[[], object] | None = None) -> Contender:
    """Return a contender that runs *command* without machine code cached by earlier runs."""

    def prepare() -> None:
        clear_cold_cache()
        if before is not None:
            before()

    return process(name, command, units=units, before=prepare, cache=COLD_CACHE)


def script(
    name: str, text: str, *, how: str = "", units: int = 1, before: Callable[[], object] | None = None
) -> Contender:
    """Return a contender that runs shell commands and stops at the first that fails."""
    return Contender(name, lambda: output(["sh", "-ec", text]), how or f"`{_short(text)}`", units, before)


def _short(text: str) -> str:
    """Return a command without the directories of its paths, which exist only here."""
    return re.sub(r"(?<![^\s='])/(?!dev/null)[^\s=']*/", "", text)
