"""The typed instructions: values, Go's syntax, lossless decoding."""

import itertools
import json
import pickle
from typing import Any

import pytest
from hypothesis import given, strategies

import cbpf
from cbpf import ALUOp, Extension, JumpTest, RawInstruction, Register
from cbpf.isa.semantics import execute
from support.instructions import OPCODES, TYPED, raws
from support.project import TESTS

GO = json.loads((TESTS / "golden" / "go.json").read_text())


# The field names of Go and of cbpf.
FIELDS = {
    "Dst": "dst",
    "Src": "src",
    "Val": "val",
    "N": "n",
    "Off": "off",
    "Size": "size",
    "Num": "num",
    "Op": "op",
    "Cond": "cond",
    "Skip": "skip",
    "SkipTrue": "skip_true",
    "SkipFalse": "skip_false",
    "Jt": "jt",
    "Jf": "jf",
    "K": "k",
}


def _typed(row: dict[str, Any]) -> Any:
    return getattr(cbpf, row["type"])(**{FIELDS[name]: value for name, value in row["fields"].items()})


def _go_is_lossless(row: dict[str, Any]) -> bool:
    """Return whether Go's result is lossless: it drops bits, and confuses some opcodes; see golden/README.md."""
    op = row["raw"][0]
    return row["raw"] == row["assembled"] and op in OPCODES and "unknown" not in (row["text"] or "")


def test_decoding_is_that_of_go_where_go_is_lossless() -> None:
    rows = [row for row in GO["raw"] + GO["bpf_asm"] if _go_is_lossless(row)]
    assert len(rows) > 900
    for row in rows:
        decoded = RawInstruction(*row["raw"]).disassemble()
        assert decoded == _typed(row), row
        if row["text"] is not None:
            assert str(decoded) == row["text"], row


def test_decoding_is_lossless_where_go_drops_bits() -> None:
    lost = [row for row in GO["raw"] if row["raw"] != row["assembled"] and row["raw"][0] in OPCODES]
    assert len(lost) > 100
    for row in lost:
        raw = RawInstruction(*row["raw"])
        assert raw.disassemble().assemble() == raw


def test_assembly_is_that_of_go() -> None:
    assert len(GO["typed"]) > 800
    for row in GO["typed"]:
        assert tuple(_typed(row).assemble()) == tuple(row["assembled"]), row


def test_text_is_that_of_go_where_it_can_be_parsed() -> None:
    different = [row for row in GO["typed"] if str(_typed(row)) != row["text"] and "unknown" not in row["text"]]
    assert different
    for row in different:
        assert row["text"].startswith(("jneq", "jlt", "jle")) or row["text"] == "ld #len", row
        assert cbpf.parse(row["text"])[0] != _typed(row).assemble()


@pytest.mark.parametrize(
    "row",
    [row for row in GO["invalid"] if row["fields"] != {"Num": 40}],
    ids=lambda row: f"{row['type']}-{row['text']}",
)
def test_invalid_fields_are_rejected(row: dict[str, Any]) -> None:
    with pytest.raises(cbpf.FieldError):
        _typed(row)


def test_decoding_every_opcode_is_lossless() -> None:
    for op in range(65536):
        for jt, jf, k in ((0, 0, 0), (1, 2, 3), (0, 9, 0xFFFFF004), (7, 0, 16)):
            raw = RawInstruction(op, jt, jf, k)
            assert raw.disassemble().assemble() == raw


@given(strategies.lists(raws))
def test_disassembling_is_lossless(program: list[RawInstruction]) -> None:
    instructions, all_decoded = cbpf.disassemble(program)
    assert cbpf.assemble(instructions) == tuple(program)
    assert all_decoded is not any(isinstance(instruction, RawInstruction) for instruction in instructions)


@given(raws)
def test_repr_is_python_source(raw: RawInstruction) -> None:
    for instruction in (raw, raw.disassemble()):
        assert eval(repr(instruction), {name: getattr(cbpf, name) for name in cbpf.__all__}) == instruction
        assert pickle.loads(pickle.dumps(instruction)) == instruction


@given(raws)
def test_text_is_parsed_back(raw: RawInstruction) -> None:
    assert cbpf.parse(str(raw), format="asm")[0] == raw


