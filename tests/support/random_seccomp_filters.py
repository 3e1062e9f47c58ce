"""Seeded random seccomp filters that test words of a call in unusual forms and orders.

A filter is a chain of clauses. Each clause loads a word, transforms it by arithmetic, perhaps with another word in X,
and tests it; the outcome returns a verdict, or selects a number in scratch memory that a later clause reads.
"""

from random import Random
from typing import Final

from cbpf import Program
from support.random_choices import below, chance, pick
from support.random_programs import ACTIONS, Instruction

_OFFSETS: Final = (0, 0, 0, 4, 4, 16, 16, 16, 20, 24, 28, 32, 36, 60, 8, 12)
_ARITHMETIC: Final = (0x54, 0x54, 0x54, 0x54, 0xA4, 0x44, 0x04, 0x14, 0x64, 0x74, 0x84, 0x24, 0x34)
_WITH_X: Final = (0x5C, 0xAC, 0x4C, 0x0C, 0x1C, 0x2C, 0x3C, 0x6C, 0x7C)
_COMPARISONS: Final = (0x15, 0x15, 0x25, 0x35, 0x45)
_COMPARISONS_WITH_X: Final = (0x1D, 0x2D, 0x3D, 0x4D)
_MASKS: Final = (1, 3, 0xFF, 0x8000_0000, 0xFFFF_FF00, 0x4000_0000, 0x7E02_0000, 0x0F0F_0F0F, 0x1_0001)
_NUMBERS: Final = (0, 1, 2, 38, 41, 0xFF, 0x4000_0003, 0xC000_003E, 0xFFFF_FFFF, 0x8000_0000, 0x4000_0029)
_SLOT: Final = 3


def random_filter(random: Random, *, clauses: int = 5, computed: bool = False) -> Program:
    """Return a filter of up to this many clauses; with *computed*, of words that are compared with each other."""
    program: list[Instruction] = [
        (0x00, 0, 0, below(random, 4)),
        (0x02, 0, 0, _SLOT),
        (0x20, 0, 0, pick(random, _OFFSETS)),
    ]
    for _ in range(1 + below(random, clauses)):
        program += _clause(random, computed)
    if computed and chance(random, 0.2):
        return Program([*program, (0x54, 0, 0, pick(random, (0x7FFF_0000, 0x0005_0003, 0xFFFF_FFFF))), (0x16, 0, 0, 0)])
    return Program([*program, (0x06, 0, 0, _verdict(random))])


def _clause(random: Random, computed: bool) -> list[Instruction]:
    rows: list[Instruction] = []
    if chance(random, 0.8):
        rows.append((0x60, 0, 0, _SLOT) if chance(random, 0.2) else (0x20, 0, 0, pick(random, _OFFSETS)))
    with_x = computed and chance(random, 0.4)
    if with_x:
        rows += [(0x07, 0, 0, 0), (0x20, 0, 0, pick(random, _OFFSETS))]
    for _ in range(below(random, 3)):
        code = pick(random, _WITH_X if with_x and chance(random, 0.5) else _ARITHMETIC)
        rows.append((code, 0, 0, _operand(random, code)))
    code = pick(random, _COMPARISONS_WITH_X if with_x and chance(random, 0.5) else _COMPARISONS)
    operand = pick(random, _MASKS if code == 0x45 else _NUMBERS)
    negated = chance(random, 0.3)
    if chance(random, 0.3):  # the outcome selects the number that a later clause finds in scratch memory
        rows += [(code, *((0, 1) if negated else (1, 0)), operand), (0x00, 0, 0, _number(random)), (0x02, 0, 0, _SLOT)]
        return rows
    rows += [(code, *((1, 0) if negated else (0, 1)), operand), (0x06, 0, 0, _verdict(random))]
    return rows


def _operand(random: Random, code: int) -> int:
    match code:
        case 0x54:
            return pick(random, _MASKS)
        case 0x64 | 0x74:
            return pick(random, (1, 4, 8, 16, 31))
        case 0x24 | 0x34:
            return pick(random, (1, 2, 3, 5, 10, 0x100))
    return _number(random)


def _number(random: Random) -> int:
    return pick(random, _NUMBERS) if chance(random, 0.7) else below(random, 1 << 32)


def _verdict(random: Random) -> int:
    return pick(random, ACTIONS) | below(random, 3)
