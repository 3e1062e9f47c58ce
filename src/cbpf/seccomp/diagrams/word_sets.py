"""Sets of numbers, from decision diagrams to conditions that people read, and back.

The diagram of a set is the condition on the bits of a field. It becomes a conjunction of tests, each of which compares
some bits of the number with ranges. Of several exact descriptions, the shortest is chosen: ranges of the number, of its
low or high half, or of the bits that matter; tests of bits that all members have in common beside the ranges of the
others; and, if nothing else is short, the paths of the diagram as alternatives.
"""

from collections.abc import Iterable, Iterator, Sequence

from ..._typing import Final, TypeAlias
from ...isa.opcodes import WORD_MASK
from ...isa.word_ranges import Ranges, complement, intersection
from ..rules import OPERAND_MASK, MaskedRanges
from .bit_vectors import WORD_BITS, in_ranges
from .decision_diagram import FALSE, LEAF, TRUE, DecisionDiagram, Node
from .record_bits import Field
from .set_properties import common_bits, path_count, range_count

_MAX_LENGTH: Final = 256
"""The number of ranges, or of alternatives, that the description of a set of arguments may have."""

_MAX_PARTS: Final = 16
"""The number of parts of a set that are described apart."""

_MAX_RANGES: Final = 1024
"""The number of ranges that a set of architectures, or of numbers of calls, may have."""

_MAX_LENGTH_OF_ONE_PART: Final = 16
"""The number of comparisons up to which a set is described as one part."""

_MAX_LISTED: Final = 8
"""The length of a list of single numbers that is easier to read than a mask."""

Alternatives: TypeAlias = tuple[MaskedRanges, ...]
"""Tests of one number; it must pass one of them."""


NumberTests: TypeAlias = tuple[Alternatives, ...]
"""Tests of one number, all of which it must pass; () for all numbers."""


def set_of(diagram: DecisionDiagram, field: Field, alternatives: Iterable[MaskedRanges]) -> Node:
    """Return the diagram of the numbers that pass one of several tests."""
    result = FALSE
    for test in alternatives:
        word = tuple(
            [
                diagram.variable(variable) if test.mask >> field.end - 1 - variable & 1 else FALSE
                for variable in range(field.first, field.end)
            ]
        )
        ranges = intersection(test.ranges, ((0, (1 << field.bits) - 1),))
        result = diagram.either(result, in_ranges(diagram, word, ranges))
    return result


def smallest_member(diagram: DecisionDiagram, numbers: Node, field: Field) -> int:
    """Return the smallest number of a set that is not empty."""
    member = 0
    while numbers != TRUE:
        is_set = diagram.low[numbers] == FALSE
        member |= is_set << field.end - 1 - diagram.variables[numbers]
        numbers = diagram.high[numbers] if is_set else diagram.low[numbers]
    return member


def describe_parts(diagram: DecisionDiagram, numbers: Node, field: Field) -> list[tuple[Node, NumberTests]] | None:
    """Return disjoint parts of a set with their descriptions: one part, if that is short; None if nothing is.

    Otherwise the first bits of a number are described apart from the others, for each set of others that follows them:
    those of the high half apart from the low half, for example.
    """
    tests = describe_set(diagram, numbers, field)
    if tests is None:
        for end in (field.first + WORD_BITS, *range(field.end - 1, field.first, -1)):
            parts = _parts_at(diagram, numbers, field, end)
            if parts is not None:
                return parts
        return None
    if field.bits > WORD_BITS and _length(tests) > _MAX_LENGTH_OF_ONE_PART:
        parts = _parts_at(diagram, numbers, field, field.first + WORD_BITS)
        if parts is not None and sum(_length(tests_of_part) for _, tests_of_part in parts) < _length(tests):
            return parts
    return [(numbers, tests)]


def _parts_at(diagram: DecisionDiagram, numbers: Node, field: Field, end: int) -> list[tuple[Node, NumberTests]] | None:
    """Return the parts of a set that differ in the bits from variable *end* on; None if one has no description."""
    if sum(diagram.variables[node] >= end for node in diagram.reachable(numbers, end)) > _MAX_PARTS:
        return None
    parts = []
    for others, first in diagram.split(numbers, end).items():
        if others != FALSE:
            tests_of_first, tests_of_others = (describe_set(diagram, part, field) for part in (first, others))
            if tests_of_first is None or tests_of_others is None:
                return None
            parts.append((diagram.both(first, others), _joined(tests_of_first, tests_of_others)))
    return parts


def _joined(first: NumberTests, others: NumberTests) -> NumberTests:
    """Return the tests of the first bits of a number and of the others: ranges, where both are tests of one half.

    The upper half is one value, and the lower half is in ranges.
    """
    match first, others:
        case (
            ((MaskedRanges(mask=complete, ranges=((low, high),)),),),
            ((MaskedRanges(mask=mask, ranges=ranges),),),
        ) if complete == OPERAND_MASK and low ^ high == mask == WORD_MASK:
            return ((MaskedRanges(complete, tuple([(low + start, low + end) for start, end in ranges])),),)
    return first + others


def describe_set(diagram: DecisionDiagram, numbers: Node, field: Field) -> NumberTests | None:
    """Return the shortest tests that describe a set; None if it has no short description.

    A set of architectures or of numbers of calls is a list of ranges, unless there are too many.
    """
    if numbers == TRUE:
        return ()
    if field.bits == WORD_BITS:
        ranges = _ranges(diagram, numbers, field, WORD_MASK, _MAX_RANGES)
        if ranges is not None:
            return ((MaskedRanges(WORD_MASK, ranges),),)
    listed = _listed(diagram, numbers, field)
    if listed is not None:
        return (listed,)
    candidates: list[NumberTests] = [(test,) for test in _masked(diagram, numbers, field)]
    candidates += _common_bits_apart(diagram, numbers, field)
    shortest = min(candidates, key=_length, default=None)
    limit = _MAX_LENGTH if shortest is None else _length(shortest)
    if limit > 2:
        cubes = _cubes(diagram, numbers, field, limit)
        if cubes is not None:
            return (cubes,)
    return shortest


