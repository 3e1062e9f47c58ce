"""Random filters of system calls, stacks of them, and calls at the borders of their tests."""

from __future__ import annotations

from random import Random
from typing import Final

import cbpf
from cbpf.seccomp import ARCHITECTURES, SystemCall
from support import random_programs
from support.random_choices import below, chance, pick

NATIVE: Final = ARCHITECTURES["x86_64"].audit_arch
COMPAT: Final = ARCHITECTURES["i386"].audit_arch
X32_BIT: Final = 0x40000000
ACTIONS: Final = (0x80000000, 0, 0x30000, 0x50000, 0x7FC00000, 0x7FF00000, 0x7FFC0000, 0x7FFF0000)
UNKNOWN_ACTIONS: Final = (0x10000, 0x40000, 0x12340000, 0x7FFE0000, 0x80010000, 0xFFFF0000)

_LOAD, _AND, _XOR, _RETURN_K, _RETURN_A, _DIVIDE_X, _MULTIPLY_X = 0x20, 0x54, 0xA4, 0x06, 0x16, 0x3C, 0x2C
_JUMPS: Final = (0x15, 0x25, 0x35, 0x45)
_WORDS: Final = (0, 4, *range(16, 64, 4))
_NUMBERS: Final = (0, 1, 41, 56, 59, 102, 231, 435, 0xFFFFFFFF)

Rows = list[tuple[int, int, int, int]]


def verdict(random: Random) -> int:
    """Return a verdict: any action, rarely one that Linux does not define, with data."""
    actions = UNKNOWN_ACTIONS if chance(random, 0.1) else ACTIONS
    return pick(random, actions) | pick(random, (0, 1, 38, 4095, 4096, 0xFFFF))


def _constant(random: Random, offset: int) -> int:
    """Return a constant with which a filter may compare the word at an offset."""
    if offset == 4:
        return pick(random, (NATIVE, COMPAT, 0xC00000B7))
    if offset == 0:
        return pick(random, _NUMBERS) | (X32_BIT if chance(random, 0.2) else 0)
    return pick(random, (0, 1, 38, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, below(random, 1 << 32)))


def clauses(random: Random) -> cbpf.Program:
    """Return a filter of clauses: a test of a word of the call, perhaps masked, and the verdict if it holds."""
    rows: Rows = []
    for _ in range(1 + below(random, 12)):
        offset = pick(random, _WORDS)
        rows.append((_LOAD, 0, 0, offset))
        if chance(random, 0.3):
            rows.append(
                (pick(random, (_AND, _XOR)), 0, 0, pick(random, (0xFF, 0xFFFF0000, X32_BIT, below(random, 1 << 32))))
            )
        rows.append((pick(random, _JUMPS), 0, 1, _constant(random, offset)))
        rows.append((_RETURN_K, 0, 0, verdict(random)))
    return cbpf.Program([*rows, (_RETURN_K, 0, 0, verdict(random))])


def arbitrary(random: Random, *, is_alone: bool) -> cbpf.Program:
    """Return a random filter that does not load the instruction pointer.

    Args:
        random: The source of randomness.
        is_alone: Whether it may divide by X, which can end it, and return A.
    """
    while True:
        rows: Rows = []
        for op, jt, jf, k in random_programs.seccomp(random):
            if (op == _RETURN_A and not is_alone) or (op == _RETURN_K and chance(random, 0.8)):
                op, k = _RETURN_K, verdict(random)
            if op == _LOAD and k in (8, 12):
                k += 8
            if op == _DIVIDE_X and not is_alone:
                op = _MULTIPLY_X
            rows.append((op, jt, jf, k))
        if not cbpf.findings(rows, dialect=cbpf.SECCOMP):
            return cbpf.Program(rows)


def stack(random: Random, largest: int = 5) -> cbpf.seccomp.Stack:
    """Return a stack of up to *largest* random filters."""
    size = 1 + below(random, largest)
    programs = [clauses(random) if chance(random, 0.7) else arbitrary(random, is_alone=size == 1) for _ in range(size)]
    return cbpf.seccomp.Stack(programs)


def call(random: Random, constants: list[int]) -> SystemCall:
    """Return a call whose words are often constants of a filter, or next to them."""

    def word() -> int:
        if chance(random, 0.7):
            return (pick(random, constants) + pick(random, (-1, 0, 0, 0, 1))) % (1 << 32)
        return pick(random, (0, 1, 0xFFFFFFFF, below(random, 1 << 32)))

    is_compat = chance(random, 0.3)
    number = word() if chance(random, 0.5) else pick(random, _NUMBERS)
    if chance(random, 0.2):
        number |= X32_BIT
    if number in ARCHITECTURES["x86_64"].unfiltered and not is_compat:
        number = 0
    arguments = [word() | (0 if is_compat or chance(random, 0.4) else word() << 32) for _ in range(6)]
    return SystemCall(number, arguments, architecture=COMPAT if is_compat else NATIVE)


def calls(random: Random, filters: cbpf.seccomp.Stack, count: int) -> list[SystemCall]:
    """Return calls at the borders of the tests of filters."""
    constants = [raw.k for program in filters.programs for raw in program] or [0]
    return [call(random, constants) for _ in range(count)]
