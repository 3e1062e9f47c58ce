"""The subcommands of `cbpf seccomp`: their sources of filters, their output, and their exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import cbpf
from cbpf import seccomp
from cbpf.seccomp.diagrams.decision_diagram import DecisionDiagram
from cbpf.seccomp.names import system_calls
from support.command_line import CommandLine, run_here
from support.filtered_processes import numbered, process_under

POLICY: Final = """
default = "errno(EPERM)"
architectures = ["x86_64", "i386"]

[[rule]]
calls = ["read", "write", "exit_group"]
action = "allow"

[[rule]]
calls = ["socket"]
if = "family = AF_UNIX"
action = "allow"
"""
PROFILE: Final = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["bpf", "mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["getpid"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.1"}},
    ],
}
DENY: Final = "ld [0]\njeq #{number}, 0, 1\nret #0x50001\nret #0x7fff0000\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with filters, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.toml").write_text(POLICY)
    (tmp_path / "profile.json").write_text(json.dumps(PROFILE))
    (tmp_path / "bpf.asm").write_text(DENY.format(number=321))
    stack = tmp_path / "stack"
    stack.mkdir()
    for index, number in enumerate((101, 321)):
        (stack / f"{index}.bpf").write_bytes(cbpf.render_bytes(cbpf.parse(DENY.format(number=number)), "raw"))
    (stack / ".hidden").write_text("not a filter")
    return tmp_path


def _shown(*arguments: str) -> str:
    code, out, err = run_here("seccomp", "show", "--arch", "x86_64", *arguments)
    assert (code, err) == (0, "")
    return out.decode()


def _failure(*arguments: str) -> str:
    code, out, err = run_here("seccomp", *arguments)
    assert (code, out, err.count("\n")) == (2, b"", 1)
    return err


def test_a_policy_file_is_shown(folder: Path) -> None:
    assert (
        _shown("policy.toml")
        == """\
x86_64
  allow           exit_group, read, write
  kill_process    0x80000000 to 0xfffffffe
  errno(EPERM)    all others
  socket          allow if family = AF_UNIX, else errno(EPERM)
  (not filtered)  uprobe, uretprobe: Linux never filters them

x32, other architectures
  kill_process  all calls

i386
  allow         exit_group, read, write
  errno(EPERM)  all others
  socket        allow if family = AF_UNIX, else errno(EPERM)
"""
    )


STACK_TEXT: Final = """\
all architectures, with the names of x86_64
  errno(EPERM)  bpf, ptrace
  allow         all others
"""


def test_a_folder_and_several_files_are_stacks(folder: Path) -> None:
    assert _shown("stack") == _shown("stack/0.bpf", "stack/1.bpf") == _shown("stack/0.bpf", "bpf.asm") == STACK_TEXT


def test_a_stack_of_a_policy_and_programs_is_one_policy(folder: Path) -> None:
    text = _shown("policy.toml", "stack")
    assert text.startswith("x86_64\n  allow           exit_group, read, write\n")


def test_standard_input_is_the_default(folder: Path, cli: CommandLine) -> None:
    data = Path("stack/0.bpf").read_bytes()
    expected = (0, _shown("stack/0.bpf").encode(), "")
    assert cli("seccomp", "show", "--arch", "x86_64", stdin=data) == expected
    assert cli("seccomp", "show", "--arch", "x86_64", "-", stdin=data) == expected


def test_filters_of_the_other_byte_order_are_recognised(folder: Path) -> None:
    """The first architecture that a program tests decides the byte order of its records; else that of its bytes."""
    text = "ld [4]\njne #0x80000016, kill\nld [0]\njeq #359, 0, kill\nld [20]\njeq #1, 0, kill\nret #0x7fff0000\n"
    program = cbpf.parse(text + "kill: ret #0")
    shown = b"s390x\n  kill_thread  all others\n  socket       allow if family & 0xffffffff = AF_UNIX, else"
    for format in ("raw-swapped", "raw", "c"):
        Path("s390x").write_bytes(cbpf.render_bytes(program, format))
        code, out, err = run_here("seccomp", "show", "s390x")
        assert (code, err) == (0, "")
        assert out.startswith(shown)
    Path("swapped").write_bytes(cbpf.render_bytes(cbpf.parse("ld [20]\njeq #1, 0, 1\nret #0\nret #1"), "raw-swapped"))
    assert b"if arg0 & 0xffffffff = 1" in run_here("seccomp", "show", "swapped").stdout


def test_a_profile_is_resolved_for_capabilities_and_a_kernel(folder: Path) -> None:
    code, out, err = run_here("seccomp", "show", "--arch", "amd64", "--kernel-version", "5.10", "profile.json")
    assert code == 0
    assert out.startswith(b"x86_64\n  allow           read, write\n")
    assert (
        err
        == """\
