"""Sets of numbers as sorted, disjoint, inclusive ranges: operands that pass a test, or possible values.

The numbers have 32 bits; those of a `SetTest` may have several words of 32 bits.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from itertools import chain
from operator import itemgetter
from types import MappingProxyType

from .._named_tuple import NamedTuple
from .._typing import Final, TypeAlias
from .opcodes import WORD_MASK

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Sorted, disjoint ranges of unsigned numbers, each with its first and its last number."""

_FEW: Final = 2
"""The number of ranges up to which the parts of another set within them are searched for."""


class SetTest(NamedTuple):
    """The test that a conditional jump represents, in a program that the optimiser reads: no opcode tests a set.

    Args:
        slots: The scratch slots with the words of the number, the most significant first; empty if it is in A. The
            instructions before the jump load and store the words. A missing byte rejects a packet only if a number of
            the set begins with the words before it.
        ranges: The numbers for which the jump's test holds.
    """

    slots: tuple[int, ...]
    ranges: Ranges


NO_SETS: Final[Mapping[int, SetTest]] = MappingProxyType({})
"""The sets of a program in which every jump tests its constant."""


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return the union of ranges that may overlap and be in any order."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def intersection(left: Ranges, right: Ranges) -> Ranges:
    """Return the intersection of two sets."""
    if not left or not right:
        return ()
    few, many = sorted((left, right), key=len)
    if len(few) <= _FEW:
        return tuple(chain.from_iterable(_within(many, low, high) for low, high in few))
    common, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        low, high = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if low <= high:
            common.append((low, high))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(common)


def _within(ranges: Ranges, low: int, high: int) -> Ranges:
    """Return the numbers of a set from *low* to *high*."""
    inside = ranges[bisect_left(ranges, low, key=itemgetter(1)) : bisect_right(ranges, high, key=itemgetter(0))]
    if not inside or (low <= inside[0][0] and inside[-1][1] <= high):
        return inside
    clipped = list(inside)
    clipped[0] = max(low, inside[0][0]), inside[0][1]
    clipped[-1] = clipped[-1][0], min(high, inside[-1][1])
    return tuple(clipped)


def complement(ranges: Ranges, upper: int = WORD_MASK) -> Ranges:
    """Return the numbers from 0 to *upper*, inclusive, that are not in *ranges*."""
    gaps, start = [], 0
    for low, high in ranges:
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= upper:
        gaps.append((start, upper))
    return tuple(gaps)


def split_by_first_word(ranges: Ranges, lower_bits: int) -> tuple[Ranges, dict[int, list[tuple[int, int]]]]:
    """Split ranges by their first word, which is followed by *lower_bits* bits.

    Returns the ranges of first words that are complete (all following words are in *ranges*), and for each other first
    word the ranges of the following words.
    """
    upper = (1 << lower_bits) - 1
    complete: list[tuple[int, int]] = []
    partial: dict[int, list[tuple[int, int]]] = {}
    for low, high in ranges:
        first, last = low >> lower_bits, high >> lower_bits
        if low & upper != 0 or (first == last and high & upper != upper):
            end = high & upper if first == last else upper
            partial.setdefault(first, []).append((low & upper, end))
            first += 1
        if first <= last and high & upper != upper:
            partial.setdefault(last, []).append((0, high & upper))
            last -= 1
        if first <= last:
            complete.append((first, last))
    return union(complete), partial


def shifted(ranges: Ranges, distance: int) -> Ranges:
    """Return each number plus *distance*, modulo 2**32."""
    moved = []
    for low, high in ranges:
        low, high = (low + distance) & WORD_MASK, (high + distance) & WORD_MASK
        moved += [(low, high)] if low <= high else [(0, high), (low, WORD_MASK)]
    return union(moved)
