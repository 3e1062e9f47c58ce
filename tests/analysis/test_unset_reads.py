"""The reads of registers and scratch slots before a write, compared with the rule of the Linux kernel."""

import pytest

import cbpf
from support.corpus_filters import ETHERNET
from support.project import Rounds
from support.random_programs import any_kind

LINUX = cbpf.LINUX.replace(longest=None, longest_translated_jump=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ret a", [(0, "A")]),
        ("ld #1\nret a", []),
        ("ld M[3]\nadd x\nret a", [(0, "M[3]"), (1, "X")]),
        ("ldh [12]\njeq #1, next, end\nnext: ldx #3\nend: ldb [x + 4]\nret a", [(3, "X")]),
        ("ldh [12]\njeq #1, 0, 1\nst M[1]\nld M[1]\nld M[1]\nret a", [(3, "M[1]")]),
        ("ld #1\njeq #1, one, two\none: ret #0\ntwo: ld M[2]\nret a", []),  # no execution reaches the read
        ("ret #1\nret a", []),
        ("tax\ntxa\nret a", [(0, "A")]),
        ("stx M[0]\nld M[0]\nret a", [(0, "X")]),
    ],
)
def test_reads_before_a_write_are_found(text: str, expected: list[tuple[int, str]]) -> None:
    assert list(cbpf.Flow(cbpf.parse(text)).unset_reads) == expected


def test_compiled_expressions_set_what_they_read() -> None:
    for expression in ETHERNET[::5]:
        assert cbpf.Flow(cbpf.source_map(expression).program).unset_reads == (), expression


def test_reads_of_slots_are_rejected_by_linux(rounds: Rounds) -> None:
    """The kernel checks a superset: also code that no execution reaches."""
    for choose in rounds(300, min_checked=0.02):
        program = cbpf.Program([cbpf.RawInstruction(*row) for row in any_kind(choose)])
        if cbpf.findings(program):
            continue
        findings = cbpf.findings(program, dialect=LINUX)
        rejected = {finding.index for finding in findings if finding.identifier == "scratch-unwritten"}
        found = {index for index, name in cbpf.Flow(program).unset_reads if name.startswith("M")}
        assert found <= rejected
        if found:
            rounds.checked()
