"""The places of instructions and of errors in the texts of programs."""

import pytest
from hypothesis import given

import cbpf
from cbpf.formats.registry import TEXT_FORMATS
from support.instructions import programs

LOAD, RETURN = "ldh [12]", "ret a"
PROGRAM = cbpf.parse(f"{LOAD}\n{RETURN}")
C = "struct sock_filter f[] = {\n\tBPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), /* a */\n\tBPF_STMT(BPF_RET | BPF_A, 0),\n};"


def _texts(text: str, **options: str) -> list[str]:
    return [text[start:end] for start, end in cbpf.instruction_spans(text, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"start: {LOAD} ; a comment\n\n  {RETURN}\n", [LOAD, RETURN]),
        (f"(000) {LOAD}\n(001) {RETURN}", [LOAD, RETURN]),
        (f"\ufeff{LOAD}\r\n{RETURN}\r\n", [LOAD, RETURN]),
        (f"```\n{LOAD}\n{RETURN}\n```", [LOAD, RETURN]),
        ("2\n  40 0 0 12\n22 0 0 0", ["40 0 0 12", "22 0 0 0"]),
        ("tc filter add bytecode '2,40 0 0 12,22 0 0 0'", ["40 0 0 12", "22 0 0 0"]),
        ("bpf filter (2):  40 0 0 12, 22 0 0 0", ["40 0 0 12", "22 0 0 0"]),
        ("{ 0x28, 0, 0, 12 },\n{ 22, 0, 0, 0 }", ["{ 0x28, 0, 0, 12 }", "{ 22, 0, 0, 0 }"]),
        (C, ["BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12)", "BPF_STMT(BPF_RET | BPF_A, 0)"]),
        (f"#define END BPF_STMT(BPF_RET | BPF_A, 0)\n{C[: C.rindex('BPF_STMT')]}END }};", [C[28:66], "END"]),
        ('[{"op": 40, "k": 12}, [22, 0, 0, 0]]', ['{"op": 40, "k": 12}', "[22, 0, 0, 0]"]),
        ("\x1b[32m 0000: 0x28 0x00 0x00 0x0000000c\x1b[0m\n", ["0000: 0x28 0x00 0x00 0x0000000c\x1b[0m"]),
    ],
)
def test_each_instruction_has_its_place(text: str, expected: list[str]) -> None:
    assert cbpf.parse(text)[: len(expected)] == PROGRAM[: len(expected)]
    found = _texts(text)
    assert [part.replace("\x1b[32m", "").strip() for part in found] == expected


@pytest.mark.parametrize(
    "text", ['"\\x28\\x00\\x00\\x00\\x0c\\x00\\x00\\x00"', "00000000: 2800 0000 0c00 0000  (.......\n"]
)
def test_instructions_in_strings_and_dumps_have_no_place(text: str) -> None:
    assert cbpf.parse(text) == PROGRAM[:1]
    assert cbpf.instruction_spans(text) == ()


@given(programs)
def test_places_are_in_order_and_apart_in_every_format(program: cbpf.Program) -> None:
    for name in TEXT_FORMATS:
        try:
            text = cbpf.render(program, name)
        except cbpf.ProgramFormatError:
            continue
        spans = cbpf.instruction_spans(text, format=name)
        assert len(spans) == len(program), name
        positions = [position for span in spans for position in span]
        assert positions == sorted(positions)
        assert all(text[start:end].strip() for start, end in spans)


@given(programs)
def test_the_text_at_a_place_is_the_instruction(program: cbpf.Program) -> None:
    text = cbpf.render(program, "json")
    for raw, (start, end) in zip(program, cbpf.instruction_spans(text), strict=True):
        assert cbpf.parse(f"[{text[start:end]}]") == cbpf.Program([raw])


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("4\n6 0 0 0\n6 0 0\n  6 0 0 x", [(1, 1), (3, 1), (4, 3)]),
        ("2,6 0 0,6 0 0 0,6 256 0 0", [(1, 1), (1, 3), (1, 17)]),
        ("{ 6, 0, 0, y },\n{ 6, 0, 300, 0 },\n{ 6, 0, 0, 0 }", [(1, 12), (2, 1)]),
        ("[[6, 0, 0, 1],\n[6, 0, 0, x],\n[6, 0, 0, y]]", [(2, 11), (3, 11)]),
        (
            "0000: 0x06 0x00 0x00 0x00000000\nx\n0001: 0x06 0x00 0x00 0x00000000\n0003: 0x06 0x100 0x00 0x00000000",
            [(2, 1), (4, 1), (4, 1)],
        ),
    ],
)
def test_every_error_of_a_text_has_its_place(text: str, places: list[tuple[int, int]]) -> None:
    with pytest.raises(cbpf.ProgramFormatError) as caught:
        cbpf.parse(text)
    assert [(problem.line, problem.column) for problem in caught.value.problems] == places


def test_only_texts_have_places() -> None:
    with pytest.raises(cbpf.FieldError, match="instruction_spans"):
        cbpf.instruction_spans(bytes(PROGRAM))  # type: ignore[arg-type]
