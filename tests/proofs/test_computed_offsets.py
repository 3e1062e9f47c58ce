"""Proofs of programs that load after headers of computed length: link types, random pairs, and mutated programs."""

from itertools import product
from typing import Any

import pytest

import cbpf
from support import computed_offsets, random_programs
from support.project import Rounds
from support.proofs import replay

LINK_TYPES = ("PPI", "IEEE802_11_RADIO", "IEEE802_11", "PRISM_HEADER", "IEEE802_11_RADIO_AVS", "JUNIPER_MFR")
EXPRESSIONS = (
    "tcp port 80",
    "host 10.0.0.1",
    "port 80 or port 443",
    "tcp portrange 80-90 and net 10.0.0.0/8",
    "ip6 host 2001:db8::1",
    "ip[4:4] * ip[8:4] / ip[2:2] = 7",
)


@pytest.mark.parametrize(("link_type", "expression"), list(product(LINK_TYPES, EXPRESSIONS)))
def test_optimised_filters_of_computed_headers_are_proved(link_type: str, expression: str) -> None:
    plain = cbpf.compile(expression, link_type=link_type, optimizer=None)
    assert cbpf.difference(plain, cbpf.optimize(plain)) is None
    assert cbpf.equivalent(plain, cbpf.optimize(plain, dialect=cbpf.LINUX, goal="speed"), dialect=cbpf.LINUX)


@pytest.mark.parametrize("link_type", LINK_TYPES)
def test_another_port_after_a_computed_header_is_refuted(link_type: str) -> None:
    left = cbpf.compile("tcp port 80", link_type=link_type, optimizer=None)
    right = cbpf.compile("tcp port 81", link_type=link_type)
    counterexample = cbpf.difference(left, right)
    assert counterexample is not None
    assert replay(left, counterexample, cbpf.PCAP) == counterexample.left_verdict
    assert replay(right, counterexample, cbpf.PCAP) == counterexample.right_verdict


def test_loads_at_different_computed_positions_may_be_the_same_byte() -> None:
    """Byte 0 and byte 1 give the positions; if they are equal, both loads have one value."""
    text = "ldb [0]\ntax\nldb [x + 2]\nst M[0]\nldb [1]\ntax\nldb [x + 2]\nldx M[0]\n"
    differs = cbpf.parse(f"{text}jeq x,0,1\nret #1\nret #0")
    equal = cbpf.parse(
        "ldb [0]\ntax\nldb [1]\njeq x,0,9\nldb [0]\ntax\nldb [x + 2]\nst M[0]\nldb [1]\ntax\nldb [x + 2]\nret #1\n"
        f"ret #0\n{text}jeq x,0,1\nret #1\nret #0"
    )
    counterexample = cbpf.difference(differs, equal)
    assert counterexample is None
    assert cbpf.difference(differs, cbpf.parse("ret #1")) is not None


def test_positions_that_wrap_are_told_apart() -> None:
    wrapping = cbpf.parse("ld [0]\ntax\nldb [x + 4]\nret #1")
    added = cbpf.parse("ld [0]\nadd #4\ntax\nldb [x + 0]\nret #1")
    assert cbpf.equivalent(wrapping, added, dialect=cbpf.LINUX)
    counterexample = cbpf.difference(wrapping, added)
    assert counterexample is not None
    assert int.from_bytes(counterexample.packet[:4], "big") >= 2**32 - 4


@pytest.mark.fuzz
def test_random_spellings_are_proved_and_mutated_ones_refuted(rounds: Rounds) -> None:
    """The interpreter is the judge: random packets agree with each proof, and runs reproduce each counterexample."""
    for random in rounds(60, min_checked=0.9):
        plain, other = computed_offsets.pair(random)
        dialect = (cbpf.PCAP, cbpf.LINUX)[int(random.random() * 2)]
        mutant = random_programs.mutated(random, [(raw.op, raw.jt, raw.jf, raw.k) for raw in plain])
        candidates: list[Any] = [other, cbpf.optimize(plain, dialect=dialect)]
        candidates += [] if cbpf.findings(mutant, dialect=dialect) else [mutant]
        packets = [computed_offsets.packet(random) for _ in range(40)]
        for candidate in candidates:
            try:
                counterexample = cbpf.difference(plain, candidate, dialect=dialect)
            except cbpf.Undecided:
                break
            if counterexample is not None:
                assert candidate is mutant
                assert replay(plain, counterexample, dialect) == counterexample.left_verdict
                assert replay(candidate, counterexample, dialect) == counterexample.right_verdict
                continue
            vms = [cbpf.VM(program, dialect=dialect) for program in (plain, candidate)]
            for packet in packets:
                assert len({vm.evaluate(packet) for vm in vms}) == 1, (dialect, plain, candidate, packet.hex())
        else:
            rounds.checked()
