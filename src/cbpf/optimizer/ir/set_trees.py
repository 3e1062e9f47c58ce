"""Tests of sets: a number of several words is compared with ranges by a tree of switches, one level for each word."""

from collections.abc import Sequence

from ...isa.opcodes import WORD_MASK
from ...isa.word_ranges import Ranges, split_by_first_word, union
from .diagram import Arm, Diagram, NodeId
from .requirements import NOTHING, Requirements, ValueId, requirement_union


def set_tree(diagram: Diagram, values: Sequence[ValueId], ranges: Ranges, inside: NodeId, outside: NodeId) -> NodeId:
    """Return the node that tests whether the concatenation of *values*, 32 bits each, is in *ranges*.

    A value is loaded if a number in *ranges* begins with the values before it.
    """
    if len(values) == 1:
        return diagram.test(values[0], ranges, inside, outside)
    complete, partial = split_by_first_word(ranges, 32 * (len(values) - 1))
    arms: list[tuple[int, int, NodeId]] = []
    if complete:
        required: Requirements = NOTHING
        for value in values[1:]:
            required = requirement_union(required, diagram.values.requirements[value]) or NOTHING
        arms += ((low, high, diagram.guard(required, inside)) for low, high in complete)
    arms += (
        (word, word, set_tree(diagram, values[1:], union(inner), inside, outside)) for word, inner in partial.items()
    )
    return diagram.switch(values[0], _fill_gaps(sorted(arms), outside))


def _fill_gaps(arms: Sequence[tuple[int, int, NodeId]], default: NodeId) -> list[Arm]:
    """Return the arms of a switch on a word; values in none of the disjoint, sorted *arms* go to *default*."""
    filled: list[Arm] = []
    next_start = 0
    for low, high, target in arms:
        if next_start < low:
            filled.append((next_start, default))
        filled.append((low, target))
        next_start = high + 1
    if next_start <= WORD_MASK:
        filled.append((next_start, default))
    return filled
