"""Rules about system calls: their fields, and the calls that they match."""

import pytest

from cbpf import FieldError
from cbpf.seccomp import Condition, MaskedRanges, Rule
from cbpf.seccomp.rules import ALL_WORDS

X86_64 = ((0xC000003E, 0xC000003E),)
ZERO = MaskedRanges(ranges=((0, 0),))


@pytest.mark.parametrize(
    ("ranges", "fact"),
    [
        ([(0, 1)], "is not a tuple of ranges"),
        (((0, 1, 2),), "(0, 1, 2) is not a pair of integers"),
        (((0, 1.0),), "(0, 1.0) is not a pair of integers"),
        (((2, 1),), "(0x2, 0x1) is not an ascending pair of numbers up to 0xffffffff"),
        (((0, 2**32),), "(0x0, 0x100000000) is not an ascending pair"),
        (((-1, 0),), "is not an ascending pair"),
        (((0, 4), (4, 5)), "numbers[1]: 0x4 is not above 0x4, the end of the range before it"),
    ],
)
def test_ranges_are_checked(ranges: object, fact: str) -> None:
    with pytest.raises(FieldError) as caught:
        Rule(architectures=ALL_WORDS, numbers=ranges, conditions=(), verdict=0)  # type: ignore[arg-type]
    assert fact in str(caught.value)
    assert str(caught.value).startswith("Rule.numbers")


def test_operands_have_64_bits() -> None:
    assert MaskedRanges(ranges=((0, 2**64 - 1),)).contains(2**64 - 1)
    with pytest.raises(FieldError, match="up to 0xffffffffffffffff"):
        MaskedRanges(ranges=((0, 2**64),))
    with pytest.raises(FieldError, match=r"MaskedRanges\.mask: .* is not an unsigned 64-bit number"):
        MaskedRanges(mask=2**64)


def test_conditions_are_checked() -> None:
    with pytest.raises(FieldError, match=r"Condition\.operand: 9 is not an operand \(0\.\.8\)"):
        Condition(9, (ZERO,))
    with pytest.raises(FieldError, match=r"Condition\.alternatives: an empty tuple"):
        Condition(0, ())
    with pytest.raises(FieldError, match=r"Rule\.conditions: .* is not a tuple of Condition objects"):
        Rule(architectures=ALL_WORDS, numbers=ALL_WORDS, conditions=(ZERO,), verdict=0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ((0xC000003E, 5, (0, 7)), True),
        ((0xC000003E, 5, (0, 8)), False),
        ((0xC000003E, 5, ()), False),
        ((0xC000003E, 6, (0, 7)), False),
        ((0x40000003, 5, (0, 7)), False),
        ((0xC000003E, 5, (0, 7), 0x100), False),
    ],
)
def test_all_parts_of_a_rule_must_match(call: tuple[int, int, tuple[int, ...], int], expected: bool) -> None:
    seven = Condition(1, (MaskedRanges(ranges=((7, 7),)),))
    no_address = Condition(6, (ZERO,))
    rule = Rule(architectures=X86_64, numbers=((5, 5),), conditions=(seven, no_address), verdict=1)
    assert rule.matches(*call) is expected


def test_conditions_may_test_the_number_and_the_architecture() -> None:
    odd = MaskedRanges(1, ((1, 1),))
    rule = Rule(
        architectures=ALL_WORDS, numbers=ALL_WORDS, conditions=(Condition(7, (odd,)), Condition(8, (ZERO,))), verdict=1
    )
    assert rule.matches(0, 3)
    assert not rule.matches(0, 2)
    assert not rule.matches(1, 3)
