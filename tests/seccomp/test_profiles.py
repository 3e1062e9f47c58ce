"""Profiles of containers: their layers, the meaning of their entries, and the report of unused parts."""

import json
from typing import Any

import pytest

import cbpf
from cbpf.seccomp import ARCHITECTURES, ProfilePolicy, call_number, read_profile

pytest.importorskip("system_calls", reason="names of system calls need system-calls")

ALLOW, ERRNO, TRAP = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_TRAP"
NATIVE = ["SCMP_ARCH_X86_64"]


def profile(*syscalls: dict[str, Any], **parts: Any) -> str:
    return json.dumps({"defaultAction": ERRNO, "syscalls": list(syscalls)} | parts)


def entry(*names: str, action: str = ALLOW, **parts: Any) -> dict[str, Any]:
    return {"names": list(names), "action": action} | parts


def compare(index: int, op: str, value: int, second: int = 0) -> dict[str, Any]:
    return {"index": index, "op": f"SCMP_CMP_{op}", "value": value, "valueTwo": second}


def action(result: ProfilePolicy, architecture: str, name: str, *arguments: int) -> str:
    row = ARCHITECTURES[architecture]
    return cbpf.seccomp.action_text(result.policy.action(row.audit_arch, call_number(row, name), arguments))


# -- entries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "holds", "fails"),
    [
        ("NE", [4, 6, 2**32 + 5], [5]),
        ("LT", [0, 4], [5, 2**32]),
        ("LE", [0, 5], [6, 2**32]),
        ("EQ", [5], [4, 2**32 + 5]),
        ("GE", [5, 2**63], [4]),
        ("GT", [6, 2**63], [5]),
        ("MASKED_EQ", [4, 12], [5, 2**32 + 4]),
    ],
)
def test_operators_compare_64_bits(op: str, holds: list[int], fails: list[int]) -> None:
    comparison = compare(1, op, 2**32 + 7, 4) if op == "MASKED_EQ" else compare(1, op, 5)
    result = read_profile(profile(entry("read", args=[comparison])), architecture="x86_64")
    assert [action(result, "x86_64", "read", 0, value) for value in holds] == ["allow"] * len(holds)
    assert [action(result, "x86_64", "read", 0, value) for value in fails] == ["errno(EPERM)"] * len(fails)


def test_operators_compare_the_lower_half_on_32_bits() -> None:
    text = profile(entry("read", args=[compare(0, "EQ", 5)]), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"])
    result = read_profile(text)
    assert action(result, "x32", "read", 2**32 + 5) == "allow"
    assert action(result, "x86_64", "read", 2**32 + 5) == "errno(EPERM)"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"action": "SCMP_ACT_KILL"}, "kill_thread"),
        ({"action": "SCMP_ACT_KILL_PROCESS"}, "kill_process"),
        ({"action": "SCMP_ACT_TRAP", "errnoRet": 3}, "trap"),
        ({"action": "SCMP_ACT_TRACE"}, "trace(1)"),
        ({"action": "SCMP_ACT_TRACE", "errnoRet": 7}, "trace(7)"),
        ({"action": ERRNO, "errnoRet": 38}, "errno(ENOSYS)"),
        ({"action": ERRNO, "errno": "EINVAL", "errnoRet": 38}, "errno(EINVAL)"),
        ({"action": "SCMP_ACT_LOG"}, "log"),
        ({"action": "SCMP_ACT_NOTIFY"}, "user_notif"),
    ],
)
def test_actions(parts: dict[str, Any], expected: str) -> None:
    assert action(read_profile(profile(entry("read") | parts), architecture="x86_64"), "x86_64", "read") == expected


def test_entries_of_one_call() -> None:
    """An entry without conditions decides alone; two conditions on one argument are alternatives."""
    text = profile(
        entry("read", action=TRAP, args=[compare(0, "EQ", 1)]),
        entry("read"),
        entry("write", args=[compare(0, "EQ", 1), compare(0, "EQ", 2), compare(1, "EQ", 9)]),
        entry("close", action=TRAP, args=[compare(0, "GT", 7)]),
        entry("close", args=[compare(0, "GT", 5)]),
    )
    result = read_profile(text, architecture="x86_64")
    assert action(result, "x86_64", "read", 1) == "allow"
    assert [action(result, "x86_64", "write", *each) for each in ((1, 0), (2, 0), (3, 9))] == ["allow"] * 3
    assert action(result, "x86_64", "write", 3, 0) == "errno(EPERM)"
    assert [action(result, "x86_64", "close", fd) for fd in (5, 7, 8)] == ["errno(EPERM)", "allow", "trap"]


