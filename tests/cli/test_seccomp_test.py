"""`cbpf seccomp test` and `cbpf seccomp run`: tables of calls, and commands under filters."""

from __future__ import annotations

import os
import platform
import signal
import sys
from pathlib import Path
from typing import Final

import pytest

import cbpf
from cbpf.seccomp.names import system_calls
from support.command_line import run_here as run
from support.forked import in_child
from support.judges import kernel

pytest.importorskip("system_calls", reason="names of system calls need system-calls")

SECCOMP: Final = kernel.seccomp_available()
NATIVE: Final = platform.machine() if platform.machine() in cbpf.seccomp.ARCHITECTURES else "x86_64"
TABLE: Final = """
architectures = ["x86_64"]

[[test]]
calls = ["read"]
action = "allow"

[[test]]
calls = ["ptrace", "getpid"]
action = "errno(EPERM)"
"""
DENY: Final = "ld [0]\njeq #{number}, 0, 1\nret #{verdict:#x}\nret #0x7fff0000\n"


def run_here(*arguments: str) -> tuple[int, str, str]:
    """Return the exit code and the texts of a command of `cbpf seccomp`."""
    code, out, err = run("seccomp", *arguments)
    return code, out.decode(), err


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table and filters, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "calls.toml").write_text(TABLE)
    for name, number in (("ptrace", 101), ("getpid", 39)):
        (tmp_path / f"{name}.asm").write_text(DENY.format(number=number, verdict=0x50001))
    (tmp_path / "allow.asm").write_text("ret #0x7fff0000")
    return tmp_path


def test_a_table_that_passes() -> None:
    assert run_here("test", "calls.toml", "ptrace.asm", "getpid.asm") == (0, "2 tests, 3 calls: all pass\n", "")


def test_each_test_that_fails_is_a_line_with_the_deciding_filter() -> None:
    place = "calls.toml: test 2 (line 8)"
    fact = "x86_64 getpid(): expected errno(EPERM), got allow from allow.asm"
    assert run_here("test", "calls.toml", "ptrace.asm", "allow.asm") == (
        1,
        f"{place}: {fact}\n1 of 2 tests fail (3 calls)\n",
        "",
    )


def test_calls_without_names_are_numbers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "calls.toml").write_text('[[test]]\ncalls = [101]\narchitectures = ["x86_64"]\naction = "allow"\n')
    system_calls._tables.cache_clear()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(system_calls, "_library", lambda: None)
            code, out, err = run_here("test", "calls.toml", "ptrace.asm")
    finally:
        system_calls._tables.cache_clear()
    assert (code, err.count("\n")) == (1, 1)
    assert "x86_64 number 101: expected allow, got errno(EPERM) from ptrace.asm" in out
    assert "pip install 'cbpf[seccomp]'" in err


def test_the_table_may_be_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbpf.cli.commands.seccomp.test.read_bytes", lambda path: TABLE.encode())
    assert run_here("test", "-", "allow.asm")[1].startswith("standard input: test 2 (line 8): x86_64 ptrace(")


