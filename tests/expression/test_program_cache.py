"""The disk cache of programs: a cached program is the compiled one, and nothing else is ever used."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from cbpf.expression import compiler, program_cache
from cbpf.expression.names import Lookups
from cbpf.expression.program_cache import Options, compile_cached
from cbpf.expression.target import Target
from support.command_line import TRAFFIC
from support.project import uncovered_environment
from support.resolver import TestResolver

ETHERNET: Final = Target(1, 262_144, netmask=0, file_order="little")
TEXT: Final = "tcp port 443"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(program_cache, "_numbers", count(1))
    return tmp_path / "cbpf"


@pytest.fixture
def compilations(cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The expressions that are compiled during a test."""
    found: list[object] = []
    compile = compiler.compile_quietly

    def record(target: Target, expression: Any, *arguments: Any, **options: Any) -> compiler.Compiled:
        found.append(expression)
        return compile(target, expression, *arguments, **options)

    monkeypatch.setattr(compiler, "compile_quietly", record)
    return found


def _compile(
    text: str = TEXT,
    target: Target = ETHERNET,
    names: cbpf.Resolver | None = None,
    optimizer: cbpf.Optimizer = None,
    dialect: cbpf.Dialect = cbpf.PCAP,
    optimize_sets: bool = True,
) -> cbpf.Program:
    return compile_cached(target, text, Lookups(names), Options(optimizer, dialect, optimize_sets))


def test_a_cached_program_is_the_compiled_one(cache: Path, compilations: list[object]) -> None:
    first, second = _compile(), _compile()
    assert compilations == [TEXT]
    compiled = compiler.compile_quietly(ETHERNET, TEXT, Lookups(None), optimizer=None, optimize_sets=True)
    assert first == second == compiled.program
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"text": "tcp port 80"},
        {"target": ETHERNET._replace(dlt=12)},
        {"target": ETHERNET._replace(snaplen=96)},
        {"target": ETHERNET._replace(netmask=None)},
        {"target": ETHERNET._replace(file_order="big")},
        {"optimizer": "cbpf"},
        {"dialect": cbpf.LINUX},
        {"optimize_sets": False},
    ],
    ids=str,
)
def test_everything_that_a_program_depends_on_is_in_its_key(
    options: dict[str, Any], compilations: list[object]
) -> None:
    _compile()
    other = _compile(**options)
    assert len(compilations) == 2
    assert _compile(**options) == other
    assert len(compilations) == 2


def _truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def _invert_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-10] ^= 1
    file.write_bytes(data)


def _let_others_read(file: Path) -> None:
    file.chmod(0o644)


def _give_away(file: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(file, 65534, 65534)


@pytest.mark.parametrize("damage", [_truncate, _invert_a_bit, _let_others_read, _give_away])
def test_a_damaged_or_foreign_file_is_not_used(
    damage: Callable[[Path], None], cache: Path, compilations: list[object]
) -> None:
    first = _compile()
    (file,) = cache.iterdir()
    damage(file)
    assert _compile() == first
    assert len(compilations) == 2


def test_a_cache_that_cannot_be_written_costs_a_compilation(
    cache: Path, compilations: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert _compile() == _compile()
    assert len(compilations) == 2


def test_a_program_with_a_name_is_not_stored(cache: Path, compilations: list[object]) -> None:
    name = "host noeth-ipv4-noipv6.host123.libpcap.test"
    assert _compile(name, names=TestResolver()) == _compile(name, names=TestResolver())
    assert len(compilations) == 2
    assert not cache.exists()


def test_a_warning_is_emitted_each_time(cache: Path) -> None:
    for _ in range(2):
        with pytest.warns(cbpf.ExpressionWarning, match="rejects all packets"):
            _compile("ip and arp", optimizer="cbpf")
    assert not cache.exists()


@pytest.mark.parametrize("text", ["tcp prot 80", "a\0b", "\udcff", "host noeth-ipv4-noipv6.host123.libpcap.test"])
def test_an_error_is_raised_each_time(text: str, cache: Path) -> None:
    for _ in range(2):
        with pytest.raises(cbpf.ExpressionError):
            _compile(text)
    assert not cache.exists()


def test_lists_and_other_dialects_are_not_stored(cache: Path) -> None:
    with_list = cbpf.Expression(TEXT, hosts=["192.0.2.1"])
    compile_cached(ETHERNET, with_list, Lookups(None), Options("cbpf", cbpf.PCAP, True))
    _compile(dialect=cbpf.PCAP.replace(longest=100))
    assert not cache.exists()


def test_a_process_stores_a_few_programs(cache: Path) -> None:
    for port in range(20):
        _compile(f"port {port}")
    assert len(list(cache.iterdir())) == program_cache._MAX_PROGRAMS


def test_a_second_filter_imports_no_compiler(tmp_path: Path) -> None:
    code = "import sys, atexit; atexit.register(lambda: print(*sys.modules)); from cbpf.cli import main; main()"
    environment = {**uncovered_environment(), "XDG_CACHE_HOME": str(tmp_path)}
    outputs, modules = [], []
    for number in range(2):
        target = str(tmp_path / f"{number}.pcap")
        command = [sys.executable, "-c", code, "filter", "-r", TRAFFIC, "-w", target, TEXT]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        modules.append({name for name in done.stdout.split() if name.startswith("cbpf.expression.")})
        outputs.append(Path(target).read_bytes())
    assert outputs[0] == outputs[1]
    assert "cbpf.expression.compiler" in modules[0]
    parts = {"names", "program_cache", "target"}
    assert modules[1] == {f"cbpf.expression.{name}" for name in parts}
