"""The rules of the dialects of BSD, each as read from the source of its checker (sys/net/bpf_filter.c)."""

import pytest

import cbpf

FREEBSD, NETBSD, OPENBSD, MACOS = cbpf.FREEBSD, cbpf.NETBSD, cbpf.OPENBSD, cbpf.MACOS
ALL = (FREEBSD, NETBSD, OPENBSD, MACOS)


def identifiers(text: str, dialect: cbpf.Dialect) -> set[str]:
    """Return the identifiers of the findings about a program."""
    return {finding.identifier for finding in cbpf.findings(cbpf.parse(text), dialect=dialect)}


@pytest.mark.parametrize("dialect", ALL)
def test_programs_have_at_most_512_instructions(dialect: cbpf.Dialect) -> None:
    load, end = cbpf.LoadConstant(cbpf.Register.A, 0), cbpf.RetConstant(0)
    assert not cbpf.findings([load] * 511 + [end], dialect=dialect)
    (finding,) = cbpf.findings([load] * 512 + [end], dialect=dialect)
    assert finding.identifier == "too-long"


@pytest.mark.parametrize("text", ["mod #3\nret a", "mod x\nret a", "xor #3\nret a", "xor x\nret a"])
def test_modulo_and_xor_exist_in_freebsd_and_netbsd(text: str) -> None:
    assert [identifiers(text, dialect) for dialect in ALL] == [set(), set(), {"opcode"}, {"opcode"}]


def test_netbsd_demands_that_scratch_slots_are_written() -> None:
    found = [identifiers("ld M[2]\nret a", dialect) for dialect in ALL]
    assert found == [set(), {"scratch-unwritten"}, set(), set()]


@pytest.mark.parametrize("load", ["ld [{}]", "ldh [{}]", "ldb [{}]", "ld [x + {}]", "ldx 4*([{}]&0xf)"])
def test_openbsd_and_macos_reject_offsets_beyond_the_largest_buffer(load: str) -> None:
    for dialect, size in ((OPENBSD, 2 << 20), (MACOS, 512 << 10)):
        assert identifiers(f"{load.format(size - 1)}\nret a", dialect) == set()
        assert identifiers(f"{load.format(size)}\nret a", dialect) == {"large-offset"}
        assert identifiers(f"{load.format(size)}\nret a", FREEBSD) == set()


@pytest.mark.parametrize("dialect", ALL)
def test_constant_shift_that_is_undefined_in_c_is_rejected(dialect: cbpf.Dialect) -> None:
    assert identifiers("lsh #31\nret a", dialect) == set()
    assert identifiers("lsh #32\nret a", dialect) == {"wide-shift"}


@pytest.mark.parametrize("dialect", ALL)
def test_division_by_zero_is_rejected(dialect: cbpf.Dialect) -> None:
    assert identifiers("div #0\nret a", dialect) == {"division-by-zero"}


@pytest.mark.parametrize("dialect", ALL)
def test_expressions_compile_for_the_dialect(dialect: cbpf.Dialect, engine: str) -> None:
    program = cbpf.compile("tcp port 443", dialect=dialect)
    assert not cbpf.findings(program, dialect=dialect)
    assert cbpf.VM(program, dialect=dialect, engine=engine).run(bytes(60)) == 0  # type: ignore[arg-type]
