"""The help texts of the commands: their examples run, and the exit codes that occur are listed."""

import shlex
from contextlib import chdir
from pathlib import Path

import pytest
from documentation.commands import CommandText, all_commands

from support.command_line import require_library_of, run_here
from support.forked import in_child
from support.judges import kernel
from support.project import ROOT

COMMANDS = all_commands()
_PROFILE = '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": [NAMES], "action": "SCMP_ACT_ALLOW"}]}'
FILES = {
    "blocked.txt": "192.0.2.0/24\n198.51.100.7\n",
    "old.c": "{ 0x6, 0, 0, 262144 },\n",
    "filter.asm": "ldh [12]\njne #0x800, drop\nret #-1\ndrop: ret #0\n",
    "filter.c": "{ 0x28, 0, 0, 12 },\n{ 0x15, 0, 1, 2048 },\n{ 0x6, 0, 0, 262144 },\n{ 0x6, 0, 0, 0 },\n",
    "profile.json": _PROFILE.replace("NAMES", '"read", "socket"'),
    "strict.json": _PROFILE.replace("NAMES", '"read"'),
    "policy.toml": 'default = "allow"\narchitectures = ["x86_64"]\n',
    "calls.toml": 'architectures = ["x86_64"]\n[[test]]\ncalls = ["read"]\naction = "allow"\n',
}
"""Files that the examples read."""


def _is_finite(example: str) -> bool:
    """Return whether a command ends by itself; tests/live and tests/explorer run the others."""
    return not example.startswith(("cbpf capture -i", "cbpf docs", "cbpf explore"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_examples_of_help_texts_run(command: CommandText, tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "in.pcap").symlink_to(ROOT / "examples" / "traffic.pcap")
    expected = {code for code, _ in command.exit_codes} - {2}
    assert command.examples
    require_library_of(command.name)
    with chdir(tmp_path):
        for example in filter(_is_finite, command.examples):
            program, *arguments = shlex.split(example)
            assert program == "cbpf"
            assert _exit_code(arguments) in expected, example


def _exit_code(arguments: list[str]) -> int:
    """Return the exit code of a command; one that replaces its process runs in a child."""
    if arguments[:2] != ["seccomp", "run"]:
        return run_here(*arguments).exit_code
    if reason := kernel.seccomp_available():
        pytest.skip(reason)
    return int(in_child(lambda: run_here(*arguments).exit_code))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_texts_fit_a_terminal(command: CommandText) -> None:
    """Each example is on a line of its own, and no line is longer than a terminal of 80 columns."""
    lines = run_here(*command.name.split()[1:], "--help").stdout.decode().splitlines()
    assert set(command.examples) <= {line.strip() for line in lines}
    assert max(map(len, lines)) <= 80