@pytest.mark.skipif(SECCOMP is not None or NATIVE != "x86_64", reason=SECCOMP or "x86-64 only")
def test_decisions_of_the_kernel_and_calls_without_them(folder: Path) -> None:
    assert run_here("test", "--on-kernel", "calls.toml", "ptrace.asm", "getpid.asm")[::2] == (0, "")
    table = TABLE + '[[test]]\narchitectures = ["aarch64"]\ncalls = ["read", "write"]\naction = "allow"\n'
    (folder / "calls.toml").write_text(table)
    code, out, err = run_here("test", "--on-kernel", "calls.toml", "ptrace.asm", "getpid.asm")
    reason = "only calls of x86_64, x32 and i386 can be made"
    assert (code, out) == (0, "3 tests, 5 calls: all pass\n")
    assert err == f"cbpf: warning: 2 calls not made on the kernel: {reason}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("test", "expected TABLE, and then FILTER (see cbpf seccomp test --help)"),
        ("test -", "TABLE and FILTER cannot both be standard input (see cbpf seccomp test --help)"),
        ("test missing.toml allow.asm", "missing.toml: No such file or directory"),
        ("test allow.asm allow.asm", "allow.asm: line 1, column 5: "),
        ("test calls.toml calls.toml", "calls.toml: "),
        ("test calls.toml allow.asm --pid 1", "FILTER and --pid are mutually exclusive (see cbpf seccomp test --help)"),
        ("test calls.toml allow.asm -- true", "-- COMMAND requires --trace (see cbpf seccomp test --help)"),
        ("test --on-kernel calls.toml pointer.asm", "--on-kernel: filter 1: it loads the instruction pointer"),
        ("run", "expected FILTER -- COMMAND (see cbpf seccomp run --help)"),
        ("run allow.asm", "expected FILTER -- COMMAND (see cbpf seccomp run --help)"),
        ("run -- true", "expected FILTER -- COMMAND (see cbpf seccomp run --help)"),
        ("run allow.asm -- no-such-command", "no-such-command: no such command"),
        ("run missing.bpf -- true", "missing.bpf: No such file or directory"),
        ("run packet.asm -- true", "packet.asm: instruction 0: "),
        ("run big.toml -- true", "big.toml: the filter is for big-endian machines, and this one is little-endian"),
        ("run --pid 1 allow.asm -- true", "No such option"),
    ],
)
def test_errors_are_one_line(arguments: str, message: str, folder: Path) -> None:
    if sys.byteorder == "big" and "big.toml" in arguments:
        pytest.skip("little-endian machines only")
    if "--on-kernel" in arguments and (SECCOMP is not None or NATIVE != "x86_64"):
        pytest.skip(SECCOMP or "x86-64 only")
    (folder / "pointer.asm").write_text("ld [8]\nret #0x7fff0000")
    (folder / "packet.asm").write_text("ldh [12]\nret #0x7fff0000")
    (folder / "big.toml").write_text('default = "allow"\narchitectures = ["s390x"]\n')
    code, out, err = run_here(*arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith("cbpf: ")
    assert message in err
    assert err.count("\n") == 1 or "calls.toml calls.toml" in arguments  # a program has an excerpt below the message


@pytest.mark.skipif(SECCOMP is not None, reason=str(SECCOMP))
class TestRun:
    """Commands under filters; each replaces a child process."""

    @staticmethod
    def run(*arguments: str) -> tuple[int, str, str]:
        """Return the exit code and the texts of `cbpf seccomp run`, which replaces a child."""

        def child() -> tuple[int, str]:
            for descriptor, name in ((1, "out"), (2, "err")):
                os.dup2(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), descriptor)
            result = run("seccomp", "run", *arguments)
            return result.exit_code, result.stderr

        result = in_child(child)
        code, err = (result, Path("err").read_text()) if isinstance(result, int) else result
        return code, Path("out").read_text(), err

    def test_the_command_runs_under_all_filters(self) -> None:
        code, out, err = self.run("ptrace.asm", "allow.asm", "--", "cat", "/proc/self/status")
        status = dict(line.split(":\t", 1) for line in out.splitlines() if ":\t" in line)
        assert (code, err, status["Seccomp"], status["NoNewPrivs"]) == (0, "", "2", "1")
        own = [line for line in Path("/proc/self/status").read_text().splitlines() if "Seccomp_filters" in line]
        if own:  # Linux 5.9
            assert int(status["Seccomp_filters"]) == int(own[0].split()[1]) + 2

    def test_the_filter_decides_and_the_exit_code_is_that_of_the_command(self, folder: Path) -> None:
        names = [name for name in ("mkdir", "mkdirat") if name in cbpf.seccomp.call_names(NATIVE)]
        (folder / "policy.toml").write_text(
            f'default = "allow"\narchitectures = ["{NATIVE}"]\n[[rule]]\ncalls = {names}\naction = "errno(EXDEV)"\n'
        )
        code, out, err = self.run("policy.toml", "--", "mkdir", "made")
        assert (code, out, bool(err)) == (1, "", True)
        assert not (folder / "made").exists()
        assert self.run("policy.toml", "--", "sh", "-c", "exit 7")[0] == 7

    def test_a_filter_that_denies_execve(self, folder: Path) -> None:
        for verdict, expected in ((0x5000D, 2), (0x80000000, -signal.SIGSYS)):
            number = cbpf.seccomp.call_number(NATIVE, "execve")
            (folder / "deny.asm").write_text(DENY.format(number=number, verdict=verdict))
            code, _, err = self.run("deny.asm", "--", "true")
            assert code == expected
            if code == 2:
                assert err.startswith("cbpf: seccomp: ")
                assert err.endswith(
                    "/true cannot be executed under the filters: Permission denied; they must allow execve\n"
                )

    def test_the_kernel_logs_with_the_option(self) -> None:
        assert self.run("--log", "ptrace.asm", "--", "true") == (0, "", "")

    def test_the_command_has_the_default_actions_of_signals(self) -> None:
        """Python ignores SIGPIPE, and a command would inherit that."""
        _, out, _ = self.run("allow.asm", "--", "grep", "SigIgn", "/proc/self/status")
        assert not int(out.split()[1], 16) & 1 << signal.SIGPIPE - 1
