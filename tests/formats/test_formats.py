"""The formats of programs: round trips, recognition, and the error messages for invalid input."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from hypothesis import given

import cbpf
from cbpf.formats.registry import BYTES_FORMATS, TEXT_FORMATS
from support.instructions import programs
from support.project import Rounds


def test_the_options_name_every_format_of_the_registry() -> None:
    assert list(cbpf.FORMAT_NAMES) == sorted([*TEXT_FORMATS, *BYTES_FORMATS])


@given(programs)
def test_programs_round_trip_through_every_format(program: cbpf.Program) -> None:
    """A format that can represent a program reads it back, by name and, unless it is empty, by recognition."""
    for name in cbpf.FORMAT_NAMES:
        if name in ("iptables", "savefile", "tc") and not program:
            continue
        data = _rendered(program, name)
        if data is None:
            assert name in ("dbg", "tcpdump") or (name == "iptables" and len(program) > 64)
            continue
        assert cbpf.parse(data, format=name) == program, name
        if program and name not in ("raw", "raw-swapped"):
            assert cbpf.parse(data) == program, name
            assert name in BYTES_FORMATS or cbpf.parse(data.decode()) == program, name


def _rendered(program: cbpf.Program, name: str) -> bytes | None:
    """Return the program in a format, or None if the format cannot represent it."""
    try:
        return cbpf.render_bytes(program, name)
    except cbpf.ProgramFormatError:
        return None


@given(programs)
def test_python_code_constructs_the_program(program: cbpf.Program) -> None:
    namespace: dict[str, Any] = {}
    exec(cbpf.render(program, "python"), namespace)
    assert namespace["program"] == program


def test_python_code_shows_the_fields_that_differ_from_their_defaults() -> None:
    assert cbpf.render(cbpf.parse("jeq #5,0,3\nret a"), "python") == (
        "import cbpf\n\nprogram = cbpf.Program(\n    [\n"
        "        cbpf.JumpIf(cond=cbpf.JumpTest.NOT_EQUAL, val=5, skip_true=3),\n"
        "        cbpf.RetA(),\n    ]\n)\n"
    )


@pytest.mark.parametrize("text", ["Program([])", "import cbpf\nnothing = cbpf.Program()\n", "program = Program([ ])"])
def test_an_empty_program_is_read(text: str) -> None:
    assert cbpf.parse(text, format="python") == cbpf.Program()


GO_SOURCE = "package p\n\nvar p = []bpf.Instruction{\n\tbpf.LoadAbsolute{Off: 12, Size: 2},\n\tbpf.RetA{},\n}\n"


def test_the_format_go_reads_source_code_and_printed_instructions() -> None:
    assert cbpf.parse(GO_SOURCE, format="go") == cbpf.parse("ldh [12]\nret a", format="go") == cbpf.parse(GO_SOURCE)
    with pytest.raises(cbpf.ProgramFormatError, match="'x' is not defined in this file"):
        cbpf.parse(GO_SOURCE.replace("12", "x"), format="go")


def test_source_code_as_assembly_is_one_problem() -> None:
    with pytest.raises(cbpf.ProgramFormatError, match="not assembly") as caught:
        cbpf.parse(GO_SOURCE, format="asm")
    assert len(caught.value.problems) == 1


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
def test_spellings_of_the_same_program(text: str) -> None:
    assert cbpf.parse(text) == cbpf.Program([cbpf.LoadAbsolute(12, 2), cbpf.RetA()])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ld #-1", (0x00, 0, 0, 0xFFFFFFFF)),
        ("ld [x - 1]", (0x40, 0, 0, 0xFFFFFFFF)),
        ("ld [%x+0x5]", (0x40, 0, 0, 5)),
        ("ldi 5", (0x00, 0, 0, 5)),
        ("ldxi #0b101", (0x01, 0, 0, 5)),
        ("LD #017", (0x00, 0, 0, 15)),
        ("ldb [vlanp]", (0x30, 0, 0, 0xFFFFF030)),
        ("ld vlan_pr", (0x20, 0, 0, 0xFFFFF030)),
        ("ld [random]", (0x20, 0, 0, 0xFFFFF038)),
        ("ld M [ 3 ]", (0x60, 0, 0, 3)),
        ("ldx 0x4 * ( [ 14 ] & 017 )", (0xB1, 0, 0, 14)),
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
def test_assembly_operands(text: str, code: tuple[int, int, int, int]) -> None:
    assert cbpf.parse(text, format="asm")[0] == code


def test_labels_are_resolved_to_skips() -> None:
    program = cbpf.parse("ldh [12]\njeq #0x800,yes,no\njeq #1,yes\nja no\nyes: ret #1\nno: end: ret #0")
    assert [raw[1:] for raw in program] == [(0, 0, 12), (2, 3, 0x800), (1, 0, 1), (0, 0, 1), (0, 0, 1), (0, 0, 0)]


INVALID_TEXTS = [
    ("ldq [0]", "line 1, column 1: not a program in a known notation; as assembly: unknown instruction 'ldq'"),
    ("ret a\n  ld [", "line 2, column 7: expected a number, not the end"),
    ("ldh #5", "line 1, column 5: '#' is not an operand of ldh"),
    ("ldx proto", "line 1, column 5: 'proto' is not an operand of ldx"),
    ("ret", "line 1, column 4: expected an operand, not the end"),
    ("ret 5", "line 1, column 5: expected an operand such as #5, [5], x or M[5], not '5'"),
    ("tax x", "line 1, column 5: unknown instruction 'x'"),
    ("jeq #1", "line 1, column 7: expected ',', not the end"),
    ("jlt #1,2,3", "line 1, column 9: ',' starts a second target; jlt takes one"),
    ("ja nowhere", "line 1, column 4: undefined label 'nowhere'"),
    ("ja [", "line 1, column 4: expected a label or a number, not '['"),
    ("L: ret a\nja L\nret a", "line 2, column 4: backward jump to 'L' (instruction 0); only forward jumps are allowed"),
    ("L: ret a\nL: ret a", "line 2, column 1: duplicate label 'L'"),
    ("ret a\nL:", "line 2, column 1: label 'L' is after the last instruction"),
    ("x: ret a", "line 1, column 1: 'x' is a reserved word and cannot be a label"),
    ("proto: ret a", "line 1, column 1: 'proto' is a reserved word and cannot be a label"),
    (
        "jeq #1,256\nret a",
        "line 1, column 8: jump to '256' skips 256 instructions; a conditional jump skips at most 255",
    ),
    ("ld #0x1ffffffff", "line 1, column 5: '0x1ffffffff' does not fit in 32 bits"),
    ("ld #-2147483649", "line 1, column 6: '2147483649' does not fit in 32 bits"),
    ("ld #08", "line 1, column 5: invalid octal number '08' (a leading 0 means octal)"),
    ("ld [y + 5]", "line 1, column 5: expected a number, not 'y'"),
    ("ld [x * 5]", "line 1, column 7: expected '+', not '*'"),
    ("ldx 5*([0]&0xf)", "line 1, column 5: expected an operand such as #5, [5], x or M[5], not '5'"),
    ("ldx 4*([0]&0xe)", "line 1, column 12: expected 0xf, not '0xe'"),
    ("ret a /* unclosed", "line 1, column 7: unterminated comment"),
    ("ld #5 \u20ac", "line 1, column 7: unknown instruction '\u20ac'"),
    ("(000) tax\n(002) ret a", "line 2, column 2: expected 1, the index of this instruction, not '002'"),
    ("{ 1, 2 }\nret a", "line 1, column 8: expected ',', not '}'"),
    ("{ 1, 2, x, 4 }\nret a", "line 1, column 9: expected a number, not 'x'"),
    ("{ 6, 300, 0, 0 }\nret a", "line 1, column 1: RawInstruction.jt: 300 is not an unsigned 8-bit number (0..255)"),
    ("ldq\nlda\nret a", "line 1, column 1: unknown instruction 'ldq' (and 1 more)"),
    ("3\n6 0 0 0", "line 1, column 1: header declares 3 instructions, found 1"),
    ("1\n6 0 0", "line 2, column 1: has 3 numbers; an instruction has four: code, jt, jf, k"),
    ("1\n6 0 0 x", "line 2, column 1: 'x' is not a decimal or hexadecimal number"),
    ("1\n6 0 256 0", "line 2, column 1: RawInstruction.jf: 256 is not an unsigned 8-bit number (0..255)"),
    (
        "1\n6 0 0 000000000000000000000099",
        "line 2, column 1: '000000000000000000000099' is not a decimal or hexadecimal number",
    ),
    ("1\n6 0 0 1_0", "line 2, column 1: '1_0' is not a decimal or hexadecimal number"),
    ("1\n6 0 0 \u0663", "line 2, column 1: '\u0663' is not a decimal or hexadecimal number"),
    ("9" * 5000, "line 1, column 1: expected the number of instructions"),
    ("2,6 0 0 0", "line 1, column 1: header declares 2 instructions, found 1"),
    ("1,6 0 0", "line 1, column 3: has 3 numbers; an instruction has four: code, jt, jf, k"),
    ('[{"op": 6, "x": 1}]', "line 1, column 12: unknown key 'x'; the keys are op, jt, jf and k (read as JSON)"),
    ("[[6, 0, 0, 0.5]]", "line 1, column 12: '0.5' is not a number (read as JSON)"),
    (
        "[[6, 0, 0, true]]",
        "line 1, column 12: 'true' is not defined in this file, and is not a known constant; write its number"
        " (read as JSON)",
    ),
    (
        "[6]",
        "line 1, column 1: no instructions found; they are rows such as { code, jt, jf, k }, or BPF_STMT(...)"
        " (read as JSON)",
    ),
    ("[{", "line 1, column 2: '{' is not closed (read as JSON)"),
    (
        "[" * 100_000,
        "line 1, column 101: brackets are nested more than 100 deep (read as JSON)",
    ),
    (
        "0600000000000000\n06000000000000",
        "byte 8: truncated instruction (7 of 8 bytes); the length must be a multiple of 8",
    ),
    ("0600000000000000 0", "byte 8: has one digit; a byte has two"),
    ("0600000000000000 zz", "line 1, column 18: 'z' is not a hexadecimal digit"),
    (
        "{ 6, 0, 0 },",
        "line 1, column 1: has 3 numbers; an instruction has four: code, jt, jf, k (read as C source code)",
    ),
    (
        "{ 6, 0, 0, 0 },\n{ 6, 0, 0, y },",
        "line 2, column 12: 'y' is not defined in this file, and is not a known constant; write its number"
        " (read as C source code)",
    ),
    (
        "{ 6, 0, 0, 0 } 5",
        "line 1, column 16: expected a row { code, jt, jf, k } or BPF_STMT(...), not '5' (read as C source code)",
    ),
    ("{ 6, 0, 0, 0", "line 1, column 1: '{' is not closed (read as C source code)"),
]


@pytest.mark.parametrize(("text", "message"), INVALID_TEXTS)
def test_errors_give_line_and_column(text: str, message: str) -> None:
    with pytest.raises(cbpf.ProgramFormatError) as caught:
        cbpf.parse(text)
    assert str(caught.value) == message


# Long texts: the start, and a unit with the number of its repetitions.
LONG_TEXTS = {
    "blanks": ("{", "\n \t", 80_000),
    "open comments": ("", "/* ", 100_000),
    "open rows": ("", "{", 200_000),
    "labels": ("", "b:", 100_000),
    "brackets": ("ldx 4*([", " ", 300_000),
    "words": ("", "g", 300_000),
    "digits": ("ld #", "9", 300_000),
    "declaration": ("x=", " \n", 150_000),
    "slashes": ("", "/", 300_000),
    "instructions": ("", "ld [x + 12345]\n", 20_000),
    "invalid instructions": ("", "ld [y + 12345]\n", 20_000),
    "rows": ("", "{ 0x28, 0, 0, 0x0000000c },\n", 10_000),
    "commas": ("1", ",6 0 0 0", 30_000),
    "nested rows": ("", "{1,2,3,", 30_000),
    "macros": ("#define A {6,0,0,0}\n", "A,", 4_000),
    "function-like macros": ("#define A(x) {6,0,0,x}\n", "A(1),", 10_000),
    "definitions": ("{6,0,0,A}\n", "A = 1\n", 20_000),
    "designated rows": ("", "{.code=6,.k=BPF_K},\n", 2_000),
    "operators": ("{6,0,0,1", "+1", 100_000),
    "signs": ("{6,0,0,", "-", 200_000),
    "conditions": ("{6,0,0,0}\n", "#if A\n#endif\n", 10_000),
    "table": ("", " 0000: 0x06 0x00 0x00 0x00000000\n", 10_000),
    "escapes": ('"', "\\x06", 50_000),
    "bytes": ("", "06 ", 200_000),
    "comments": ("ret a ", "# ret a\n", 30_000),
    "commands": ("", "load bpf 1,6 0 0 0\n", 10_000),
}


@pytest.mark.parametrize(("start", "unit", "count"), LONG_TEXTS.values(), ids=LONG_TEXTS.keys())
def test_steps_are_linear_in_the_length_of_the_text(start: str, unit: str, count: int) -> None:
    """Four times the text takes at most five times the executed lines; a quadratic parser would take sixteen times."""
    steps = [_executed_lines(start + unit * (factor * count // 100)) for factor in (1, 4)]
    assert steps[1] <= 5 * steps[0] + 100


@pytest.mark.parametrize(("start", "unit", "count"), LONG_TEXTS.values(), ids=LONG_TEXTS.keys())
def test_long_texts_are_parsed_within_the_cpu_limit(start: str, unit: str, count: int) -> None:
    """A regular expression that backtracks, whose steps cannot be counted, would take minutes instead of a second."""
    with _cpu_limit(seconds=10):
        _error_message(start + unit * (count // 3), "auto")


def _executed_lines(text: str) -> int:
    """Return the number of lines of Python that run while *text* is parsed."""
    lines = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        _error_message(text, "auto")
    finally:
        sys.settrace(before)
    return lines


@contextmanager
def _cpu_limit(*, seconds: float) -> Iterator[None]:
    """Fail the test if the block takes more CPU time; the regular expressions of Python check for signals."""

    def fail(signal_number: int, frame: FrameType | None) -> None:
        pytest.fail(f"took more than {seconds} s of CPU time")

    before = signal.signal(signal.SIGPROF, fail)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def test_errors_in_bytes_give_the_offset() -> None:
    with pytest.raises(cbpf.ProgramFormatError, match=r"^byte 8: truncated instruction \(1 of 8 bytes\); "):
        cbpf.parse(bytes(9))
    with pytest.raises(cbpf.ProgramFormatError, match=r"line 1, column 5: byte 0xff \(offset 4\) is not UTF-8 text"):
        cbpf.parse(b"ret \xff")


def test_unknown_formats_are_rejected() -> None:
    with pytest.raises(cbpf.FieldError, match="'elf' is not one of"):
        cbpf.parse("", format="elf")
    with pytest.raises(cbpf.FieldError, match="'elf' is not one of"):
        cbpf.render(cbpf.Program(), "elf")
    with pytest.raises(cbpf.FieldError, match="is bytes; use render_bytes"):
        cbpf.render(cbpf.Program(), "raw")
    with pytest.raises(cbpf.FieldError, match="neither text nor bytes"):
        cbpf.parse(None)  # type: ignore[arg-type]


def test_all_problems_are_reported_with_line_column_and_excerpt() -> None:
    with pytest.raises(cbpf.ProgramFormatError) as caught:
        cbpf.parse("ld [foo]\n\tjeq #1,nowhere ; a comment\nret a ret\n")
    problems = caught.value.problems
    assert [(problem.line, problem.column) for problem in problems] == [(1, 5), (2, 9), (3, 10)]
    assert problems[1].excerpt == " jeq #1,nowhere ; a comment\n        ^"
    assert problems[0].excerpt == "ld [foo]\n    ^"


def test_excerpts_of_long_lines_are_short() -> None:
    with pytest.raises(cbpf.ProgramFormatError) as caught:
        cbpf.parse("ret a " * 1000 + "oops " + "ret a " * 1000)
    (problem,) = caught.value.problems
    line, caret = problem.excerpt.split("\n")
    assert len(line) <= 100
    assert line[caret.index("^") :].startswith("oops")


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("(000) ldh [12]\n(001) jeq #0x800 jt 2 jf 3\n(002) ret #1\n(003) ret", (0, 1)),
        ("l0:\tldh [12]\nl1:\tjeq #0x800, l2, l3\nl2: ret #1\nl3: ret #0", (0, 1)),
        ("ldh [12] jeq #0x800, yes, no yes: ret #1 no: ret #0", (0, 1)),
        ("ldh [12]\njeq #0x800,0,1\nret #1\nret #0", (0, 1)),
    ],
)
def test_jump_targets_of_every_syntax(text: str, targets: tuple[int, int]) -> None:
    assert cbpf.parse(text, format="asm")[1][1:3] == targets


def test_jump_targets_in_listings_are_absolute() -> None:
    for text in ("(000) ja 2\n(001) tax\n(002) ret", "l0: ja 2\nl1: tax\nl2: ret a"):
        assert cbpf.parse(text)[0] == cbpf.Jump(1).assemble()
    assert cbpf.parse("(000) ja 1\n(001) ret")[1] == cbpf.RetA().assemble()


@pytest.mark.fuzz
def test_random_texts_raise_only_our_errors(rounds: Rounds) -> None:
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
        for format in ("auto", *cbpf.FORMAT_NAMES):
            assert "\n" not in _error_message(text, format)


def _error_message(text: str, format: str) -> str:
    try:
        cbpf.parse(text, format=format)
    except cbpf.CbpfError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("text", "language"),
    [("package watch\n\nfunc Test(t *testing.T) {\n}\n", "Go"), ("import os\n\nprint(1)\n", "Python")],
)
def test_source_code_without_instructions_is_not_reported_as_assembly(text: str, language: str) -> None:
    with pytest.raises(cbpf.ProgramFormatError, match=rf"no instructions found; .* \(read as {language} source code\)"):
        cbpf.parse(text)


def test_bytes_with_undefined_opcodes_are_not_a_program() -> None:
    junk = b"".join(bytes([number, 0xFF, 0, 0, 0, 0, 0, 1]) for number in range(100))
    with pytest.raises(cbpf.ProgramFormatError, match="100 of 100 instructions have an undefined opcode"):
        cbpf.parse(junk)
    assert len(cbpf.parse(junk, format="raw")) == 100


@pytest.mark.parametrize("undefined", [3, 50])
def test_a_program_with_some_undefined_opcodes_is_read(undefined: int) -> None:
    program = cbpf.Program([*([(0xFFFF, 0, 0, 1)] * undefined), *([(6, 0, 0, 1)] * 50)])
    assert cbpf.parse(bytes(program)) == program
