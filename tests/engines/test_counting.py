"""Execution counts: machine code counts as Python does, and as the traces of the interpreter show."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest

import cbpf
from cbpf.analysis import execution_counter
from support import random_programs
from support.project import Rounds

LENGTHS: Final = (*range(20), 60, 63, 64, 65)
PACKETS: Final = [Random(length).randbytes(length) for length in LENGTHS] + [b"\0" * 64, b"\xff" * 64]

PROGRAMS: Final[dict[str, tuple[cbpf.Dialect, str]]] = {
    "missing bytes": (cbpf.PCAP, "ldb [3]\nldx #7\nldh [x+2]\nldxb 4*([12]&0xf)\nld [x+8]\nld [0xfffffffe]\nret #1"),
    "division by 0": (cbpf.PCAP, "ldb [0]\nand #3\ntax\nld #100\ndiv x\nmod x\nst M[2]\nret a"),
    "joins": (cbpf.PCAP, "ldb [0]\njgt #9, p, q\np: add #1\nq: jset #2, r, s\nr: ja s\nld #1\ns: ldb [5]\nret a"),
    "equal targets": (cbpf.PCAP, "ldb [1]\njeq #3, next\nnext: jge x, 0, 0\nja 0\nja 1\nret #1\nret a"),
    "missing device": (cbpf.LINUX, "ld #9\nst M[1]\nld ifidx\njeq #0, 0, 1\nret #1\nret #2"),
    "netlink attributes": (cbpf.LINUX, "ldx #2\nld #0\nld nla\njeq #0, 0, 1\nret #1\nldb [0]\nret a"),
    "header windows": (cbpf.LINUX, "ldb [0xfff00002]\nldb [0xffe00001]\nret #1"),
    "short records": (cbpf.SECCOMP, "ld [16]\njset #1, 0, 1\nret #0x7fff0000\nret #0x50001"),
}


@pytest.fixture(autouse=True)
def llvm() -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")


def traced(program: cbpf.Program, dialect: cbpf.Dialect, packets: list[cbpf.Packet]) -> cbpf.ExecutionCounts:
    """Return the counts of the steps of the interpreter."""
    vm = cbpf.VM(program, engine="interpreter", dialect=dialect)
    executed, taken, accepted, maximum = [0] * len(program), [0] * len(program), 0, 0
    for packet in packets:
        steps = list(vm.trace(packet.data, wire_length=packet.wire_length))
        for step in steps:
            executed[step.index] += 1
            taken[step.index] += bool(step.taken) and step.instruction.jt != step.instruction.jf
        maximum = max(maximum, len(steps))
        verdict = vm.evaluate(packet.data, wire_length=packet.wire_length)
        accepted += verdict > 0 if dialect is not cbpf.SECCOMP else verdict == 0x7FFF0000
    return cbpf.ExecutionCounts(len(packets), accepted, tuple(executed), tuple(taken), maximum)


def batch(packets: list[cbpf.Packet]) -> cbpf.Packets:
    data = [packet.data for packet in packets]
    positions = [sum(map(len, data[:index])) for index in range(len(data))]
    wire_lengths = [packet.wire_length for packet in packets]
    return cbpf.Packets(b"".join(data), positions=positions, lengths=map(len, data), wire_lengths=wire_lengths)


def records(packets: list[bytes]) -> list[cbpf.Packet]:
    return [cbpf.Packet(number, 0, len(data) + number % 3, data) for number, data in enumerate(packets, 1)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_all_engines_count_the_steps_of_the_interpreter(name: str) -> None:
    dialect, text = PROGRAMS[name]
    program, packets = cbpf.parse(text), records(PACKETS)
    expected = traced(program, dialect, packets)
    assert 0 < sum(expected.executed) < len(program) * len(packets)
    for engine in ("interpreter", "python", "llvm"):
        assert cbpf.execution_counts(program, packets, dialect=dialect, engine=engine) == expected, engine
        assert cbpf.execution_counts(program, batch(packets), dialect=dialect, engine=engine) == expected, engine


@pytest.mark.fuzz
def test_machine_code_counts_as_python(rounds: Rounds) -> None:
    for random in rounds(40, min_checked=0.5):
        kind: Callable[[Random], Any] = random.choice((random_programs.plausible, random_programs.any_kind))
        program = cbpf.Program(kind(random))
        dialect = random.choice((cbpf.PCAP, cbpf.LINUX, cbpf.SECCOMP))
        if cbpf.findings(program, dialect=dialect) or not random_programs.is_predictable(list(program)):
            continue
        rounds.checked()
        packets = records([random_programs.packet(random) for _ in range(100)])
        counts = [
            cbpf.execution_counts(program, batch(packets), dialect=dialect, engine=engine)
            for engine in ("python", "llvm")
        ]
        assert counts[1] == counts[0], program


def test_long_programs_are_counted_by_machine_code() -> None:
    tests = [(0x15, 0, 1, index % 250) for index in range(700)]
    program = cbpf.Program([(0x30, 0, 0, 0), *tests, (0x06, 0, 0, 1), (0x06, 0, 0, 0)])
    packets = [b"", b"\0", b"\1", b"\xf9", b"\xff"]
    assert cbpf.execution_counts(program, packets, engine="llvm") == cbpf.execution_counts(program, packets)


def test_views_of_sockets_are_counted_by_machine_code() -> None:
    program = cbpf.parse("ld mark\njeq #7,0,2\nld ifidx\nret #1\nret #0")
    device = cbpf.Device(3, 1)
    views = [
        cbpf.SocketView(b"ab", 2, cbpf.Metadata(mark=mark, device=device if mark % 2 else None))
        for mark in range(6, 10)
    ]
    counts = [
        cbpf.execution_counts(program, views, dialect=cbpf.LINUX, engine=engine)
        for engine in ("interpreter", "python", "llvm")
    ]
    assert counts == [cbpf.ExecutionCounts(4, 1, (4, 4, 1, 1, 3), (0, 1, 0, 0, 0), 4)] * 3


def test_large_batches_are_counted_by_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    program, packets = cbpf.parse("ldb [0]\nret a"), cbpf.Packets.of(PACKETS)
    expected = cbpf.execution_counts(program, packets)

    def fail(*arguments: object) -> None:
        raise AssertionError("Python counts")

    monkeypatch.setattr(execution_counter, "compile_to_counting_python", fail)
    with pytest.raises(AssertionError):
        cbpf.execution_counts(program, packets)
    monkeypatch.setattr(execution_counter, "MIN_NATIVE_BATCH", len(packets))
    assert cbpf.execution_counts(program, packets) == expected
    assert cbpf.execution_counts(program, [], engine="llvm") == cbpf.ExecutionCounts(0, 0, (0, 0), (0, 0), 0)


def test_an_unknown_engine_is_rejected() -> None:
    with pytest.raises(cbpf.FieldError, match=r"execution_counts\.engine: 'fast' is not one of"):
        cbpf.execution_counts([cbpf.RetConstant(1)], [], engine="fast")  # type: ignore[arg-type]
