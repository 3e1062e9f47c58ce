"""The debugger in a pseudoterminal."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from support.command_line import TRAFFIC
from support.project import uncovered_environment

_PATIENCE: Final = 60  # seconds for an answer; a limit against hanging, and not a measurement


class Terminal:
    """`cbpf debug` in a terminal of its own; by default an expression on traffic.pcap, and without a history."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        arguments = arguments or ("-e", "tcp port 443", TRAFFIC)
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:  # the child
            settings = {"TERM": "dumb", "COLUMNS": "200", "XDG_STATE_HOME": os.devnull}
            variables = {**uncovered_environment(), **settings, **environment}
            os.execve(sys.executable, [sys.executable, "-m", "cbpf", "debug", *arguments], variables)

    def send(self, text: str) -> None:
        """Type a text."""
        os.write(self._descriptor, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C until there is an answer: `input` does not notice a signal just before it waits for a key."""
        for _ in range(_PATIENCE):
            self.send("\x03")
            if select.select([self._descriptor], [], [], 1)[0]:
                return

    def wait_until_busy(self) -> None:
        """Wait until the command computes: a quarter of a second of processor time after this call."""
        begin = self._processor_time()
        deadline = time.monotonic() + _PATIENCE
        while self._processor_time() < begin + 0.25:
            assert time.monotonic() < deadline, "the command waits, and computes nothing"
            time.sleep(0.01)

    def _processor_time(self) -> float:
        """Return the seconds of processor time that the command has used (proc_pid_stat(5), utime)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return int(fields[11]) / os.sysconf("SC_CLK_TCK")

    def read_until(self, end: str) -> str:
        """Return the output up to a text."""
        output = ""
        while not output.endswith(end):
            assert select.select([self._descriptor], [], [], _PATIENCE)[0], output
            try:
                output += os.read(self._descriptor, 1).decode()
            except OSError:  # the command has ended
                pytest.fail(f"the command ended after {output!r}")
        return output.replace("\r", "")

    def command(self, line: str) -> str:
        """Type a line, and return the output up to the next prompt."""
        self.send(f"{line}\n")
        output = self.read_until("\n> ")
        return output.removesuffix("> ").removeprefix(f"{line}\n")

    def end(self) -> tuple[str, int]:
        """Return the rest of the output, and the exit code."""
        output = b""
        while True:
            try:
                part = os.read(self._descriptor, 4096)
            except OSError:
                break
            if not part:
                break
            output += part
        os.close(self._descriptor)
        _, status = os.waitpid(self.pid, 0)
        return output.decode().replace("\r", ""), os.waitstatus_to_exitcode(status)
