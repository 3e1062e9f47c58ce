"""The notations of a program: round trips, and what a user sees of wrong input."""

import pytest
from conftest import Rounds
from hypothesis import given
from test_program import programs

import cbpf
from cbpf.formats import FORMATS

READ_AND_WRITTEN = sorted(name for name, one in FORMATS.items() if one.parse is not None)


@given(programs)
def test_round_trips(program: cbpf.Program) -> None:
    for name in READ_AND_WRITTEN:
        text = cbpf.render(program, name)
        assert cbpf.parse(text, format=name) == program, name
        if program:
            assert cbpf.parse(text) == program, name
            assert cbpf.parse(text.encode()) == program, name
    assert cbpf.parse(bytes(program), format="raw") == program


def test_raw_bytes_are_recognised() -> None:
    program = cbpf.compile("tcp port 443")
    assert cbpf.parse(bytes(program)) == program


@pytest.mark.parametrize(
    "text",
    [
        "{ 0x28, 0, 0, 12 }, { 0x16, 0, 0, 0 }",
        "struct bpf_insn code[] = {\n{ 0x28, 0, 0, 0x0000000c },\n{ 0x16, 0, 0, 0x00000000 },\n};\n",
        "/* a comment { */ struct sock_filter x[2] = { {40,0,0,12}, // and one\n {22,0,0,0} };",
        "2\n40 0 0 12\n22 0 0 0\n",
        "2\r\n40 0 0 12\r\n22 0 0 0",
        "ldh [12]\nret a",
        "  LDH [ 0xc ] ; the EtherType\n\n# a comment\nstart: RET %a\n",
        "ldh [12]\r\nret a\r\n",
        "{ 0x28, 0, 0, 12 }\nret a",
    ],
)
def test_spellings_of_one_program(text: str) -> None:
    assert cbpf.parse(text) == cbpf.Program([cbpf.LoadAbsolute(12, 2), cbpf.RetA()])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ld #-1", (0x00, 0, 0, 0xFFFFFFFF)),
        ("ld [x + -1]", (0x40, 0, 0, 0xFFFFFFFF)),
        ("ldb [x+5]", (0x50, 0, 0, 5)),
        ("ldxb 4*([14]&0xf)", (0xB1, 0, 0, 14)),
        ("ldx #len", (0x81, 0, 0, 0)),
        ("ldx #pktlen", (0x81, 0, 0, 0)),
        ("ld len", (0x80, 0, 0, 0)),
        ("ldh proto", (0x28, 0, 0, 0xFFFFF000)),
        ("ld #xor_x", (0x20, 0, 0, 0xFFFFF028)),
        ("jmp 3", (0x05, 0, 0, 3)),
        ("ret %a", (0x16, 0, 0, 0)),
        ("jne #5,7", (0x15, 0, 7, 5)),
        ("jle x,7", (0x2D, 0, 7, 0)),
        ("jset #0x80000000,1,2", (0x45, 1, 2, 0x80000000)),
        ("{ 0x16, 0, 0, 0x00000040 }", (0x16, 0, 0, 0x40)),
    ],
)
def test_assembly(text: str, code: tuple[int, int, int, int]) -> None:
    assert cbpf.parse(text, format="asm")[0] == code


def test_labels_become_skips() -> None:
    program = cbpf.parse("ldh [12]\njeq #0x800,yes,no\njeq #1,yes\nja no\nyes: ret #1\nno: end: ret #0")
    assert [raw[1:] for raw in program] == [(0, 0, 12), (2, 3, 0x800), (1, 0, 1), (0, 0, 1), (0, 0, 1), (0, 0, 0)]


