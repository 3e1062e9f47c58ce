"""What a run has to get past: bytes that must be there, divisors that must not be 0.

A requirement is a key with a number. The key of a load is the expression that its offset is added to, or PACKET for
none, and the number says how many bytes must follow there; all other keys have the number 1. Several requirements are
a dict; NOTHING_ACCEPTED stands for all of them at once: it is what a way that always rejects may claim.

A run that misses a requirement anywhere gets the verdict 0. So their order does not matter, only which of them lie on a
way to a verdict other than 0: that is the whole question whether a load may be moved or left out.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

Requirements: TypeAlias = Mapping[int, int]

PACKET: Final = -1
DEVICE: Final = -2
"""That the packet belongs to a device; its absence ends the run with A, so it is only ever known, not required."""

NOTHING: Final[Requirements] = {}
NOTHING_ACCEPTED: Final = None


def nonzero_key(expression: int) -> int:
    """The key of a divisor that is not 0."""
    return -3 - 2 * expression


def reachable_key(expression: int) -> int:
    """The key of a load through Linux's header windows, of which only its own success tells anything."""
    return -4 - 2 * expression


def nonzero_divisor(key: int) -> int | None:
    """The divisor that a key is about, if it is about one."""
    return (-3 - key) // 2 if key <= -3 and key % 2 else None


def window_load(key: int) -> int | None:
    """The load through a header window that a key is about, if it is about one."""
    return (-4 - key) // 2 if key <= -4 and key % 2 == 0 else None


def requirement_union(left: Requirements | None, right: Requirements | None) -> Requirements | None:
    """All requirements of both."""
    if left is NOTHING_ACCEPTED or right is NOTHING_ACCEPTED:
        return NOTHING_ACCEPTED
    if not right or left is right:
        return left
    if not left:
        return right
    merged = dict(left)
    for key, number in right.items():
        if merged.get(key, 0) < number:
            merged[key] = number
    return merged


def requirement_intersection(left: Requirements | None, right: Requirements | None) -> Requirements | None:
    """What holds on two ways alike."""
    if left is NOTHING_ACCEPTED or left is right:
        return right
    if right is NOTHING_ACCEPTED:
        return left
    return {key: min(number, right[key]) for key, number in left.items() if key in right}


def unsatisfied(known: Requirements | None, wanted: Requirements, most: Sequence[int]) -> Requirements:
    """Those *wanted* that do not follow from those *known*; most: the greatest value of each expression."""
    if known is NOTHING_ACCEPTED or not wanted:
        return NOTHING
    return {key: number for key, number in wanted.items() if not _follows(known, key, number, most)}


def _follows(known: Requirements, key: int, number: int, most: Sequence[int]) -> bool:
    if known.get(key, 0) >= number:
        return True
    if key == PACKET:  # an offset is never negative
        return any(there >= number for base, there in known.items() if base >= 0)
    return key >= 0 and known.get(PACKET, 0) >= most[key] + number
