"""The features of the running kernel that examples of documents need, each found by a trial."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

import cbpf
from cbpf.seccomp import Stack, SystemCall, install, kernel_decisions, process_filters, trace_command

_ALLOW: Final = cbpf.Program([cbpf.RetConstant(0x7FFF_0000)])


def _decide_about_calls() -> None:
    kernel_decisions(Stack([_ALLOW]), [SystemCall(0), SystemCall(0, architecture="i386")])


def _trace_a_command() -> None:
    trace_command(["true"])


def _read_filters() -> None:
    """Read the filter of a child, which ends when the pipe is closed."""
    waiting, end = os.pipe()
    ready, report = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.close(end)
            install(_ALLOW)
            os.write(report, b"\0")
            os.read(waiting, 1)
        finally:
            os._exit(0)
    try:
        os.close(report)
        os.read(ready, 1)
        process_filters(child)
    finally:
        for descriptor in (waiting, end, ready):
            os.close(descriptor)
        os.waitpid(child, 0)


_TRIALS: Final[Mapping[str, Callable[[], None]]] = {
    "seccomp": _decide_about_calls,
    "ptrace": _trace_a_command,
    "filters-of-processes": _read_filters,
}
KERNEL_FEATURES: Final = frozenset(_TRIALS)
"""Filters of system calls of x86-64 and i386; tracing of commands; and reading the filters of a process."""


@cache
def has_kernel_feature(name: str) -> bool:
    """Return whether this process can use one of `KERNEL_FEATURES`."""
    try:
        _TRIALS[name]()
    except cbpf.SeccompError:
        return False
    return True
