"""Operations on words of Boolean functions, compared with arithmetic on ints."""

from random import Random

import pytest

from cbpf.isa.alu import ARITHMETIC, COMPARISONS
from cbpf.isa.opcodes import WORD_MASK, Action
from cbpf.seccomp.diagrams.bit_vectors import Word, arithmetic, compare, constant, constant_of, in_ranges, select
from cbpf.seccomp.diagrams.decision_diagram import FALSE, TRUE, DecisionDiagram
from support.project import Rounds
from support.random_choices import below, pick

_EXTREMES = (0, 1, 2, 3, 7, 31, 0x80000000, 0x7FFFFFFF, WORD_MASK, 0x0F0F0F0F)
_VARIABLES = 6


def random_word(random: Random, diagram: DecisionDiagram) -> Word:
    """Return a word of which three bits are variables, or a constant."""
    bits = list(constant(pick(random, _EXTREMES) if random.random() < 0.5 else below(random, 1 << 32)))
    if random.random() < 0.8:
        for _ in range(3):
            bits[below(random, 32)] = diagram.variable(below(random, _VARIABLES))
    return tuple(bits)


def number(diagram: DecisionDiagram, word: Word, true_variables: set[int]) -> int:
    """Return the number of a word for one assignment."""
    return sum((diagram.value(bit, true_variables) == (bool, True)) << 31 - index for index, bit in enumerate(word))


def assignments(random: Random) -> list[set[int]]:
    return [{variable for variable in range(_VARIABLES) if random.random() < 0.5} for _ in range(6)]


@pytest.mark.parametrize("action", ARITHMETIC, ids=lambda action: action.name)
def test_arithmetic(action: Action, rounds: Rounds) -> None:
    for random in rounds(24, min_checked=0.3):
        diagram = DecisionDiagram()
        left, right = random_word(random, diagram), random_word(random, diagram)
        if action in (Action.SHIFT_LEFT, Action.SHIFT_RIGHT):
            right = (FALSE,) * 27 + right[27:]
        result = arithmetic(diagram, action, left, right)
        assert len(result) == 32
        for true_variables in assignments(random):
            x, y = number(diagram, left, true_variables), number(diagram, right, true_variables)
            if action in (Action.DIV, Action.MOD) and y == 0:
                continue
            assert number(diagram, result, true_variables) == ARITHMETIC[action](x, y) & WORD_MASK
            rounds.checked()


@pytest.mark.parametrize("action", COMPARISONS, ids=lambda action: action.name)
def test_comparisons(action: Action, rounds: Rounds) -> None:
    for random in rounds(64):
        diagram = DecisionDiagram()
        left = random_word(random, diagram)
        right = left if random.random() < 0.3 else random_word(random, diagram)
        result = compare(diagram, action, left, right)
        for true_variables in assignments(random):
            x, y = number(diagram, left, true_variables), number(diagram, right, true_variables)
            assert diagram.value(result, true_variables) == (bool, COMPARISONS[action](x, y))


def test_ranges_and_selections(rounds: Rounds) -> None:
    for random in rounds(64):
        diagram = DecisionDiagram()
        word, other = random_word(random, diagram), random_word(random, diagram)
        bounds = sorted({number(diagram, word, each) for each in assignments(random)})
        ranges = tuple(zip(bounds[::2], bounds[1::2], strict=False))
        condition = in_ranges(diagram, word, ranges)
        selected = select(diagram, condition, word, other)
        for true_variables in assignments(random):
            x = number(diagram, word, true_variables)
            is_inside = any(low <= x <= high for low, high in ranges)
            assert diagram.value(condition, true_variables) == (bool, is_inside)
            assert number(diagram, selected, true_variables) == number(
                diagram, word if is_inside else other, true_variables
            )


def test_words_are_canonical() -> None:
    diagram = DecisionDiagram()
    x = tuple(map(diagram.variable, range(32)))
    thrice = arithmetic(diagram, Action.ADD, x, arithmetic(diagram, Action.ADD, x, x))
    assert arithmetic(diagram, Action.MUL, x, constant(3)) == thrice
    assert arithmetic(diagram, Action.SUB, thrice, x) == arithmetic(diagram, Action.SHIFT_LEFT, x, constant(1))
    assert constant_of(arithmetic(diagram, Action.XOR, x, x)) == 0
    assert constant_of(x) is None
    assert compare(diagram, Action.EQUAL, x, x) == TRUE


@pytest.mark.parametrize("function", [arithmetic, compare])
def test_undefined_actions_are_reported(function: object) -> None:
    diagram = DecisionDiagram()
    with pytest.raises(NotImplementedError, match="no circuit for JUMP"):
        function(diagram, Action.JUMP, constant(0), constant(0))  # type: ignore[operator]
