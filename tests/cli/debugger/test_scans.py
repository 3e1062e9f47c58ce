"""Searches and runs that machine code shortens: the same positions and counts as packet by packet."""

import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

import pytest

import cbpf
from cbpf.cli.debugger.code import Settings
from cbpf.cli.debugger.derived_programs import with_outcome
from cbpf.cli.debugger.errors import DebuggerError
from cbpf.cli.debugger.goals import parse_goal
from cbpf.cli.debugger.scans import VerdictScan
from cbpf.cli.debugger.session import Session
from cbpf.cli.debugger.stops import parse_breakpoint, parse_watch
from support import random_programs
from support.captures import Pcapng
from support.command_line import PACKETS, TRAFFIC
from support.project import Rounds

_PACKETS: Final = 60
_CONDITIONS: Final = ("A == 0", "A > 0x7f", "A != 64", "X == 0", "M[1] > 2", "[12] == 8", "len < 40", "A == len")


def _capture(random: Random, path: Path) -> str:
    cbpf.write_capture(path, [random_programs.packet(random)[:70] for _ in range(_PACKETS)])
    return str(path)


def _session(program: cbpf.Program, path: str, dialect: cbpf.Dialect, *, scans: bool) -> Session:
    session = Session(Settings(dialect, as_socket=False, optimizer=None))
    session.load(program, path, 1)
    if not scans:
        session._scans, session._has_scans = None, True
    return session


def _outcomes(session: Session, commands: list[tuple[str, str]]) -> list[object]:
    """Return the result and the position of each command."""
    found: list[object] = []
    for name, argument in commands:
        count = len(session.code.texts)
        try:
            match name:
                case "run":
                    found.append(list(session.resume(int(argument) if argument else None)))
                case "breakpoint":
                    session.stops.add_breakpoint(parse_breakpoint(argument, count))
                case "watch":
                    session.stops.watches.append(parse_watch(argument))
                case "until":
                    found.append(session.search(parse_goal(argument, session.run, session.position)))
        except DebuggerError as error:
            found.append(str(error))
        found.append((session.run.number, session.position))
    return found


def _commands(random: Random, count: int) -> list[tuple[str, str]]:
    """Return random commands for a program with a number of instructions."""
    stops = [
        ("breakpoint", str(random.randrange(count))),
        ("breakpoint", f"{random.randrange(count)} if {random.choice(_CONDITIONS)}"),
        ("watch", random.choice(["A", "X", "M[1]", "M[3]"])),
        ("watch", f"[{random.randrange(70)}:{random.randint(1, 4)}]"),
    ]
    index = random.randrange(count)
    goals = ["accept", "reject", "branch", f"{index}", f"{index} true", f"{index} false", random.choice(_CONDITIONS)]
    moves = [("until", goal) for goal in goals] + [("run", ""), ("run", ""), ("run", str(random.randint(1, 70)))]
    return random.sample(stops, random.randrange(3)) + random.choices(moves, k=6)


@pytest.mark.fuzz
@pytest.mark.parametrize("dialect", [cbpf.PCAP, cbpf.LINUX], ids=["pcap", "linux"])
def test_scans_find_the_positions_that_single_runs_find(dialect: cbpf.Dialect, rounds: Rounds, tmp_path: Path) -> None:
    for random in rounds(40, min_checked=0.6):
        program = cbpf.Program(random_programs.plausible(random))
        if cbpf.findings(program, dialect=dialect):
            continue
        rounds.checked()
        path = _capture(random, tmp_path / "random.pcap")
        commands = _commands(random, len(program))
        fast, slow = (_outcomes(_session(program, path, dialect, scans=scans), commands) for scans in (True, False))
        assert fast == slow, commands


@pytest.mark.slow
def test_machine_code_finds_the_positions_in_large_captures(tmp_path: Path) -> None:
    pytest.importorskip("llvmlite", reason="machine code needs llvmlite")
    path = tmp_path / "large.pcap"
    cbpf.write_capture(path, [packet.data.ljust(1000, b"\0") for packet in PACKETS] * 20)  # above 16 MB
    program = cbpf.source_map("udp dst port 53 and len < 2000").program
    goals = [("until", goal) for goal in ("reject", "accept", "14 false", "16", "branch", "A == 0x35", "len < 40")]
    stops = [("breakpoint", "14 if A == 53"), ("breakpoint", "15"), ("watch", "M[1]"), ("watch", "[40:2]")]
    commands = [step for stop in stops for step in (stop, ("run", ""), *goals, ("run", "5000"), ("run", ""))]
    fast, slow = (_outcomes(_session(program, str(path), cbpf.PCAP, scans=scans), commands) for scans in (True, False))
    assert fast == slow


