"""The state of a random filter expression while it is written, and the parts that many primitives share."""

from __future__ import annotations

from random import Random

from support.random_addresses import up_to
from support.random_choices import chance, pick


class State:
    """The state of an expression while it is written from left to right.

    Args:
        random: The source of randomness.
        given: The DLT_ number of the packets.
        has_netmask: Whether the netmask is known, which `ip broadcast` requires.
        careless: Whether mistakes are frequent; otherwise, few expressions contain one.
    """

    def __init__(self, random: Random, given: int, *, has_netmask: bool = True, careless: bool = False) -> None:
        self.random = random
        self.given = given
        self.current = given
        self.has_labels = False
        self.has_netmask = has_netmask
        self._mistake_factor = 14 if careless else 1

    def pick(self, *items: str) -> str:
        return pick(self.random, items)

    def chance(self, probability: float) -> bool:
        return chance(self.random, probability)

    def errs(self, probability: float = 0.02) -> bool:
        """Return whether to make a mistake."""
        return chance(self.random, probability * self._mistake_factor)


def joined(*parts: str) -> str:
    """Return the parts that are not empty, separated by blanks."""
    return " ".join(part for part in parts if part)


def optional_number(state: State, limit: int) -> str:
    """Return an optional number, which may be in parentheses."""
    text = up_to(state.random, limit)
    return state.pick("", "", text, text, f"({text})")
