"""The semantics of programs: case files and random programs, on every engine and on an independent oracle."""

import json
from random import Random
from typing import Any

import pytest

import cbpf
from support import oracle, random_programs
from support.case_files import Case, load_cases
from support.opaque_machine import run_opaquely
from support.project import ENGINES, TESTS, Rounds

GOLDEN = TESTS / "golden"
CASES = list(load_cases())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, engine: Any) -> None:
    vm = cbpf.VM(case.program, engine=engine, dialect=case.dialect)
    for packet, verdict in case.runs:
        assert vm.evaluate(packet, metadata=case.metadata, wire_length=case.wire_length) == verdict, case.why
        if case.metadata is None and case.wire_length is None:
            assert vm.run(packet) == verdict, case.why


def _oracle_supports(case: Case) -> bool:
    """Return whether the oracle supports a case: it has no metadata, and no search for netlink attributes."""
    return case.metadata is None and "[nla" not in cbpf.listing(case.program)


@pytest.mark.parametrize("case", [case for case in CASES if _oracle_supports(case)], ids=lambda case: case.name)
def test_oracle_agrees_on_case(case: Case) -> None:
    for packet, verdict in case.runs:
        assert oracle.verdict(case.program, packet, case.dialect.name, case.wire_length) == verdict, case.why


def _random_run(random: Random) -> tuple[cbpf.Dialect, cbpf.Program, bytes, int | None]:
    """Return a dialect, a program that it accepts, a packet, and a wire length or None."""
    while True:
        dialect = (cbpf.PCAP, cbpf.LINUX, cbpf.SECCOMP)[int(random.random() * 3)]
        if dialect is cbpf.SECCOMP:
            program, packet = random_programs.seccomp(random), bytes(int(random.random() * 256) for _ in range(64))
        else:
            program = random_programs.plausible(random, extensions=(8, 28, 40))
            packet = random_programs.packet(random)
        if not cbpf.findings(program, dialect=dialect):
            wire_length = None if random.random() < 0.5 else int(random.random() * 2**32)
            return dialect, cbpf.Program(program), packet, wire_length


@pytest.mark.fuzz
def test_random_programs_on_engines_and_oracle(rounds: Rounds) -> None:
    for random in rounds(2000):
        dialect, program, packet, wire_length = _random_run(random)
        expected = oracle.verdict(program, packet, dialect.name, wire_length)
        for engine in ENGINES:
            vm = cbpf.VM(program, engine=engine, dialect=dialect)
            assert vm.evaluate(packet, wire_length=wire_length) == expected, (engine, dialect, program, packet.hex())


@pytest.mark.fuzz
def test_semantics_never_inspect_a_word(rounds: Rounds) -> None:
    """A machine whose words and conditions cannot be inspected returns the verdict of the VM."""
    for random in rounds(500):
        dialect, program, packet, _ = _random_run(random)
        assert run_opaquely(program, packet, dialect) == cbpf.VM(program, dialect=dialect).run(packet)


@pytest.mark.fuzz
def test_engines_agree_with_metadata(rounds: Rounds) -> None:
    for random in rounds(1000, min_checked=0.9):
        program = random_programs.plausible(random, extensions=random_programs.EXTENSIONS)
        dialect = cbpf.LINUX if random.random() < 0.7 else cbpf.PCAP
        if cbpf.findings(program, dialect=dialect):
            continue
        rounds.checked()
        packet, metadata = random_programs.packet(random), _random_metadata(random)
        verdicts = {
            engine: cbpf.VM(program, engine=engine, dialect=dialect).evaluate(packet, metadata=metadata)
            for engine in ENGINES
        }
        assert len(set(verdicts.values())) == 1, (verdicts, program, metadata, packet.hex())


def _random_metadata(random: Random) -> cbpf.Metadata:
    def unsigned(bits: int) -> int:
        return int(random.random() * 2**bits)

    before = bytes(unsigned(8) for _ in range(unsigned(5)))
    return cbpf.Metadata(
        protocol=unsigned(16),
        packet_type=unsigned(3),
        device=cbpf.Device(unsigned(32), unsigned(16)) if random.random() < 0.5 else None,
        mark=unsigned(32),
        queue=unsigned(16),
        hash=unsigned(32),
        cpu=unsigned(2),
        vlan=cbpf.VlanTag(unsigned(16), unsigned(16)) if random.random() < 0.5 else None,
        network_header=unsigned(5) - len(before),
        link_header=-len(before) if random.random() < 0.5 else None,
        before=before,
        payload_offset=unsigned(6),
        seed=unsigned(64),
    )


def _golden_go(table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((GOLDEN / "go_vm.json").read_text())[table]
    return rows


def test_verdicts_of_go(engine: Any) -> None:
    rows = _golden_go("runs")
    assert len(rows) == 300
    for row in rows:
        vm = cbpf.VM([tuple(raw) for raw in row["program"]], engine=engine)
        results = [vm.run(bytes.fromhex(packet)) for packet in row["packets"]]
        assert results == row["results"], row["program"]


def test_programs_that_go_rejects() -> None:
    for row in _golden_go("rejected"):
        findings = cbpf.findings([tuple(raw) for raw in row["program"]])
        assert bool(findings) is not row["why"].endswith("which cbpf runs"), row


def test_random_numbers_differ_without_a_seed(engine: Any) -> None:
    vm = cbpf.VM(cbpf.parse("ld #rand\nret a"), engine=engine)
    assert len({vm.run(b"") for _ in range(20)}) > 15


def test_random_numbers_depend_on_the_seed_and_the_draw(engine: Any) -> None:
    vm = cbpf.VM(cbpf.parse("ld #rand\nld #rand\nret a"), engine=engine)
    draws = [vm.evaluate(b"", metadata=cbpf.Metadata(seed=seed)) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("length", [50, 300, 4096])
def test_long_chains_of_jumps_to_one_instruction(length: int, engine: Any) -> None:
    """Many paths to one instruction, beyond the reach of a conditional jump and the nesting limit of source text."""
    body = length - 3
    equal = cbpf.JumpTest.EQUAL
    ladder = [cbpf.JumpIf(equal, index, min(255, body - 1 - index)) for index in range(body)]
    program = cbpf.Program([cbpf.LoadAbsolute(0, 1), *ladder, cbpf.ALUOpConstant(cbpf.ALUOp.ADD, 1), cbpf.RetA()])
    vm = cbpf.VM(program, engine=engine, dialect=cbpf.LINUX)
    for value in (0, 7, 200, 255):
        assert vm.run(bytes([value])) == oracle.verdict(program, bytes([value]), "linux")
