"""The optimiser's parts, each compared with the simplest implementation of its specification."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Final

import pytest

import cbpf
from cbpf.isa import word_ranges as ranges
from cbpf.isa.alu import ARITHMETIC, COMPARISONS
from cbpf.isa.opcodes import WORD_MASK, Action
from cbpf.isa.word_ranges import Ranges
from cbpf.optimizer.codegen.switch_lowering import BinarySplit, DecisionTree, JumpChain, lower_switch
from cbpf.optimizer.ir.range_tests import compare
from cbpf.optimizer.ir.requirements import (
    NOTHING_ACCEPTED,
    PACKET,
    requirement_intersection,
    requirement_union,
    unsatisfied,
)
from cbpf.optimizer.ir.simplify import simplify_operation
from cbpf.optimizer.ir.value_numbering import ByteLoad, Constant, Operation, ValueTable
from support.project import Rounds
from support.random_choices import below

EDGES: Final = (0, 1, 2, 3, 15, 16, 31, 0xFF, 0x100, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF)


# -- ranges -----------------------------------------------------------------------------------------------------


def _random_set(random: Random) -> set[int]:
    return {number for number in range(24) if random.random() < 0.5}


def _as_ranges(numbers: set[int]) -> Ranges:
    return ranges.union((number, number) for number in numbers)


def _as_set(of: Ranges) -> set[int]:
    return {number for low, high in of for number in range(low, high + 1)}


@pytest.mark.fuzz
def test_ranges_are_sets(rounds: Rounds) -> None:
    for random in rounds(500):
        left, right = _random_set(random), _random_set(random)
        assert _as_set(_as_ranges(left)) == left
        assert ranges.intersection(_as_ranges(left), _as_ranges(right)) == _as_ranges(left & right)
        assert ranges.union((*_as_ranges(left), *_as_ranges(right))) == _as_ranges(left | right)
        assert ranges.complement(_as_ranges(left), 23) == _as_ranges(set(range(24)) - left)
        for (_, high), (low, _) in pairwise(_as_ranges(left)):
            assert high + 1 < low


def test_ranges_wrap() -> None:
    assert ranges.shifted(((5, 9),), -7) == ((0, 2), (WORD_MASK - 1, WORD_MASK))
    assert ranges.shifted(((0, WORD_MASK),), 1) == ((0, WORD_MASK),)


# -- requirements -----------------------------------------------------------------------------------------------


def _meets(requirements: dict[int, int] | None, available: dict[int, int]) -> bool:
    """Return whether a packet meets requirements; *available* is the number of bytes after each base."""
    return requirements is not None and all(available[key] >= count for key, count in requirements.items())


def _random_requirements(random: Random) -> dict[int, int]:
    return {key: 1 + below(random, 9) for key in (PACKET, 0, 1) if random.random() < 0.6}


@pytest.mark.fuzz
def test_requirements_are_a_lattice(rounds: Rounds) -> None:
    """Tested on all packets of up to 11 bytes, with two values of at most 3 and 5."""
    upper = [3, 5]
    for random in rounds(200):
        left, right = _random_requirements(random), _random_requirements(random)
        missing = unsatisfied(left, right, upper)
        union, intersection = requirement_union(left, right), requirement_intersection(left, right)
        for size in range(12):
            for first in range(upper[0] + 1):
                for second in range(upper[1] + 1):
                    available = {PACKET: size, 0: size - first, 1: size - second}
                    meets_both = _meets(left, available) and _meets(right, available)
                    assert _meets(dict(union or {}), available) == meets_both
                    if _meets(left, available) or _meets(right, available):
                        assert _meets(dict(intersection or {}), available)
                    if _meets(left, available) and _meets(dict(missing), available):
                        assert _meets(right, available)


def test_a_rejecting_path_has_all_requirements() -> None:
    assert unsatisfied(NOTHING_ACCEPTED, {PACKET: 14}, []) == {}
    assert requirement_union(NOTHING_ACCEPTED, {PACKET: 14}) is NOTHING_ACCEPTED
    assert requirement_intersection(NOTHING_ACCEPTED, {PACKET: 14}) == {PACKET: 14}


# -- values -----------------------------------------------------------------------------------------------------


def _evaluate(table: ValueTable, value: int, packet: bytes) -> int:
    """Compute a value on a packet."""
    match table.definitions[value]:
        case Constant(word):
            return word
        case ByteLoad(base, offset, size):
            assert base == PACKET
            return int.from_bytes(packet[offset : offset + size], "big")
        case Operation(action, left, right):
            a, b = _evaluate(table, left, packet), _evaluate(table, right, packet)
            if action in COMPARISONS:
                return int(COMPARISONS[action](a, b))
            if action in (Action.DIV, Action.MOD) and b == 0:
                raise ZeroDivisionError
            return ARITHMETIC[action](a, b % 32 if action in _SHIFTS else b) & WORD_MASK
    raise AssertionError


_SHIFTS: Final = (Action.SHIFT_LEFT, Action.SHIFT_RIGHT)


def _add_operation(random: Random, table: ValueTable, packet: bytes, words: dict[int, int]) -> None:
    """Add a random operation to *words*, which holds the word of each value, computed without simplification."""
    action = list(ARITHMETIC)[below(random, len(ARITHMETIC))]
    values = list(words)
    left, right = values[below(random, len(values))], values[below(random, len(values))]
    if action in _SHIFTS:
        right = table.constant(below(random, 32))
        words[right] = table.constant_of(right) or 0
    if action in (Action.DIV, Action.MOD) and words[right] == 0:
        return
    word = ARITHMETIC[action](words[left], words[right]) & WORD_MASK
    value = simplify_operation(table, action, left, right)
    assert words.setdefault(value, word) == word
    assert _evaluate(table, value, packet) == word
    assert word <= table.upper[value]
    assert word & ~table.possible_bits[value] == 0


@pytest.mark.fuzz
def test_simplification_preserves_values_and_bounds(rounds: Rounds) -> None:
    for random in rounds(300):
        table = ValueTable(cbpf.PCAP)
        packet = bytes(below(random, 256) for _ in range(12))
        loads = (table.load(PACKET, offset, size) for offset, size in ((0, 1), (1, 2), (2, 4), (8, 4)))
        words = {load: _evaluate(table, load, packet) for load in loads}
        words |= {table.constant(word): word for word in EDGES}
        for _ in range(20):
            _add_operation(random, table, packet, words)
        _assert_comparisons(random, table, words)


def _assert_comparisons(random: Random, table: ValueTable, words: dict[int, int]) -> None:
    operands = list(words.items())
    for _ in range(30):
        left, left_word = operands[below(random, len(operands))]
        right, right_word = operands[below(random, len(operands))]
        for action, holds in COMPARISONS.items():
            test = compare(table, action, left, right)
            if isinstance(test, tuple):
                value, accepted = test
                if value not in words:  # an operand inside an operation, or a relation
                    continue
                test = any(low <= words[value] <= high for low, high in accepted)
            assert test == holds(left_word, right_word)


# -- switch lowering -------------------------------------------------------------------------------------------


def _decide(decision: DecisionTree, word: int) -> tuple[int, int]:
    """Return the target of a word, and the number of tests that were executed."""
    tests = 0
    while isinstance(decision, BinarySplit):
        tests += 1
        decision = decision.high if word >= decision.k else decision.low
    for jump in decision.jumps:
        tests += 1
        assert jump.k is not None
        if word == jump.k if jump.action is Action.EQUAL else word >= jump.k:
            return jump.target, tests
    return decision.otherwise, tests


def _shortest_length(targets: Sequence[int]) -> int:
    """Return the length of a shortest chain by exhaustive search: a test removes one value, or the upper end."""
    lengths: dict[tuple[int | None, ...], int] = {}

    def search(remaining: tuple[int | None, ...]) -> int:
        """Return the length for *remaining*, the target of each value; None: the value was tested already."""
        distinct = {target for target in remaining if target is not None}
        if len(distinct) <= 1:
            return 0
        if remaining not in lengths:
            candidates = [
                (*remaining[:index], None, *remaining[index + 1 :])
                for index, target in enumerate(remaining)
                if target is not None
            ]
            candidates += [
                remaining[:index] for index in range(1, len(remaining)) if len(set(remaining[index:]) - {None}) == 1
            ]
            lengths[remaining] = 1 + min(map(search, candidates))
        return lengths[remaining]

    return search(tuple(targets))


@pytest.mark.fuzz
def test_chains_have_minimal_length(rounds: Rounds) -> None:
    for random in rounds(60):
        targets = [below(random, 3) for _ in range(8)]
        starts = [index for index, target in enumerate(targets) if index == 0 or target != targets[index - 1]]
        chain = lower_switch(starts, [targets[start] for start in starts], 7, None)
        assert isinstance(chain, JumpChain)
        assert [_decide(chain, word)[0] for word in range(8)] == targets
        assert len(chain.jumps) == _shortest_length(targets)


@pytest.mark.fuzz
def test_trees_agree_with_chains_in_few_tests(rounds: Rounds) -> None:
    for random in rounds(40):
        count = 2 + below(random, 300)
        starts = [0, *sorted({1 + below(random, 5000) for _ in range(count)})]
        targets = [below(random, 2) if random.random() < 0.9 else 2 for _ in starts]
        chain, tree = (lower_switch(starts, targets, 5100, max_tests) for max_tests in (None, 8))
        for word in range(0, 5101, 7):
            target, tests = _decide(tree, word)
            assert target == _decide(chain, word)[0]
            assert tests <= 8 + len(starts).bit_length()
