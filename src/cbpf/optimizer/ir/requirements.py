"""Requirements: conditions that an accepting run must meet, such as bytes that must exist and divisors that are not 0.

A run that fails any requirement ends with verdict 0. The order of requirements is therefore irrelevant; only the set on
each accepting path (a path to a verdict other than 0) counts. So a load may be moved away from a node, or removed, if
each requirement that it checks is either required on every accepting path from the node (`Diagram.required_to_accept`)
or already checked on every path to the node (`Diagram.checked_on_entry`, `PathFacts.checked`).

Several requirements are a mapping from a key to a count:

- The key of a load is the value that its offset is added to, or `PACKET` if there is none. The count is the number of
  bytes that must follow that position.
- All other keys (`nonzero_key`, `window_key`, `DEVICE`) have the count 1.

The mappings form a lattice. Its top, `NOTHING_ACCEPTED`, contains all requirements: it describes a node from which
every path rejects.
"""

from collections.abc import Mapping, Sequence

from ..._typing import Final, TypeAlias

ValueId: TypeAlias = int
"""The index of a value in the `ValueTable`."""

Requirements: TypeAlias = Mapping[int, int]

PACKET: Final = -1
"""The key of a load at a constant offset."""

DEVICE: Final = -2
"""The key of "the packet has a device". A run without one ends with A, not 0, so a `Guard` never checks this key."""

NOTHING: Final[Requirements] = {}
NOTHING_ACCEPTED: Final = None


def nonzero_key(divisor: ValueId) -> int:
    """Return the key of "this divisor is not 0"."""
    return -3 - 2 * divisor


def window_key(load: ValueId) -> int:
    """Return the key of a load through Linux's header windows, which no requirement but its own can imply."""
    return -4 - 2 * load


def nonzero_divisor(key: int) -> ValueId | None:
    """Return the divisor of a key made by `nonzero_key`, or None for any other key."""
    return (-3 - key) // 2 if key <= -3 and key % 2 else None


def window_load(key: int) -> ValueId | None:
    """Return the load of a key made by `window_key`, or None for any other key."""
    return (-4 - key) // 2 if key <= -4 and key % 2 == 0 else None


def requirement_union(left: Requirements | None, right: Requirements | None) -> Requirements | None:
    """Return the requirements in either operand: the least upper bound."""
    if left is NOTHING_ACCEPTED or right is NOTHING_ACCEPTED:
        return NOTHING_ACCEPTED
    if not right or left is right:
        return left
    if not left:
        return right
    merged = dict(left)
    for key, count in right.items():
        if merged.get(key, 0) < count:
            merged[key] = count
    return merged


def requirement_intersection(left: Requirements | None, right: Requirements | None) -> Requirements | None:
    """Return the requirements in both operands: the greatest lower bound."""
    if left is NOTHING_ACCEPTED or left is right:
        return right
    if right is NOTHING_ACCEPTED:
        return left
    return {key: min(count, right[key]) for key, count in left.items() if key in right}


def unsatisfied(checked: Requirements | None, required: Requirements, upper: Sequence[int]) -> Requirements:
    """Return the part of *required* that *checked* does not imply; *upper* holds the upper bound of each value."""
    if checked is NOTHING_ACCEPTED or not required:
        return NOTHING
    return {key: count for key, count in required.items() if not _is_implied(checked, key, count, upper)}


def _is_implied(checked: Requirements, key: int, count: int, upper: Sequence[int]) -> bool:
    if checked.get(key, 0) >= count:
        return True
    if key == PACKET:  # bytes after a value's position imply bytes of the packet, as an offset is never negative
        return any(base_count >= count for base, base_count in checked.items() if base >= 0)
    return key >= 0 and checked.get(PACKET, 0) >= upper[key] + count
