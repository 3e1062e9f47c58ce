"""Captures of system calls: a seccomp filter accepts those that the kernel runs, with every engine and command."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import cbpf
from cbpf.isa.verdicts import SECCOMP_ACTIONS
from support.command_line import CommandLine
from support.project import ENGINES

CALLS = [(bytes([number]) + bytes(63), 64) for number in range(4)]
VERDICTS = [action.value for action in SECCOMP_ACTIONS.values()] + [0x0005_0001, 0x7FFF_0007, 0x1234_5678]
RUNS = {0x7FFC_0000, 0x7FFF_0000, 0x7FFF_0007}  # LOG and ALLOW, man 2 seccomp


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    path = tmp_path / "calls.pcap"
    cbpf.write_capture(path, CALLS, link_type="RAW")
    return path


def number_is_2(verdict: int) -> cbpf.Program:
    """Return a program that gives a verdict on system call 2, and kills the thread of any other."""
    load, test = cbpf.LoadAbsolute(0, 4), cbpf.JumpIf(cbpf.JumpTest.EQUAL, int.from_bytes(b"\2\0\0\0", "little"), 0, 1)
    return cbpf.Program([load, test, cbpf.RetConstant(verdict), cbpf.RetConstant(0)])


@pytest.mark.parametrize("verdict", VERDICTS, ids=hex)
@pytest.mark.parametrize("engine", ENGINES)
def test_filters_accept_the_calls_that_run(engine: Any, verdict: int, calls: Path) -> None:
    program, accepted = number_is_2(verdict), int(verdict in RUNS)
    options: dict[str, Any] = {"dialect": cbpf.SECCOMP, "engine": engine}
    assert cbpf.filter_capture(calls, None, program, **options).packets_accepted == accepted
    assert cbpf.filter_capture(calls, None, program, invert=True, **options).packets_accepted == 4 - accepted
    vm = cbpf.VM(program, **options)
    assert cbpf.filter_capture(calls, None, vm).packets_accepted == accepted
    summaries = cbpf.split_capture(calls, [(program, BytesIO())], rest=BytesIO(), **options)
    assert [summary.packets_accepted for summary in summaries] == [accepted, 4 - accepted]


@pytest.mark.parametrize("verdict", VERDICTS, ids=hex)
def test_execution_counts_agree(verdict: int, calls: Path) -> None:
    counts = cbpf.execution_counts(number_is_2(verdict), cbpf.read_capture(calls), dialect=cbpf.SECCOMP)
    assert counts.accepted == (verdict in RUNS)


def test_commands_agree(cli: CommandLine, calls: Path, tmp_path: Path) -> None:
    kill, capture = str(tmp_path / "kill"), str(calls)
    Path(kill).write_text(cbpf.render(number_is_2(0x8000_0000), "asm"))
    options = ["--dialect", "seccomp"]
    assert cli("filter", "-q", *options, "--program", kill, "-r", capture, "--count").stdout == b"0\n"
    assert b"4, 0 accepted" in cli("stats", *options, kill, "-r", capture).stdout
    assert b"KILL_PROCESS (verdict 0x80000000)" in cli("cases", *options, kill).stdout
    assert b"KILL_PROCESS (verdict 0x80000000)" in cli("trace", *options, kill, capture, "-n", "3").stdout
