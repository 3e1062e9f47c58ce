"""The shape of the code: imports point down, the start stays light, everything public is described."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import cbpf
from support.project import ROOT

SOURCE = ROOT / "src" / "cbpf"


def _name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def test_the_command_line_uses_public_names_only() -> None:
    for path in (SOURCE / "cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cbpf":
                assert node.attr in {*cbpf.__all__, "__version__"}, f"{path.name}: cbpf.{node.attr}"


def test_only_the_table_knows_opcodes() -> None:
    """No other module compares or builds instruction codes: none mentions a code of the table in hexadecimal."""
    for name, path in MODULES.items():
        if name in ("isa.opcodes", "capture.pcap"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("RawInstruction", "Opcode"):
                literals = [one for one in node.args[:1] if isinstance(one, ast.Constant)]
                assert not literals, f"{name}:{node.lineno} writes an opcode"


def _loaded_by(statement: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_importing_cbpf_loads_no_library() -> None:
    loaded = _loaded_by("import cbpf")
    foreign = {"click", "cypcap", "numpy", "ctypes", "dataclasses", "inspect", "pathlib", "tempfile", "random"}
    foreign |= {"isal", "lz4", "backports", "zlib", "bitwuzla"}
    assert not loaded & foreign
    assert "cbpf.engines.python" not in loaded


def test_everything_public_is_listed_and_described() -> None:
    assert sorted(cbpf.__all__) == sorted(set(cbpf.__all__))
    for name in cbpf.__all__:
        one = getattr(cbpf, name)
        if inspect.isclass(one) or inspect.isroutine(one):
            assert inspect.getdoc(one), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(cbpf, "nothing")  # noqa: B009
    assert set(cbpf.__all__) <= set(dir(cbpf))


def test_type_checkers_are_told_the_same_names() -> None:
    tree = ast.parse((SOURCE / "__init__.pyi").read_text())
    told = {alias.name: node.module for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told == cbpf._MODULE_OF  # type: ignore[attr-defined]


def test_modules_are_small() -> None:
    for name, path in MODULES.items():
        assert len(path.read_text().splitlines()) <= 450, name


def test_the_documents_name_every_module_and_command() -> None:
    architecture = (ROOT / "ARCHITECTURE.md").read_text()
    for name in MODULES:
        assert name.split(".")[-1] in architecture or name == "", f"ARCHITECTURE.md does not mention {name}"
    readme = (ROOT / "README.md").read_text()
    from cbpf.cli import COMMANDS

    for command in COMMANDS:
        assert f"cbpf {command}" in readme, f"README.md does not mention cbpf {command}"