cbpf: profile.json: left out of the policy:
  bpf, mount: only with CAP_SYS_ADMIN
  getpid: only for Linux 6.1 and later
"""
    )
    code, out, err = run_here("seccomp", "show", "--arch", "x86_64", "--cap", "sys_admin", "profile.json")
    assert (code, err) == (0, "")
    assert out.startswith(b"x86_64\n  allow           bpf, getpid, mount, read, write\n")


def test_numbers_serve_without_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "system_calls", None)
    Path("numbers.asm").write_text(
        "ld [4]\njne #0xc000003e, allow\nld [0]\njeq #101, deny\njeq #335, deny\njne #41, allow\nld [16]\n"
        "jne #38, allow\ndeny: ret #0x50001\nallow: ret #0x7fff0000\n"
    )
    caches = (system_calls._library, system_calls._tables)
    for cached in caches:
        cached.cache_clear()
    try:
        code, out, err = run_here("seccomp", "show", "numbers.asm")
        assert _failure("show", "--call", "bpf", "bpf.asm").startswith("cbpf: names of system calls need system-calls")
        assert run_here("seccomp", "show", "--call", "101", "--arch", "arm", "numbers.asm").exit_code == 0
    finally:
        for cached in caches:
            cached.cache_clear()
    assert (code, err.count("pip install 'cbpf[seccomp]'")) == (0, 1)
    assert (
        out.decode()
        == """\
x86_64
  errno(EPERM)    101
  allow           all others
  41              allow if arg0 & 0xffffffff != 38, else errno(EPERM)
  (not filtered)  335: Linux never filters it

x32, other architectures
  allow  all calls
"""
    )


def test_one_call_is_shown_on_each_architecture_with_its_trace(folder: Path) -> None:
    assert (
        _shown("--call", "bpf", "bpf.asm")
        == """\
bpf
  x86_64  errno(EPERM)
  x32, i386, aarch64, arm, riscv64, loongarch64, ppc64le, mipsel, mipsel64,
  mipsel64n32
          allow

x86_64 bpf(0, 0, 0): errno(EPERM)
  (000) ld       [0]                                  number
  (001) jeq      #0x141           jt 2 jf 3           number = 321 (bpf)
  (002) ret      #0x50001                             errno(EPERM)
"""
    )


def test_one_call_of_a_stack_is_decided_by_a_file(folder: Path) -> None:
    assert "x86_64 bpf(0, 0, 0): errno(EPERM), by bpf.asm, filter 2 of 2\n" in _shown(
        "--call", "bpf", "policy.toml", "bpf.asm"
    )
    assert "x86_64 read(0, 0, 0): allow, by policy.toml: rule 1 (line 5)\n" in _shown("--call", "read", "policy.toml")


def test_a_listing_has_the_names_of_what_it_tests(folder: Path) -> None:
    assert (
        _shown("--listing", "stack")
        == """\
filter 1 of 2
(000) ld       [0]                                  number
(001) jeq      #0x65            jt 2 jf 3           number = 101 (ptrace)
(002) ret      #0x50001                             errno(EPERM)
(003) ret      #0x7fff0000                          allow

filter 2 of 2
(000) ld       [0]                                  number
(001) jeq      #0x141           jt 2 jf 3           number = 321 (bpf)
(002) ret      #0x50001                             errno(EPERM)
(003) ret      #0x7fff0000                          allow
"""
    )


def test_json_and_markdown_are_those_of_the_library(folder: Path) -> None:
    policy = seccomp.read_policy(POLICY)
    found = seccomp.overview(policy, architecture="x86_64")
    assert json.loads(_shown("--json", "policy.toml")) == json.loads(json.dumps(found.as_dict()))
    assert _shown("--markdown", "policy.toml") == f"{found.markdown()}\n"


def test_differences_have_groups_and_exit_codes(folder: Path) -> None:
    Path("new.toml").write_text(POLICY.replace("AF_UNIX", "AF_INET").replace('"write", ', ""))
    code, out, err = run_here("seccomp", "diff", "policy.toml", "new.toml")
    assert (code, err) == (1, "")
    assert (
        out.decode()
        == """\
