"""The assembler compared with Linux's bpf_asm, and the listing with bpf_dbg; golden/make_linux.py makes the data."""

import json
import re
from itertools import groupby
from typing import Any

import pytest

import cbpf
from cbpf.isa.listing import debugger_listing
from support.project import TESTS

GOLDEN = TESTS / "golden"
BPF_ASM = json.loads((GOLDEN / "bpf_asm.json").read_text())
BPF_DBG = json.loads((GOLDEN / "bpf_dbg.json").read_text())["programs"]

Row = dict[str, Any]

# Texts that bpf_asm assembles and cbpf rejects on purpose, with the effect in bpf_asm.
REPORTED = {
    "number too wide": "bpf_asm wraps or saturates the number",
    "duplicate label": "bpf_asm uses the first label",
    "backward jump": "bpf_asm encodes a jump far beyond the end",
    "return x": "bpf_asm encodes opcode 0x0e, which no implementation supports",
}

# Texts that bpf_asm assembles to another program, on purpose.
DIFFERENT = {
    "comment that continues after **/": "in bpf_asm the comment continues to the next */ without a * before it"
}

# Texts that cbpf assembles and bpf_asm rejects, on purpose: none of them has another meaning.
HARMLESS = {
    "[x+5] and [x - 5]": "bpf_asm reads +5 as a number and then misses the plus sign",
    "sign of more than decimals": "bpf_asm supports signs only for decimal numbers other than 0",
    "carriage return": "lines may end as on Windows",
    "comment after a blank": "no operand can begin there",
    "form feed": "whitespace",
    "comment without text": "bpf_asm takes the # for the start of an operand",
    "comment that ends with **/": "bpf_asm searches for the next */",
    "label of one letter": "bpf_asm has no words of one letter except a, x and M",
    "labels, several": "bpf_asm accepts one label per instruction",
    "further words": "those of tcpdump and Go, and of the extension for which bpf_asm has no word",
    "blank after #": "in cbpf # is a token of its own before words too",
    "extension in brackets": "the syntax of tcpdump -d",
    "skip": "Go's syntax",
    "listing": "the output of tcpdump -d and bpf_dbg",
    "jt and jf": "the syntax of tcpdump -d",
    "braces": "instructions that assembly cannot express",
    "empty": "an empty program is a program; the verifier rejects it",
    "too many": "the maximum number of instructions depends on the dialect",
}


def _kinds(section: str) -> list[Any]:
    """Return the rows of each kind, as parameters."""
    parameters = []
    for kind, rows in groupby(sorted(BPF_ASM[section], key=_kind), key=_kind):
        parameters.append(pytest.param(kind, list(rows), id=kind))
    return parameters


def _kind(row: Row) -> str:
    kind: str = row["kind"]
    return kind


def _expected(row: Row) -> cbpf.Program:
    """Return the output of bpf_asm, parsed without the code under test."""
    _, *instructions = row["output"].rstrip(",\n").split(",")
    return cbpf.Program(cbpf.RawInstruction(*map(int, fields.split())) for fields in instructions)


@pytest.mark.parametrize(("kind", "rows"), _kinds("accepted"))
def test_assembles_like_bpf_asm(kind: str, rows: list[Row]) -> None:
    for row in rows:
        if kind in REPORTED:
            with pytest.raises(cbpf.ProgramFormatError):
                cbpf.parse(row["text"], format="asm")
        else:
            program = cbpf.parse(row["text"], format="asm")
            assert (program == _expected(row)) == (kind not in DIFFERENT), row


@pytest.mark.parametrize(("kind", "rows"), _kinds("rejected"))
def test_rejects_the_texts_that_bpf_asm_rejects(kind: str, rows: list[Row]) -> None:
    for row in rows:
        assert row["status"] == 1
        if kind in HARMLESS:
            cbpf.parse(row["text"], format="asm")
        else:
            with pytest.raises(cbpf.ProgramFormatError) as caught:
                cbpf.parse(row["text"], format="asm")
            assert caught.value.problems, row


def test_additional_forms_equal_forms_of_bpf_asm() -> None:
    """Compare the forms of HARMLESS with the equivalent forms that bpf_asm accepts."""
    pairs = {
        "ldb [x+5]": "ldb [x + 5]",
        "ld [x - 5]": "ld [x + -5]",
        "ld #-0x10": "ld #-16",
        "tax\r\ntxa\r\n": "tax\ntxa\n",
        "/***/ tax /**/ txa": "tax txa",
        "  # none\ntax # one\ntxa #two": "tax txa",
        "jeq #1,t,f t: tax f: txa": "jeq #1,to,fr to: tax fr: txa",
        "aa: bb: ret a": "aa: ret a",
        "ld #xor_x": "ld [-4056]",
        "ld random": "ld rand",
        "ldh vlanp": "ldh vlan_avail",
        "ldx #pktlen": "ldx #len",
        "jeq x,1,2 neg tax txa": "jeq x,to,fr neg to: tax fr: txa",
    }
    for harmless, plain in pairs.items():
        assert cbpf.parse(harmless, format="asm") == cbpf.parse(plain, format="asm"), harmless


def test_every_exception_is_in_the_golden_file() -> None:
    """Each kind in the three tables above is a kind of the golden file."""
    accepted, rejected = ({_kind(row) for row in BPF_ASM[section]} for section in ("accepted", "rejected"))
    assert REPORTED.keys() | DIFFERENT.keys() <= accepted - HARMLESS.keys()
    assert HARMLESS.keys() <= rejected - REPORTED.keys()


def test_renders_like_bpf_asm() -> None:
    """Except for bpf_asm's final comma, and the padding of numbers by bpf_asm -c: cbpf pads like tcpdump -dd."""
    for row in BPF_ASM["accepted"]:
        program = _expected(row)
        assert cbpf.render(program, "comma").replace("\n", ",\n") == row["output"]
        assert _plain_numbers(cbpf.render(program, "c")) == _plain_numbers(row["c"])


def test_parses_the_output_of_bpf_asm() -> None:
    for row in BPF_ASM["accepted"]:
        for text in (row["output"], row["c"]):
            assert cbpf.parse(text) == _expected(row)


def _plain_numbers(text: str) -> str:
    """Return the text with numbers in decimal and single spaces."""
    return re.sub(r"\b(0x)?[0-9a-f]+\b", lambda match: str(int(match[0], 0)), re.sub(" +", " ", text))


def test_lists_like_bpf_dbg() -> None:
    for row in BPF_DBG:
        assert debugger_listing([cbpf.RawInstruction(*raw) for raw in row["program"]]) + "\n" == row["disassemble"]


def test_renders_like_bpf_dbg_or_rejects() -> None:
    """The listing of bpf_dbg can represent neither `ldx len`, which is unknown to it, nor stray bits."""
    rejected = set()
    for row in BPF_DBG:
        program = cbpf.Program(cbpf.RawInstruction(*raw) for raw in row["program"])
        if program[0] == (0x81, 0, 0, 0) or str(program[0]).startswith("{"):
            with pytest.raises(cbpf.ProgramFormatError, match="instruction 0: the format dbg cannot represent"):
                cbpf.render(program, "dbg")
            rejected.add(program[0].op)
        else:
            assert cbpf.render(program, "dbg") == row["disassemble"]
            assert cbpf.parse(row["disassemble"]) == program
    assert {0x81, 0x0C, 0x1D, 0x16} <= rejected


def test_golden_data_of_bpf_dbg_covers_every_opcode() -> None:
    assert {raw[0] for row in BPF_DBG for raw in row["program"]} == cbpf.LINUX.opcodes
