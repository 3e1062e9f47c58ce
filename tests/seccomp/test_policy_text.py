"""Filters as policy files: read again, they decide every call as the filter does, by proof."""

import os
from pathlib import Path

import pytest

import cbpf
from cbpf.seccomp import ARCHITECTURES, Policy, policy_text, read_policy
from support.project import Rounds
from support.seccomp_rules import random_rules

pytest.importorskip("system_calls", reason="names of system calls need system-calls")
pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")

FILTERS = os.environ.get("CBPF_SECCOMP_FILTERS", "")
"""A folder with filters in binary form, little-endian."""

LITTLE = ARCHITECTURES["x86_64"].dialect
BIG = ARCHITECTURES["s390x"].dialect


def check(program: cbpf.Program, dialect: cbpf.Dialect, timeout: float = 10) -> Policy:
    """Compare the program with that of the policy which its text describes."""
    policy = read_policy(policy_text(program, dialect=dialect))
    assert policy.byte_order == dialect.byte_order
    assert cbpf.difference(program, policy.program(), dialect=dialect, timeout=timeout) is None
    return policy


POLICY = """\
default = "errno(ENOSYS)"
architectures = ["x86_64", "i386"]
other-architectures = "kill_process"

[[rule]]
calls = ["close", "read", "sigreturn"]
action = "allow"

[[rule]]
calls = ["write"]
architectures = ["x86_64"]
action = "allow"

[[rule]]
calls = [600, "700..710"]
action = "log"

[[rule]]
calls = ["socket"]
if = "family = AF_INET or = AF_INET6 and type & 0xf = SOCK_STREAM"
action = "allow"

[[rule]]
calls = ["clone"]
if = "flags & CLONE_NEWNS|CLONE_NEWUSER = 0"
action = "allow"

[[rule]]
calls = ["write"]
architectures = ["i386"]
if = "fd = 1..2"
action = "trap(7)"
"""


def test_a_policy_is_its_own_text() -> None:
    policy = read_policy(POLICY)
    assert policy_text(policy.program(), dialect=policy.dialect) == POLICY
    assert policy_text(policy) == POLICY


@pytest.mark.parametrize(
    ("head", "rows"),
    [
        ('default = "allow"\narchitectures = ["x86_64", "x32"]\nother-architectures = "trap"', ["x86_64", "x32"]),
        ('default = "allow"\narchitectures = ["x32"]\nother-architectures = "trap"', ["x32"]),
        ('default = "allow"\narchitectures = ["x86_64"]\nother-architectures = "allow"', ["x86_64"]),
        ('default = "allow"\narchitectures = ["s390x", "s390"]\nother-architectures = "trap"', ["s390x", "s390"]),
    ],
)
def test_architectures_are_recognised(head: str, rows: list[str]) -> None:
    policy = read_policy(head + '\n[[rule]]\ncalls = ["read"]\naction = "log"\n')
    text = policy_text(policy.program(), dialect=policy.dialect)
    assert f"architectures = {rows}".replace("'", '"') in text
    check(policy.program(), policy.dialect)


def test_a_filter_that_does_not_test_the_architecture() -> None:
    program = cbpf.parse("ld [0]\njeq #41, 0, 1\nret #0x50001\nret #0x7fff0000")
    assert policy_text(program, dialect=LITTLE) == (
        'default = "allow"\narchitectures = ["x86_64"]\nother-architectures = "allow"\n\n'
        '[[rule]]\ncalls = [41]\narchitectures = ["0..0xffffffff"]\naction = "errno(EPERM)"\n'
    )
    check(program, LITTLE)


def test_arithmetic_that_rules_cannot_express() -> None:
    """The message has a call of those that arithmetic selects."""
    with pytest.raises(cbpf.Undecided, match=r"decides calls such as number \d+.* by arithmetic; a rule of a policy c"):
        policy_text(cbpf.parse("ld [16]\ntax\nld [24]\njeq x, 0, 1\nret #0x7fff0000\nret #0"), dialect=LITTLE)
    native = "ld [4]\njeq #0xc000003e, 0, 6\nld [0]\njeq #41, 0, 4\nld [16]\ntax\nld [24]\njeq x, 1, 0\n"
    with pytest.raises(cbpf.Undecided, match=r"calls such as socket\(.*\) on x86_64 by arithmetic"):
        policy_text(cbpf.parse(f"{native}ret #0x7fff0000\nret #0"), dialect=LITTLE)


@pytest.mark.fuzz
@pytest.mark.parametrize("dialect", [LITTLE, BIG], ids=["little", "big"])
def test_random_policies(rounds: Rounds, dialect: cbpf.Dialect) -> None:
    for random in rounds(16):
        rules, default = random_rules(random, 3)
        check(Policy(rules, default, dialect.byte_order).program(), dialect)


@pytest.mark.slow
@pytest.mark.skipif(not FILTERS, reason="CBPF_SECCOMP_FILTERS is not set")
def test_real_filters() -> None:
    paths = sorted(Path(FILTERS).glob("*.bpf"))
    assert paths
    for path in paths:
        check(cbpf.Program.from_bytes(path.read_bytes(), byte_order="little"), LITTLE, timeout=120)