WRONG = [
    ("ldq [0]", "line 1, column 1: 'ldq' is no instruction"),
    ("ret a\n  ld [", "line 2, column 3: '[' is no operand"),
    ("ldh #5", "line 1, column 1: 'ldh #5': ldh does not take this operand"),
    ("ret", "line 1, column 1: 'ret': ret does not take this operand"),
    ("tax x", "line 1, column 1: 'tax x': tax does not take this operand"),
    ("jeq #1", "line 1, column 1: jeq takes a value and one or two targets"),
    ("jlt #1,2,3", "line 1, column 1: jlt takes a value and one target"),
    ("ja nowhere", "line 1, column 1: 'nowhere' is no label here"),
    ("L: ret a\nja L", "line 2, column 1: label 'L' lies behind; jumps go forward"),
    ("L: ret a\nL: ret a", "line 2, column 1: label 'L' stands twice"),
    ("jeq #1,256\nret a", "line 1, column 1: a conditional jump skips at most 255 instructions, not 256"),
    ("ld #0x1ffffffff", "line 1, column 1: 0x1ffffffff does not fit 32 bits"),
    ("ld #-2147483649", "line 1, column 1: -2147483649 does not fit 32 bits"),
    ("ld #010", "line 1, column 1: '010' is no number; an octal one would be ambiguous"),
    ("{ 1, 2 }\nret a", "line 1, column 1: '{ 1, 2 }' is no instruction"),
    ("{ 1, 2, x, 4 }\nret a", "line 1, column 1: '{ 1, 2, x, 4 }' is not four numbers"),
    ("{ 6, 300, 0, 0 }\nret a", "line 1, column 1: RawInstruction.jt: 300 is not an unsigned 8-bit number (0..255)"),
    ("3\n6 0 0 0", "line 1, column 1: promises 3 instructions, and 1 follow"),
    ("1\n6 0 0", "line 2, column 1: has 3 numbers; an instruction has four: code, jt, jf, k"),
    ("1\n6 0 0 x", "line 2, column 1: '6 0 0 x' is not four numbers"),
    ("1\n6 0 256 0", "line 2, column 1: RawInstruction.jf: 256 is not an unsigned 8-bit number (0..255)"),
    ("{ 6, 0, 0 },", "line 1, column 1: has 3 numbers; an instruction has four: code, jt, jf, k"),
    ("{ 6, 0, 0, 0 },\n{ 6, 0, 0, y },", "line 2, column 1: '6 0 0 y' is not four numbers"),
    ("{ 6, 0, 0, 0 } 5", "line 1, column 16: expected a row { code, jt, jf, k }"),
    ("{ 6, 0, 0, 0", "line 1, column 1: expected a row { code, jt, jf, k }"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong_text_names_its_place(text: str, message: str) -> None:
    with pytest.raises(cbpf.ProgramFormatError) as caught:
        cbpf.parse(text)
    assert str(caught.value) == message


def test_wrong_bytes_name_their_place() -> None:
    with pytest.raises(cbpf.ProgramFormatError, match="byte 8: 1 bytes are left over"):
        cbpf.parse(bytes(9))
    with pytest.raises(cbpf.ProgramFormatError, match="byte 4: 0xff is not UTF-8 text"):
        cbpf.parse(b"ret \xff")


def test_unknown_formats() -> None:
    with pytest.raises(cbpf.FieldError, match="'elf' is not one of"):
        cbpf.parse("", format="elf")
    with pytest.raises(cbpf.FieldError, match="'elf' is not one of"):
        cbpf.render(cbpf.Program(), "elf")
    with pytest.raises(cbpf.ProgramFormatError, match="only written"):
        cbpf.parse("(000) ret", format="tcpdump")


@pytest.mark.fuzz
def test_no_text_raises_anything_but_ours(rounds: Rounds) -> None:
    pieces = (
        *[
            "ld",
            "ldh",
            "ldx",
            "ret",
            "ja",
            "jeq",
            "jset",
            "tax",
            "M[",
            "]",
            "[",
            "x",
            "+",
            "4*(",
            "&",
            "0xf",
            ")",
            "#",
            ",",
            ":",
        ],
        *["L1", "L2", "-5", "0x7", "{", "}", ";", "2", "0", "é"],
    )
    pieces = (*pieces, "\n", "\n", "\t", "\0", "9999999999", "#len")
    for random in rounds(3000):
        text = " ".join(pieces[int(random.random() * len(pieces))] for _ in range(int(random.random() * 30)))
        for format in ("auto", "raw", *FORMATS):
            assert "\n" not in _refusal(text, format)


def _refusal(text: str, format: str) -> str:
    try:
        cbpf.parse(text, format=format)
    except cbpf.CbpfError as error:
        return str(error)
    return ""
