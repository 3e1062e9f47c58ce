"""The subcommands that write files: their arguments, and the files of an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

import cbpf
from support.project import uncovered_environment

WRITERS: Final[dict[str, list[str]]] = {
    "asm": ["asm", "P", "-w", "OUT"],
    "cases": ["cases", "-e", "arp", "-w", "OUT"],
    "compile": ["compile", "-w", "OUT", "tcp port 80"],
    "convert": ["convert", "P", "--to", "json", "-w", "OUT"],
    "diff": ["diff", "-e", "tcp", "-e", "udp", "-w", "OUT"],
    "disasm": ["disasm", "P", "-w", "OUT"],
    "filter": ["filter", "-q", "-r", "T", "-w", "OUT", "ip"],
    "graph": ["graph", "P", "-w", "OUT", "--to", "svg"],
    "optimize": ["optimize", "P", "-w", "OUT"],
    "split": ["split", "-q", "-r", "T", "ip=OUT"],
}
"""The arguments of each subcommand; P is a program, T a capture, and OUT the target."""

EXIT_CODES: Final = {"diff": 1}  # of success

_RUN: Final = """
import cbpf.__main__, os
try:
    os.write(1, b'.')
except KeyboardInterrupt:  # before the command begins
    os._exit(130)
cbpf.__main__.main()
"""


def arguments(name: str, program: Path | str, capture: Path | str, target: str) -> list[str]:
    """Return the arguments of a subcommand."""
    places = {"P": str(program), "T": str(capture), "OUT": target}
    return [places.get(argument, argument.replace("OUT", target)) for argument in WRITERS[name]]


def write_program(path: Path) -> Path:
    """Write a program that all subcommands read, and return its path."""
    path.write_text(cbpf.render(cbpf.compile("tcp port 80 and host 10.0.0.1", optimizer=None), "asm"))
    return path


class Ended(NamedTuple):
    """A command that has ended, and its duration in seconds without the start of the interpreter."""

    exit_code: int
    stderr: str
    seconds: float


def run_with_signal(arguments: list[str], folder: Path, signum: int = 0, delay: float = 0.0) -> Ended:
    """Run the command in a folder, and send it a signal *delay* seconds after its first line of Python; 0: none."""
    command = [sys.executable, "-c", _RUN, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0}
    environment = uncovered_environment()
    with subprocess.Popen(  # type: ignore[call-overload]
        command, cwd=folder, env=environment, preexec_fn=_restore_signals, **pipes
    ) as process:
        process.stdout.read(1)
        started = time.monotonic()
        if signum:
            time.sleep(delay)
            process.send_signal(signum)
        _, error = process.communicate()
        return Ended(process.returncode, error.decode(), time.monotonic() - started)


def _restore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of each file in a folder."""
    return {name: (folder / name).read_bytes() for name in os.listdir(folder)}
