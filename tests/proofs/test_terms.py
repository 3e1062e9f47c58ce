"""Words as terms: equal terms have equal values, and the known bits and distances are right."""

from random import Random
from typing import Any

import pytest

from cbpf.isa.alu import ARITHMETIC
from cbpf.isa.opcodes import WORD_MASK, Action
from cbpf.proofs.limits import Limits
from cbpf.proofs.terms import Terms, term_key
from support.project import Rounds

SAMPLES = 6
CONSTANTS = (0, 1, 2, 3, 4, 8, 15, 60, 0xFF, 0xFFFC, 2**31 - 1, 2**31, WORD_MASK - 3, WORD_MASK)


def _operands(random: Random, words: list[tuple[Any, list[int]]]) -> tuple[Action, Any, list[int], Any, list[int]]:
    """Return a random operation with its operands and their values."""
    action = random.choice(tuple(ARITHMETIC))
    left, left_values = random.choice(words)
    right, right_values = random.choice(words)
    if random.random() < 0.5 or action in (Action.SHIFT_LEFT, Action.SHIFT_RIGHT, Action.DIV, Action.MOD):
        right = random.choice(CONSTANTS) & (31 if "SHIFT" in action.name else WORD_MASK)
        right = right or int(action in (Action.DIV, Action.MOD))
        right_values = [right] * SAMPLES
    return action, left, left_values, right, right_values


@pytest.mark.fuzz
def test_equal_terms_have_equal_values(rounds: Rounds) -> None:
    for random in rounds(60, min_checked=0.9):
        terms = Terms(Limits(None))
        words: list[tuple[Any, list[int]]] = []
        for name, width in (("byte", 8), ("half", 16), ("other", 8), ("word", 32)):
            words.append((terms.variable(name, width), [random.getrandbits(width) for _ in range(SAMPLES)]))
        values_by_key: dict[Any, list[int]] = {}
        shared = 0
        for _ in range(150):
            action, left, left_values, right, right_values = _operands(random, words)
            word = terms.arithmetic(action, left, right)
            operation = ARITHMETIC[action]
            values = [operation(*pair) & WORD_MASK for pair in zip(left_values, right_values, strict=True)]
            shared += term_key(word) in values_by_key
            assert values_by_key.setdefault(term_key(word), values) == values, (action, str(left), str(right))
            _check_facts(terms, word, values)
            words.append((word, values))
        if shared:
            rounds.checked()


def _check_facts(terms: Terms, word: Any, values: list[int]) -> None:
    """Assert the facts about a word: its value if it is a number, its bits, its bounds and its distance."""
    if isinstance(word, int):
        assert values == [word] * SAMPLES
    known = terms.sum_of(word)
    assert not any(value & ~known.possible_bits() for value in values)
    for bound in (1, 2**8, 2**16, 2**31):
        assert not terms.is_below(word, bound) or max(values) < bound


def test_addresses_have_one_term_whatever_computes_them() -> None:
    terms = Terms(Limits(None))
    low, high = terms.variable("low", 8), terms.variable("high", 8)

    def arithmetic(action: Action, left: Any, right: Any) -> Any:
        return terms.arithmetic(action, left, right)

    shifted, multiplied = arithmetic(Action.SHIFT_LEFT, high, 8), arithmetic(Action.MUL, high, 256)
    length = arithmetic(Action.OR, shifted, low)
    assert term_key(length) == term_key(arithmetic(Action.ADD, low, multiplied))
    assert term_key(length) == term_key(arithmetic(Action.SUB, arithmetic(Action.ADD, length, 24), 24))
    assert term_key(arithmetic(Action.AND, length, 0xFFFF_FFFC)) == term_key(arithmetic(Action.AND, length, 0xFFFC))
    assert term_key(arithmetic(Action.MOD, low, 16)) == term_key(arithmetic(Action.AND, low, 15))
    assert term_key(arithmetic(Action.ADD, low, 1)) != term_key(arithmetic(Action.ADD, low, 2))
    start, distance = terms.split(arithmetic(Action.ADD, length, 30))
    assert (term_key(start), distance) == (term_key(length), 30)


def test_a_sum_that_may_wrap_has_no_distance() -> None:
    terms = Terms(Limits(None))
    wrapping = terms.arithmetic(Action.ADD, terms.variable("word"), 4)
    assert terms.split(wrapping) == (wrapping, 0)
