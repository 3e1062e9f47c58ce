"""Random rules about system calls, and two judges of a compiled policy: a direct evaluation, and a plain program."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, Literal

import cbpf
from cbpf.seccomp import Condition, MaskedRanges, Rule
from support.random_choices import below, chance, pick

ByteOrder = Literal["big", "little"]
Call = tuple[int, ...]
"""The architecture, the number, six arguments and the instruction pointer."""

X86_64: Final = 0xC000003E
ARCHITECTURES: Final = (X86_64, 0x40000003, 0xC00000B7, 0x16, 0)
NUMBERS: Final = (0, 1, 2, 41, 42, 102, 0x40000000, 0x40000001, 0x40000029, 0xFFFFFFFF)
OPERANDS: Final = (0, 1, 2, 7, 38, 39, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**32 + 38, 2**63, 2**64 - 2, 2**64 - 1)
MASKS: Final = (2**64 - 1, 2**64 - 1, 2**64 - 1, 2**32 - 1, 2**64 - 2**32, 1, 6, 0x10000000, 0x7E020000, 2**40 + 2, 0)
VERDICTS: Final = (0x7FFF0000, 0x00050001, 0x00050026, 0x80000000, 0, 0x00030003, 0x7FFC0000, 0x12340000)


# -- random rules -----------------------------------------------------------------------------------------------------


def _ranges(random: Random, values: Sequence[int], upper: int, at_most: int) -> tuple[tuple[int, int], ...]:
    """Return one to *at_most* random ranges whose ends are mostly among *values*."""
    ends = sorted({pick(random, values) for _ in range(2 * (1 + below(random, at_most)))} | {pick(random, values)})
    ranges = []
    while ends:
        low = ends.pop(0)
        high = ends.pop(0) if ends and chance(random, 0.4) else low
        ranges.append((low, min(high, upper)))
    return tuple(ranges[:at_most])


def random_condition(random: Random) -> Condition:
    alternatives = []
    for _ in range(1 + below(random, 2)):
        mask = pick(random, MASKS)
        alternatives.append(MaskedRanges(mask, _ranges(random, OPERANDS, 2**64 - 1, 2)))
    return Condition(pick(random, (0, 0, 0, 1, 1, 5, 6, 7, 8)), tuple(alternatives))


def random_rules(random: Random, at_most: int = 8) -> tuple[tuple[Rule, ...], int]:
    """Return random rules and a default verdict."""
    rules = []
    for _ in range(1 + below(random, at_most)):
        everywhere = ((0, 2**32 - 1),)
        rules.append(
            Rule(
                architectures=everywhere if chance(random, 0.2) else _ranges(random, ARCHITECTURES, 2**32 - 1, 2),
                numbers=everywhere if chance(random, 0.1) else _ranges(random, NUMBERS, 2**32 - 1, 3),
                conditions=tuple(random_condition(random) for _ in range(below(random, 3))),
                verdict=pick(random, VERDICTS),
            )
        )
    return tuple(rules), pick(random, VERDICTS)


# -- calls ------------------------------------------------------------------------------------------------------------


def _around(values: Sequence[int], bits: int) -> tuple[int, ...]:
    near = {(value + distance) % 2**bits for value in values for distance in (-1, 0, 1)}
    return tuple(sorted(near))


def corner_calls(rules: Sequence[Rule], random: Random, count: int) -> Iterator[Call]:
    """Yield random calls whose values are at the ends of the ranges of *rules*, or beside them."""
    architectures = _around([end for rule in rules for pair in rule.architectures for end in pair], 32)
    numbers = _around([end for rule in rules for pair in rule.numbers for end in pair], 32)
    tests = [test for rule in rules for condition in rule.conditions for test in condition.alternatives]
    ends = _around([end for test in tests for pair in test.ranges for end in pair] or [0], 64)
    unmasked = tuple({end | (2**64 - 1 & ~test.mask) for test in tests for pair in test.ranges for end in pair} | {0})
    for _ in range(count):
        operands = [pick(random, ends if chance(random, 0.7) else unmasked) for _ in range(7)]
        yield (pick(random, architectures), pick(random, numbers), *operands)


def record(call: Call, byte_order: ByteOrder) -> bytes:
    """Return struct seccomp_data of a call."""
    architecture, number, *arguments, pointer = call
    return struct.pack("<IIQ6Q" if byte_order == "little" else ">IIQ6Q", number, architecture, pointer, *arguments)


# -- judges -----------------------------------------------------------------------------------------------------------


def verdict(rules: Sequence[Rule], default: int, call: Call) -> int:
    """Return the verdict of a call: that of the first rule that matches it, found by sets of numbers."""
    architecture, number, *operands = call
    operands += [number, architecture]

    def among(value: int, ranges: Sequence[tuple[int, int]]) -> bool:
        return any(value in range(low, high + 1) for low, high in ranges)

    for rule in rules:
        words = among(architecture, rule.architectures) and among(number, rule.numbers)
        if words and all(
            any(among(operands[each.operand] & test.mask, test.ranges) for test in each.alternatives)
            for each in rule.conditions
        ):
            return rule.verdict
    return default


class _PlainProgram:
    """The lines of a program that tests one rule after the other, range by range, without any optimisation."""

    def __init__(self, byte_order: ByteOrder) -> None:
        self.lines: list[str] = []
        self._labels = 0
        self._low, self._high = (0, 4) if byte_order == "little" else (4, 0)

    def label(self) -> str:
        self._labels += 1
        return f"L{self._labels}"

    def place(self, label: str) -> None:
        self.lines.append(f"{label}:")

    def word_test(self, offset: int, mask: int, ranges: Sequence[tuple[int, int]], inside: str, outside: str) -> None:
        """Go to one of two labels: *inside* if the word at *offset* under a mask is in one of the ranges."""
        self.lines += [f"ld [{offset}]", f"and #{mask}"]
        for low, high in ranges:
            ceiling, accept, following = self.label(), self.label(), self.label()
            self.lines += [f"jge #{low}, {ceiling}, {following}", f"{ceiling}: jgt #{high}, {following}, {accept}"]
            self.lines += [f"{accept}: ja {inside}", f"{following}:"]
        self.lines.append(f"ja {outside}")

    def operand_test(self, operand: int, test: MaskedRanges, inside: str, outside: str) -> None:
        """Go to one of two labels: *inside* if the operand passes the test, which compares its upper word first."""
        offset = {6: 8, 7: 0, 8: 4}.get(operand, 16 + 8 * operand)
        low, high = offset + self._low, offset + self._high
        low_mask, high_mask = test.mask % 2**32, test.mask >> 32
        if operand in (7, 8):  # words; as if an upper word of zeros were there
            low, high, high_mask = offset, offset, 0
        for first, last in test.ranges:
            following, between, lower, upper = (self.label() for _ in range(4))
            upper_end, last_word = last >> 32, last % 2**32
            if first >> 32 == upper_end:
                self.word_test(high, high_mask, [(upper_end, upper_end)], lower, following)
                self.place(lower)
                self.word_test(low, low_mask, [(first % 2**32, last_word)], inside, following)
            else:
                self.word_test(high, high_mask, [(first >> 32, upper_end)], between, following)
                self.place(between)
                self.word_test(high, high_mask, [(first >> 32, first >> 32)], lower, upper)
                self.place(lower)
                self.word_test(low, low_mask, [(first % 2**32, 2**32 - 1)], inside, following)
                self.place(upper)
                is_last = self.label()
                self.word_test(high, high_mask, [(upper_end, upper_end)], is_last, inside)
                self.place(is_last)
                self.word_test(low, low_mask, [(0, last_word)], inside, following)
            self.place(following)
        self.lines.append(f"ja {outside}")


def plain_program(rules: Sequence[Rule], default: int, byte_order: ByteOrder) -> cbpf.Program:
    """Return a program that tests one rule after the other, range by range, without any optimisation."""
    program = _PlainProgram(byte_order)
    for rule in rules:
        following, numbers, conditions = program.label(), program.label(), program.label()
        program.word_test(4, 2**32 - 1, rule.architectures, numbers, following)
        program.place(numbers)
        program.word_test(0, 2**32 - 1, rule.numbers, conditions, following)
        program.place(conditions)
        for condition in rule.conditions:
            holds = program.label()
            for alternative in condition.alternatives:
                other = program.label()
                program.operand_test(condition.operand, alternative, holds, other)
                program.place(other)
            program.lines.append(f"ja {following}")
            program.place(holds)
        program.lines.append(f"ret #{rule.verdict}")
        program.place(following)
    return cbpf.parse("\n".join([*program.lines, f"ret #{default}"]))
