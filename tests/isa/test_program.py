"""Program: a value, its encoding as bytes, and its listing."""

import json
import pickle
from typing import Any

import pytest
from hypothesis import given

import cbpf
from support.instructions import TYPED, programs
from support.project import TESTS

TCPDUMP = json.loads((TESTS / "golden" / "tcpdump.json").read_text())["programs"]

ORDERS: Any = ("native", "little", "big")


@given(programs)
def test_bytes_are_decoded_back(program: cbpf.Program) -> None:
    assert cbpf.Program.from_bytes(bytes(program)) == program
    for order in ORDERS:
        data = program.to_bytes(byte_order=order)
        assert len(data) == 8 * len(program)
        assert cbpf.Program.from_bytes(data, byte_order=order) == program


def test_bytes_have_the_layout_of_the_kernel() -> None:
    program = cbpf.Program([cbpf.JumpIf(cbpf.JumpTest.EQUAL, 0x01020304, 5, 6)])
    assert program.to_bytes(byte_order="little").hex(" ") == "15 00 05 06 04 03 02 01"
    assert program.to_bytes(byte_order="big").hex(" ") == "00 15 05 06 01 02 03 04"


def test_invalid_bytes_are_rejected() -> None:
    with pytest.raises(cbpf.FieldError, match="is not bytes"):
        cbpf.Program.from_bytes(None)  # type: ignore[arg-type]
    with pytest.raises(cbpf.ProgramFormatError, match=r"byte 8: truncated instruction \(3 of 8 bytes\)"):
        cbpf.Program.from_bytes(bytes(11))
    with pytest.raises(cbpf.FieldError, match="byte_order"):
        cbpf.Program.from_bytes(bytes(8), byte_order="middle")  # type: ignore[arg-type]


@given(programs)
def test_programs_are_values(program: cbpf.Program) -> None:
    same = cbpf.Program(list(program))
    assert same == program
    assert hash(same) == hash(program)
    assert cbpf.Program(program.instructions) == program
    assert pickle.loads(pickle.dumps(program)) == program
    assert eval(repr(program), {name: getattr(cbpf, name) for name in cbpf.__all__}) == program
    assert cbpf.Program(program) == program


def test_typed_raw_and_tuple_instructions_are_accepted() -> None:
    program = cbpf.Program(
        [cbpf.LoadAbsolute(12, 2), cbpf.RawInstruction(0x15, 0, 1, 0x800), (6, 0, 0, 1), (6, 0, 0, 0)]
    )
    assert len(program) == 4
    assert program[0] == cbpf.RawInstruction(0x28, k=12)
    assert program[-1] == (6, 0, 0, 0)
    assert program[1:3] == cbpf.Program([(0x15, 0, 1, 0x800), (6, 0, 0, 1)])
    assert list(program) == [program[index] for index in range(4)]
    assert cbpf.RawInstruction(6) in program
    assert program.instructions[0] == cbpf.LoadAbsolute(12, 2)


def test_programs_differ_from_other_objects() -> None:
    program = cbpf.Program(TYPED)
    assert program != tuple(program)
    assert program != cbpf.Program(TYPED[1:])


def test_programs_are_immutable() -> None:
    program = cbpf.Program(TYPED)
    with pytest.raises(AttributeError):
        program._raw = ()
    with pytest.raises(AttributeError):
        program.name = "x"
    with pytest.raises(TypeError):
        program[0] = program[1]  # type: ignore[index]


@pytest.mark.parametrize(
    "instructions", [[1], 5, None, ["ret a"], [(1, 2, 3)], [None], [(6, 0, 0, 2**32)], [(6, 0, 0, 1.0)]]
)
def test_other_objects_are_rejected(instructions: Any) -> None:
    with pytest.raises(cbpf.FieldError):
        cbpf.Program(instructions)


@pytest.mark.parametrize("row", TCPDUMP, ids=lambda row: f"{row['expression'][:40]}-{row['optimized']}")
def test_listings_are_those_of_tcpdump(row: dict[str, Any]) -> None:
    program = cbpf.parse(row["ddd"], format="decimal")
    assert cbpf.listing(program) == row["d"].rstrip("\n")
    assert cbpf.render(program, "c").rstrip("\n") == row["dd"].rstrip("\n")
    assert cbpf.render(program, "decimal").rstrip("\n") == row["ddd"].rstrip("\n")
    assert cbpf.parse(row["dd"]) == cbpf.parse(row["ddd"]) == program


def test_notebooks_show_the_listing() -> None:
    html = cbpf.Program([cbpf.LoadMemShift(14)])._repr_html_()
    assert html.endswith(">(000) ldxb     4*([14]&amp;0xf)</pre>")


def test_listing_of_every_opcode_is_that_of_libpcap() -> None:
    """Compare with libpcap's bpf_image, except undefined codes of the jump class, to which it adds targets."""
    from support.judges import libpcap

    if libpcap.available() is not None:
        pytest.skip(str(libpcap.available()))
    constants = (0, 12, 0x7FFFFFFF, 0x80000000, 0xFFF00000, *range(0xFFFFF000, 0xFFFFF044), 0xFFFFFFFF)
    for op in (*range(256), 0x100, 0x8015):
        if op % 8 == 5 and op not in cbpf.LINUX.opcodes:
            continue
        for k in constants:
            raw = cbpf.RawInstruction(op, 3, 4, k)
            assert cbpf.listing([raw]) == libpcap.image(raw, 0)
