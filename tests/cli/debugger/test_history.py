"""The history and the completion of `cbpf debug` in a terminal, with GNU readline and with libedit."""

import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cbpf.cli.debugger import history
from support.command_line import TRAFFIC, CommandLine
from support.terminal import Terminal

readline = pytest.importorskip("readline", reason="needs readline")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the files of applications, which does not exist yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def _run_session(state: Path, *lines: str) -> str:
    terminal = Terminal(XDG_STATE_HOME=str(state))
    terminal.read_until("> ")
    output = "".join(map(terminal.command, lines))
    terminal.send("q\n")
    assert terminal.end()[1] == 0
    return output


def _file(state: Path) -> Path:
    path = history.history_path(readline)
    assert path is not None
    assert Path(path).parent == state / "cbpf"
    return Path(path)


def test_the_commands_of_a_session_are_those_of_the_next_one(state: Path) -> None:
    _run_session(state, "p 1 + 1", "p 2 + 3")
    file = _file(state)
    assert [line for line in file.read_text().splitlines() if line.startswith("p")] == ["p 1 + 1", "p 2 + 3"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    terminal = Terminal(XDG_STATE_HOME=str(state))
    terminal.read_until("> ")
    terminal.send("\x10\x10\n")  # Ctrl-P: "q", then the command before it
    assert "0x5 = 5" in terminal.read_until("\n> ")
    terminal.send("\x04")
    assert terminal.end()[1] == 0


def test_the_history_has_a_bounded_length(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _file(state)
    file.parent.mkdir(parents=True)
    file.write_text("".join(f"p {number}\n" for number in range(1500)))
    _run_session(state, "p 77")
    lines = file.read_text().splitlines()
    assert len(lines) == 1000
    assert lines[-2:] == ["p 77", "q"]


def test_a_history_that_cannot_be_written_is_not_an_error(state: Path) -> None:
    state.write_text("a file in place of the folder")
    assert _run_session(state, "p 1 + 1") == "0x2 = 2\n"
    assert state.is_file()


def test_scripts_have_no_history(state: Path, cli: CommandLine) -> None:
    assert cli("debug", "-e", "tcp", TRAFFIC, stdin=b"p 1\n")[0] == 0
    assert not state.exists()


@pytest.mark.parametrize(
    ("setting", "folder"),
    [("/states", "/states"), ("states", "/home/user/.local/state"), ("", "/home/user/.local/state")],
)
def test_the_file_is_in_the_folder_for_states(setting: str, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", setting)
    monkeypatch.setenv("HOME", "/home/user")
    gnu = SimpleNamespace(__doc__="GNU readline")
    assert history.history_path(gnu) == f"{folder}/cbpf/debug_history"
    assert history.history_path(SimpleNamespace(backend="editline")) == f"{folder}/cbpf/debug_history_libedit"


@pytest.mark.parametrize(
    ("attributes", "bound"),
    [
        ({"__doc__": "command line editing using libedit readline."}, ["bind ^I rl_complete"]),
        ({"backend": "editline"}, ["bind ^I rl_complete"]),
        ({"backend": "readline", "__doc__": None}, []),
        ({"__doc__": "command line editing using GNU readline."}, []),
    ],
)
def test_completion_is_bound_in_the_syntax_of_the_library(
    attributes: dict[str, Any], bound: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    module = SimpleNamespace(**attributes, parse_and_bind=lines.append)
    monkeypatch.setitem(sys.modules, "readline", module)
    assert history.load_readline() is not None
    assert lines == bound
