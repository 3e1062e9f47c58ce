"""Compiled rules: equal to the rules on calls at all corners, and by proof to a program that is not optimised."""

from random import Random
from typing import Any

import pytest

import cbpf
from cbpf.seccomp import Condition, MaskedRanges, Rule, compilation
from cbpf.seccomp.compilation import compile_rules
from cbpf.seccomp.rules import ALL_WORDS
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


def _with_swapped_halves(compiler: Any, operand: int) -> tuple[int, int]:
    low, high = _HALVES(compiler, operand)
    return high, low


def _without_last_interval(selected: Any, sets: Any) -> Any:
    intervals = _PARTITION(selected, sets)
    return intervals[:-1] or intervals


_HALVES, _PARTITION = compilation._Compiler._halves, compilation._partition
MUTATIONS: dict[str, tuple[object, str, object]] = {
    "halves swapped": (compilation._Compiler, "_halves", _with_swapped_halves),
    "last interval lost": (compilation, "_partition", _without_last_interval),
    "conditions ignored": (compilation._Compiler, "_condition", lambda compiler, condition, inside, outside: inside),
    "masks ignored": (compilation._Compiler, "_masked", lambda compiler, value, mask: value),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_proof_finds_wrong_compilations(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")
    low_half = Condition(0, (MaskedRanges(0xFF, ((5, 5),)),))
    rule = Rule(architectures=ALL_WORDS, numbers=((1, 1), (7, 2**32 - 1)), conditions=(low_half,), verdict=0x7FFF0000)
    plain = plain_program((rule,), 0, "little")
    little = cbpf.SECCOMP.replace(byte_order="little")
    assert cbpf.difference(plain, compile_rules((rule,), 0, byte_order="little"), dialect=little) is None
    monkeypatch.setattr(*MUTATIONS[name])
    assert cbpf.difference(plain, compile_rules((rule,), 0, byte_order="little"), dialect=little) is not None
