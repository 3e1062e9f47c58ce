"""Listings with names: words, calls, constants and actions."""

import pytest

import cbpf
from cbpf.seccomp import ARCHITECTURES, listing

pytest.importorskip("system_calls", reason="names of system calls need system-calls")


def _notes(text: str, architecture: str = "x86_64") -> list[str]:
    program = cbpf.parse(f"{text}\nret #0x7fff0000\nout: ret #0x50001")
    lines = listing(program, dialect=ARCHITECTURES[architecture].dialect, architecture=architecture).splitlines()
    return [line[52:] for line in lines[:-2]]


def test_values_of_arguments_have_the_names_of_constants() -> None:
    assert _notes("ld [0]\njne #41, out\nld [16]\njeq #38, out\njeq #999, out\njgt #2, out\nld [20]\njeq #38, out") == [
        "number",
        "number = 41 (socket)",
        "family.low",
        "family.low = 38 (AF_ALG)",
        "family.low = 999",
        "family.low > 2",
        "family.high",
        "family.high = 38",
    ]


def test_bits_of_arguments_have_the_names_of_flags() -> None:
    tests = "ld [32]\njset #4, out\njset #3, out\njset #0x14, out\nand #6\njeq #6, out\njeq #0, out"
    assert _notes(f"ld [0]\njne #10, out\n{tests}")[2:] == [
        "prot.low",
        "prot.low & 4 (PROT_EXEC)",
        "prot.low & 3 (PROT_READ|PROT_WRITE)",
        "prot.low & 20",
        "",
        "(prot.low & 6) = 6 (PROT_WRITE|PROT_EXEC)",
        "(prot.low & 6) = 0",
    ]


def test_many_flags_are_a_number() -> None:
    assert _notes("ld [0]\njne #56, out\nld [16]\njset #0x7e020000, out")[3:] == ["flags.low & 0x7e020000"]


def test_the_lower_half_of_an_argument_is_the_second_word_of_big_endian_records() -> None:
    notes = _notes("ld [0]\njne #359, out\nld [16]\njeq #38, out\nld [20]\njeq #38, out", "s390x")
    assert notes[3:] == ["family.high = 38", "family.low", "family.low = 38 (AF_ALG)"]


def test_constants_have_no_names_where_several_calls_are_possible() -> None:
    assert _notes("ld [16]\njeq #38, out") == ["arg0.low", "arg0.low = 38"]
