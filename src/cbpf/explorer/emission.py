"""The program as eBPF, which `cbpf explore` writes where the extra llvm is installed.

The command runs in a process of its own: it can be ended after some time, and an error in LLVM that ends a process
does not end the server. Linux limits its processor time as well, because the server may end before the process.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from math import ceil

import cbpf

from .._typing import Any, Final, Mapping
from .sources import runnable

EMISSIONS: Final = ("ebpf-xdp", "ebpf-tc", "ebpf-socket")
"""The targets of `cbpf emit` that the page offers."""
_LONGEST: Final = 4_096  # instructions that Linux accepts
_TIMEOUT: Final = 20.0  # seconds


def has_llvm() -> bool:
    """Return whether the library of the extra llvm is installed."""
    return find_spec("llvmlite") is not None


def emit(target: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return under "text" the assembly of `cbpf emit --assembly` for a target.

    Args:
        target: One of `EMISSIONS`.
        request: The source, as for `Answers.answer`.

    Returns:
        A JSON object; "text" is empty if the target cannot execute the program, and "message" has the reason in one
        line.
    """
    _, source, program = runnable(request)
    if len(program) > _LONGEST:
        fact = f"the program has {len(program):,} instructions; the page compiles at most {_LONGEST:,}"
        return {"text": "", "message": f"{fact}; cbpf emit has no such limit"}
    command, text = _command(target, source.dialect.name), cbpf.render(program, "decimal")
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        _limit_processor_time(process.pid)
        try:
            output, errors = process.communicate(text, timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            return {"text": "", "message": f"the compiler has no result within {_TIMEOUT:.0f} seconds"}
        finally:
            process.kill()  # without effect on a process that has ended
    if process.returncode == 0:
        return {"text": output, "message": ""}
    lines = errors.strip().splitlines() or ["the compiler ended without a message"]
    return {"text": "", "message": lines[-1].removeprefix("cbpf: ")}


def _command(target: str, dialect: str) -> list[str]:
    """Return the command; without -P, Python would import modules from the current folder."""
    return [sys.executable, "-P", "-m", "cbpf", "emit", "--target", target, "--assembly", "--dialect", dialect]


def _limit_processor_time(process: int) -> None:
    """End a process after the time limit in seconds of the processor, where the system has prlimit(2)."""
    try:
        from resource import RLIMIT_CPU, prlimit
    except ImportError:  # not Linux
        return
    seconds = ceil(_TIMEOUT)
    with suppress(OSError):  # the process has ended
        prlimit(process, RLIMIT_CPU, (seconds, seconds))