@pytest.mark.parametrize(
    "pairs", [750, pytest.param(32_766, marks=pytest.mark.slow)], ids=["1,503 instructions", "65,535 instructions"]
)
def test_long_programs_are_searched(pairs: int, tmp_path: Path) -> None:
    tests = "".join(f"jeq #{number % 256}, n{number}, n{number}\nn{number}: add #1\n" for number in range(pairs))
    program = cbpf.parse(f"ldb [0]\n{tests}ret a\nret #0\n")
    path = str(tmp_path / "few.pcap")
    cbpf.write_capture(path, [bytes([number]) for number in range(8)] + [b""])
    last = len(program) - 2
    session = _session(program, path, cbpf.PCAP, scans=True)
    commands = [("until", f"{last}"), ("until", "reject"), ("until", "15 true"), ("run", "")]
    assert _outcomes(session, commands) == [
        *(True, (1, last)),
        *(True, (9, 0)),
        *(False, (9, 0)),
        *(["bpf passes:8 fails:1"], (1, None)),
    ]


def test_programs_with_an_outcome_accept_where_traces_have_it() -> None:
    program = cbpf.source_map("tcp port 443 or udp port 53").program
    vm = cbpf.VM(program)
    traces = {packet.number: list(vm.trace(packet.data)) for packet in PACKETS[:300]}
    for index, raw in enumerate(program):
        if len(raw.successors(index)) == 2:
            for taken in (True, False):
                derived = with_outcome(program, index, taken=taken)
                assert derived is not None
                run = cbpf.VM(derived).run
                accepted = {packet.number for packet in PACKETS[:300] if run(packet.data)}
                expected = {
                    n for n, steps in traces.items() if any((s.index, s.taken) == (index, taken) for s in steps)
                }
                assert accepted == expected


def test_a_jump_that_cannot_be_longer_has_no_program_for_outcomes() -> None:
    program = cbpf.parse(
        "ldb [0]\njeq #1, far, near\nnear: jeq #2, far, next\nnext:" + "ld #1\n" * 253 + "far: ret a\n"
    )
    assert with_outcome(program, 2, taken=True) is None
    assert with_outcome(program, 1, taken=True) is not None


def test_an_interrupted_scan_begins_again() -> None:
    def read() -> Iterator["array[int]"]:
        yield array("I", [0, 0])
        if next(interruptions, False):
            raise KeyboardInterrupt
        yield array("I", [0, 7])

    interruptions = iter([True])
    scan = VerdictScan(read, bool)
    with pytest.raises(KeyboardInterrupt):
        scan.find(1)
    assert [scan.find(start) for start in (1, 3, 4, 5, 1)] == [4, 4, 4, None, 4]
    counts = [scan.count(start, stop) for start, stop in ((1, None), (2, 4), (4, 9), (5, None), (1, 4))]
    assert [(found.accepted, found.rejected) for found in counts] == [(1, 3), (0, 2), (1, 0), (0, 0), (0, 3)]


def test_the_end_of_a_capture_is_searched_once_for_a_command() -> None:
    reads: list[int] = []

    def read() -> Iterator["array[int]"]:
        reads.append(1)
        yield array("I", [1] + [0] * 9 + [7] * (len(reads) - 1))

    scan = VerdictScan(read, bool)
    assert [scan.find(start) for start in range(2, 10)] == [None] * 8
    assert len(reads) == 1
    scan.forget_end()
    assert scan.find(2) == 11  # the capture has grown


def test_many_searches_do_not_keep_the_capture_open_many_times() -> None:
    session = Session(Settings(cbpf.PCAP, as_socket=False, optimizer=None))
    session.load(cbpf.parse("ldb [0]\n" * 200 + "ret a\n"), TRAFFIC, 1)
    before = len(os.listdir("/dev/fd"))
    for index in range(130):
        session.select(1)
        session.stops.breakpoints = [parse_breakpoint(f"{index} if A == 5", 201)]
        list(session.resume(None))
    assert len(os.listdir("/dev/fd")) < before + 100


def _scans_of(expression: str, path: Path) -> object:
    session = Session(Settings(cbpf.PCAP, as_socket=False, optimizer=None))
    session.load(expression, str(path), 1)
    return session._current_scans()


@pytest.mark.parametrize(("linktypes", "is_scanned"), [((1, 1), True), ((1, 101), False)])
def test_captures_with_several_programs_are_run_packet_by_packet(
    linktypes: tuple[int, ...], is_scanned: bool, tmp_path: Path
) -> None:
    build = Pcapng()
    interfaces = [build.interface(linktype) for linktype in linktypes]
    records = [build.enhanced(PACKETS[205].data, interface=index) for index in range(len(linktypes))]
    path = tmp_path / "interfaces.pcapng"
    path.write_bytes(b"".join([build.section(), *interfaces, *records]))
    assert (_scans_of("tcp", path) is not None) is is_scanned


def test_programs_that_draw_numbers_are_run_packet_by_packet() -> None:
    session = Session(Settings(cbpf.LINUX, as_socket=False, optimizer=None))
    session.load(cbpf.parse("ld rand\nret a\n"), TRAFFIC, 1)
    assert session._current_scans() is None