looser: new.toml allows calls that policy.toml does not
  x86_64, i386
    socket  errno(EPERM) -> allow if family = AF_INET, such as socket(2, 0, 0)

stricter: policy.toml allows calls that new.toml does not
  x86_64, i386
    allow -> errno(EPERM)  write
    socket                 allow -> errno(EPERM) if family = AF_UNIX, such as
                           socket(1, 0, 0)
"""
    )
    assert run_here("seccomp", "diff", "stack", "--", "stack/0.bpf", "bpf.asm") == (
        0,
        b"equal: both filters have the same action for every system call\n",
        "",
    )
    assert json.loads(run_here("seccomp", "diff", "--json", "stack", "stack").stdout) == {}
    title = b"## looser: new.toml allows calls that policy.toml does not\n\n### "
    assert run_here("seccomp", "diff", "--markdown", "policy.toml", "new.toml").stdout.startswith(title)


def test_an_implication_is_proved_or_refuted(folder: Path) -> None:
    implied = b"implied: RIGHT allows every system call that LEFT allows\n"
    assert run_here("seccomp", "implies", "stack", "bpf.asm") == (0, implied, "")
    code, out, _ = run_here("seccomp", "implies", "--arch", "x86_64", "bpf.asm", "stack")
    assert code == 1
    assert (
        out.decode()
        == """\
not implied: LEFT allows 1 class of calls that RIGHT does not allow

stricter: LEFT allows calls that RIGHT does not
  all architectures, with the names of x86_64
    allow -> errno(EPERM)  ptrace
"""
    )
    Path("other.asm").write_text(DENY.format(number=321).replace("50001", "50026"))
    implied = b"implied: other.asm allows every system call that bpf.asm allows\n"
    assert run_here("seccomp", "implies", "bpf.asm", "other.asm") == (0, implied, "")
    code, out, _ = run_here("seccomp", "implies", "--exact", "bpf.asm", "other.asm")
    assert code == 1
    assert out.startswith(
        b"not implied: bpf.asm and other.asm decide 1 class of calls differently, without those that only other.asm "
        b"allows\n\nother errno: both deny these calls, with different error numbers\n"
    )
    Path("same.asm").write_text(DENY.format(number=321))
    assert run_here("seccomp", "implies", "--exact", "bpf.asm", "same.asm").stdout == (
        b"implied: same.asm allows every system call that bpf.asm allows, and decides all others alike\n"
    )
    assert list(json.loads(run_here("seccomp", "implies", "--exact", "--json", "bpf.asm", "other.asm").stdout)) == [
        "other errno"
    ]


def test_sentences_have_the_names_of_files_without_folders_where_these_differ(folder: Path) -> None:
    for name in ("old/a.asm", "old/p.asm", "new/p.asm"):
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(DENY.format(number=321))
    ends = {
        ("old/a.asm", "new/p.asm"): "implied: p.asm allows every system call that a.asm allows\n",
        ("old/p.asm", "new/p.asm"): "implied: new/p.asm allows every system call that old/p.asm allows\n",
        ("old/p.asm", "old/p.asm"): "implied: RIGHT allows every system call that LEFT allows\n",
    }
    for paths, text in ends.items():
        assert run_here("seccomp", "implies", *paths) == (0, text.encode(), "")


INSTALLING: Final = """
import sys, cbpf
for text in sys.argv[1:]:
    cbpf.seccomp.install(cbpf.parse(text))
