"""Witnesses, dead code, and test packets that cover a program."""

from random import Random
from typing import Any

import pytest

import cbpf
from cbpf.analysis.coverage import CoverageGoal, all_goals, observe
from cbpf.analysis.index_ranges import format_ranges
from support import random_programs
from support.project import Rounds
from support.proofs import program, replay

DIALECTS = (cbpf.PCAP, cbpf.LINUX, cbpf.SECCOMP)
DEAD = program("ldh [12];jeq #0x800,0,2;jeq #0x806,0,1;ret #1;ret #0")


def test_witness_is_accepted_or_rejected() -> None:
    web = cbpf.compile("tcp port 80", optimizer=None)
    for verdict, accepts in (("accept", True), ("reject", False)):
        result = cbpf.witness(web, verdict=verdict)  # type: ignore[arg-type]
        assert result is not None
        assert (replay(web, result, cbpf.PCAP) > 0) is accepts
        assert result.verdict == replay(web, result, cbpf.PCAP)
    assert cbpf.witness(web, verdict=262_144) is not None
    assert cbpf.witness(web, verdict=7) is None
    assert cbpf.witness(web) is not None
    assert cbpf.witness(cbpf.compile("ip and ip6", optimizer=None), verdict="accept") is None
    assert cbpf.witness(web, verdict="accept", longest=23) is None


def test_witness_reaches_an_instruction() -> None:
    web = cbpf.compile("tcp port 80", optimizer=None)
    for index in range(len(web)):
        result = cbpf.witness(web, reaches=index)
        assert result is not None
        steps = cbpf.VM(web).trace(result.packet, metadata=result.metadata, wire_length=result.wire_length)
        assert index in [step.index for step in steps]
    assert cbpf.witness(DEAD, reaches=3) is None
    assert cbpf.witness(web, reaches=len(web) - 1, verdict="accept") is None


def test_witness_of_a_system_call() -> None:
    policy = program("ld [0];jeq #59,0,1;ret #0x50001;ld [16];jeq #7,0,1;ret #0x7fff0000;ret #0x80000000")
    result = cbpf.witness(policy, verdict="accept", dialect=cbpf.SECCOMP)
    assert result is not None
    assert (len(result.packet), result.verdict) == (64, 0x7FFF0000)
    assert result.packet[16] == 7
    denied = cbpf.witness(policy, verdict=0x50001, dialect=cbpf.SECCOMP)
    assert denied is not None
    assert denied.packet[0] == 59


def test_invalid_arguments_are_rejected() -> None:
    ip: Any = cbpf.compile("ip")
    with pytest.raises(cbpf.FieldError, match=r"reaches: 4 is not an instruction of the program \(0..3\)"):
        cbpf.witness(ip, reaches=4)
    with pytest.raises(cbpf.FieldError, match="verdict: 'maybe' is not an integer"):
        cbpf.witness(ip, verdict="maybe")  # type: ignore[arg-type]
    with pytest.raises(cbpf.FieldError, match="dialect: None is not a Dialect"):
        cbpf.dead(ip, dialect=None)  # type: ignore[arg-type]
    with pytest.raises(cbpf.VerificationError):
        cbpf.cases([])
    for query in (cbpf.witness, cbpf.dead, cbpf.cases):
        with pytest.raises(cbpf.Undecided):
            query(ip, timeout=1e-9)


def test_dead_code_is_found() -> None:
    result = cbpf.dead(DEAD)
    assert result == cbpf.DeadCode((3,), ((2, True),))
    assert result
    assert not cbpf.dead(cbpf.compile("tcp port 80"))
    contradiction = program("ldb [9];ld len;jge #10,0,1;ret #1;ret #0")
    assert cbpf.dead(contradiction) == cbpf.DeadCode((4,), ((2, False),))
    assert cbpf.dead(program("ret #0;ld #1;ret a")).instructions == (1, 2)
    assert cbpf.dead(program("ld [64];ret #1"), longest=60).instructions == (1,)


