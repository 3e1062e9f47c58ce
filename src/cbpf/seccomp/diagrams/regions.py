"""The regions of a function of the record: disjoint products of sets of architectures, numbers and arguments.

The walk cuts the diagram at the border of each field: each function that remains there is entered from one set of
numbers of the field, so the regions are disjoint, cover every record, and none of them is empty.
"""

from ..._named_tuple import NamedTuple
from ..._typing import Final
from .decision_diagram import TRUE, DecisionDiagram, Node
from .record_bits import FIELDS, Field
from .word_sets import NumberTests, describe_parts, smallest_member

_MAX_REGIONS: Final = 4096
"""The number of regions of a function; one with more becomes a single region."""


class Region(NamedTuple):
    """Records that pass certain tests of the fields, and the function that decides about them.

    Args:
        sets: The set of numbers of each field, in the order of `record_bits.FIELDS`; TRUE is the set of all numbers.
        tests: The tests that describe each set.
        rest: The function that decides: a leaf, unless it depends on opaque words, or has no short description.
    """

    sets: tuple[Node, ...]
    tests: tuple[NumberTests, ...]
    rest: Node


def regions_of(diagram: DecisionDiagram, function: Node, omitted: Node) -> list[Region]:
    """Return the regions of a function, except for those where it is the leaf *omitted*."""
    return RegionWalk(diagram, omitted).regions(function)


class RegionWalk:
    """The regions of several functions, which share those of their equal parts.

    Args:
        diagram: The diagram of the functions.
        omitted: The leaf that has no regions.
    """

    def __init__(self, diagram: DecisionDiagram, omitted: Node) -> None:
        self._diagram = diagram
        self._omitted = omitted
        self._known: dict[tuple[Node, int], list[Region]] = {}

    def regions(self, function: Node, index: int = 0) -> list[Region]:
        """Return the regions of a function of the fields from *index* on."""
        if function == self._omitted:
            return []
        key = function, index
        if key not in self._known:
            self._known[key] = self._split(function, index)
        return self._known[key]

    def _split(self, function: Node, index: int) -> list[Region]:
        remaining = len(FIELDS) - index
        unsplit = [Region((TRUE,) * remaining, ((),) * remaining, function)]
        if remaining == 0 or self._diagram.is_leaf(function):
            return unsplit
        parts = self._parts(function, FIELDS[index])
        if parts is None:
            return unsplit
        regions = [
            Region((numbers, *region.sets), (tests, *region.tests), region.rest)
            for part, numbers, tests in parts
            for region in self.regions(part, index + 1)
        ]
        return regions if len(regions) <= _MAX_REGIONS else unsplit

    def _parts(self, function: Node, field: Field) -> list[tuple[Node, Node, NumberTests]] | None:
        """Return the functions that remain after a field, each with its set of numbers and the tests of the set.

        They are in the order of their smallest numbers. None: a set has no short description.
        """
        diagram = self._diagram
        if diagram.variables[function] >= field.end:
            return [(function, TRUE, ())]
        parts = []
        for part, numbers in diagram.split(function, field.end).items():
            if part != self._omitted:
                descriptions = describe_parts(diagram, numbers, field)
                if descriptions is None:
                    return None
                parts += [(part, subset, tests) for subset, tests in descriptions]
        return sorted(parts, key=lambda part: smallest_member(diagram, part[1], field))
