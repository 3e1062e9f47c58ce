"""Decisions of the running kernel about calls, compared with those that are expected."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cbpf.seccomp import Decision, Policy, Stack, SystemCall, kernel_decisions

KINDS = {"x86_64", "x32", "i386"}
"""The architectures whose calls the kernel of a machine for x86-64 decides about."""


def kinds(calls: Sequence[SystemCall]) -> set[str]:
    """Return the names of the architectures of calls."""
    return {call.architecture.name for call in calls if call.architecture}


def disagreement(
    stack: Stack, calls: Sequence[SystemCall], expected: Callable[[SystemCall], Decision] | None = None
) -> tuple[SystemCall, Decision, Decision] | None:
    """Return the first call about which the kernel decides otherwise than is expected, and both decisions.

    Args:
        stack: The filters.
        calls: The calls.
        expected: The expected decision about a call; by default, that of the interpreter of cbpf.
    """
    expect = expected or stack.evaluate
    for call, decision in zip(calls, kernel_decisions(stack, calls), strict=True):
        if decision != expect(call):
            return call, decision, expect(call)
    return None


def decision_of(policy: Policy, call: SystemCall) -> Decision:
    """Return the decision that the rules of a policy demand, by which its only program has to decide."""
    action = policy.action(call.audit_arch, call.number, call.arguments, call.instruction_pointer)
    return Decision(action, 0)
