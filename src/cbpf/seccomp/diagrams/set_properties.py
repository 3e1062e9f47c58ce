"""Properties of a set of numbers, from its decision diagram: the lengths of descriptions, and the common bits.

A set may have 2^63 ranges, and its diagram few nodes. Each function visits each node once.

>>> from cbpf.seccomp.diagrams.decision_diagram import DecisionDiagram
>>> diagram = DecisionDiagram()
>>> odd = diagram.variable(3)  # the last bit of four
>>> range_count(diagram, odd, {0: 3, 1: 2, 2: 1, 3: 0}), path_count(diagram, odd)
(8, 1)
>>> common_bits(diagram, odd)
{3: True}
"""

from collections.abc import Mapping

from ..._typing import TypeAlias
from .decision_diagram import FALSE, TRUE, DecisionDiagram, Node

_Shape: TypeAlias = tuple[int, int, int, int]
"""Of numbers of some bits: the number of bits, that of ranges, and whether 0 and the largest number are members."""


def _visited(diagram: DecisionDiagram, numbers: Node) -> list[Node]:
    """Return the nodes of a set, each after its successors."""
    nodes = diagram.reachable(numbers)
    diagram.count_visits(len(nodes))
    return nodes[::-1]


def range_count(diagram: DecisionDiagram, numbers: Node, rank: Mapping[int, int]) -> int:
    """Return the number of ranges of a set of numbers.

    Args:
        diagram: The diagram of the set.
        numbers: The set.
        rank: For each variable, the position of its bit; a variable on which the set does not depend may be missing.
    """
    shapes: dict[Node, _Shape] = {FALSE: (0, 0, 0, 0), TRUE: (0, 1, 1, 1)}
    for node in _visited(diagram, numbers):
        if not diagram.is_leaf(node):
            bits = rank[diagram.variables[node]]
            low, high = shapes[diagram.low[node]], shapes[diagram.high[node]]
            ranges = _repeated(low, bits) + _repeated(high, bits) - (low[3] & high[2])
            shapes[node] = bits + 1, ranges, low[2], high[3]
    return _repeated(shapes[numbers], len(rank))


def _repeated(shape: _Shape, bits: int) -> int:
    """Return the number of ranges if more bits, which do not matter, precede: of copies one after the other."""
    own_bits, ranges, first, last = shape
    return (ranges - (first & last) << bits - own_bits) + (first & last)


def path_count(diagram: DecisionDiagram, numbers: Node) -> int:
    """Return the number of paths of a diagram that lead to TRUE."""
    paths: dict[Node, int] = {}
    for node in _visited(diagram, numbers):
        is_leaf = diagram.is_leaf(node)
        paths[node] = int(node == TRUE) if is_leaf else paths[diagram.low[node]] + paths[diagram.high[node]]
    return paths[numbers]


def common_bits(diagram: DecisionDiagram, numbers: Node) -> dict[int, bool]:
    """Return the variables that have the same value for all members of a set that is not empty, in ascending order."""
    ones: dict[Node, int] = {TRUE: 0}  # of each set, the variables that are true for all members, as bits
    zeros: dict[Node, int] = {TRUE: 0}
    for node in _visited(diagram, numbers):
        if diagram.is_leaf(node):
            continue
        bit, low, high = 1 << diagram.variables[node], diagram.low[node], diagram.high[node]
        if low == FALSE:
            ones[node], zeros[node] = ones[high] | bit, zeros[high]
        elif high == FALSE:
            ones[node], zeros[node] = ones[low], zeros[low] | bit
        else:
            ones[node], zeros[node] = ones[low] & ones[high], zeros[low] & zeros[high]
    true, false = ones[numbers], zeros[numbers]
    return {
        variable: bool(true >> variable & 1)
        for variable in range((true | false).bit_length())
        if (true | false) >> variable & 1
    }
