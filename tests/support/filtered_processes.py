"""Processes under filters, for tests that read the filters of a process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

import cbpf


def numbered(number: int) -> cbpf.Program:
    """Return a filter that allows all calls, and differs from those with other numbers."""
    return cbpf.parse(f"ld [0]\njeq #{number}, 0, 0\nret #0x7fff0000")


@contextmanager
def process_under(
    programs: Sequence[cbpf.Program],
    *,
    signals: Sequence[int] = (),
    of_threads: Sequence[Sequence[cbpf.Program]] = (),
) -> Iterator[int]:
    """Run a child under filters until the end of the block.

    Args:
        programs: The filters of the main thread, which it installs before it starts others.
        signals: Signals that the child ignores.
        of_threads: For each other thread, the filters that it installs.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            for number in signals:
                signal.signal(number, signal.SIG_IGN)
            _install(programs, writer)
            for each in of_threads:
                Thread(target=_wait_under, args=(each, writer), daemon=True).start()
            while True:
                signal.pause()
        finally:
            os._exit(0)
    try:
        for _ in range(1 + len(of_threads)):
            os.read(reader, 1)
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)


def _install(programs: Sequence[cbpf.Program], writer: int) -> None:
    for program in programs:
        cbpf.seccomp.install(program)
    os.write(writer, b".")


def _wait_under(programs: Sequence[cbpf.Program], writer: int) -> None:
    _install(programs, writer)
    while True:
        signal.pause()
