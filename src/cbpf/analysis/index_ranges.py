"""Instruction indices and byte offsets as text: ranges of consecutive numbers."""

from collections.abc import Iterable


def format_ranges(numbers: Iterable[int]) -> str:
    """Format integers as ascending ranges of consecutive numbers.

    Args:
        numbers: Distinct integers, in any order.

    Returns:
        The ranges, separated by commas; empty if there are no numbers.

    >>> format_ranges([9, 0, 1, 2, 7, 10])
    '0..2, 7, 9..10'
    """
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}..{last}" for first, last in ranges)
