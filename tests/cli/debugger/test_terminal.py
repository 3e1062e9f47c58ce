"""`cbpf debug` in a terminal: a prompt, errors that do not end the session, Ctrl-C, Ctrl-D and completion."""

import os
import pty
import select
import sys
import time
from pathlib import Path

import pytest

from support.command_line import TRAFFIC
from support.project import uncovered_environment

_PATIENCE = 60  # seconds for an answer; a limit against hanging, and not a measurement


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:  # the child
            environment = {**uncovered_environment(), "TERM": "dumb", "COLUMNS": "200"}
            os.execve(sys.executable, [sys.executable, "-m", "cbpf", "debug", *arguments], environment)

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


@pytest.fixture
def terminal() -> Terminal:
    return Terminal("-e", "tcp port 443", TRAFFIC)


def test_a_terminal_shows_a_prompt_and_goes_on_after_errors(terminal: Terminal) -> None:
    assert terminal.read_until("> ") == "program: 22 instructions\npacket 1: 86 bytes\nhelp lists the commands\n> "
    assert terminal.command("b 99") == "b 99: the program has 22 instructions, numbered from 0\n"
    assert terminal.command("select 1000") == f"{TRAFFIC}: contains fewer than 1,000 packets\n"
    assert terminal.command("load bpf 1,7 0 0 0").count("\n") == 1
    assert terminal.command("until len > 60000") == "no packet from packet 1 to the end has a state with len > 60000\n"
    assert terminal.command("step").startswith("-> l0: ldh [12] ")
    assert terminal.command("").startswith("-> l1: jeq #0x86dd")
    assert terminal.command("print A") == "0x86dd = 34525\n"
    assert terminal.command("") == ""
    assert terminal.command("# a comment") == ""
    terminal.send("q\n")
    assert terminal.end()[1] == 0


def test_the_end_of_the_input_ends_the_session(terminal: Terminal) -> None:
    terminal.read_until("> ")
    terminal.send("\x04")
    assert terminal.end()[1] == 0


def test_ctrl_c_at_the_prompt_discards_the_line(terminal: Terminal) -> None:
    terminal.read_until("> ")
    terminal.send("quit")
    terminal.read_until("quit")
    terminal.interrupt()
    terminal.send("p 1 + 1\n")
    terminal.read_until("0x2 = 2\r\n> ")
    terminal.send("\x04")
    assert terminal.end()[1] == 0


def test_ctrl_c_interrupts_a_run_at_its_position(tmp_path: Path) -> None:
    long = tmp_path / "long.pcap"
    data = Path(TRAFFIC).read_bytes()
    long.write_bytes(data[:24] + data[24:] * 200)
    terminal = Terminal("-e", "tcp port 443", str(long))
    terminal.read_until("> ")
    terminal.command("step 3")
    terminal.send("until A == 0xdeadbeef\n")
    terminal.wait_until_busy()  # a signal before the run begins discards the line
    terminal.send("\x03")
    assert "interrupted; the position is unchanged" in terminal.read_until("\n> ")
    assert terminal.command("step -2").startswith("-> l0: ")
    assert terminal.command("until accept").splitlines()[0].startswith("packet ")
    terminal.send("q\n")
    assert terminal.end()[1] == 0


def test_commands_and_files_are_completed(tmp_path: Path) -> None:
    pytest.importorskip("readline", reason="needs readline")
    (tmp_path / "unusual-name.pcap").symlink_to(TRAFFIC)
    terminal = Terminal("-e", "tcp", TRAFFIC)
    terminal.read_until("> ")
    terminal.send("disass\t")
    terminal.read_until("disassemble ")
    terminal.send("0\n")
    assert "ldh [12]" in terminal.read_until("\n> ")
    terminal.send(f"load pcap {tmp_path}/unus\t")
    terminal.read_until("unusual-name.pcap")
    terminal.send("\n")
    assert "packet 1: 86 bytes" in terminal.read_until("\n> ")
    terminal.send("q\n")
    assert terminal.end()[1] == 0