print("installed", flush=True)
sys.stdin.read()
"""


def test_the_filters_of_a_command_are_shown(folder: Path, cli: CommandLine) -> None:
    command = [sys.executable, "-c", INSTALLING, *(DENY.format(number=number) for number in (101, 321))]
    code, out, err = cli("seccomp", "show", "--arch", "x86_64", "--trace", "--", *command)
    if "must not trace" in err or "no seccomp" in err:
        pytest.skip(err)
    assert (code, out.decode(), err) == (0, f"installed\n{STACK_TEXT}", "")
    assert cli("seccomp", "diff", "stack", "--trace", "--", *command).exit_code == 0


def test_the_filters_of_a_process_are_shown(folder: Path, cli: CommandLine) -> None:
    if os.geteuid():
        pytest.skip("reading the filters of a process needs root")
    command = [sys.executable, "-c", INSTALLING, DENY.format(number=101), DENY.format(number=321)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        result = cli("seccomp", "show", "--arch", "x86_64", "--pid", str(process.pid))
        process.communicate()
    if "needs CAP_SYS_ADMIN" in result.stderr:
        pytest.skip(result.stderr)
    assert result == (0, STACK_TEXT.encode(), "")


@pytest.mark.skipif(os.geteuid() != 0, reason="reading the filters of a process needs root")
def test_threads_with_other_filters_are_named(folder: Path, cli: CommandLine) -> None:
    common, own = numbered(1), numbered(2)
    with process_under([common], of_threads=[[own], [], [own]]) as process:
        code, out, err = cli("seccomp", "show", "--pid", str(process))
        if "needs CAP_SYS_ADMIN" in err:
            pytest.skip(err)
        first, _, last = sorted(cbpf.seccomp.thread_filters(process))[1:]
        fact = f"its threads {first}, {last} have other filters; --pid {first} reads those of the first one"
        assert (code, err) == (0, f"cbpf: warning: process {process}: {fact}\n")
        assert b"x86_64" in out or b"all architectures" in out
        listing = cli("seccomp", "show", "--listing", "--pid", str(first))
        assert (listing.exit_code, listing.stderr) == (0, "")
        assert listing.stdout.count(b"filter ") == 2
    with process_under([common], of_threads=[[own]]) as process:
        thread = max(cbpf.seccomp.thread_filters(process))
        fact = f"its thread {thread} has other filters; --pid {thread} reads those of this thread"
        assert cli("seccomp", "show", "--pid", str(process)).stderr == f"cbpf: warning: process {process}: {fact}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["show", "--json", "--markdown", "bpf.asm"],
            "--call, --listing, --json and --markdown are mutually exclusive",
        ),
        (["show", "bpf.asm", "--", "true"], "-- COMMAND requires --trace (see cbpf seccomp show --help)"),
        (["show", "--trace"], "--trace requires -- COMMAND"),
        (["show", "--trace", "bpf.asm"], "FILTER and --trace are mutually exclusive"),
        (["show", "--pid", "1", "bpf.asm"], "FILTER and --pid are mutually exclusive"),
        (["show", "--pid", "1", "--trace", "--", "true"], "--pid, --trace and -- COMMAND are mutually exclusive"),
        (["show", "--trace", "--", "true"], "true: the command has installed no filter"),
        (["show", "--trace", "--", "no-such-command"], "no-such-command: no such command"),
        (["show", "--call", "sockt", "bpf.asm"], "no architecture has a system call 'sockt'; did you mean 'socket'?"),
        (["show", "--arch", "x68_64", "bpf.asm"], "--arch: unknown architecture 'x68_64'; did you mean 'x86_64'?"),
        (["show", "--cap", "sys_admn", "profile.json"], "--cap: 'sys_admn' is not the name of a capability"),
        (["show", "empty"], "empty: the folder has no files"),
        (["show", "long.c"], "long.c: program: has 4097 instructions; seccomp accepts at most 4096"),
        (["show", "nope"], "nope: No such file or directory"),
        (["show", "s390x.c", "bpf.asm"], "bpf.asm is for little-endian machines, s390x.c for big-endian ones"),
        (["show", "bad.toml"], "bad.toml: "),
        (["show", "bad.json"], "bad.json: "),
        (["diff", "bpf.asm"], "expected two filters, got 1"),
        (["diff", "--json", "--markdown", "bpf.asm", "bpf.asm"], "--json and --markdown are mutually exclusive"),
        (["implies", "a", "b", "c"], "expected two filters, got 3"),
        (["shwo"], "No such command 'shwo'; did you mean show? (see cbpf seccomp --help)"),
        (["bpf.asm"], "it is a file: cbpf seccomp show bpf.asm shows the policy of a filter"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_are_one_line(folder: Path, arguments: list[str], message: str) -> None:
    Path("empty").mkdir()
    Path("long.c").write_text("{ 0x6, 0, 0, 0 },\n" * 4097)
    Path("s390x.c").write_text(cbpf.render(cbpf.parse("ld [4]\njeq #0x80000016, 0, 1\nret #0x7fff0000\nret #0"), "c"))
    Path("bad.toml").write_text('default = "allow"\n[[rule]]\ncalls = ["no_such_call"]\naction = "allow"\n')
    Path("bad.json").write_text('{"defaultAction": "SCMP_ACT_ALOW", "syscalls": []}')
    assert message in _failure(*arguments)


def test_a_filter_beyond_the_limits_is_undecided(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DecisionDiagram.__init__, "__defaults__", (1000,))  # steps
    tests = [f"ld [16]\nand #0x{mask:x}\njeq #{mask & 5}, deny" for mask in range(3, 1000, 17)]
    Path("hard.asm").write_text("\n".join([*tests, "ret #0x7fff0000", "deny: ret #0x50001"]))
    code, _, err = run_here("seccomp", "show", "hard.asm")
    assert (code, err.count("\n")) == (3, 1)
    assert err.startswith("cbpf: undecided: ")


# -- audit ------------------------------------------------------------------------------------------------------------

AUDITED: Final = """\
ld [4]
jne #0xc000003e, kill
ld [0]
jgt #0x3fffffff, kill
jeq #59, deny
jeq #0, allow
nosys: ret #0x50026
allow: ret #0x7fff0000
deny: ret #0x50001
kill: ret #0x80000000
"""


def _audited(folder: Path, *arguments: str, text: str = AUDITED) -> tuple[int, str]:
    (folder / "audited.asm").write_text(text)
    code, out, err = run_here("seccomp", "audit", *arguments, "audited.asm")
    assert err == ""
    return code, out.decode()


def test_an_audit_without_findings(folder: Path) -> None:
    assert _audited(folder) == (0, "no findings\n")
    assert _audited(folder, "--json") == (0, "")


def test_the_findings_of_an_audit(folder: Path) -> None:
    text = AUDITED.replace("jeq #0, allow", "jeq #322, allow")
    code, out = _audited(folder, text=text)
    assert (code, out) == (
        1,
        "high: equivalent-open:execve: execve is denied, but not execveat: execveat executes programs by path too.\n"
        "    allow: execveat(0, 0, 0, 0, 0) on x86_64\n"
        "    errno(EPERM): execve(0, 0, 0) on x86_64\n"
        "    Deny execveat as well, or allow execve.\n",
    )
    code, out = _audited(folder, "--json", text=text)
    (line,) = out.splitlines()
    finding = json.loads(line)
    assert (code, finding["identifier"], finding["witness"]["name"]) == (1, "equivalent-open:execve", "execveat")
    assert _audited(folder, "--ignore", "equivalent-open:execve", text=text) == (0, "no findings\n")
    assert _audited(folder, "--ignore", "equivalent-open", text=text) == (0, "no findings\n")


def test_the_severity_of_an_audit_selects_findings_and_the_exit_code(folder: Path) -> None:
    text = AUDITED.replace("jeq #0, allow", "jeq #0, allow\njeq #103, allow")  # syslog
    codes = {severity: _audited(folder, "--severity", severity, text=text)[0] for severity in ("low", "medium", "high")}
    assert codes == {"low": 1, "medium": 0, "high": 0}


def test_an_audit_on_the_running_kernel_finds_undefined_actions_as_well(folder: Path) -> None:
    text = AUDITED.replace("0x80000000", "0x12340000")
    code, out = _audited(folder, "--on-kernel", text=text)
    assert (code, out.splitlines()[0].split(": ")[1]) == (1, "undefined-action:0x12340000")


def test_failures_of_an_audit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "'escapes' is not a rule; did you mean 'escape'?" in _failure("audit", "--ignore", "escapes", "bpf.asm")
    assert "severity" in run_here("seccomp", "audit", "--severity", "severe", "bpf.asm").stderr
    monkeypatch.setattr(system_calls, "_library", lambda: None)
    assert "pip install 'cbpf[seccomp]'" in _failure("audit", "bpf.asm")
