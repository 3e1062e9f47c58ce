"""The plain parser reads command lines exactly as click does, and leaves to click those that are not correct."""

from __future__ import annotations

import subprocess
import sys
from random import Random
from typing import Final

import pytest

from cbpf.cli import commands
from cbpf.cli.click_parser import parse_with_click
from cbpf.cli.declarations import Argument, Command, Invocation, Option
from cbpf.cli.failures import UsageError
from cbpf.cli.parser import parse
from support.command_line import TRAFFIC
from support.project import Rounds, uncovered_environment
from support.random_choices import below, chance, pick

_TEXTS: Final = (
    "in.pcap",
    "tcp port 80",
    "",
    "-",
    "--",
    "-x",
    "-r",
    "0",
    "7",
    "-1",
    " 7",
    "1_000",
    "2.5",
    "nan",
    "pcap",
)
_WORDS: Final = (*_TEXTS, "-dd", "-nO", "-cq", "-=", "--=", "--quiet=", "--no-such", "-Z", "---")


def _by_click(words: list[str]) -> Invocation | None:
    try:
        result = parse_with_click(words)
    except UsageError:
        return None
    return result if isinstance(result, Invocation) else None


def _described(invocation: Invocation | None) -> object:
    """Return the result of a parser as text: nan is not equal to itself, and 7 is equal to 7.0."""
    if invocation is None:
        return None
    options = {entry.parameter for entry in invocation.command.parameters if isinstance(entry, Option)}
    values = sorted((name, repr(value)) for name, value in invocation.values.items())
    return invocation.command.name, values, sorted(filter(None, options.intersection(invocation.given)))


def _random_option(random: Random, option: Option) -> list[str]:
    """Return the words of an option with a value; most are correct."""
    name = pick(random, option.names)
    if option.kind is None and chance(random, 0.9):
        return [name]
    texts = getattr(option.kind, "words", _TEXTS) if chance(random, 0.8) else _TEXTS
    text = pick(random, texts)
    if chance(random, 0.5):
        return [name, text]
    return [f"{name}={text}" if name.startswith("--") else name + text]


def _random_words(random: Random, command: Command) -> list[str]:
    parameters = command.parameters
    options = [entry for entry in parameters if isinstance(entry, Option)]
    choices = [word for entry in parameters if isinstance(entry, Argument) for word in getattr(entry.kind, "words", ())]
    words = command.name.split()
    for option in options:
        if option.required and chance(random, 0.9):
            words += _random_option(random, option)
    for _ in range(below(random, 6)):
        if options and chance(random, 0.6):
            words += _random_option(random, pick(random, options))
        else:
            words.append(pick(random, _WORDS if chance(random, 0.3) else choices or _TEXTS[:2]))
    return words


COMMANDS: Final = [entry for entry in commands.command.entries() if isinstance(entry, Command)]


@pytest.mark.fuzz
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_random_command_lines_have_the_values_that_click_reads(command: Command, rounds: Rounds) -> None:
    for random in rounds(40, min_checked=0.1):
        words = _random_words(random, command)
        plain = parse(words)
        assert _described(plain) == _described(_by_click(words)), words
        if plain is not None:
            rounds.checked()


_UNUSED: Final = {
    *("ast", "click", "ctypes", "dataclasses", "datetime", "gettext", "inspect", "ipaddress", "json", "llvmlite"),
    *("locale", "pathlib", "random", "socket", "subprocess", "tempfile", "textwrap", "threading", "urllib", "uuid"),
}
"""Modules that a filter of a small capture does not need, and whose imports take long."""


def test_a_correct_command_line_imports_no_more_than_it_needs() -> None:
    code = "import sys, atexit; atexit.register(lambda: print(*sys.modules)); from cbpf.cli import main; main()"
    command = [sys.executable, "-c", code, "filter", "--count", "-r", TRAFFIC, "tcp port 443"]
    done = subprocess.run(command, env=uncovered_environment(), capture_output=True, text=True, check=True)
    count, *loaded = done.stdout.split()
    assert count == "74"
    assert not _UNUSED & set(loaded)
