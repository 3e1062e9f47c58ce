"""The optimiser's parts, each against the plainest way to do the same."""

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
from cbpf.optimizer.codegen.switch_lowering import BinarySplit, Decision, JumpChain, lower_switch
from cbpf.optimizer.ir.range_tests import compare
from cbpf.optimizer.ir.requirements import (
    NOTHING_ACCEPTED,
    PACKET,
    requirement_intersection,
    requirement_union,
    unsatisfied,
)
from cbpf.optimizer.ir.simplify import arithmetic
from cbpf.optimizer.ir.value_numbering import ByteLoad, Constant, Operation, ValueTable
from support.project import Rounds

EDGES: Final = (0, 1, 2, 3, 15, 16, 31, 0xFF, 0x100, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF)


def _below(random: Random, limit: int) -> int:
    return int(random.random() * limit)


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
        one, other = _random_set(random), _random_set(random)
        assert _as_set(_as_ranges(one)) == one
        assert ranges.intersection(_as_ranges(one), _as_ranges(other)) == _as_ranges(one & other)
        assert ranges.union((*_as_ranges(one), *_as_ranges(other))) == _as_ranges(one | other)
        assert ranges.complement(_as_ranges(one), 23) == _as_ranges(set(range(24)) - one)
        for (_, high), (low, _) in pairwise(_as_ranges(one)):
            assert high + 1 < low


def test_ranges_wrap() -> None:
    assert ranges.shifted(((5, 9),), -7) == ((0, 2), (WORD_MASK - 1, WORD_MASK))
    assert ranges.shifted(((0, WORD_MASK),), 1) == ((0, WORD_MASK),)


# -- requirements -----------------------------------------------------------------------------------------------


def _meets(requirements: dict[int, int] | None, lengths: dict[int, int]) -> bool:
    """Whether a packet has what is required; lengths: how many bytes follow after each base."""
    return requirements is not None and all(lengths[key] >= number for key, number in requirements.items())


@pytest.mark.fuzz
def test_requirements_are_a_lattice(rounds: Rounds) -> None:
    """On all packets of up to 12 bytes, where two expressions are at most 3 and 5."""
    most = [3, 5]
    for random in rounds(200):
        one, other = ({key: 1 + _below(random, 9) for key in (PACKET, 0, 1) if random.random() < 0.6} for _ in range(2))
        left = unsatisfied(one, other, most)
        joined, shared = requirement_union(one, other), requirement_intersection(one, other)
        for size in range(12):
            for first in range(most[0] + 1):
                for second in range(most[1] + 1):
                    lengths = {PACKET: size, 0: size - first, 1: size - second}
                    assert _meets(dict(joined or {}), lengths) == (_meets(one, lengths) and _meets(other, lengths))
                    if _meets(one, lengths) or _meets(other, lengths):
                        assert _meets(dict(shared or {}), lengths)
                    if _meets(one, lengths) and _meets(dict(left), lengths):
                        assert _meets(other, lengths)


def test_a_way_that_rejects_requires_everything() -> None:
    assert unsatisfied(NOTHING_ACCEPTED, {PACKET: 14}, []) == {}
    assert requirement_union(NOTHING_ACCEPTED, {PACKET: 14}) is NOTHING_ACCEPTED
    assert requirement_intersection(NOTHING_ACCEPTED, {PACKET: 14}) == {PACKET: 14}


# -- expressions ------------------------------------------------------------------------------------------------


def _value(table: ValueTable, expression: int, packet: bytes) -> int:
    """What an expression is on a packet."""
    match table.nodes[expression]:
        case Constant(number):
            return number
        case ByteLoad(base, offset, size):
            assert base == PACKET
            return int.from_bytes(packet[offset : offset + size], "big")
        case Operation(action, left, right):
            a, b = _value(table, left, packet), _value(table, right, packet)
            if action in COMPARISONS:
                return int(COMPARISONS[action](a, b))
            if action in (Action.DIV, Action.MOD) and b == 0:
                raise ZeroDivisionError
            return ARITHMETIC[action](a, b % 32 if action in _SHIFTS else b) & WORD_MASK
    raise AssertionError


_SHIFTS: Final = (Action.SHIFT_LEFT, Action.SHIFT_RIGHT)


