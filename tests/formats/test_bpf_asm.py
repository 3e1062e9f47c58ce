"""The assembler against Linux's bpf_asm, and the listing against bpf_dbg: see golden/make_linux.py."""

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

# What bpf_asm assembles and cbpf does not, on purpose.
REPORTED = {
    "number too wide": "bpf_asm wraps or saturates it",
    "label twice": "bpf_asm takes the first",
    "jump backward": "bpf_asm makes it a jump far beyond the end",
    "return x": "bpf_asm makes opcode 0x0e of it, which nothing runs",
}

# What bpf_asm assembles to something else, on purpose.
DIFFERENT = {"comment that goes on behind **/": "bpf_asm swallows all up to the next */ that has no * before it"}

# What cbpf takes and bpf_asm does not, on purpose: no such text has another meaning.
HARMLESS = {
    "[x+5] and [x - 5]": "bpf_asm reads +5 as a number, and then lacks the plus",
    "sign of more than decimals": "bpf_asm knows signs of decimals but 0",
    "carriage return": "lines may end as on Windows",
    "form feed": "a blank as any",
    "comment without text": "bpf_asm takes the # for an operand's",
    "comment that ends with **/": "bpf_asm looks for the next */",
    "label of one letter": "bpf_asm has no words of one letter but a, x and M",
    "labels, several": "bpf_asm takes one at each instruction",
    "further words": "tcpdump's, Go's, and the extension that Linux has no word for",
    "blank behind #": "in cbpf # is a mark of its own before words too",
    "extension in brackets": "tcpdump prints them so",
    "skip": "Go's notation",
    "listing": "tcpdump's and bpf_dbg's",
    "jt and jf": "tcpdump's",
    "braces": "what no notation can show",
    "empty": "a program of no instructions is a program; the verifier refuses it",
    "too many": "how many instructions there may be is the dialect's to say",
}


def _kinds(section: str) -> list[Any]:
    """The rows of each kind, as parameters."""
    parameters = []
    for kind, rows in groupby(sorted(BPF_ASM[section], key=_kind), key=_kind):
        parameters.append(pytest.param(kind, list(rows), id=kind))
    return parameters


def _kind(row: Row) -> str:
    kind: str = row["kind"]
    return kind


def _made(row: Row) -> cbpf.Program:
    """What bpf_asm made of the text, read without the code under test."""
    _, *instructions = row["output"].rstrip(",\n").split(",")
    return cbpf.Program(cbpf.RawInstruction(*map(int, fields.split())) for fields in instructions)


@pytest.mark.parametrize(("kind", "rows"), _kinds("accepted"))
def test_assembles_as_bpf_asm(kind: str, rows: list[Row]) -> None:
    for row in rows:
        if kind in REPORTED:
            with pytest.raises(cbpf.ProgramFormatError):
                cbpf.parse(row["text"], format="asm")
        else:
            program = cbpf.parse(row["text"], format="asm")
            assert (program == _made(row)) == (kind not in DIFFERENT), row


@pytest.mark.parametrize(("kind", "rows"), _kinds("refused"))
def test_refuses_what_bpf_asm_refuses(kind: str, rows: list[Row]) -> None:
    for row in rows:
        assert row["status"] == 1
        if kind in HARMLESS:
            cbpf.parse(row["text"], format="asm")
        else:
            with pytest.raises(cbpf.ProgramFormatError) as caught:
                cbpf.parse(row["text"], format="asm")
            assert caught.value.problems, row


def test_harmless_forms_mean_what_they_say() -> None:
    """The forms of HARMLESS beside what bpf_asm takes instead."""
    pairs = {
        "ldb [x+5]": "ldb [x + 5]",
        "ld [x - 5]": "ld [x + -5]",
        "ld #-0x10": "ld #-16",
        "tax\r\ntxa\r\n": "tax\ntxa\n",
        "/***/ tax /**/ txa": "tax txa",
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


def test_every_exception_is_shown() -> None:
    """The lists name no kind that the golden file lacks."""
    accepted, refused = ({_kind(row) for row in BPF_ASM[section]} for section in ("accepted", "refused"))
    assert REPORTED.keys() | DIFFERENT.keys() <= accepted - HARMLESS.keys()
    assert HARMLESS.keys() <= refused - REPORTED.keys()


def test_writes_as_bpf_asm() -> None:
    """But for bpf_asm's last comma; and for -c, which pads numbers and writes 0 as 0000: ours is as tcpdump -dd."""
    for row in BPF_ASM["accepted"]:
        program = _made(row)
        assert cbpf.render(program, "comma").replace("\n", ",\n") == row["output"]
        assert _plain_numbers(cbpf.render(program, "c")) == _plain_numbers(row["c"])


def test_reads_what_bpf_asm_writes() -> None:
    for row in BPF_ASM["accepted"]:
        for text in (row["output"], row["c"]):
            assert cbpf.parse(text) == _made(row)


def _plain_numbers(text: str) -> str:
    """The text with numbers in plain decimal, and no two blanks beside each other."""
    return re.sub(r"\b(0x)?[0-9a-f]+\b", lambda match: str(int(match[0], 0)), re.sub(" +", " ", text))


def test_lists_as_bpf_dbg() -> None:
    for row in BPF_DBG:
        assert debugger_listing([cbpf.RawInstruction(*raw) for raw in row["program"]]) + "\n" == row["disassemble"]


def test_renders_as_bpf_dbg_what_that_can_carry() -> None:
    """What it cannot: `ldx len`, which it does not know, and bits that nobody looks at."""
    refused = set()
    for row in BPF_DBG:
        program = cbpf.Program(cbpf.RawInstruction(*raw) for raw in row["program"])
        if program[0] == (0x81, 0, 0, 0) or str(program[0]).startswith("{"):
            with pytest.raises(cbpf.ProgramFormatError, match="instruction 0: the format dbg cannot carry"):
                cbpf.render(program, "dbg")
            refused.add(program[0].op)
        else:
            assert cbpf.render(program, "dbg") == row["disassemble"]
            assert cbpf.parse(row["disassemble"]) == program
    assert {0x81, 0x0C, 0x1D, 0x16} <= refused


def test_bpf_dbg_was_asked_about_every_opcode() -> None:
    assert {raw[0] for row in BPF_DBG for raw in row["program"]} == cbpf.LINUX.opcodes
