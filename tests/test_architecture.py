"""The structure of the package: public names, light imports, one table of opcodes, complete documents."""

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

import cbpf
from cbpf import seccomp
from cbpf.cli import commands
from support.project import PUBLIC_MODULES, PUBLIC_NAMES, ROOT

SOURCE: Final = ROOT / "src" / "cbpf"

# The public names of the first complete version; later versions only add names.
FIRST_PUBLIC_NAMES: Final = """
ALUOp ALUOpConstant ALUOpX Block CaptureError CaptureInfo CaptureReader Case CbpfError DEFAULT_SNAPLEN
DIALECTS DamagedCapture DeadCode Device Dialect Difference Direction Edge EngineName ExecutionCounts
Expression ExpressionError ExpressionWarning Extension FORMAT_NAMES Facts Fetched FieldError Finding Flow
Goal Graph HostRanges Instruction Interface InterfaceInfo Jump JumpIf JumpIfX JumpTest Known LINUX LinkType
LoadAbsolute LoadConstant LoadExtension LoadIndirect LoadMemShift LoadScratch Metadata MissingLibrary
NegateA Optimizer PCAP Packet PacketError PacketLoad PacketTotals Packets Problem Program ProgramFormatError
ProgramInfo ProofFailed RawInstruction Register RetA RetConstant SECCOMP Savefile Setter SocketView Stage
Step StoreScratch Summary TAX TXA TypedInstruction Undecided VM VerificationError VlanTag Witness assemble
capture_info cases compile compile_for_capture dead difference disassemble equivalent execution_counts
filter_capture findings graph hosts implies link_type listing optimization_stages optimize parse ports
program_info read_capture read_hosts read_ports render render_bytes socket_view split_capture verify
with_tag witness write_capture
"""


def _dotted_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES: Final = {_dotted_name(path): path for path in sorted(SOURCE.rglob("*.py"))}
PACKAGES: Final = {".".join(path.parent.relative_to(SOURCE).parts) for path in SOURCE.rglob("__init__.py")}


USERS_OF_PUBLIC_NAMES: Final = ("cli", "explorer", "reporting", "pytest_plugin", "__main__")
"""The parts of cbpf that use its public names, above all modules that define them."""


def _uses_public_names(name: str) -> bool:
    return name.split(".")[0] in USERS_OF_PUBLIC_NAMES


@cache
def _tree(name: str) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(MODULES[name].read_text())


_MODULES_OF_NAMES: Final = {"cbpf", *(f"cbpf.{name}" for name in PUBLIC_MODULES)}


