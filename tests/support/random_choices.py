"""Random choices that are equal in every version of Python: they call only `Random.random`, whose sequence is fixed."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

Item = TypeVar("Item")


def below(random: Random, limit: int) -> int:
    """Return an integer from 0 to *limit* - 1."""
    return int(random.random() * limit)


def pick(random: Random, items: Sequence[Item]) -> Item:
    """Return one of *items*."""
    return items[below(random, len(items))]


def chance(random: Random, probability: float) -> bool:
    """Return True with a probability."""
    return random.random() < probability
