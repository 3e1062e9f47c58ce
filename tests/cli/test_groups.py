"""Groups of subcommands: a made-up group is read, listed, completed and corrected like the command itself."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from cbpf.cli import commands
from cbpf.cli.click_parser import parse_with_click
from cbpf.cli.declarations import Invocation, argument, group, option, subcommand
from cbpf.cli.parser import parse
from cbpf.cli.streams import echo
from support.command_line import run_here
from support.project import Rounds
from support.random_choices import below, pick

_PACKAGE: Final = "cbpf.cli.commands.madeup"


@subcommand("madeup paint", "Paint a house.")
@option("--colour", default="red")
def _paint(colour: str) -> None:
    """Paint a house."""
    echo(f"painted {colour}")


@subcommand("madeup compare", "Compare files with files.")
@option("-q", "--quiet", is_flag=True)
@option("-w", "target")
@argument("names", multiple=True, divided=True, required=False, metavar="OLD... -- NEW...")
def _compare(names: tuple[tuple[str, ...], tuple[str, ...]], quiet: bool, target: str | None) -> None:
    """Compare files with files."""
    echo(names)


@group(
    "madeup",
    "Work on houses.",
    sections={"Work": ("paint",), "Questions": ("compare",)},
    file_advice="cbpf madeup compare {} -- OTHER",
    package=_PACKAGE,
)
def _group() -> None:
    """Work on houses."""


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, command in {"": _group, ".paint": _paint, ".compare": _compare}.items():
        module = ModuleType(_PACKAGE + name)
        module.command = command  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(commands.command.sections, "Made up", ("madeup",))


def test_a_subcommand_of_a_group_runs() -> None:
    assert run_here("madeup", "paint", "--colour", "blue") == (0, b"painted blue\n", "")


def test_the_help_texts_list_the_group_and_its_sections() -> None:
    assert b"\nMade up:\n  madeup      Work on houses.\n" in run_here("--help").stdout
    code, out, _ = run_here("madeup", "--help")
    assert (code, out.splitlines()[0]) == (0, b"Usage: cbpf madeup [OPTIONS] COMMAND [ARGS]...")
    assert out.endswith(b"Work:\n  paint    Paint a house.\n\nQuestions:\n  compare  Compare files with files.\n")
    assert b"Usage: cbpf madeup compare [OPTIONS] OLD... -- NEW...\n" in run_here("madeup", "compare", "-h").stdout


def test_a_group_without_a_subcommand_prints_its_help() -> None:
    code, out, err = run_here("madeup")
    assert (code, out) == (2, b"")
    assert err.startswith("Usage: cbpf madeup ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("madeup pant", "cbpf: No such command 'pant'; did you mean paint? (see cbpf madeup --help)\n"),
        ("paint", "cbpf: No such command 'paint'; did you mean madeup paint? (see cbpf --help)\n"),
        ("madeup zzz", "cbpf: No such command 'zzz' (see cbpf madeup --help)\n"),
        ("madeup file.bpf", "it is a file: cbpf madeup compare file.bpf -- OTHER (see cbpf madeup --help)\n"),
        ("madeup paint --color x", "Did you mean '--colour'? (see cbpf madeup paint --help)\n"),
    ],
)
def test_errors_name_the_group(words: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.bpf").touch()
    code, out, err = run_here(*words.split())
    assert (code, out) == (2, b"")
    assert err.endswith(message)


@pytest.mark.parametrize(
    ("line", "words"),
    [("cbpf mad", ["madeup"]), ("cbpf madeup ", ["compare", "paint"]), ("cbpf madeup paint --c", ["--colour"])],
)
def test_names_in_groups_are_completed(line: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_CBPF_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_LINE", line)
    lines = run_here().stdout.decode().splitlines()
    assert [line.split("\t")[1] for line in lines] == words


def _names(invocation: Invocation | int | None) -> object:
    assert isinstance(invocation, Invocation)
    return invocation.values["names"], invocation.values["target"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("", ((), ())),
        ("a b", (("a", "b"), ())),
        ("a b -- c d", (("a", "b"), ("c", "d"))),
        ("-- c", ((), ("c",))),
        ("a -- b -- c -q", (("a",), ("b", "--", "c", "-q"))),
        ("-w -- a -- b", (("a",), ("b",))),
        ("-qw -- -- --", ((), ("--",))),
    ],
)
def test_dashes_divide_words(words: str, names: object) -> None:
    line = ["madeup", "compare", *words.split()]
    assert _names(parse(line)) == _names(parse_with_click(line))
    assert run_here(*line).stdout.decode() == f"{names}\n"


@pytest.mark.fuzz
def test_both_parsers_divide_random_words_alike(rounds: Rounds) -> None:
    texts: Sequence[str] = ("a", "-q", "-w", "--", "--quiet", "-wx", "-qw", "-")
    for random in rounds(200, min_checked=0.5):
        line = ["madeup", "compare", *(pick(random, texts) for _ in range(below(random, 8)))]
        plain = parse(line)
        if plain is not None:
            rounds.checked()
            assert _names(plain) == _names(parse_with_click(line)), line
