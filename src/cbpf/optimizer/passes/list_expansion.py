"""Long lists in a diagram: where a program asks for one address or port, it asks for thousands instead.

Whoever makes the program puts placeholders into it, numbers that stand for a list. Their tests become tests of ranges;
an IPv6 address, four words that are tested one after the other, becomes a tree of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ...isa.opcodes import WORD_MASK
from ...isa.word_ranges import Ranges, union
from ..ir.diagram import Arm, Diagram, Switch
from ..ir.value_numbering import ByteLoad
from ..placeholders import AddressRanges, IPv6Words, PlaceholderMismatch, Placeholders


class _Chain(NamedTuple):
    """Tests of the four words of an address, what they test, and where they lead."""

    tests: list[int]
    values: list[int]
    yes: int
    no: int


def expand_lists(diagram: Diagram, root: int, placeholders: Placeholders, lists: AddressRanges) -> int:
    """The root of a diagram that asks for the lists where this one asks for the placeholders.

    Raises `PlaceholderMismatch` where it asks for none of a list's, or asks something else of one.
    """
    replaced: set[Ranges] = set()
    asked: set[int] = set()
    understood: set[int] = set()
    made: dict[int, int] = {}
    for number in reversed(diagram.topological_order(root)):
        node = diagram.nodes[number]
        made[number] = diagram.rebuild(number, made)
        if isinstance(node, Switch) and len(node.starts) == 3 and node.starts[1] in placeholders.constants:
            asked.add(number)
            chain = _chain_from(diagram, number, placeholders.host6)
            ranges = lists.hosts6 if chain is not None else _list_for(diagram, node, placeholders, lists)
            if ranges and chain is not None:
                made[number] = _tree(diagram, chain.values, ranges, made[chain.yes], made[chain.no])
                understood.update(chain.tests)
            elif ranges:
                made[number] = diagram.test(node.value, ranges, made[node.targets[1]], made[node.targets[0]])
                understood.add(number)
            replaced.add(ranges)
    if replaced - {()} != {ranges for ranges in lists if ranges} or asked != understood:
        raise PlaceholderMismatch
    return made[root]


def _list_for(diagram: Diagram, node: Switch, placeholders: Placeholders, lists: AddressRanges) -> Ranges:
    """The list whose placeholder a test asks for alone; empty: it asks something else."""
    load = diagram.values.nodes[node.value]
    for size, placeholder, ranges in ((4, placeholders.host, lists.hosts), (2, placeholders.port, lists.ports)):
        if isinstance(load, ByteLoad) and load.size == size and _asks_for(node, placeholder):
            return ranges
    return ()


def _asks_for(node: Switch, placeholder: int) -> bool:
    """Whether a test asks for one number alone."""
    return node.starts == (0, placeholder, placeholder + 1) and node.targets[0] == node.targets[2]


def _chain_from(diagram: Diagram, number: int, words: IPv6Words) -> _Chain | None:
    """The tests from a node on, if they ask for the words one after the other."""
    tests: list[int] = []
    values: list[int] = []
    no: int | None = None
    for word in words:
        node = diagram.nodes[number]
        if not isinstance(node, Switch) or not _asks_for(node, word) or no not in (None, node.targets[0]):
            return None
        tests.append(number)
        values.append(node.value)
        no, number = node.targets[0], node.targets[1]
    assert no is not None
    return _Chain(tests, values, number, no)


def _tree(diagram: Diagram, values: Sequence[int], ranges: Ranges, yes: int, no: int) -> int:
    """The node that goes to *yes* if the number that the values make, 32 bits each, lies in *ranges*."""
    if len(values) == 1:
        return diagram.test(values[0], ranges, yes, no)
    below = 32 * (len(values) - 1)
    lowest, highest = 0, (1 << below) - 1
    whole: list[tuple[int, int]] = []
    parts: dict[int, list[tuple[int, int]]] = {}
    for low, high in ranges:
        first, last = low >> below, high >> below
        if low & highest != lowest or (first == last and high & highest != highest):
            end = high & highest if first == last else highest
            parts.setdefault(first, []).append((low & highest, end))
            first += 1
        if first <= last and high & highest != highest:
            parts.setdefault(last, []).append((lowest, high & highest))
            last -= 1
        if first <= last:
            whole.append((first, last))
    arms = [(low, high, yes) for low, high in union(whole)]
    arms += ((word, word, _tree(diagram, values[1:], union(inner), yes, no)) for word, inner in parts.items())
    return diagram.switch(values[0], _with_gaps(sorted(arms), no))


def _with_gaps(arms: Sequence[tuple[int, int, int]], no: int) -> list[Arm]:
    """Arms from 0 to the greatest word, which lead to *no* where nothing else is said."""
    found: list[Arm] = []
    following = 0
    for low, high, target in arms:
        if following < low:
            found.append((following, no))
        found.append((low, target))
        following = high + 1
    if following <= WORD_MASK:
        found.append((following, no))
    return found
