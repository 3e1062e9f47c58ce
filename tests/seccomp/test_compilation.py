"""Compiled rules: equal to the rules on calls at all corners, and by proof to a program that is not optimised."""

from random import Random

import pytest

import cbpf
from cbpf.seccomp import Rule
from cbpf.seccomp.compilation import compile_rules
from support.project import Rounds
from support.seccomp_rules import ByteOrder, corner_calls, plain_program, random_rules, record, verdict

BYTE_ORDERS: tuple[ByteOrder, ...] = ("little", "big")


def check_at_corners(rules: tuple[Rule, ...], default: int, byte_order: ByteOrder, random: Random, count: int) -> None:
    dialect = cbpf.SECCOMP.replace(byte_order=byte_order)
    program = compile_rules(rules, default, byte_order=byte_order)
    vm = cbpf.VM(program, dialect=dialect)
    plain = cbpf.VM(plain_program(rules, default, byte_order), dialect=dialect)
    for call in corner_calls(rules, random, count):
        expected = verdict(rules, default, call)
        data = record(call, byte_order)
        assert vm.run(data) == expected, call
        assert plain.run(data) == expected, call
        architecture, number, *arguments, pointer = call
        matching = [rule.verdict for rule in rules if rule.matches(architecture, number, tuple(arguments), pointer)]
        assert [*matching, default][0] == expected, call


@pytest.mark.fuzz
@pytest.mark.parametrize("byte_order", BYTE_ORDERS)
def test_random_rules_at_corners(rounds: Rounds, byte_order: ByteOrder) -> None:
    for random in rounds(80):
        check_at_corners(*random_rules(random), byte_order, random, 60)


@pytest.mark.fuzz
@pytest.mark.parametrize("byte_order", BYTE_ORDERS)
def test_random_rules_by_proof(rounds: Rounds, byte_order: ByteOrder) -> None:
    pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")
    dialect = cbpf.SECCOMP.replace(byte_order=byte_order)
    for random in rounds(24):
        rules, default = random_rules(random, 4)
        program = compile_rules(rules, default, byte_order=byte_order, goal="size" if byte_order == "big" else "speed")
        assert cbpf.difference(plain_program(rules, default, byte_order), program, dialect=dialect) is None
