"""The table of opcodes: an opcode is one row, and a row that another module does not handle raises an error."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cbpf
from cbpf.isa.opcodes import ARITHMETIC_ACTIONS, CONDITIONS, OPCODES, Opcode, Operand
from support.opcode_tables import TABLES, ActionTable
from support.project import ENGINES, ROOT, TESTS


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_tables_have_an_entry_for_each_action(table: ActionTable) -> None:
    assert table.is_complete()


def test_actions_with_two_operands_are_arithmetic_or_conditions() -> None:
    assert {row.action for row in OPCODES if row.operand is Operand.X} == ARITHMETIC_ACTIONS | CONDITIONS


def test_codes_are_unique() -> None:
    assert len({row.code for row in OPCODES}) == len(OPCODES) == 49
    assert len({(row.action, row.operand, row.size) for row in OPCODES}) == 49


def test_rows_name_the_dialects_that_accept_them() -> None:
    assert [len(dialect.opcodes) for dialect in (cbpf.PCAP, cbpf.LINUX, cbpf.SECCOMP)] == [49, 49, 41]
    rejected = {0x28, 0x30, 0x40, 0x48, 0x50, 0xB1, 0x94, 0x9C}  # kernel/seccomp.c, seccomp_check_filter
    assert cbpf.LINUX.opcodes - cbpf.SECCOMP.opcodes == rejected


def _name(row: Opcode) -> str:
    return f"{row.mnemonic} {row.operand.name}"


@pytest.mark.parametrize("row", [row for row in OPCODES if row.action in ARITHMETIC_ACTIONS], ids=_name)
def test_arithmetic_runs_on_every_engine_and_is_optimised(row: Opcode) -> None:
    """The engines and the optimiser have a case for the action of each row, and their results are equal."""
    operation = cbpf.RawInstruction(row.code, k=3 if row.operand is Operand.K else 0)
    program = cbpf.Program([*cbpf.parse("ldb [1]\ntax\nldb [0]\nmul #0x1010101"), operation, cbpf.RetA()])
    packets = [bytes([a, x]) for a in (0, 1, 0x7F, 0xFF) for x in (0, 1, 3, 31, 32, 0xFF)]
    dialect = cbpf.DIALECTS[min(row.dialects - {"seccomp"})]
    verdicts = {tuple(cbpf.VM(program, engine=engine, dialect=dialect).verdicts(packets)) for engine in ENGINES}
    assert len(verdicts) == 1
    assert cbpf.difference(program, cbpf.optimize(program, dialect=dialect), dialect=dialect) is None


def _patched_package(folder: Path, *replacements: tuple[str, str]) -> dict[str, str]:
    """Copy the package with a changed table of opcodes; return the environment that imports the copy."""
    shutil.copytree(ROOT / "src" / "cbpf", folder / "cbpf", ignore=shutil.ignore_patterns("__pycache__"))
    table = folder / "cbpf" / "isa" / "opcodes.py"
    text = table.read_text()
    for old, new in replacements:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    table.write_text(text)
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(TESTS)])}


def _output(environment: dict[str, str], code: str) -> list[str]:
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return result.stdout.splitlines()


_LAST_ROW = '    Opcode(0x87, "txa", Action.TXA, Operand.NONE, _ALL),\n'

_USE = """
import cbpf
from support.opcode_tables import incomplete_tables

raw = cbpf.RawInstruction({code})
print(*(dialect.name for dialect in cbpf.DIALECTS.values() if {code} in dialect.opcodes))
print(*(finding.identifier for finding in cbpf.findings([raw, (6, 0, 0, 0)])))
dialect = cbpf.PCAP.replace(opcodes=frozenset({{6, {code}}}))
for use in (raw.disassemble, lambda: cbpf.VM([raw, (6, 0, 0, 0)], dialect=dialect).run(b"")):
    try:
        print(use())
    except (NotImplementedError, AssertionError) as error:
        print(type(error).__name__, error)
print(*incomplete_tables())
"""


def test_an_operand_that_no_module_handles_is_not_decoded(tmp_path: Path) -> None:
    """The row `ret x` (0x0e), with an action and an operand that other rows have."""
    row = '    Opcode(0x0E, "ret", Action.RETURN, Operand.X, frozenset()),\n'
    lines = _output(_patched_package(tmp_path, (_LAST_ROW, _LAST_ROW + row)), _USE.format(code=0x0E))
    assert lines[:2] == ["", "opcode"]
    assert lines[2] == (
        "NotImplementedError opcode 0x0e (RETURN, X): not handled by isa.instructions; an opcode needs a case there"
    )


def test_an_action_that_no_module_handles_fails_by_name(tmp_path: Path) -> None:
    """A made-up rotation (0xb4): no dialect accepts it, nothing decodes it, and each table without it is reported."""
    environment = _patched_package(
        tmp_path,
        (_LAST_ROW, _LAST_ROW + '    Opcode(0xB4, "rot", Action.ROTATE, Operand.K, frozenset()),\n'),
        ("    TXA = auto()\n", "    TXA = auto()\n    ROTATE = auto()\n"),
        (
            "ARITHMETIC_ACTIONS: Final = frozenset(\n    {\n",
            "ARITHMETIC_ACTIONS: Final = frozenset(\n    {Action.ROTATE,\n",
        ),
    )
    lines = _output(environment, _USE.format(code=0xB4))
    assert lines[:2] == ["", "opcode"]
    assert lines[2].startswith("NotImplementedError opcode 0xb4 (ROTATE, K): not handled by isa.instructions;")
    assert lines[3].startswith("AssertionError")
    assert "ROTATE" in lines[3]
    arithmetic = {str(table) for table in TABLES if ARITHMETIC_ACTIONS & table.keys}
    assert set(lines[4].split()) == arithmetic
