"""The filters that installed programs put themselves under: their classes, and the policies that they become.

Each test starts a program of Debian, and is skipped where its package is missing.
"""

from functools import cache
from pathlib import Path
from random import Random

import pytest

import cbpf
from cbpf import Program, seccomp
from support import random_seccomp
from support.class_corners import check_at_corners, evaluation
from support.class_proofs import counterexample
from support.judges import kernel
from support.live_decisions import disagreement
from support.real_filters import SOURCES, Source, Stack, Uncaught

pytest.importorskip("system_calls", reason="names of system calls need system-calls")
pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(kernel.seccomp_available() is not None, reason=str(kernel.seccomp_available())),
]

LITTLE = cbpf.SECCOMP.replace(byte_order="little")


@pytest.mark.parametrize("source", SOURCES, ids=[source.name for source in SOURCES])
def test_filters_of_programs(source: Source, tmp_path: Path) -> None:
    try:
        stacks = source.stacks(tmp_path)
    except Uncaught as reason:
        pytest.skip(str(reason))
    for stack in stacks:
        for program in stack:
            check_program(program)
        check_stack(stack)


@cache  # threads share filters
def check_program(program: Program) -> None:
    """Prove with the solver that classes are disjoint, complete and right, and that the written policy is equal."""
    classes = seccomp.call_classes(program, dialect=LITTLE)
    check_at_corners(Random(0), evaluation(program), classes, 100)
    assert counterexample(program, classes, timeout=120) is None
    policy = seccomp.read_policy(seccomp.policy_text(program, dialect=LITTLE))
    assert policy.byte_order == "little"
    assert cbpf.difference(program, policy.program(), dialect=LITTLE, timeout=120) is None


def check_stack(programs: Stack) -> None:
    """Compare a stack with the kernel, and its policy with the filters one by one where it may differ from them."""
    stack = seccomp.Stack(programs, dialect=LITTLE)
    calls = random_seccomp.calls(Random(0), stack, 1000)
    assert disagreement(stack, calls) is None
    classes = seccomp.call_classes(stack)
    check_at_corners(Random(0), lambda data: stack.evaluate(data).action.verdict, classes, 100)
    policy = seccomp.read_policy(seccomp.policy_text(stack))
    assert seccomp.difference(stack, policy.program(), dialect=LITTLE) == ()
