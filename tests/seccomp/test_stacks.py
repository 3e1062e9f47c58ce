"""Stacks of filters: the decision by the kernel's rule."""

import itertools

import pytest

import cbpf
from cbpf.isa.verdicts import SECCOMP_ACTIONS
from cbpf.seccomp import Decision, SeccompAction, Stack, SystemCall

CALL = SystemCall(41)


def constant(verdict: int) -> cbpf.Program:
    return cbpf.Program([cbpf.RetConstant(verdict)])


def test_the_first_action_in_the_order_of_precedence_is_taken() -> None:
    for one, other in itertools.product(SECCOMP_ACTIONS, repeat=2):
        decision = Stack([constant(one | 1), constant(other | 2)]).evaluate(CALL)
        expected = min((one, other), key=list(SECCOMP_ACTIONS).index)
        assert decision.action.value == expected
        assert decision.index == (0 if expected == one != other else 1)
        assert decision.action.data == decision.index + 1


@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_filters_read_calls_in_the_byte_order_of_the_dialect(byte_order: str) -> None:
    dialect = cbpf.SECCOMP.replace(byte_order=byte_order)
    low = cbpf.parse(f"ld [{16 if byte_order == 'little' else 20}]\nret a")
    stack = Stack([low, constant(0x7FFF0000)], dialect=dialect)
    call = SystemCall(1, (0x12_00050007,))
    assert stack.evaluate(call) == stack.evaluate(call.to_bytes(dialect.byte_order))
    assert stack.evaluate(call) == Decision(SeccompAction(0x50007), 0)
    assert [action.verdict for action in stack.actions(call)] == [0x50007, 0x7FFF0000]


def test_stacks_are_values() -> None:
    stack = Stack([constant(0)])
    assert stack == Stack([constant(0)]) != Stack([constant(1)])
    assert stack != Stack([constant(0)], dialect=cbpf.SECCOMP.replace(byte_order="big"))
    assert len({stack, Stack([constant(0)])}) == len(stack) == 1
    assert repr(stack) == "Stack([Program([RetConstant(val=0)])], dialect=<Dialect seccomp>)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Stack([]), "Stack.programs: no program; a stack has at least one"),
        (lambda: Stack(constant(0)), "Stack.programs: a Program; a stack is a list of programs"),  # type: ignore[arg-type]
        (lambda: Stack([constant(0)], dialect=cbpf.LINUX), "Stack.dialect: <Dialect linux> has no records of 64 bytes"),
        (lambda: Stack([constant(0)]).evaluate(b"abc"), "Stack.call: b'abc' is neither a SystemCall nor 64 bytes"),
    ],
)
def test_values_that_are_not_valid_are_rejected(make: object, message: str) -> None:
    with pytest.raises(cbpf.FieldError) as caught:
        make()  # type: ignore[operator]
    assert str(caught.value).startswith(message)


def test_programs_are_verified() -> None:
    with pytest.raises(cbpf.VerificationError, match="load offset 2"):
        Stack([cbpf.parse("ld [2]\nret a")])
