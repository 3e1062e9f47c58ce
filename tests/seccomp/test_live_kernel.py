"""Stacks of filters, compared with the running kernel; no system call in question is executed."""

import errno
import os
import platform
import re
import signal
from itertools import product
from pathlib import Path
from random import Random

import pytest

import cbpf
from cbpf.seccomp import Policy, Stack, SystemCall, kernel_decisions, read_policy, read_profile
from cbpf.seccomp.kernel import kernel_calls
from cbpf.seccomp.kernel.call_maker import CallMaker
from support import random_seccomp
from support.forked import in_child
from support.judges import kernel
from support.large_seccomp_filters import linear_filter, profile
from support.live_decisions import KINDS, decision_of, disagreement, kinds
from support.project import Rounds
from support.random_seccomp import ACTIONS, UNKNOWN_ACTIONS
from support.seccomp_rules import random_rules


def _release() -> tuple[int, ...]:
    """Return the major and minor number of the running kernel."""
    return tuple(map(int, os.uname().release.split(".")[:2]))


REASON = kernel.seccomp_available() or (None if platform.machine() == "x86_64" else "x86-64 only")
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
UNDEFINED = SystemCall(1000)
INSTRUCTION_POINTER = 6
"""The operand of a condition on the instruction pointer, which is another one here."""
FILTERS = os.environ.get("CBPF_SECCOMP_FILTERS", "")
"""A folder with filters of other programs, arrays of struct sock_filter in files NAME.bpf."""


def constant(verdict: int) -> cbpf.Program:
    return cbpf.Program([cbpf.RetConstant(verdict)])


def assert_agreement(stack: Stack, calls: list[SystemCall]) -> None:
    """Fail if the kernel decides otherwise about a call than the interpreter."""
    assert disagreement(stack, calls) is None, stack


@pytest.mark.fuzz
def test_random_stacks(rounds: Rounds) -> None:
    """Native calls, calls of i386 by int 0x80, and numbers of x32, under up to five filters."""
    for random in rounds(160):
        stack = random_seccomp.stack(random)
        calls = random_seccomp.calls(random, stack, 120)
        assert kinds(calls) == KINDS
        assert_agreement(stack, calls)


@pytest.mark.fuzz
def test_random_policies(rounds: Rounds) -> None:
    """The kernel runs the compiled program, and the rules themselves are evaluated."""
    for random in rounds(160):
        rules, default = random_rules(random)
        of_calls = [rule for rule in rules if all(each.operand != INSTRUCTION_POINTER for each in rule.conditions)]
        policy = Policy(tuple(of_calls), default, "little")
        stack = Stack([policy.program("size" if random.random() < 0.5 else "speed")])
        calls = random_seccomp.calls(random, stack, 120)
        assert disagreement(stack, calls, lambda call, policy=policy: decision_of(policy, call)) is None, policy  # type: ignore[misc]


POLICY = """
default = "errno(EPERM)"
architectures = ["x86_64", "x32", "i386"]
other-architectures = "kill_process"

[[rule]]
calls = ["read", "write", "exit_group", "mmap", "clone3"]
action = "allow"

[[rule]]
calls = ["socket"]
if = "family = AF_UNIX or = AF_INET and type & 15 = SOCK_STREAM"
action = "allow"

[[rule]]
calls = ["prctl"]
if = "option > 4 and arg2 != 0x100000000"
action = "errno(ENOSYS)"

[[rule]]
calls = [600, "700..710"]
action = "trap(7)"
"""


def policies() -> dict[str, tuple[Policy, cbpf.Program | None]]:
    """Return policies of files and profiles, and a program of another compiler if there is one."""
    of_profile = read_profile(profile(), architecture="x86_64").policy
    with_enosys = read_profile(profile(1), architecture="x86_64", enosys=True).policy
    return {
        "policy file": (read_policy(POLICY), None),
        "profile": (of_profile, None),
        "profile, linear": (of_profile, linear_filter()),
        "profile with ENOSYS": (with_enosys, None),
    }


@pytest.mark.skipif(not cbpf.seccomp.names_available(), reason="system-calls is not installed")
def test_policy_files_and_profiles(full_length: bool) -> None:
    for name, (policy, program) in policies().items():
        stack = Stack([program or policy.program()])
        calls = random_seccomp.calls(Random(name), stack, 5000 if full_length else 250)
        assert kinds(calls) == KINDS
        assert disagreement(stack, calls, lambda call, policy=policy: decision_of(policy, call)) is None, name  # type: ignore[misc]


@pytest.mark.skipif(not FILTERS, reason="CBPF_SECCOMP_FILTERS is not set")
def test_filters_of_other_programs() -> None:
    paths = sorted(Path(FILTERS).glob("*.bpf"))
    assert paths
    for path in paths:
        stack = Stack([cbpf.Program.from_bytes(path.read_bytes(), byte_order="little")])
        assert_agreement(stack, random_seccomp.calls(Random(path.name), stack, 5000))