def _length(tests: Sequence[Alternatives]) -> int:
    """Return the number of comparisons of a description."""
    return sum(len(test.ranges) for alternatives in tests for test in alternatives)


def _listed(diagram: DecisionDiagram, numbers: Node, field: Field) -> Alternatives | None:
    """Return a list of a few numbers, or all numbers but a few, of the number or its low half; None otherwise."""
    for mask in ((1 << field.bits) - 1, WORD_MASK):
        if _support(diagram, numbers, field) & ~mask == 0:
            ranges = _ranges(diagram, numbers, field, mask, _MAX_LISTED + 1)
            if ranges is not None:
                for members in (ranges, complement(ranges, mask)):
                    if len(members) <= _MAX_LISTED and all(low == high for low, high in members):
                        return (MaskedRanges(mask, ranges),)
    return None


def _masked(diagram: DecisionDiagram, numbers: Node, field: Field) -> Iterator[Alternatives]:
    """Yield the most readable mask under which a set has the fewest ranges: those of the bits that matter."""
    support = _support(diagram, numbers, field)
    tight = _ranges(diagram, numbers, field, support, _MAX_LENGTH)
    if tight is None:
        return
    complete = (1 << field.bits) - 1
    for mask in (complete, WORD_MASK, complete & ~WORD_MASK, support):
        if support & ~mask == 0:
            ranges = tight if mask == support else _ranges(diagram, numbers, field, mask, len(tight))
            if ranges is not None:
                yield (MaskedRanges(mask, ranges),)
                return


def _common_bits_apart(diagram: DecisionDiagram, numbers: Node, field: Field) -> Iterator[NumberTests]:
    """Yield a description that tests the bits that all members have in common apart from the others.

    The bits before the first one that differs between members are part of the ranges.
    """
    fixed = common_bits(diagram, numbers)
    support = sorted({diagram.variables[node] for node in diagram.reachable(numbers)} - {LEAF})
    first_varying = next((variable for variable in support if variable not in fixed), LEAF)
    common = {variable: value for variable, value in fixed.items() if variable > first_varying}
    if common:
        mask = sum(1 << field.end - 1 - variable for variable in common)
        value = sum(1 << field.end - 1 - variable for variable, is_true in common.items() if is_true)
        for others in _masked(diagram, diagram.restrict(numbers, common), field):
            yield ((MaskedRanges(mask, ((value, value),)),), others)


def _support(diagram: DecisionDiagram, numbers: Node, field: Field) -> int:
    """Return the bits on which the membership of a number depends."""
    support = 0
    for node in diagram.reachable(numbers):
        if not diagram.is_leaf(node):
            support |= 1 << field.end - 1 - diagram.variables[node]
    return support


def _ranges(diagram: DecisionDiagram, numbers: Node, field: Field, mask: int, limit: int) -> Ranges | None:
    """Return the ranges of the bits under a mask that contains the support of a set; None if they exceed a limit."""
    positions = [bit for bit in range(field.bits) if mask >> bit & 1]  # of the bits that are compared, ascending
    rank = {field.end - 1 - position: index for index, position in enumerate(positions)}
    if range_count(diagram, numbers, rank) > limit:
        return None
    found: list[tuple[int, int]] = []
    pending = [(numbers, 0, len(positions))]  # a node, the bits before it, and the number of bits from it on
    visits = 0
    while pending:
        node, base, bits = pending.pop()
        visits += 1
        if node == FALSE:
            continue
        if node == TRUE:
            if found and found[-1][1] + 1 == base:
                found[-1] = found[-1][0], base + (1 << bits) - 1
            else:
                found.append((base, base + (1 << bits) - 1))
            continue
        index = rank[diagram.variables[node]]
        if index < bits - 1:  # a bit before that of the node does not matter
            pending += [(node, base | 1 << bits - 1, bits - 1), (node, base, bits - 1)]
        else:
            pending += [(diagram.high[node], base | 1 << index, index), (diagram.low[node], base, index)]
    diagram.count_visits(visits)
    return tuple([(_deposited(low, positions), _deposited(high, positions)) for low, high in found])


def _deposited(number: int, positions: Sequence[int]) -> int:
    """Return a number whose bits are moved to these positions, the least significant first."""
    return sum(1 << position for index, position in enumerate(positions) if number >> index & 1)


def _cubes(diagram: DecisionDiagram, numbers: Node, field: Field, limit: int) -> Alternatives | None:
    """Return the paths of a diagram as tests of bits; None if there are *limit* or more."""
    if path_count(diagram, numbers) >= limit:
        return None
    cubes: list[MaskedRanges] = []
    pending = [(numbers, 0, 0)]
    visits = 0
    while pending:
        node, mask, value = pending.pop()
        visits += 1
        if node == TRUE:
            cubes.append(MaskedRanges(mask, ((value, value),)))
        elif node != FALSE:
            bit = 1 << field.end - 1 - diagram.variables[node]
            pending += [(diagram.high[node], mask | bit, value | bit), (diagram.low[node], mask | bit, value)]
    diagram.count_visits(visits)
    return tuple(cubes)
