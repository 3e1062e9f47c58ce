"""The command `cbpf` as a user runs it, in another process; the fixture `cli` is an instance of `CommandLine`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

import cbpf
from cbpf import cli
from cbpf.cli import commands
from cbpf.cli.failures import report
from support.command_server import command_folder
from support.project import ROOT

TRAFFIC: Final = str(ROOT / "examples" / "traffic.pcap")
COMMANDS: Final = tuple(entry.name for entry in commands.command.entries())
"""The names of all subcommands and groups of subcommands."""
PACKETS: Final = list(cbpf.read_capture(TRAFFIC))


LIBRARIES: Final = {"archive": "fsspec", "table": "pyarrow", "top": "pyarrow"}
"""The optional library that a subcommand needs."""


def require_library_of(command: str) -> None:
    """Skip the test if the library that a command line needs is not installed."""
    name = command.split()[1] if " " in command else ""
    if name in LIBRARIES:
        library = LIBRARIES[name]
        pytest.importorskip(library, reason=f"cbpf {name} needs {library}; ./dev test --all installs it")


class CommandResult(NamedTuple):
    """The result of a command that has ended."""

    exit_code: int
    stdout: bytes
    stderr: str


class CommandLine:
    """Runs the command `cbpf`."""

    command: Final = (sys.executable, "-m", "cbpf")

    def __call__(self, *arguments: str | bytes, stdin: bytes | int = b"", **options: Any) -> CommandResult:
        """Run the command to its end, in a fork of the command server if there is one.

        *stdin* is data or a descriptor, *options* are those of `subprocess.run`.
        """
        folder = command_folder()
        return self._run(self.command if folder is None else (str(folder / "cbpf"),), arguments, stdin, options)

    def run_process(self, *arguments: str | bytes, stdin: bytes | int = b"", **options: Any) -> CommandResult:
        """Run the command to its end, in a new process."""
        return self._run(self.command, arguments, stdin, options)

    @staticmethod
    def _run(
        command: tuple[str, ...], arguments: tuple[str | bytes, ...], stdin: bytes | int, options: dict[str, Any]
    ) -> CommandResult:
        settings: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        settings["input" if isinstance(stdin, bytes) else "stdin"] = stdin
        done = subprocess.run([*command, *arguments], check=False, **{**settings, **options})
        return CommandResult(done.returncode, done.stdout, "" if done.stderr is None else done.stderr.decode())

    def start(self, *arguments: str | bytes, **options: Any) -> subprocess.Popen[bytes]:
        """Start the command; *options* are those of `subprocess.Popen`.

        The command reacts to signals also if the tests run in the background, where a shell makes them ignore Ctrl-C.
        """
        settings: dict[str, Any] = {"bufsize": 0, "preexec_fn": _restore_signals}
        return subprocess.Popen([*self.command, *arguments], **{**settings, **options})


def run_here(*arguments: str) -> CommandResult:
    """Run the command in this process, with empty standard input."""
    streams = {name: TextIOWrapper(BytesIO(), write_through=True) for name in ("stdin", "stdout", "stderr")}
    with pytest.MonkeyPatch.context() as patch:
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        try:
            code = cli.run(arguments)
        except Exception as error:
            code = report(error)
    output, message = (streams[name].buffer.getvalue() for name in ("stdout", "stderr"))
    return CommandResult(code, output, message.decode())


def is_writing(process: subprocess.Popen[bytes], folder: Path) -> bool:
    """Return whether a process has written to a file in a folder; the file may have no name yet."""
    for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(OSError):  # closed in the meantime
            if os.path.dirname(os.readlink(descriptor)) == str(folder) and descriptor.stat().st_size:
                return True
    return False


def _restore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def without_excerpt(message: str) -> str:
    """Return an error message without the line of text and the caret that follow it."""
    return re.sub(r"\n[^\n]*\n *\^\n", "\n", message)
