"""The made-up filters of the size of Docker's, which the benchmarks measure."""

from itertools import pairwise

import pytest

import cbpf
from cbpf import SECCOMP, seccomp
from support import large_seccomp_filters as large

pytest.importorskip("system_calls", reason="names of system calls need system-calls")


def test_filters_in_linear_shape_are_equal_to_their_profiles() -> None:
    policy = seccomp.read_profile(large.profile(), architecture="x86_64").policy
    linear, written = large.linear_filter(), policy.program()
    assert seccomp.difference(policy, linear) == ()
    assert len(linear) > 900
    assert len(written) <= 400
    longest = [cbpf.program_info(program, dialect=SECCOMP).longest for program in (linear, written)]
    assert longest[0] > 500
    assert longest[1] <= 24


def test_versions_of_a_profile_allow_different_calls() -> None:
    policies = [seccomp.read_profile(large.profile(version), architecture="x86_64").policy for version in range(3)]
    assert all(seccomp.implies(policy, policies[0]) == () for policy in policies[1:])
    assert all(seccomp.difference(policy, other) for policy, other in pairwise(policies))


def test_the_longest_filters_have_as_many_instructions_as_linux_allows() -> None:
    for program in (large.single_bits(), large.random_masks()):
        assert len(program) == large.MAX_INSTRUCTIONS
        assert seccomp.Stack([program]).programs == (program,)  # which the verifier accepts
