"""Seeded random relations of filter expressions: loads from all headers, nested offsets, and all operators."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from support.random_addresses import number, word
from support.random_choices import below, chance, pick

RELATIONS: Final = ("=", "=", "!=", "<", "<=", ">", ">=")
OPERATORS: Final = ("+", "+", "-", "*", "&", "&", "|", "^", "<<", ">>", "/", "%")


def relation(random: Random, loads: Sequence[str], others: Sequence[str]) -> str:
    """Return a comparison; *loads* are the headers that the link type has, *others* a few unsuitable ones."""
    arithmetic = _Arithmetic(random, loads, others)
    left, right = arithmetic.write(3), word(random) if chance(random, 0.6) else arithmetic.write(2)
    if chance(random, 0.1):
        left, right = right, left
    return f"{left} {pick(random, RELATIONS)} {right}"


class _Arithmetic:
    def __init__(self, random: Random, loads: Sequence[str], others: Sequence[str]) -> None:
        self._random = random
        self._loads = loads
        self._others = others

    def write(self, depth: int) -> str:
        """Return a value with up to *depth* levels of operators and offsets."""
        fraction = self._random.random()
        if depth == 0 or fraction < 0.2:
            return word(self._random) if chance(self._random, 0.6) else self._load(0)
        if fraction < 0.55:
            return self._load(depth - 1)
        if fraction < 0.6:
            return "len"
        if fraction < 0.65:
            return f"-{self.write(depth - 1)}"
        if fraction < 0.72:
            return f"({self.write(depth - 1)})"
        return self._operation(depth - 1)

    def _operation(self, depth: int) -> str:
        operator = pick(self._random, OPERATORS)
        if operator in ("<<", ">>", "/", "%") and chance(self._random, 0.8):
            right = number(self._random, pick(self._random, (1, 2, 4, 7, 31, 8, 0 if chance(self._random, 0.1) else 3)))
        else:
            right = self.write(depth)
        text = f"{self.write(depth)} {operator} {right}"
        return f"({text})" if chance(self._random, 0.4) else text

    def _load(self, depth: int) -> str:
        protocol = pick(self._random, self._others if chance(self._random, 0.01) else self._loads)
        offset = (
            self.write(depth) if depth and chance(self._random, 0.4) else number(self._random, below(self._random, 40))
        )
        size = pick(self._random, ("", ":1", ":2", ":4", ":4", "", ":2", ":3" if chance(self._random, 0.05) else ""))
        return f"{protocol}[{offset}{size}]"
