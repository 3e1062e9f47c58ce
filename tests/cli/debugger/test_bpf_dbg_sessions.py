"""Sessions of Linux's bpf_dbg, replayed with the same commands: the same positions, registers and text.

`golden/debugger_sessions.py` made the data. Three differences are intended: `select N` selects packet N as the
documentation states, where bpf_dbg selects the one after it; a step back is possible at the last instruction of a
packet; and after `run` has stopped at an instruction that ends the run, `step` shows the next packet at once.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from cbpf.cli.debugger.actions import Actions
from cbpf.cli.debugger.code import Settings
from cbpf.cli.debugger.errors import DebuggerError
from cbpf.cli.debugger.session import Session
from support.project import TESTS

GOLDEN: Final = json.loads((TESTS / "golden" / "bpf_dbg_sessions.json").read_text())
SESSIONS: Final = GOLDEN["sessions"]
_DUMP: Final = "-- register dump --"
_HISTORY_ENDS: Final = "reached bottom of register history stack!\n"


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "packets.pcap"
    path.write_bytes(bytes.fromhex(GOLDEN["captures"][0]["pcap"]))
    return path


class Replay:
    """A session with the program of a golden one; `outputs` executes a command."""

    def __init__(self, program: str, capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.session = Session(Settings(cbpf.PCAP, as_socket=False, optimizer=None))
        self.actions = Actions(self.session)
        self._capsys = capsys
        for command in (f"load bpf {program}", f"load pcap {capture}"):
            self.output(command)

    def output(self, command: str) -> str:
        """Execute a command and return its output."""
        self._capsys.readouterr()
        word, _, argument = command.partition(" ")
        self.actions.execute(word, argument)
        return self._capsys.readouterr().out

    def is_at_the_last_step(self) -> bool:
        """Return whether the next step ends the run on the packet."""
        position = self.session.position
        return position is not None and position == len(self.session.run.steps) - 1

    def move(self, command: str) -> str:
        """Execute a command that may move, and return the output of bpf_dbg for the same movement."""
        lines = self.output(command).splitlines()
        if self.session.position is None:
            return "".join(f"{line}\n" for line in lines if line.startswith(("(", "bpf ")))
        return "".join(map(self.output, ("print", "packet"))) + "(breakpoint)\n"


def _without_blanks(text: str) -> str:
    """Return a text without the blanks at the ends of its lines."""
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def _compared(replay: Replay, row: dict[str, Any]) -> int:
    """Replay a session up to the first intended difference, and return the number of commands compared."""
    command = ""
    for count, (command, output) in enumerate(zip(row["commands"], row["outputs"], strict=True)):
        name, _, argument = command.partition(" ")
        expected = _without_blanks(output)
        was_stopped = count > 0 and row["commands"][count - 1].startswith("run")
        if name == "step" and was_stopped and replay.is_at_the_last_step():
            return count
        if expected == _HISTORY_ENDS:
            if not replay.is_at_the_last_step():
                with pytest.raises(DebuggerError):
                    replay.output(command)
        elif name == "select":
            replay.output(f"select {int(argument) + 1}")
        elif name in ("run", "step"):
            found = replay.move(command)
            dump, _, after = expected.partition("(breakpoint)\n")
            assert found == (f"{dump}(breakpoint)\n" if dump.startswith(_DUMP) else expected), (row, count)
            assert bool(after) is (dump.startswith(_DUMP) and name == "step" and replay.is_at_the_last_step())
        else:
            assert replay.output(command) == expected, (row, count)
    return len(row["commands"])


def test_sessions_of_bpf_dbg_have_the_same_registers_and_text(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = compared = 0
    for row in SESSIONS:
        commands += len(row["commands"])
        compared += _compared(Replay(row["program"], capture, capsys), row)
    assert compared > 0.9 * commands


def test_the_session_of_the_documentation_shows_its_texts(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Linux, Documentation/networking/filter.rst, with the first packet that it shows."""
    replay = Replay(SESSIONS[0]["program"], capture, capsys)
    assert replay.output("disassemble").splitlines() == [
        "l0:\tldh [12]",
        "l1:\tjeq #0x800, l2, l5",
        "l2:\tldb [23]",
        "l3:\tjeq #0x1, l4, l5",
        "l4:\tret #0xffff",
        "l5:\tret #0",
    ]
    assert replay.output("breakpoint 0") == "breakpoint at: l0:\tldh [12]\n"
    assert replay.output("breakpoint 1") == "breakpoint at: l1:\tjeq #0x800, l2, l5\n"
    assert replay.output("breakpoint") == "breakpoints: 0 1\n"
    assert replay.move("run").splitlines() == [
        "-- register dump --",
        "pc:       [0]",
        "code:     [40] jt[0] jf[0] k[12]",
        "curr:     l0:\tldh [12]",
        "A:        [00000000][0]",
        "X:        [00000000][0]",
        "M[0,15]:  [00000000][0]",
        "-- packet dump --",
        "len: 42",
        "  0: 00 19 cb 55 55 a4 00 14 a4 43 78 69 08 06 00 01",
        " 16: 08 00 06 04 00 01 00 14 a4 43 78 69 0a 3b 01 26",
        " 32: 00 00 00 00 00 00 0a 3b 01 01",
        "(breakpoint)",
    ]