def _grown(random: Random, table: ValueTable, packet: bytes, plain: dict[int, int]) -> None:
    """Adds an expression to *plain*, which holds values computed without any rule."""
    action = list(ARITHMETIC)[_below(random, len(ARITHMETIC))]
    known = list(plain)
    left, right = known[_below(random, len(known))], known[_below(random, len(known))]
    if action in _SHIFTS:
        right = table.constant(_below(random, 32))
        plain[right] = table.number(right) or 0
    if action in (Action.DIV, Action.MOD) and plain[right] == 0:
        return
    value = ARITHMETIC[action](plain[left], plain[right]) & WORD_MASK
    made = arithmetic(table, action, left, right)
    assert plain.setdefault(made, value) == value
    assert _value(table, made, packet) == value
    assert value <= table.most[made]
    assert value & ~table.bits[made] == 0


@pytest.mark.fuzz
def test_simplified_expressions_keep_their_values_and_bounds(rounds: Rounds) -> None:
    for random in rounds(300):
        table = ValueTable(cbpf.PCAP)
        packet = bytes(_below(random, 256) for _ in range(12))
        loads = (table.load(PACKET, offset, size) for offset, size in ((0, 1), (1, 2), (2, 4), (8, 4)))
        plain = {one: _value(table, one, packet) for one in loads}
        plain |= {table.constant(number): number for number in EDGES}
        for _ in range(20):
            _grown(random, table, packet, plain)
        _assert_comparisons(random, table, plain)


def _assert_comparisons(random: Random, table: ValueTable, plain: dict[int, int]) -> None:
    packet_values = list(plain.items())
    for _ in range(30):
        left, left_value = packet_values[_below(random, len(packet_values))]
        right, right_value = packet_values[_below(random, len(packet_values))]
        for action, holds in COMPARISONS.items():
            test = compare(table, action, left, right)
            if isinstance(test, tuple):
                value, accepted = test
                if value not in plain:  # a part of it, or a relation
                    continue
                test = any(low <= plain[value] <= high for low, high in accepted)
            assert test == holds(left_value, right_value)


# -- decisions --------------------------------------------------------------------------------------------------


def _decided(decision: Decision, number: int) -> tuple[int, int]:
    """Where a number goes, and after how many questions."""
    asked = 0
    while isinstance(decision, BinarySplit):
        asked += 1
        decision = decision.high if number >= decision.k else decision.low
    for question in decision.tests:
        asked += 1
        assert question.k is not None
        if number == question.k if question.action is Action.EQUAL else number >= question.k:
            return question.target, asked
    return decision.otherwise, asked


def _fewest(targets: Sequence[int]) -> int:
    """The length of the shortest chain, by trying all: each question takes a number out, or cuts off the upper end."""
    seen: dict[tuple[int | None, ...], int] = {}

    def search(left: tuple[int | None, ...]) -> int:
        """left: the target of each number, None: it was asked for."""
        kinds = {one for one in left if one is not None}
        if len(kinds) <= 1:
            return 0
        if left not in seen:
            ways = [(*left[:index], None, *left[index + 1 :]) for index, one in enumerate(left) if one is not None]
            ways += [left[:index] for index in range(1, len(left)) if len(set(left[index:]) - {None}) == 1]
            seen[left] = 1 + min(map(search, ways))
        return seen[left]

    return search(tuple(targets))


@pytest.mark.fuzz
def test_chains_are_as_short_as_chains_can_be(rounds: Rounds) -> None:
    for random in rounds(60):
        targets = [_below(random, 3) for _ in range(8)]
        starts = [index for index, one in enumerate(targets) if index == 0 or one != targets[index - 1]]
        chain = lower_switch(starts, [targets[start] for start in starts], 7, None)
        assert isinstance(chain, JumpChain)
        assert [_decided(chain, number)[0] for number in range(8)] == targets
        assert len(chain.tests) == _fewest(targets)


@pytest.mark.fuzz
def test_trees_decide_alike_in_few_questions(rounds: Rounds) -> None:
    for random in rounds(40):
        count = 2 + _below(random, 300)
        starts = [0, *sorted({1 + _below(random, 5000) for _ in range(count)})]
        targets = [_below(random, 2) if random.random() < 0.9 else 2 for _ in starts]
        chain, tree = (lower_switch(starts, targets, 5100, longest) for longest in (None, 8))
        for number in range(0, 5101, 7):
            target, asked = _decided(tree, number)
            assert target == _decided(chain, number)[0]
            assert asked <= 8 + len(starts).bit_length()
