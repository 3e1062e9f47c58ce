"""Command lines of users who know other tools, or mistype: the error suggests a correct one."""

from pathlib import Path

import pytest

from cbpf.cli import commands
from cbpf.cli.declarations import Command, Group
from cbpf.cli.tcpdump_options import TCPDUMP_OPTIONS
from support.command_line import TRAFFIC, CommandLine

CAPTURE_COMMANDS = ("filter", "split", "info", "run", "trace", "why", "count")


GROUPS = [commands.command, *(entry for entry in commands.command.entries() if isinstance(entry, Group))]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name or "cbpf")
def test_each_command_is_in_one_section_of_the_help(group: Group, cli: CommandLine) -> None:
    assert len(set(group.names)) == len(group.names)
    _, out, _ = cli(*group.name.split(), "--help")
    listed = out.decode().split("Options:")[1]
    assert [title for title in group.sections if f"\n{title}:\n" in listed] == list(group.sections)
    assert all(f"\n  {name} " in listed for name in group.names)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fliter"], "No such command 'fliter'; did you mean filter"),
        (["optimise"], "did you mean optimize"),
        (["zzz"], "No such command 'zzz' (see cbpf --help)"),
        ([str(TRAFFIC)], "it is a file: cbpf info"),
        (["filter", "--prots", "x"], "Did you mean"),
    ],
)
def test_similar_names_are_suggested(cli: CommandLine, words: list[str], message: str) -> None:
    code, out, err = cli(*words)
    assert (code, out) == (2, b"")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", CAPTURE_COMMANDS)
def test_options_of_tcpdump_are_answered(cli: CommandLine, name: str) -> None:
    command = commands.command.load(name)
    assert isinstance(command, Command)
    assert command.foreign_options is TCPDUMP_OPTIONS
    code, _, err = cli(name, "-i", "eth0")
    assert code == 2
    assert err.startswith("cbpf: No such option '-i'; cbpf capture captures packets")


def test_an_option_of_tcpdump_has_one_advice() -> None:
    options = [option for text in TCPDUMP_OPTIONS.values() for option in text.split()]
    assert len(options) == len(set(options))
    assert set("ABCDEGHKLMNQSTUVWXZbdefijlmpstuvxz#") <= {option[1] for option in options if len(option) == 2}


@pytest.mark.parametrize(
    ("option", "values", "lines"),
    [
        ("--ports", "443,80", "443\n80\n"),
        ("--ports", "1-100", "1-100"),
        ("--hosts", "10.0.0.0/8,::/0", "10.0.0.0/8\n::/0"),
    ],
)
def test_lists_are_values_or_files(cli: CommandLine, tmp_path: Path, option: str, values: str, lines: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(lines)
    from_values = cli("filter", "-r", TRAFFIC, "--count", "-q", option, values)
    assert from_values == cli("filter", "-r", TRAFFIC, "--count", "-q", option, str(path))
    assert from_values[0] == 0


def test_a_file_takes_precedence_over_values(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "80").write_text("65535\n")
    assert cli("filter", "-r", TRAFFIC, "--count", "-q", "--ports", "80")[1] == b"0\n"


@pytest.mark.parametrize(
    ("option", "value", "kind"),
    [("--ports", "99999", "ports"), ("--hosts", "no.txt", "addresses"), ("--ports", "a\x1b", "ports")],
)
def test_a_list_that_is_neither_is_an_error(cli: CommandLine, option: str, value: str, kind: str) -> None:
    code, _, err = cli("filter", "-r", TRAFFIC, "--count", option, value)
    assert code == 2
    assert f": No such file or directory, and not a list of {kind}" in err
    assert "\x1b" not in err
