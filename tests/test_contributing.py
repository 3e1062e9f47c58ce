"""The names of files, modules and symbols in the documents exist, so that the recipes of CONTRIBUTING.md stay true."""

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, get_args

import pytest

import cbpf
from cbpf import vm
from cbpf.cli import commands
from cbpf.cli.declarations import subcommand
from cbpf.engines.base import PerPacketEngine
from support.command_line import COMMANDS, run_here
from support.project import ROOT

SOURCE: Final = ROOT / "src" / "cbpf"
RECIPES: Final = "CONTRIBUTING.md"
DOCUMENTS: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *SOURCE.rglob("*.md")])
TOP_LEVEL: Final = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}


def _without_blocks(path: Path) -> str:
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def _paths(path: Path) -> Iterator[str]:
    """Yield the files of the project that a document names: those with a folder of the project, or in its root."""
    folders = "src|tests|docs|documentation|man|examples|benchmarks"
    yield from re.findall(rf"(?<![\w/.-])((?:{folders})/[\w/.-]*\w)", _without_blocks(path))
    yield from re.findall(r"`([A-Z]+\.md)`", _without_blocks(path))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_exist(document: Path) -> None:
    assert [name for name in _paths(document) if not (ROOT / name).exists()] == []


def _exists(name: str) -> bool:
    """Return whether a dotted name, relative to the package, is that of a module or of something that it contains."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value: Any = importlib.import_module(f"cbpf.{'.'.join(parts[:length])}")
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(value, part):
                return False
            value = getattr(value, part)
        return True
    return False


def _names(text: str) -> list[str]:
    """Return the dotted names in code font that begin with a module of the package, other than names of files."""
    names = re.findall(r"`(_?[a-z]\w*(?:\.\w+)+)`", text)
    return [name for name in names if name.split(".")[0] in TOP_LEVEL]


@pytest.mark.parametrize(("document", "count"), [(RECIPES, 30), ("ARCHITECTURE.md", 1)])
def test_modules_and_symbols_exist(document: str, count: int) -> None:
    names = _names(_without_blocks(ROOT / document))
    assert len(names) >= count
    assert [name for name in names if not _exists(name)] == []


@pytest.mark.parametrize(
    ("name", "exists"), [("isa.opcodes.OPCODES", True), ("isa.codes", False), ("isa.alu.X", False)]
)
def test_missing_names_are_found(name: str, exists: bool) -> None:
    assert _names(f"a row in `{name}`") == [name]
    assert _exists(name) is exists


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_names_exist(document: Path) -> None:
    names = set(re.findall(r"`cbpf\.(\w+)", _without_blocks(document)))
    modules = {module.name for module in pkgutil.iter_modules(cbpf.__path__)}
    assert names - modules <= {*cbpf.__all__, "__version__"}


def test_each_addition_has_a_recipe() -> None:
    titles = re.findall(r"^### (.+)$", (ROOT / RECIPES).read_text(), re.MULTILINE)
    additions = (
        *("An opcode", "A link type", "A capture format", "An optimiser pass", "A subcommand", "An engine"),
        "A target of `cbpf emit`",
    )
    assert set(additions) <= set(titles)


def test_each_module_of_commands_is_a_subcommand() -> None:
    prefix = f"{commands.__name__}."
    modules = pkgutil.walk_packages(commands.__path__, prefix)
    assert [module.name.removeprefix(prefix).replace(".", " ") for module in modules] == list(COMMANDS)


def test_an_added_subcommand_is_listed_and_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("cbpf.cli.commands.madeup")
    module.command = subcommand("madeup", "Print a word.")(lambda: print("word"))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    sections = commands.command.sections
    monkeypatch.setitem(sections, "Captures", (*sections["Captures"], "madeup"))
    assert re.search(rb"^  madeup +Print a word\.$", run_here("--help").stdout, re.MULTILINE)
    assert run_here("madeup").stdout == b"word\n"


def test_each_name_of_an_engine_has_an_engine() -> None:
    assert tuple(vm.ENGINES) == get_args(cbpf.EngineName)


def test_an_added_engine_runs_programs_and_filters_captures(monkeypatch: pytest.MonkeyPatch, traffic: Path) -> None:
    """A made-up engine: a function that returns the length of a packet on the wire, whatever the program is."""

    def run(packet: Any, wire_length: int | None = None, buffer: Any = None, /) -> int:
        return len(packet) if wire_length is None else wire_length

    monkeypatch.setitem(vm.ENGINES, "madeup", lambda program, dialect: PerPacketEngine(run))
    engine: Any = "madeup"
    machine = cbpf.VM([cbpf.RetConstant(0)], engine=engine)
    assert (machine.run(b"abc"), machine.evaluate(b"abc", wire_length=5)) == (3, 5)
    assert machine.verdicts([b"", b"a"]).tolist() == [0, 1]
    assert (
        cbpf.filter_capture(traffic, None, cbpf.Program([cbpf.RetConstant(0)]), engine=engine).packets_accepted == 905
    )
