"""The modules that a command imports: start-up is most of the time of a command on a small capture.

A module that is missing here makes every such command slower. Before it is added, see whether it can be imported where
it is used; RATIONALE.md has the reasons.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from support.command_line import TRAFFIC
from support.project import uncovered_environment

_REPORT: Final = "import atexit, sys; atexit.register(lambda: print('modules:', *sys.modules)); "
_COMMAND: Final = _REPORT + "from cbpf.__main__ import main; main()"

_SLOW: Final = {
    "typing",
    "re",
    "ctypes",
    "click",
    "dataclasses",
    "inspect",
    "pathlib",
    "random",
    "select",
    "socket",
    "enum",
}
"""Modules that no short command needs."""

_SLOW_FOR_FILTER: Final = _SLOW | {"collections", "contextlib", "functools", "importlib", "operator", "types", "_ast"}
"""Modules that neither a filter from the cache nor `VM` needs."""

_FILTER_MODULES: Final = """
    __main__ _enum _forks _lazy _named_tuple _output _record _replacement _signals _stdlib _text _typing _validators
    errors vm
    cli cli.capture_options cli.commands cli.commands.filter cli.declarations cli.failures cli.options cli.parser
    cli.progress cli.streams cli.tcpdump_options cli.values
    filtering filtering.api filtering.arguments filtering.bound_filter filtering.capture_programs filtering.python_run
    filtering.run filtering.sources filtering.summary filtering.targets
    capture capture.base capture.compression_kinds capture.input capture.input_buffer capture.native
    capture.native.choice capture.output capture.outputs capture.pcap capture.pcap_header capture.reader
    capture.registry capture.reused_memory capture.source_stream
    engines engines.base engines.llvm engines.llvm.code_cache engines.llvm.private_directory engines.python
    expression expression.names expression.program_cache expression.target
    isa isa.dialects isa.encoding isa.opcodes isa.program isa.raw_instruction isa.semantics isa.verifier
    packet packet.host_order packet.link_types packet.packet_bytes
"""
"""The modules of cbpf that filter a small pcap with a program from the cache."""


def _modules(code: str, *arguments: str, cache: Path) -> set[str]:
    """Return the names of the modules that a process has imported at its end."""
    environment = {**uncovered_environment(), "XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    line = next(line for line in reversed(done.stdout.splitlines()) if line.startswith("modules: "))
    return set(line.split()[1:])


def test_a_filter_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    command = ("filter", "-r", TRAFFIC, "-w", str(tmp_path / "out.pcap"), "tcp port 443")
    first = _modules(_COMMAND, *command, cache=tmp_path)
    second = _modules(_COMMAND, *command, cache=tmp_path)
    assert not (first - {"re", "enum"}) & _SLOW
    assert not second & _SLOW_FOR_FILTER
    modules = {name.removeprefix("cbpf.") for name in second if name.startswith("cbpf.")}
    assert modules == set(_FILTER_MODULES.split())


@pytest.mark.parametrize(
    "arguments",
    [("info", TRAFFIC), ("count", "-r", TRAFFIC), ("disasm", "-"), ("--version",)],
    ids=lambda arguments: arguments[0],
)
def test_short_commands_import_no_slow_module(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert not (_modules(_COMMAND, *arguments, cache=tmp_path) - {"re", "enum"}) & _SLOW


def test_public_names_import_no_slow_module(tmp_path: Path) -> None:
    assert not _modules(f"{_REPORT} from cbpf import VM, Program, capture_info", cache=tmp_path) & _SLOW