@pytest.mark.skipif(_release() < (6, 18), reason="filters see uprobe before Linux 6.18")
def test_no_filter_sees_uprobe() -> None:
    """The call fails, since this is not a probe, but not as the filter demands."""
    outcome = CallMaker().run([constant(0x50000 | errno.EXDEV)], [SystemCall(336), SystemCall(337)])
    assert outcome.results == [-errno.ENXIO, -errno.EXDEV]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errno.ENOSYS, "seccomp: this kernel has no seccomp filters; it needs CONFIG_SECCOMP_FILTER"),
        (errno.EINVAL, "seccomp: the kernel rejects the program, which satisfies all rules of Linux 6.18; this kernel"),
        (errno.ENOMEM, "seccomp: the filters of a thread may have 32,768 instructions together"),
    ],
)
def test_kernels_that_run_no_filters(error: int, message: str) -> None:
    """A filter lets the installation of others fail as those kernels do."""
    option = f"ld [16]\njeq #{kernel_calls.PR_SET_SECCOMP}, 0, 1\nret #{0x50000 | error}"

    def child() -> str:
        cbpf.seccomp.install(cbpf.parse(f"ld [0]\njeq #157, 0, 3\n{option}\nret #0x7fff0000"))
        try:
            kernel_decisions(Stack([constant(0)]), [UNDEFINED])
        except cbpf.SeccompError as caught:
            return f"{caught.errno} {caught}"
        return ""

    assert in_child(child).startswith(f"{error} {message}")


def test_a_computed_verdict_is_read_whole() -> None:
    stack = Stack([cbpf.parse("ld [0]\njeq #41, 0, 2\nld [16]\nret a\nret #0x12345678")])
    calls = [SystemCall(number, (each,)) for number in (41, 42) for each in (0, 38, 0x7FFF0000, 0x89ABCDEF, 2**32 - 1)]
    assert_agreement(stack, calls)
    assert stack.evaluate(calls[3]).action.verdict == 0x89ABCDEF


def test_stacks_with_too_many_verdicts_are_rejected() -> None:
    stack = Stack([cbpf.Program(map(cbpf.RetConstant, range(3000)))] * 2)
    with pytest.raises(cbpf.FieldError, match=r"6,000 verdicts; at most 4,094 can be distinguished"):
        kernel_decisions(stack, [UNDEFINED])


def test_calls_that_would_end_the_process_or_the_system() -> None:
    """exit, exit_group, execve, fork, reboot, kill, seccomp, prctl, mmap and rt_sigreturn; exit of x32 and i386."""
    stack = Stack([constant(0x7FFF0000), constant(0x7FFC0000)])
    numbers = (60, 231, 59, 57, 169, 62, 317, 157, 9, 15, -1, 0x40000000 | 60)
    calls = [SystemCall(number) for number in numbers]
    calls += [SystemCall(number, architecture="i386") for number in (1, 2, 11, 88, 252, -1)]
    assert [decision.action.name for decision in kernel_decisions(stack, calls)] == ["LOG"] * len(calls)


def test_a_division_by_zero_is_a_kill() -> None:
    stack = Stack([cbpf.parse("ldx #0\nld [0]\njeq #41, 0, 1\ndiv x\nret #0x7fff0000")])
    calls = [SystemCall(number) for number in (41, 1, 41, 41, 2)]
    assert_agreement(stack, calls)
    assert [stack.evaluate(call).action.name for call in calls].count("KILL_THREAD") == 3


def observed(verdicts: tuple[int, ...]) -> str:
    """Return the effect of an undefined call under filters that return these verdicts, with their own actions."""
    outcome = CallMaker().run(map(constant, verdicts), [UNDEFINED])
    if outcome.results:
        return errno.errorcode[-outcome.results[0]]
    assert os.WTERMSIG(outcome.status) == signal.SIGSYS
    return "SIGSYS"


def expected(verdicts: tuple[int, ...]) -> str:
    """Return this effect by the rule of `Stack`; TRAP is a SIGSYS as well, and the call is undefined."""
    action = Stack(map(constant, verdicts)).evaluate(UNDEFINED).action
    if action.name == "ERRNO":
        return errno.errorcode[action.data]
    return "ENOSYS" if action.runs or action.name in ("USER_NOTIF", "TRACE") else "SIGSYS"


def test_the_kernel_takes_the_action_of_lowest_precedence(full_length: bool) -> None:
    """Each pair of actions, defined and undefined ones, with their real effects on an undefined call."""
    values = (*ACTIONS, *UNKNOWN_ACTIONS) if full_length else (0x80000000, 0x50000, 0x7FFF0000, 0x40000)
    for one, other in product(values, repeat=2):
        verdicts = (one | errno.EXDEV, other | errno.ESRCH)
        assert observed(verdicts) == expected(verdicts), (hex(one), hex(other))


@pytest.mark.parametrize(
    ("programs", "call", "message"),
    [
        (["ret a", "ret #0"], UNDEFINED, "filter 1: the verdict of `ret a` cannot be distinguished; test the"),
        (["ld [8]\nret #0"], UNDEFINED, "filter 1: it loads the instruction pointer, which is another one here"),
        (
            ["ret #0", "div x\nret #0"],
            UNDEFINED,
            "filter 2: a division by X may end the process",
        ),
        (["ret #0\n" * 4088], UNDEFINED, "filter 1: 4,088 instructions; at most 4,087 leave room for the changes"),
        (["ret #0"], SystemCall(336), "Linux runs this call without a filter"),
        (["ret #0"], SystemCall(1, architecture="arm"), "only calls of x86_64, x32 and i386 can be made"),
        (["ret #0"], SystemCall(1, (2**32,), architecture="i386"), "arguments of i386 have 32 bits"),
    ],
)
def test_other_filters_and_calls_are_rejected(programs: list[str], call: SystemCall, message: str) -> None:
    with pytest.raises(cbpf.FieldError, match=re.escape(message)):
        kernel_decisions(Stack(map(cbpf.parse, programs)), [call])
