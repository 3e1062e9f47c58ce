"""Explanations of single calls: their actions on each architecture, the rule that decides, and the trace."""

from __future__ import annotations

import json
from typing import Final

import pytest

import cbpf
from cbpf import seccomp
from cbpf.seccomp import ARCHITECTURES, Policy, Rule, explain_call, read_policy, read_profile

pytest.importorskip("system_calls", reason="names of system calls need system-calls")

POLICY: Final = """\
default = "errno(EPERM)"
architectures = ["x86_64", "i386"]

[[rule]]
calls = ["socket", 600]
if = "arg0 = 1"
action = "allow"

[[rule]]
calls = ["socket"]
if = "family & 0xffffffff = AF_ALG"
action = "allow"
"""


def _heads(found: seccomp.CallExplanation) -> list[str]:
    return [trace.splitlines()[0] for trace in found.traces]


def test_the_rule_of_a_policy_file_that_decides_is_named() -> None:
    policy = read_policy(POLICY, source="p.toml")
    assert _heads(explain_call(policy, "socket", architecture="x86_64")) == [
        "x86_64 socket(1, 0, 0): allow, by p.toml: rule 1 (line 4)",
        "x86_64 socket(38, 0, 0): allow, by p.toml: rule 2 (line 9)",
        "x86_64 socket(0, 0, 0): errno(EPERM), by the default action",
    ]
    assert _heads(explain_call(policy, 600, architecture="x86_64")) == [
        "x86_64 number 600 with arguments (1): allow, by p.toml: rule 1 (line 4)",
        "x86_64 number 600: errno(EPERM), by the default action",
    ]
    assert _heads(explain_call(policy, "read", architecture="aarch64")) == [
        "aarch64 read(0, 0, 0): kill_process, by other-architectures"
    ]


def test_a_rule_that_decides_about_no_call_is_not_named() -> None:
    policy = read_policy(POLICY + '[[rule]]\ncalls = ["socket"]\nif = "arg0 = 1"\naction = "log"\n')
    assert not any("rule 3" in head for head in _heads(explain_call(policy, "socket", architecture="x86_64")))


def test_traces_of_a_policy_are_those_of_its_program() -> None:
    policy = read_policy(POLICY)
    of_policy = explain_call(policy, "socket", architecture="x86_64")
    of_program = explain_call(policy.program(), "socket", architecture="x86_64")
    bodies = [trace.splitlines()[1:] for trace in of_policy.traces]
    assert len(of_program.traces) == 2
    assert all(trace.splitlines()[1:] in bodies for trace in of_program.traces)
    assert of_policy.actions == of_program.actions


def test_the_entry_of_a_profile_that_decides_is_named() -> None:
    equal = [{"index": 0, "op": "SCMP_CMP_EQ", "value": 1}]
    entries = [
        {"names": ["getpid"], "action": "SCMP_ACT_ALLOW"},
        {
            "names": ["read", "write"],
            "action": "SCMP_ACT_ALLOW",
            "args": equal,
        },
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
    ]
    text = json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": entries})
    policy = read_profile(text, enosys=True).policy

    def heads(call: str | int, architecture: str = "x86_64") -> list[str]:
        return _heads(explain_call(policy, call, architecture=architecture))

    assert heads("read") == ["x86_64 read(0, 0, 0): allow, by syscalls[2]"]
    assert heads("write") == [
        "x86_64 write(1, 0, 0): allow, by syscalls[1]",
        "x86_64 write(0, 0, 0): errno(EPERM), by the default action",
    ]
    assert heads(800) == ["x86_64 number 800: errno(ENOSYS), by ENOSYS for numbers beyond the profile"]
    assert heads("read", "i386") == ["i386 read(0, 0, 0): kill_thread, by architectures"]


def test_a_rule_without_a_place_has_its_position() -> None:
    x86_64 = ARCHITECTURES["x86_64"].audit_arch
    rules = (Rule(((x86_64, x86_64),), ((1, 1),), (), 0x50001), Rule(((x86_64, x86_64),), ((0, 0),), (), 0x50001))
    found = explain_call(Policy(rules, 0x7FFF0000, "little"), "read", architecture="x86_64")
    assert _heads(found) == ["x86_64 read(0, 0, 0): errno(EPERM), by rule 2"]


def test_a_call_of_an_architecture_of_32_bits_has_arguments_of_32_bits() -> None:
    text = str(explain_call(read_policy(POLICY.replace("arg0 = 1", "arg0 & 0xffffffff = 1")), "socket"))
    assert "  x86_64  allow if family & 0xffffffff = AF_UNIX or = AF_ALG" in text
    assert "  i386    allow if family = AF_UNIX or = AF_ALG" in text


def test_a_stack_names_the_filter_that_decides() -> None:
    deny = "ld [0]\njeq #{number}, 0, 1\nret #0x50001\nret #0x7fff0000"
    stack = seccomp.Stack([cbpf.parse(deny.format(number=number)) for number in (101, 321)])
    assert _heads(explain_call(stack, "bpf", architecture="x86_64")) == [
        "x86_64 bpf(0, 0, 0): errno(EPERM), by filter 2 of 2"
    ]
    assert _heads(explain_call(stack, "ptrace", architecture="x86_64", names=["a.bpf", "b.bpf"])) == [
        "x86_64 ptrace(0, 0, 0, 0): errno(EPERM), by a.bpf, filter 1 of 2"
    ]
