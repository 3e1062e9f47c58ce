"""Signals at random moments: a file is the old or the new one, nothing else remains, and the command is silent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Final

import pytest

from support.command_line import TRAFFIC
from support.project import Rounds
from support.writing_commands import EXIT_CODES, WRITERS, Ended, arguments, contents, run_with_signal, write_program

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
ROUTES: Final = ["split", "-q", "-r", "T", "ip=OUT", "arp=other", "tcp=third", "--rest", "rest"]


class Disturbed:
    """Commands that are sent signals, with their files and durations without a signal."""

    def __init__(self, folder: Path, capture: Path | str) -> None:
        self._folder = folder
        self._capture = capture
        self._program = write_program(folder / "program")
        self._undisturbed: dict[str, tuple[Ended, dict[str, bytes]]] = {}

    def _arguments(self, name: str) -> list[str]:
        if name == "split":
            return [{"T": str(self._capture)}.get(word, word.replace("OUT", "out")) for word in ROUTES]
        return arguments(name, self._program, self._capture, "out")

    def _new_folder(self) -> Path:
        path = self._folder / os.urandom(4).hex()
        path.mkdir()
        return path

    def undisturbed(self, name: str) -> tuple[Ended, dict[str, bytes]]:
        if name not in self._undisturbed:
            folder = self._new_folder()
            ended = run_with_signal(self._arguments(name), folder)
            assert ended.exit_code == EXIT_CODES.get(name, 0), ended.stderr
            self._undisturbed[name] = ended, contents(folder)
        return self._undisturbed[name]

    def check(self, name: str, random: Random) -> bool:
        """Send a signal at a random moment, and check the result; return whether the command had not ended before."""
        undisturbed, new = self.undisturbed(name)
        old = {file: b"old" for file in new if random.random() < 0.5}
        folder = self._new_folder()
        for file, data in old.items():
            (folder / file).write_bytes(data)
        signum = random.choice(SIGNALS)
        ended = run_with_signal(self._arguments(name), folder, signum, random.uniform(0, undisturbed.seconds))
        assert ended.exit_code in (undisturbed.exit_code, 128 + signum, -signum), ended
        assert ended.stderr.count("\n") <= 1, ended.stderr
        assert "Traceback" not in ended.stderr
        after = contents(folder)
        if signum == signal.SIGKILL:  # between the renames of a split; each file is complete
            assert all(after.get(file) in (old.get(file), data) for file, data in new.items())
        else:
            assert after in (old, new)
        return ended.exit_code != undisturbed.exit_code


@pytest.mark.fuzz
def test_signals_at_random_moments(rounds: Rounds, tmp_path: Path) -> None:
    disturbed = Disturbed(tmp_path, TRAFFIC)
    for random in rounds(12, min_checked=0.4):
        if disturbed.check(random.choice(list(WRITERS)), random):
            rounds.checked()


@pytest.mark.fuzz
@pytest.mark.slow
def test_signals_while_large_captures_are_written(rounds: Rounds, tmp_path: Path) -> None:
    """Filters of these spend most of their time writing."""
    data = Path(TRAFFIC).read_bytes()
    capture = tmp_path / "large.pcap"
    capture.write_bytes(data[:24] + data[24:] * (150_000_000 // len(data)))
    disturbed = Disturbed(tmp_path, capture)
    for random in rounds(60, min_checked=0.4):
        if disturbed.check(random.choice(["filter", "split", *WRITERS]), random):
            rounds.checked()


_SIGNAL_IN_A_METHOD = """
import gc, os, signal, sys, time
from cbpf import cli

def interrupt(*_):
    os.kill(os.getpid(), signal.Signals[sys.argv[2]])
    time.sleep(0)

class Interrupted:
    pass

setattr(Interrupted, sys.argv[1], interrupt)

def run(words):
    type("Class", (), {"attribute": Interrupted()})
    gc.collect()  # of the class
    time.sleep(60)

cli.run = run
cli.main()
"""


@pytest.mark.parametrize("method", ["__del__", "__set_name__"])
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_in_a_method_that_changes_exceptions_is_not_lost(name: str, code: int, method: str) -> None:
    """Python drops the exceptions of finalizers, and may raise a RuntimeError for one of `__set_name__`."""
    command = [sys.executable, "-c", _SIGNAL_IN_A_METHOD, method, name]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert (result.returncode, result.stderr) == (code, "")
