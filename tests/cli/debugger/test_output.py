"""Lines of the debugger in terminals of several widths."""

import pytest

from cbpf.cli.debugger.command_table import COMMANDS, help_lines, summary_lines
from cbpf.cli.debugger.output import folded
from support.terminal import Terminal


@pytest.mark.parametrize("width", [40, 80])
def test_lines_are_not_wider_than_the_terminal(width: int) -> None:
    terminal = Terminal(COLUMNS=str(width))
    terminal.read_until("> ")
    for command in ("until accept", "where", "list", "help", "help until", "packet", "print", "b 99"):
        lines = terminal.command(command).expandtabs().splitlines()
        assert max(map(len, lines)) <= width, command
    terminal.send("q\n")
    assert terminal.end()[1] == 0


def test_folding_keeps_all_words() -> None:
    for line in (
        "   l0: ldh [12]   A=0x00000000  => [12:2]=0x0800  ; clause of a filter",
        "word" * 30,
        "",
        "l0:\tld #1",
    ):
        for width in (20, 40, 80):
            assert " ".join(folded(line, width)).split() == line.split()


def test_help_fits_80_columns() -> None:
    lines = [line for name in COMMANDS for line in help_lines(name)]
    assert max(map(len, [*lines, *summary_lines()])) <= 80
