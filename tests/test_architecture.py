"""The shape of the code: imports point down, the start stays light, everything public is described."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import cbpf

SOURCE = ROOT / "src" / "cbpf"

# From the ground up; a module imports only from layers below its own.
LAYERS = (
    (
        "values",
        "choices",
        "summary",
        "errors",
        "fields",
        "drawing.layout",
        "payload_offset",
        "engines.ir",
        "engines.memory",
        "engines.code_cache",
    ),
    (
        "isa",
        "arrow",
        "engines.entries",
        "engines.native",
        "capture.mapping",
        "capture.sweep_job",
        "optimizer.requirements",
    ),
    ("notation", "words", "capture.ranges", "optimizer.decisions", "ranges"),
    ("instructions", "link_types", "lists"),
    ("listings", "metadata"),
    ("program", "socket_buffer", "socket_views"),
    ("dialects", "packets", "libpcap", "capture.container"),
    ("semantics", "verdicts", "capture.pcap", "capture.pcapng", "capture.compression", "formats.format"),
    (
        "verifier",
        "engines.engine",
        "engines.circumstances",
        "formats.numbers",
        "formats.lexer",
        "formats.labels",
        "savefile",
        "capture.source",
        "capture.writer",
        "capture.output",
        "optimizer.expressions",
        "optimizer.liveness",
    ),
    (
        "engines.interpreter",
        "engines.python",
        "engines.builtin",
        "formats.assembler",
        "capture.plain",
        "capture.reader",
        "capture.sweep_code",
        "optimizer.diagram",
        "optimizer.steps",
    ),
    (
        "engines.llvm_machine",
        "flow.knowledge",
        "capture.sweep_records",
        "proofs.terms",
        "optimizer.arithmetic",
        "optimizer.facts",
        "optimizer.lists",
    ),
    (
        "engines.llvm",
        "flow.facts",
        "proofs.unknowns",
        "optimizer.comparisons",
        "optimizer.grouping",
        "optimizer.jump_threading",
    ),
    (
        "formats.table",
        "flow.analysis",
        "capture.survey",
        "capture.sweep",
        "proofs.netlink",
        "proofs.shrinking",
        "optimizer.lifting",
        "optimizer.registers",
    ),
    ("formats", "vm", "flow.blocks", "proofs.machine", "optimizer.planning"),
    ("flow.flow", "coverage", "proofs.verdicts", "proofs.question", "optimizer.emission"),
    ("flow.counting", "flow.statistics", "equivalence", "proofs.goals"),
    ("drawing.captions", "covering", "reachability", "optimizer.pipeline"),
    ("expression", "drawing.svg", "drawing.text"),
    ("drawing.graph", "matching"),
    ("sweeping",),
    ("passes",),
    ("filtering",),
    ("",),
    ("cli.common", "cli.progress", "cli.proving", "cli.side_by_side"),
    ("cli.measuring",),
    (
        "cli.asm",
        "cli.cases",
        "cli.compile",
        "cli.convert",
        "cli.diff",
        "cli.disasm",
        "cli.explain",
        "cli.filter",
        "cli.graph",
        "cli.info",
        "cli.optimize",
        "cli.run",
        "cli.split",
        "cli.stats",
        "cli.trace",
        "cli.verify",
        "cli",
    ),
    ("__main__", "pytest_plugin"),
)
WITHIN_ONE_LAYER = {("errors", "values"), ("errors", "summary"), ("fields", "errors")}
PACKAGES_WITHOUT_CODE = {"capture", "drawing", "engines", "flow", "optimizer", "proofs"}


def _name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _imports(path: Path) -> set[str]:
    """The modules of cbpf that a file imports, at its top or in a function, but not for type checks only."""
    package = path.relative_to(SOURCE).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            found |= _imported([*base, *(node.module or "").split(".")], node.names)
        elif isinstance(node, ast.Import):
            found |= {"" for alias in node.names if alias.name == "cbpf"}
    return found


def _imported(path: list[str], names: list[ast.alias]) -> set[str]:
    """What `from path import names` imports: a module, or modules of a package."""
    module = ".".join(path).strip(".")
    submodules = {f"{module}.{alias.name}" for alias in names} & set(MODULES)
    return submodules or {module}


MODULES = {_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def test_every_module_has_a_layer() -> None:
    assert set(MODULES) - PACKAGES_WITHOUT_CODE == {module for layer in LAYERS for module in layer}


@pytest.mark.parametrize("module", sorted(set(MODULES) - PACKAGES_WITHOUT_CODE))
def test_imports_point_down(module: str) -> None:
    height = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    for imported in _imports(MODULES[module]):
        lower = height[imported] < height[module] or (module, imported) in WITHIN_ONE_LAYER
        assert lower, f"{module} imports {imported}"


def test_the_command_line_uses_public_names_only() -> None:
    for path in (SOURCE / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cbpf":
                assert node.attr in {*cbpf.__all__, "__version__"}, f"{path.name}: cbpf.{node.attr}"


def test_only_the_table_knows_opcodes() -> None:
    """No other module compares or builds instruction codes: none mentions a code of the table in hexadecimal."""
    for name, path in MODULES.items():
        if name in ("isa", "capture.pcap"):
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
    assert told == cbpf._PLACE_OF  # type: ignore[attr-defined]


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