def test_calls_of_socketcall_and_ipc() -> None:
    """The number of the call replaces the condition on argument 0, and the other conditions stay."""
    text = profile(
        entry("socket", args=[compare(0, "EQ", 2), compare(1, "EQ", 9)]),
        entry("semget"),
        architectures=["SCMP_ARCH_X86", "SCMP_ARCH_ARM"],
    )
    result = read_profile(text)
    assert action(result, "i386", "socket", 2, 9) == "allow"
    assert [action(result, "i386", "socketcall", *each) for each in ((1, 9), (1, 8), (2, 9))] == [
        *("allow", "errno(EPERM)", "errno(EPERM)")
    ]
    assert [action(result, "i386", "ipc", call) for call in (1, 2)] == ["errno(EPERM)", "allow"]
    assert action(result, "arm", "socket", 2, 9) == "allow"


@pytest.mark.parametrize(
    ("architectures", "expected"),
    [
        (["X86_64"], {0x7FFFFFFF: "kill_thread", 0x40000000: "kill_thread", 0xFFFFFFFF: "errno(EPERM)", 0: "allow"}),
        (["X32"], {0: "kill_thread", 0x40000000: "allow", 0xFFFFFFFF: "errno(EPERM)"}),
        (["X86_64", "X32"], {0: "allow", 0x40000000: "allow", 0x40000001: "errno(EPERM)", 0x80000000: "errno(EPERM)"}),
    ],
)
def test_x32(architectures: list[str], expected: dict[int, str]) -> None:
    result = read_profile(profile(entry("read"), architectures=[f"SCMP_ARCH_{each}" for each in architectures]))
    actions = {number: result.policy.action(0xC000003E, number) for number in expected}
    assert {number: cbpf.seccomp.action_text(each) for number, each in actions.items()} == expected
    assert cbpf.seccomp.action_text(result.policy.action(0x40000003, 3)) == "kill_thread"


# -- layers and omissions ---------------------------------------------------------------------------------------------

LAYERED = profile(
    entry("read", includes={"arches": ["amd64"]}),
    entry("write", excludes={"arches": ["amd64"]}),
    entry("mount", includes={"caps": ["CAP_SYS_ADMIN"]}),
    entry("clone3", action=ERRNO, errnoRet=38, excludes={"caps": ["CAP_SYS_ADMIN"]}),
    entry("ptrace", includes={"minKernel": "4.8"}),
    entry("kcmp", excludes={"minKernel": "5.10"}),
    archMap=[{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}],
)


def test_layers_are_resolved_for_a_container() -> None:
    result = read_profile(LAYERED, architecture="x86_64", kernel_version="6.1.0-13-amd64")
    assert result.architectures == ("x86_64", "i386", "x32")
    assert [str(each) for each in result.omissions] == [
        "syscalls[1]: write: not for x86_64",
        "syscalls[2]: mount: only with CAP_SYS_ADMIN",
        "syscalls[5]: kcmp: not for Linux 5.10 and later",
    ]
    assert action(result, "x86_64", "clone3") == "errno(ENOSYS)"


def test_other_containers() -> None:
    result = read_profile(LAYERED, architecture="aarch64", capabilities=["sys_admin"], kernel_version="4.4")
    assert result.architectures == ("aarch64",)
    assert [str(each) for each in result.omissions] == [
        "syscalls[0]: read: only for x86_64",
        "syscalls[3]: clone3: not with CAP_SYS_ADMIN",
        "syscalls[4]: ptrace: only for Linux 4.8 and later",
    ]
    assert action(result, "aarch64", "mount") == "allow"


def test_what_is_not_in_the_policy_is_reported() -> None:
    text = profile(
        entry("read", action=ERRNO, errnoRet=1),
        entry("opnat", "socketcall", "openat"),
        flags=["SECCOMP_FILTER_FLAG_LOG"],
        sycalls=[],
    )
    assert [str(each) for each in read_profile(text, architecture="x86_64").omissions] == [
        "sycalls: unknown key; did you mean 'syscalls'?",
        "flags: an option of the installation, not of the program",
        "syscalls[0]: read: has the default action",
        "syscalls[1]: socketcall: not a system call of x86_64",
        "syscalls[1]: opnat: unknown system call; did you mean 'openat'?",
    ]