def test_values_are_equal_by_type_and_fields() -> None:
    for left, right in itertools.product(TYPED, TYPED):
        assert (left == right) is (left is right)
    assert len(set(TYPED)) == len(TYPED)
    assert cbpf.RetConstant(42) == cbpf.RetConstant(42)
    assert hash(cbpf.RetConstant(42)) == hash(cbpf.RetConstant(42))
    assert cbpf.LoadConstant(0, 1) == cbpf.LoadConstant(Register.A, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("instruction", TYPED, ids=str)
def test_values_are_immutable(instruction: Any) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        instruction.val = 1
    with pytest.raises(AttributeError, match="immutable"):
        del instruction.val


def test_values_match_patterns() -> None:
    match cbpf.LoadAbsolute(12, 2):
        case cbpf.LoadAbsolute(off, 2):
            assert off == 12
        case _:
            raise AssertionError


class Indexed:
    """A number with `__index__`, as in numpy."""

    def __index__(self) -> int:
        return 7


def test_numbers_are_converted_by_index() -> None:
    assert cbpf.RetConstant(Indexed()) == cbpf.RetConstant(7)  # type: ignore[arg-type]
    raw = RawInstruction(Indexed(), k=Indexed())  # type: ignore[arg-type]
    assert type(raw.op) is int
    assert type(raw.k) is int


@pytest.mark.parametrize(
    "make",
    [
        lambda: cbpf.LoadScratch(Register.A, 16),
        lambda: cbpf.LoadScratch(Register.A, -1),
        lambda: cbpf.LoadAbsolute(0, 3),
        lambda: cbpf.LoadAbsolute(0, True),
        lambda: cbpf.LoadAbsolute(0, 2.0),  # type: ignore[arg-type]
        lambda: cbpf.LoadConstant(2, 0),  # type: ignore[arg-type]
        lambda: cbpf.LoadConstant(True, 0),  # type: ignore[arg-type]
        lambda: cbpf.LoadConstant("A", 0),  # type: ignore[arg-type]
        lambda: cbpf.JumpIf(JumpTest.EQUAL, 0, 256),
        lambda: cbpf.JumpIf(8, 0),  # type: ignore[arg-type]
        lambda: cbpf.Jump(2**32),
        lambda: cbpf.Jump(-1),
        lambda: cbpf.RetConstant(1.0),  # type: ignore[arg-type]
        lambda: cbpf.RetConstant(None),  # type: ignore[arg-type]
        lambda: cbpf.RetConstant(True),
        lambda: cbpf.ALUOpX(0x80),  # type: ignore[arg-type]
        lambda: cbpf.LoadExtension(2),  # type: ignore[arg-type]
        lambda: RawInstruction(0x10000),
        lambda: RawInstruction(0, 256),
        lambda: RawInstruction(0, 0, -1),
        lambda: RawInstruction(0, k=2**32),
        lambda: RawInstruction(0, k="5"),  # type: ignore[arg-type]
        lambda: RawInstruction(False),
        lambda: RawInstruction(6)._replace(k=2**40),
        lambda: RawInstruction(6, k=1 << 20_000),
        lambda: cbpf.RetConstant(1 << 20_000),
    ],
)
def test_invalid_values_raise_field_error(make: Any) -> None:
    with pytest.raises(cbpf.FieldError) as caught:
        make()
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)
    assert str(caught.value).split(":")[0].split(".")[0] in {*dir(cbpf)}


def test_enum_members_have_the_numbers_of_the_machine() -> None:
    assert [int(operation) for operation in ALUOp] == [0, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xA0]
    assert [int(test) for test in JumpTest] == list(range(8))
    assert int(Extension.LEN) == 1
    assert sorted(set(Extension) - {Extension.LEN}) == list(range(0, 64, 4))


def test_setter_is_a_protocol() -> None:
    class Socket:
        def set_bpf(self, filter: Any) -> None:
            self.filter = filter

    assert isinstance(Socket(), cbpf.Setter)
    assert not isinstance(object(), cbpf.Setter)


def test_assemble_rejects_other_objects() -> None:
    with pytest.raises(cbpf.FieldError, match="neither an instruction nor four numbers"):
        cbpf.assemble([object()])  # type: ignore[list-item]


@pytest.mark.parametrize("text", ["tcp", b"\x06"])
def test_text_and_bytes_are_not_instructions(text: Any) -> None:
    with pytest.raises(cbpf.FieldError, match="compile reads an expression, and parse a program as text or bytes"):
        cbpf.assemble(text)


class ControlFlow:
    """A machine on which every other operation is a no-op; it records where the semantics continues."""

    def __init__(self) -> None:
        self.successors: tuple[int, ...] | None = None

    def finish(self, verdict: None) -> None:
        self.successors = ()

    def jump(self, target: int) -> None:
        self.successors = (target,)

    def branch(self, condition: None, target_true: int, target_false: int) -> None:
        self.successors = (target_true, target_false)

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


def test_successors_are_those_of_the_semantics() -> None:
    for op in cbpf.PCAP.opcodes:
        for raw in (RawInstruction(op, 3, 5, 7), RawInstruction(op, 4, 4, 0)):
            machine: Any = ControlFlow()
            machine.a = machine.x = None
            execute(machine, raw, 10, cbpf.PCAP)
            expected = (11,) if machine.successors is None else machine.successors
            assert raw.successors(10) == expected, raw
    assert RawInstruction(0x99, 1, 2, 3).successors(0) == ()
