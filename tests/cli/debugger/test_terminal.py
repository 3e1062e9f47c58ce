"""`cbpf debug` in a terminal: a prompt, errors that do not end the session, Ctrl-C, Ctrl-D and completion."""

from pathlib import Path

import pytest

from support.command_line import TRAFFIC
from support.terminal import Terminal


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


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
    terminal.send("u rej\t\n")
    assert "rejects the packet" in terminal.read_until("\n> ")
    terminal.send("set rxh\t 5\n")
    assert "rxhash = 0x5 = 5" in terminal.read_until("\n> ")
    terminal.send(f"load pcap {tmp_path}/unus\t")
    terminal.read_until("unusual-name.pcap")
    terminal.send("\n")
    assert "packet 1: 86 bytes" in terminal.read_until("\n> ")
    terminal.send("q\n")
    assert terminal.end()[1] == 0
