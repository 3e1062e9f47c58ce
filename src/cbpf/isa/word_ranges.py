"""Sets of 32-bit numbers as sorted, disjoint, inclusive ranges: operands that pass a test, or possible values."""

from collections.abc import Iterable
from typing import TypeAlias

from .opcodes import WORD_MASK

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Sorted, disjoint ranges of unsigned numbers, each with its first and its last number."""


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
    for outer, inner in ((left, right), (right, left)):
        if len(outer) == 1 and outer[0][0] <= inner[0][0] and inner[-1][1] <= outer[0][1]:
            return inner
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


def shifted(ranges: Ranges, distance: int) -> Ranges:
    """Return each number plus *distance*, modulo 2**32."""
    moved = []
    for low, high in ranges:
        low, high = (low + distance) & WORD_MASK, (high + distance) & WORD_MASK
        moved += [(low, high)] if low <= high else [(0, high), (low, WORD_MASK)]
    return union(moved)