@pytest.mark.parametrize("expression", ["", "arp", "tcp port 80", "vlan 100", "ip6 host 2001:db8::1", "ip[8] < 10"])
def test_cases_cover_all_but_dead_code(expression: str) -> None:
    filter = cbpf.compile(expression)
    vm = cbpf.VM(filter)
    cases = cbpf.cases(filter)
    runs = [observe(vm, case.packet, case.wire_length) for case in cases]
    goals = frozenset[CoverageGoal]().union(*(run.goals for run in runs))
    dead = cbpf.dead(filter)
    missing = {goal for goal in all_goals(filter) - goals if goal.at not in dead.instructions}
    assert missing == {CoverageGoal("branch", *side) for side in dead.branches}
    loads = {index for index, raw in enumerate(filter) if "[" in str(raw) and "M[" not in str(raw)}
    fitting = {goal.at for goal in goals if goal.kind == "load" and goal.holds}
    short = {goal.at for goal in goals if goal.kind == "load" and not goal.holds}
    assert fitting <= loads
    assert len(loads - short) <= len(loads) // 2, "too few loads have a packet that ends before their last byte"
    assert [replay(filter, case, cbpf.PCAP) for case in cases] == [case.verdict for case in cases]
    assert all(case.reasons for case in cases)
    assert len({(case.packet, case.wire_length, case.metadata) for case in cases}) == len(cases)


def test_cases_end_at_each_load() -> None:
    cases = cbpf.cases(program("ldh [6];ldx #3;ldb [x + 9];ret #1"))
    assert [(len(case.packet), case.verdict) for case in cases] == [(7, 0), (8, 0), (12, 0), (13, 1)]
    assert cases[0].reasons == ("runs 0", "0 lacks a byte")
    assert cases[3].reasons == ("runs 3", "2 just fits")


def test_cases_of_a_filter_reject_an_incorrect_one() -> None:
    correct = cbpf.compile("tcp port 80")
    vm = cbpf.VM(cbpf.compile("tcp port 81"))
    assert any(vm.evaluate(case.packet) != case.verdict for case in cbpf.cases(correct))


def test_consecutive_numbers_are_formatted_as_ranges() -> None:
    assert format_ranges([]) == ""
    assert format_ranges([5, 1, 2, 3, 9, 8]) == "1..3, 5, 8..9"


def _random_program(random: Random) -> tuple[cbpf.Dialect, Any]:
    while True:
        dialect = DIALECTS[int(random.random() * 3)]
        if dialect is cbpf.SECCOMP:
            rows = random_programs.seccomp(random)
        else:
            rows = random_programs.plausible(random, extensions=random_programs.EXTENSIONS)
        if not cbpf.findings(rows, dialect=dialect):
            return dialect, rows


@pytest.mark.fuzz
def test_random_packets_do_not_reach_dead_code(rounds: Rounds) -> None:
    """The goals that cases reach and the dead code are complements; random packets reach no other goal."""
    for random in rounds(100, min_checked=0.8):
        dialect, rows = _random_program(random)
        try:
            cases = cbpf.cases(rows, dialect=dialect, timeout=10)
            dead = cbpf.dead(rows, dialect=dialect, timeout=10)
        except cbpf.Undecided:
            continue
        rounds.checked()
        vm = cbpf.VM(rows, dialect=dialect)
        reached: set[CoverageGoal] = set()
        for case in cases:
            run = observe(vm, case.packet, case.wire_length, case.metadata)
            assert run.verdict == case.verdict
            reached |= run.goals
        instructions = {goal.at for goal in reached if goal.kind == "instruction"}
        assert instructions == set(range(len(rows))) - set(dead.instructions)
        assert not any(CoverageGoal("branch", *side) in reached for side in dead.branches)
        for _ in range(50):
            packet = bytes(64) if dialect is cbpf.SECCOMP else random_programs.packet(random)
            metadata = cbpf.Metadata(seed=int(random.random() * 2**64), mark=int(random.random() * 2**32))
            assert observe(vm, packet, None, metadata).goals <= reached
