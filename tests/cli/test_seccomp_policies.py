"""The subcommands of `cbpf seccomp` that write policies: as programs, as policy files, and in their canonical form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from support.command_line import run_here as run

pytest.importorskip("system_calls", reason="names of system calls need system-calls")

POLICY: Final = """\
default = "errno(EPERM)"
architectures = ["x86_64", "i386"]
other-architectures = "kill_process"

[[rule]]
calls = ["read", "write"]
action = "allow"
"""
PROFILE: Final = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "architectures": ["SCMP_ARCH_S390X"],
    "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}],
}


def run_here(*arguments: str) -> tuple[int, str, str]:
    """Return the exit code and the texts of a command of `cbpf seccomp`."""
    code, out, err = run("seccomp", *arguments)
    return code, out.decode(), err


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with policies, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.toml").write_text(POLICY)
    (tmp_path / "profile.json").write_text(json.dumps(PROFILE))
    return tmp_path


def test_write_and_policy_are_inverse(folder: Path) -> None:
    assert run_here("write", "policy.toml", "-w", "filter.bpf") == (0, "", "")
    data = (folder / "filter.bpf").read_bytes()
    assert cbpf.Program.from_bytes(data, byte_order="little") == cbpf.seccomp.read_policy(POLICY).program()
    assert run_here("policy", "filter.bpf") == (0, POLICY, "")


def test_raw_programs_have_the_byte_order_of_the_architecture() -> None:
    code, out, _ = run("seccomp", "write", "profile.json")
    assert code == 0
    program = cbpf.Program.from_bytes(out, byte_order="big")
    cbpf.verify(program, dialect=cbpf.seccomp.ARCHITECTURES["s390x"].dialect)
    _, text, _ = run_here("write", "--goal", "size", "--to", "asm", "profile.json")
    assert cbpf.parse(text)[0] == cbpf.RawInstruction(0x20, 0, 0, 4)


def test_a_stack_is_written_as_one_program(folder: Path) -> None:
    for number in (101, 321):
        (folder / f"{number}.asm").write_text(f"ld [0]\njeq #{number}, 0, 1\nret #0x50001\nret #0x7fff0000\n")
    assert run_here("write", "101.asm", "321.asm", "-w", "both.bpf")[0] == 0
    assert run_here("diff", "101.asm", "321.asm", "--", "both.bpf")[0] == 0


@pytest.fixture
def library() -> Any:
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        pytest.skip(f"comparisons need pyseccomp: {error}")
    return pyseccomp


def test_profiles_are_compiled_by_libseccomp(library: Any, folder: Path) -> None:
    (folder / "profile.json").write_text(json.dumps(PROFILE | {"architectures": ["SCMP_ARCH_X86_64"]}))
    assert run_here("write", "--libseccomp", "profile.json", "-w", "theirs.bpf") == (0, "", "")
    assert run_here("diff", "theirs.bpf", "profile.json")[0] == 0
    code, out, err = run_here("write", "--libseccomp", "policy.toml", "profile.json")
    assert (code, out) == (2, "")
    assert "--libseccomp requires one profile" in err


def test_errors_of_libseccomp_are_reported_with_a_call(
    library: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it forgets each entry for `write`."""
    add = library.SyscallFilter.add_rule

    def forget(self: Any, action: int, name: str, *arguments: Any) -> None:
        if name != "write":
            add(self, action, name, *arguments)

    monkeypatch.setattr(library.SyscallFilter, "add_rule", forget)
    entry = {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}
    text = json.dumps(PROFILE | {"architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "syscalls": [entry]})
    (folder / "profile.json").write_text(text)
    code, out, err = run_here("write", "--libseccomp", "profile.json", "-w", "theirs.bpf")
    fact = "profile.json: 2 differences between the profile and libseccomp's program; the first: "
    assert (code, out) == (1, "")
    assert err == f"cbpf: {fact}write(0, 0, 0) on i386: allow -> errno(EPERM)\n"
    assert run_here("diff", "profile.json", "theirs.bpf")[0] == 1


def test_a_profile_needs_the_names_of_system_calls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbpf.seccomp.profiles.reading.names_available", lambda: False)
    for options in ([], ["--libseccomp"], ["--enosys"]):
        code, out, err = run_here("write", *options, "profile.json", "-w", "filter.bpf")
        assert (code, out) == (2, "")
        assert "pip install 'cbpf[seccomp]'" in err


def test_numbers_beyond_a_profile_give_enosys(folder: Path) -> None:
    assert run_here("write", "--enosys", "profile.json", "-w", "filter.bpf") == (0, "", "")
    policy = cbpf.seccomp.read_profile((folder / "profile.json").read_text(), enosys=True).policy
    data = (folder / "filter.bpf").read_bytes()
    assert cbpf.Program.from_bytes(data, byte_order="big") == policy.program()
    code, _, err = run_here("write", "--enosys", "--libseccomp", "profile.json")
    assert code == 2
    assert "--enosys and --libseccomp are mutually exclusive" in err


def test_the_canonical_form(folder: Path) -> None:
    assert run_here("format", "--check", "policy.toml") == (0, "", "")
    (folder / "policy.toml").write_text(POLICY.replace("errno(EPERM)", "ERRNO"))
    line = "policy.toml: not in canonical form; cbpf seccomp format policy.toml -w policy.toml rewrites it\n"
    assert run_here("format", "--check", "policy.toml") == (1, line, "")
    assert run_here("format", "policy.toml", "-w", "policy.toml") == (0, "", "")
    assert (folder / "policy.toml").read_text() == POLICY
    assert "--check and -w are mutually exclusive" in run_here("format", "--check", "policy.toml", "-w", "-")[2]


def test_errors_are_one_line(folder: Path) -> None:
    (folder / "policy.toml").write_text(POLICY.replace('"read"', '"raed"'))
    for command in ("write", "policy"):
        code, out, err = run_here(command, "policy.toml")
        fact = "policy.toml: rule 1 (line 5): calls: 'raed' is not a system call of x86_64, i386; did you mean 'read'?"
        assert (code, out, err) == (2, "", f"cbpf: {fact}\n")
