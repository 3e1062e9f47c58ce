"""The tables of docs/migration/go.md list every exported name of golang.org/x/net/bpf, with its counterpart.

`tests/golden/go_names.txt` has the names of Go's package, as Go's compiler gives them.
"""

import inspect
import re
from typing import Any, Final

import pytest

import cbpf
from support.project import ROOT, TESTS

NAMES: Final = [
    line for line in (TESTS / "golden" / "go_names.txt").read_text().splitlines() if not line.startswith("#")
]
_SECTIONS: Final = re.split(r"^#+ (.+)\n", (ROOT / "docs" / "migration" / "go.md").read_text(), flags=re.MULTILINE)


def _rows(*headings: str) -> list[list[str]]:
    """Return the cells of the rows that begin with code, of the tables in the sections with these headings."""
    texts = dict(zip(_SECTIONS[1::2], _SECTIONS[2::2], strict=True))
    lines = [line for heading in headings for line in texts[heading].splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def _code(cell: str) -> list[str]:
    """Return the code in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def _names(text: str) -> list[str]:
    """Return the names in the brackets of `Type{A, B}` or `Type(a, b=0)`."""
    return [name.strip() for name in re.split(r"[(){}]", text)[1].split(",") if name.strip()]


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _value(cell: str) -> Any:
    """Return the value of the first code in a cell, which is Python."""
    return eval(_code(cell)[0], {name: getattr(cbpf, name) for name in cbpf.__all__})


FUNCTIONS: Final = _rows("Functions, methods and interfaces")
INSTRUCTIONS: Final = {row[0].strip("`").partition("{")[0]: row for row in _rows("Instructions") if len(row) == 3}
CONSTANTS: Final = {row[0].strip("`"): row for row in _rows("Registers", "Operations", "Comparisons", "Extensions")}


def test_every_type_function_and_method_has_one_row() -> None:
    names = {
        re.split(r"\W", line.partition(" ")[2], maxsplit=1)[0] for line in NAMES if line.startswith(("type", "func"))
    }
    methods = {line.split()[1].partition("(")[0] for line in NAMES if line.startswith("method ")}
    # All instructions have Assemble and String, and the table has one row for each.
    methods = {re.sub(r"^\w+\.Assemble$", "Instruction.Assemble", method) for method in methods}
    methods = {re.sub(r"^\w+\.String$", "String", method) for method in methods}
    listed = [_code(row[0])[0] for row in FUNCTIONS]
    enumerations = [name for name, row in CONSTANTS.items() if not row[2]]
    assert sorted([*listed, *INSTRUCTIONS, *enumerations]) == sorted(names | methods)


def test_every_constant_has_its_value_and_its_member() -> None:
    constants = re.findall(r"^const (\w+) (\w+) = (\d+)$", "\n".join(NAMES), re.MULTILINE)
    assert len(constants) == 36
    assert sorted(name for name, row in CONSTANTS.items() if row[2]) == sorted(name for name, _, _ in constants)
    for name, kind, value in constants:
        enumeration, _, member = CONSTANTS[name][1].strip("`").partition(".")
        assert enumeration == kind
        assert int(value) == int(CONSTANTS[name][2], 0) == getattr(cbpf, enumeration)[member], name


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_every_instruction_has_its_fields_in_order(name: str) -> None:
    go, python, _ = INSTRUCTIONS[name]
    fields = [line.split()[1].partition(".")[2] for line in NAMES if line.startswith(f"field {name}.")]
    assert _names(go) == fields
    parameters = inspect.signature(getattr(cbpf, name)).parameters
    (python,) = _code(python)
    assert python.startswith(f"{name}(")
    assert [*parameters] == [_snake_case(field) for field in fields]
    assert _names(python) == [
        shown.name if shown.default is shown.empty else f"{shown.name}={shown.default}" for shown in parameters.values()
    ]


@pytest.mark.parametrize("name", [name for name in INSTRUCTIONS if name != "RawInstruction"])
def test_the_text_of_an_instruction_is_that_of_its_type(name: str) -> None:
    for text in _code(INSTRUCTIONS[name][2]):
        (instruction,) = cbpf.parse(text, format="go").instructions
        assert (type(instruction).__name__, str(instruction)) == (name, text)


@pytest.mark.parametrize(
    ("heading", "instruction"),
    [
        ("Operations", cbpf.ALUOpX),
        ("Comparisons", lambda test: cbpf.JumpIfX(test, 1)),
        ("Extensions", cbpf.LoadExtension),
    ],
)
def test_the_words_of_constants_are_those_of_their_instructions(heading: str, instruction: Any) -> None:
    for _, python, value, text, *_ in _rows(heading):
        if value:
            assert _code(text)[0] in str(instruction(_value(python))).split(), python


def test_every_function_of_the_table_exists() -> None:
    assert len(FUNCTIONS) == 11
    assert all(_value(row[1]) is not None for row in FUNCTIONS)


def test_the_table_of_lossless_decoding_shows_the_results() -> None:
    rows = _rows("Decoding is lossless")
    assert len(rows) == 8
    for raw_cell, _, python in rows:
        for text in _code(raw_cell):
            if text.startswith("{"):
                raw = cbpf.RawInstruction(*(int(field, 0) for field in text.strip("{}").split(",")))
                expected = raw if _code(python)[0] == "RawInstruction" else _value(python)
                assert raw.disassemble() == expected, text