def test_the_command_line_uses_public_names_only() -> None:
    public = {f"cbpf.{name}" for name in (*PUBLIC_NAMES, *PUBLIC_MODULES, "__version__")}
    for name in filter(_uses_public_names, MODULES):
        for node in ast.walk(_tree(name)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in _MODULES_OF_NAMES:
                assert ast.unparse(node) in public, f"{name}: {ast.unparse(node)}"


def _package_imports(tree: ast.AST, package: str) -> Iterator[int]:
    """Yield the lines on which a module of a package imports `cbpf` itself, or a name from it that is not a module."""
    depth = len(package.split(".")) + 1 if package else 1
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                if "cbpf" in (alias.name for alias in node.names):
                    yield node.lineno
            case ast.ImportFrom():
                is_package = node.module is None if node.level == depth else (node.level, node.module) == (0, "cbpf")
                if is_package and any(alias.name not in MODULES for alias in node.names):
                    yield node.lineno


def test_modules_do_not_import_the_package_above_them() -> None:
    """The package is above all layers; the contracts of import-linter do not cover imports of it."""
    for name, path in MODULES.items():
        if name and not _uses_public_names(name):
            package = ".".join(path.parent.relative_to(SOURCE).parts)
            assert not list(_package_imports(_tree(name), package)), name


@pytest.mark.parametrize(
    ("code", "package", "is_found"),
    [
        ("import cbpf", "isa", True),
        ("def function():\n    import cbpf", "isa", True),
        ("from cbpf import VM", "isa", True),
        ("from .. import VM", "isa", True),
        ("from ... import VM", "engines.llvm", True),
        ("from . import VM", "", True),
        ("from .. import errors", "isa", False),
        ("from . import opcodes", "isa", False),
        ("from .. import base", "engines.llvm", False),
        ("from ..errors import FieldError", "isa", False),
        ("from .errors import FieldError", "", False),
    ],
)
def test_imports_of_the_package_are_found(code: str, package: str, is_found: bool) -> None:
    assert bool(list(_package_imports(ast.parse(code), package))) is is_found


_ENCODERS: Final = {"RawInstruction", "Opcode", "_make", "_replace"}
_PROGRAM_USERS: Final = {"Program", "VM", "assemble", "findings", "verify", "parse", "to_raw"}


def _is_int(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _function_name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_opcode(node: ast.AST) -> bool:
    """Return whether an expression reads the operation code of an instruction."""
    return getattr(node, "attr", getattr(node, "id", None)) == "op"


def _contains_int(node: ast.AST) -> bool:
    return any(map(_is_int, ast.walk(node)))


def _opcode_literals(tree: ast.AST) -> Iterator[int]:
    """Yield the lines on which code builds, or compares, an operation code that is an integer literal."""
    for node in ast.walk(tree):
        match node:
            case ast.Call() if _function_name(node) in _ENCODERS:
                keywords = [keyword.value for keyword in node.keywords if keyword.arg in ("op", "code")]
                if any(map(_is_int, [*node.args[:1], *keywords])):
                    yield node.lineno
            case ast.Call() if _function_name(node) in _PROGRAM_USERS:
                for part in ast.walk(node):
                    if isinstance(part, ast.Tuple | ast.List) and len(part.elts) == 4 and _is_int(part.elts[0]):
                        yield part.lineno
            case ast.Compare():
                sides = [node.left, *node.comparators]
                if any(map(_is_opcode, sides)) and any(map(_contains_int, sides)):
                    yield node.lineno
            case ast.Match() if _is_opcode(node.subject):
                if any(map(_contains_int, (case.pattern for case in node.cases))):
                    yield node.lineno


def test_only_the_table_knows_opcodes() -> None:
    for name in MODULES.keys() - {"isa.opcodes"}:
        assert not list(_opcode_literals(_tree(name))), name


@pytest.mark.parametrize(
    "code",
    [
        "RawInstruction(0x06, 0, 0, 1)",
        "RawInstruction(op=0x06)",
        "cbpf.RawInstruction(op=6, k=1)",
        "Opcode(code=0x06)",
        "raw._replace(op=0x16)",
        "Program([(0x06, 0, 0, 1)])",
        "cbpf.VM(([6, 0, 0, 1],), dialect=dialect)",
        "raw.op == 0x06",
        "0x06 != instruction.op",
        "raw.op in (0x06, 0x16)",
        "op == 6",
        "match raw.op:\n    case 6: pass",
    ],
)
def test_opcode_literals_are_found(code: str) -> None:
    assert list(_opcode_literals(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["RawInstruction(row.code, 0, 0, 1)", "raw.op == other.op", "Program([(op, 0, 0, 1)])", "x == 6"]
)
def test_other_code_has_no_opcode_literals(code: str) -> None:
    assert not list(_opcode_literals(ast.parse(code)))


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


def test_importing_a_public_module_imports_none_of_its_names() -> None:
    loaded = _loaded_by("import cbpf; cbpf.seccomp; from cbpf import seccomp")
    assert not [name for name in loaded if name.startswith("cbpf.seccomp.")]


def test_public_names_remain() -> None:
    first = set(FIRST_PUBLIC_NAMES.split())
    assert len(first) == 117
    assert first <= set(cbpf.__all__)


def test_every_public_name_is_listed_once_and_described() -> None:
    assert sorted(cbpf.__all__) == sorted(set(cbpf.__all__))
    for name in cbpf.__all__:
        value = getattr(cbpf, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            assert inspect.getdoc(value), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(cbpf, "nothing")  # noqa: B009
    assert {*cbpf.__all__, *PUBLIC_MODULES} <= set(dir(cbpf))
    assert [getattr(cbpf, module).__name__ for module in PUBLIC_MODULES] == [f"cbpf.{name}" for name in PUBLIC_MODULES]


def test_names_of_seccomp_are_imported_from_the_modules_of_its_table() -> None:
    """The imports for type checkers, and the list of names, repeat the table."""
    table = {(name, module) for name, module in seccomp._MODULE_OF.items()}
    imports = [node for node in ast.walk(_tree("seccomp")) if isinstance(node, ast.ImportFrom)]
    names = {(alias.name, f"{'.' * node.level}{node.module}") for node in imports for alias in node.names}
    assert names - {("TYPE_CHECKING", ".._typing")} == table
    assert sorted(seccomp.__all__) == sorted(seccomp._MODULE_OF)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(seccomp, "nothing")  # noqa: B009


def test_public_names_are_defined_in_the_module_of_the_table() -> None:
    """A class or function is imported from the module that defines it, not from one that imports it."""
    for name, module in cbpf._MODULE_OF.items():  # type: ignore[attr-defined]
        value = getattr(cbpf, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__module__ in (f"cbpf.{module}", f"cbpf.{module}.registry"), name


def _stub() -> ast.Module:
    return ast.parse((SOURCE / "__init__.pyi").read_text())


def test_the_stub_imports_each_name_from_the_module_of_the_table() -> None:
    modules, *imports = [node for node in _stub().body if isinstance(node, ast.ImportFrom)]
    assert modules.module is None
    assert tuple(alias.name for alias in modules.names) == cbpf._PUBLIC_MODULES  # type: ignore[attr-defined]
    assert {node.level for node in imports} == {1}
    names = [(alias.name, node.module) for node in imports for alias in node.names]
    assert len(names) == len(dict(names))
    assert all(alias.asname == alias.name for node in imports for alias in node.names)
    assert dict(names) == cbpf._MODULE_OF  # type: ignore[attr-defined]


def test_the_stub_lists_the_public_names() -> None:
    assignments = {ast.unparse(node.targets[0]): node.value for node in _stub().body if isinstance(node, ast.Assign)}
    listed = ast.literal_eval(assignments["__all__"])
    assert sorted(listed) == cbpf.__all__
    assert len(set(listed)) == len(listed)
    annotated = [ast.unparse(node.target) for node in _stub().body if isinstance(node, ast.AnnAssign)]
    assert annotated == ["__version__"]


def test_modules_are_small() -> None:
    for name, path in MODULES.items():
        assert len(path.read_text().splitlines()) <= 450, name


ARCHITECTURE: Final = (ROOT / "ARCHITECTURE.md").read_text()


def _quoted(text: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", text)


def _table_rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of the rows of the tables in a text, without the head of each table."""
    for line in re.findall(r"^\|(?! *(?:module|layer|-))(.*)\|$", text, re.MULTILINE):
        yield line.split("|")


def _section(title: str) -> str:
    return ARCHITECTURE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def _documented_modules() -> Iterator[str]:
    """Yield the modules of the tables under "Packages and modules"; a row for a subpackage lists its modules."""
    for part in _section("Packages and modules").split("\n### ")[1:]:
        packages = part.split("\n")[0].split(":")[0].split(", ")
        for cells in _table_rows(part):
            for name in _quoted(cells[0]):
                (package,) = [package for package in packages if f"{package}.{name}" in MODULES]
                is_subpackage = f"{package}.{name}" in PACKAGES
                yield from (f"{package}.{name}.{module}" for module in _quoted(cells[1]) if is_subpackage)
                if not is_subpackage:
                    yield f"{package}.{name}"


def test_architecture_lists_every_module_once() -> None:
    modules = sorted(name for name in MODULES if "." in name and name not in PACKAGES)
    assert sorted(_documented_modules()) == modules


def test_architecture_lists_every_package_in_a_layer() -> None:
    layers = [name for cells in _table_rows(_section("Layers")) for name in _quoted(cells[1])]
    assert sorted(layers) == sorted(name for name in MODULES if name and "." not in name)


def test_the_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    for command in commands.command.names:
        assert re.search(rf"\bcbpf {command}\b", readme), f"README.md does not mention cbpf {command}"
