"""Bad input of `cbpf seccomp`: each fault is one line with the place, the fact and the rule."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from cbpf.seccomp.kernel import processes
from support.command_line import run_here
from support.forked import in_child
from support.judges import kernel

pytest.importorskip("system_calls", reason="names of system calls need system-calls")

ALLOW: Final = cbpf.Program([cbpf.RetConstant(0x7FFF_0000)])
FILTER: Final = cbpf.parse("ld [4]\njeq #0xc000003e, 0, 1\nret #0x7fff0000\nret #0")
ENTRY: Final[dict[str, Any]] = {"names": ["read"], "action": "SCMP_ACT_ALLOW"}
PROFILE: Final[dict[str, Any]] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "architectures": ["SCMP_ARCH_X86_64"],
    "syscalls": [ENTRY],
}


def profile(**parts: Any) -> bytes:
    return json.dumps(PROFILE | parts).encode()


def entry(**parts: Any) -> bytes:
    return profile(syscalls=[ENTRY | parts])


def argument(**parts: Any) -> bytes:
    return entry(args=[{"index": 0, "op": "SCMP_CMP_EQ", "value": 5} | parts])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def failure(*arguments: str) -> str:
    """Return the message of a command that fails."""
    code, out, err = run_here("seccomp", *arguments)
    assert (code, out) == (2, b"")
    assert err.startswith("cbpf: ")
    assert err.count("\n") == 1
    return err.removeprefix("cbpf: ").removesuffix("\n")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "program: has no instructions; a program has at least one [empty]"),
        (bytes(FILTER)[:-3], "byte 24: truncated instruction (5 of 8 bytes); the length must be a multiple of 8"),
        (bytes(range(64)), "byte 0: not a program: 8 of 8 instructions have an undefined opcode; cbpf convert"),
        (b"\x7fELF" + bytes(60), "byte 0: not a program: this is an ELF file; an eBPF object has no classic BPF"),
        (profile(defaultAction="SCMP_ACT_ERNO"), "defaultAction: 'SCMP_ACT_ERNO' is not an action; did you mean "),
        (json.dumps({"syscalls": [ENTRY]}).encode(), "defaultAction: missing; a profile has one of SCMP_ACT_KILL, "),
        (
            entry(action="SCMP_ACT_ALOW"),
            "syscalls[0].action: 'SCMP_ACT_ALOW' is not an action; did you mean ",
        ),
        (argument(op="SCMP_CMP_E"), "syscalls[0].args[0].op: 'SCMP_CMP_E' is not an operator; did you mean 'SCMP_CMP_"),
        (argument(value=2**64), f"syscalls[0].args[0].value: {2**64} is out of range (0..{2**64 - 1})"),
        (argument(value=0.5), f"syscalls[0].args[0].value: 0.5 is not an integer (0..{2**64 - 1})"),
        (
            profile(architectures=["SCMP_ARCH_X86_46"]),
            "architectures[0]: unknown architecture 'SCMP_ARCH_X86_46'; did you mean 'SCMP_ARCH_X86_64'?",
        ),
        (
            profile(archMap=[{"architecture": "SCMP_ARCH_X86_64"}]),
            "architectures: given beside archMap; a profile has one of them",
        ),
        (b'{"defaultAction": "\xff"}', "line 1, column 20: byte 0xff (offset 19) is not UTF-8 text"),
        (b'default = "\xff"', "line 1, column 12: byte 0xff (offset 11) is not UTF-8 text"),
        (b'{"defaultAction": "SCMP', "line 1, column 19: Unterminated string; a profile is a JSON object"),
        (b'default = "errno(EPRM)"\n', "default: 'errno(EPRM)': 'eprm' is not the name of an error, or a number (0.."),
    ],
)
def test_files_that_are_not_filters(data: bytes, message: str, folder: Path) -> None:
    (folder / "bad").write_bytes(data)
    for command in ("show", "audit", "write", "policy"):
        assert failure(command, "bad").startswith(f"bad: {message}")


def test_what_a_profile_names_wrongly_is_left_out(folder: Path) -> None:
    """As in runtimes, which skip it."""
    (folder / "profile.json").write_bytes(entry(names=["raed", "read"], includes={"caps": ["CAP_CHOWN", "CAP_CHWON"]}))
    code, _, err = run_here("seccomp", "show", "profile.json")
    assert code == 0
    assert err.splitlines()[1:] == [
        "  syscalls[0].includes.caps: unknown capability 'CAP_CHWON'; did you mean 'CAP_CHOWN'?",
        "  raed, read: only with CAP_CHWON",
    ]
    (folder / "profile.json").write_bytes(entry(names=["raed", "read"], excludes={"caps": ["CAP_CHWON"]}))
    code, _, err = run_here("seccomp", "show", "profile.json")
    assert code == 0
    assert err.splitlines()[1:] == [
        "  syscalls[0].excludes.caps: unknown capability 'CAP_CHWON'; did you mean 'CAP_CHOWN'?",
        "  raed: unknown system call; did you mean 'read'?",
    ]


def test_filters_of_another_byte_order_are_recognised(folder: Path) -> None:
    (folder / "swapped.bpf").write_bytes(FILTER.to_bytes(byte_order="big"))
    (folder / "filter.bpf").write_bytes(FILTER.to_bytes(byte_order="little"))
    shown = [run_here("seccomp", "show", "--arch", "x86_64", name) for name in ("swapped.bpf", "filter.bpf")]
    assert shown[0] == shown[1]
    assert shown[0][0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "--pid", "4194304"], "process 4194304: it does not exist"),
        (["show", "--pid", "4194305"], "Invalid value for '--pid': 4194305 is not in the range 1<=x<=4194304"),
        (["show", "--trace", "--", "./file"], "./file: it is not executable"),
        (["run", "filter.bpf", "--", "./file"], "./file: it is not executable"),
        (["run", "filter.bpf", "--", "./none"], "./none: no such command"),
        (["show", "--call", "4294967296", "filter.bpf"], "--call: 4294967296 is out of range (0..4294967295)"),
        (["show", "--call", "-1", "filter.bpf"], "--call: -1 is out of range (0..4294967295)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_processes_commands_and_calls_that_do_not_exist(arguments: list[str], message: str, folder: Path) -> None:
    (folder / "filter.bpf").write_bytes(bytes(FILTER))
    (folder / "file").touch(mode=0o644)
    assert failure(*arguments).startswith(message)


@pytest.mark.skipif(kernel.seccomp_available() is not None, reason=str(kernel.seccomp_available()))
@pytest.mark.skipif(os.geteuid() != 0, reason="without root, no process loses the right to trace")
def test_without_the_right_to_trace() -> None:
    def child() -> str:
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
        return failure("show", "--pid", str(process))

    process = os.fork()
    if process == 0:
        try:
            cbpf.seccomp.install(ALLOW)
            os.kill(os.getpid(), 19)  # SIGSTOP
        finally:
            os._exit(0)
    try:
        os.waitpid(process, os.WUNTRACED)
        fact = "this process must not trace it; reading filters needs CAP_SYS_ADMIN in the initial user namespace"
        assert in_child(child).startswith(f"process {process}: {fact}")
    finally:
        os.kill(process, 9)
        os.waitpid(process, 0)


def test_kernels_without_seccomp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their /proc/PID/status lacks the field."""
    monkeypatch.setattr(processes, "_status", lambda thread: {"Tgid": str(thread)})
    fact = "this kernel has no seccomp filters; it needs CONFIG_SECCOMP_FILTER"
    assert failure("show", "--pid", "1") == f"process 1: {fact}"