def test_numbers_beyond_the_profile_give_enosys() -> None:
    text = profile(entry("read", "write"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"])
    result = read_profile(text, enosys=True)
    numbers = (0, 1, 2, 0x40000001, 0x40000002, 0x80000001, 0x80000002, 0xC0000002, 0xFFFFFFFF)
    actions = [cbpf.seccomp.action_text(result.policy.action(0xC000003E, number)) for number in numbers]
    assert actions == [
        *("allow", "allow", "errno(ENOSYS)", "allow", "errno(ENOSYS)"),
        *("errno(ENOSYS)", "errno(ENOSYS)", "errno(ENOSYS)", "errno(ENOSYS)"),
    ]
    permissive = read_profile(
        profile(entry("read", action=TRAP), defaultAction=ALLOW), architecture="s390x", enosys=True
    )
    assert action(permissive, "s390x", "write") == "allow"


def test_enosys_for_the_number_0_of_s390x() -> None:
    result = read_profile(profile(entry("read")), architecture="s390x", enosys=True)
    assert cbpf.seccomp.action_text(result.policy.action(0x80000016, 0)) == "errno(ENOSYS)"


# -- invalid profiles -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{",
            "p.json: line 1, column 2: Expecting property name enclosed in double quotes; a profile is a JSON object",
        ),
        ("[]", "p.json: profile: [] is not a table of keys and values"),
        ('{"defaultAction": 1.5}', "p.json: defaultAction: 1.5; a text is required"),
        ("{}", "p.json: defaultAction: missing; a profile has one of SCMP_ACT_KILL, "),
        (profile(defaultAction="SCMP_ACT_ALOW"), "defaultAction: 'SCMP_ACT_ALOW' is not an action; did you mean "),
        (profile(entry("read", action="X")), "syscalls[0].action: 'X' is not an action; known are SCMP_ACT_KILL"),
        (profile({"names": ["read"]}), "syscalls[0].action: missing; a text is required"),
        (profile({"action": ALLOW}), "syscalls[0].names: missing; an entry names at least one system call"),
        (profile(entry("read", name="write")), "syscalls[0].name: given beside names; an entry has one of them"),
        (profile(entry("read", args={})), "syscalls[0].args: {} is not a list"),
        (
            profile(entry("read", args=[compare(0, "EQL", 1)])),
            "syscalls[0].args[0].op: 'SCMP_CMP_EQL' is not an operator; did you mean 'SCMP_CMP_EQ'?",
        ),
        (profile(entry("read", args=[compare(6, "EQ", 1)])), "syscalls[0].args[0].index: 6 is out of range (0..5)"),
        (
            profile(entry("read", args=[compare(0, "EQ", 2**64)])),
            f"syscalls[0].args[0].value: {2**64} is out of range (0..{2**64 - 1})",
        ),
        (profile(entry("read", args=[compare(0, "EQ", -1)])), "syscalls[0].args[0].value: -1 is out of range"),
        (profile(entry("read", args=[{"indx": 0}])), "syscalls[0].args[0]: unknown key 'indx'; did you mean 'index'?"),
        (
            profile(architectures=["SCMP_ARCH_X86_46"]),
            "architectures[0]: unknown architecture 'SCMP_ARCH_X86_46'; did you mean 'SCMP_ARCH_X86_64'?",
        ),
        (
            profile(architectures=NATIVE, archMap=[{"architecture": NATIVE[0]}]),
            "architectures: given beside archMap; a profile has one of them",
        ),
        (
            profile(architectures=[*NATIVE, "SCMP_ARCH_S390X"]),
            "architectures: s390x is big-endian, x86_64 is little-endian; a filter has one byte order",
        ),
        (profile(entry("read", errnoRet=5000)), "syscalls[0].errnoRet: 5000 is out of range (0..4095)"),
        (
            profile(entry("read", errno="EPREM")),
            "syscalls[0].errno: 'EPREM' is not the name of an error; did ",
        ),
        (
            profile(entry("read", args=[compare(0, "EQ", 1.5)])),  # type: ignore[arg-type]
            f"syscalls[0].args[0].value: 1.5 is not an integer (0..{2**64 - 1})",
        ),
        ('{"defaultAction": "SCMP', "line 1, column 19: Unterminated string; a profile is a JSON object"),
        (
            profile(entry("read", includes={"minKernel": "new"})),
            "syscalls[0].includes.minKernel: 'new' is not a kernel version; it begins with two numbers, as in '4.8'",
        ),
        (profile(entry("read", includes={"cap": []})), "syscalls[0].includes: unknown key 'cap'; did you mean 'caps'?"),
    ],
)
def test_invalid_profiles(text: str, message: str) -> None:
    with pytest.raises(cbpf.PolicyError) as caught:
        read_profile(text, source="p.json")
    assert str(caught.value).startswith(message if message.startswith("p.json") else f"p.json: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"architecture": "x86_46"}, "architecture: unknown architecture 'x86_46'; did you mean 'x86_64'?"),
        ({"capabilities": ["SYS_ADMN"]}, "capabilities: 'SYS_ADMN' is not the name of a capability; did you mean "),
        ({"capabilities": ["x"]}, "capabilities: 'x' is not the name of a capability; an example is CAP_SYS_ADMIN"),
        ({"kernel_version": "6"}, "kernel_version: '6' is not a kernel version; it begins with two numbers"),
    ],
)
def test_invalid_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(cbpf.FieldError) as caught:
        read_profile(LAYERED, **arguments)
    assert str(caught.value).startswith(message)


def test_old_entries_have_a_single_name() -> None:
    result = read_profile(profile({"name": "read", "action": ALLOW}), architecture="x86_64")
    assert action(result, "x86_64", "read") == "allow"
