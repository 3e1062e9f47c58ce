"""Sets of numbers as sorted, disjoint, inclusive ranges: what a test accepts, what a value may be."""

from collections.abc import Iterable
from typing import TypeAlias

from .opcodes import WORD_MASK

Ranges: TypeAlias = tuple[tuple[int, int], ...]


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The numbers of all the ranges, which may be in any order and overlap."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def intersection(left: Ranges, right: Ranges) -> Ranges:
    """The numbers in both."""
    if not left or not right:
        return ()
    for one, other in ((left, right), (right, left)):
        if len(one) == 1 and one[0][0] <= other[0][0] and other[-1][1] <= one[0][1]:
            return other
    found, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        low, high = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if low <= high:
            found.append((low, high))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def complement(ranges: Ranges, most: int = WORD_MASK) -> Ranges:
    """The numbers from 0 to *most* that are not in *ranges*."""
    gaps, start = [], 0
    for low, high in ranges:
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= most:
        gaps.append((start, most))
    return tuple(gaps)


def shifted(ranges: Ranges, distance: int) -> Ranges:
    """Each number plus *distance*, modulo 2**32."""
    moved = []
    for low, high in ranges:
        low, high = (low + distance) & WORD_MASK, (high + distance) & WORD_MASK
        moved += [(low, high)] if low <= high else [(0, high), (low, WORD_MASK)]
    return union(moved)
