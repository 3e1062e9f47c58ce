"""Shortcuts along paths that were followed before, so that a long path is followed in few steps.

In a filter of n terms, an edge of each term may lead past all terms after it: a source address that matched one term
matches no other. Following each of these n paths test by test takes quadratic time, although all of them pass the same
edges. A shortcut starts at an edge that was passed before and leads to an edge further on. It holds the conditions on
which a path takes all edges between them, so a path with facts that imply the conditions is not followed test by test.

The lengths of the shortcuts are those of Myers' skew-binary jump pointers ("An applicative random-access stack", 1983):
one shortcut per edge, but the end of each path is a logarithmic number of steps away.
"""

from bisect import bisect_right

from ..._named_tuple import NamedTuple
from ..._typing import Final, TypeAlias
from ...isa.word_ranges import Ranges, intersection
from ..ir.diagram import Diagram, NodeId, Switch, ranges_of_targets
from ..ir.path_facts import PathFacts, Reasoner
from ..ir.requirements import NOTHING, Requirements, ValueId, requirement_union, unsatisfied

Edge: TypeAlias = tuple[NodeId, NodeId]
"""A switch and one of its targets."""

_MAX_VALUES: Final = 64
_MAX_STEPS_PER_EDGE: Final = 4
_MAX_PARTS: Final = 8


class _Conditions(NamedTuple):
    """The conditions on which a path takes certain edges.

    Args:
        domains: Ranges that must contain each value.
        required: Requirements that must have been checked.
    """

    domains: dict[ValueId, Ranges]
    required: Requirements

    def union(self, other: "_Conditions") -> "_Conditions":
        """Return the conditions on which a path takes the edges of both."""
        domains = dict(self.domains)
        for value, ranges in other.domains.items():
            domains[value] = intersection(domains[value], ranges) if value in domains else ranges
        return _Conditions(domains, requirement_union(self.required, other.required) or NOTHING)


_NO_CONDITIONS: Final = _Conditions({}, NOTHING)


class _Step:
    """A step of a path that was followed: an edge, or several that another path had passed before.

    Attributes:
        edge: The edge, or the first of several.
        following: The next step of the path; None if the path ended there.
        shortcut: A later step of the path; None if the path ended there.
        remaining: The number of steps to the end of the path.
        to_following: The conditions on which a path that has passed *edge* takes the edges up to that of *following*.
        to_shortcut: The conditions on which it takes the edges up to that of *shortcut*.
    """

    __slots__ = ("edge", "following", "remaining", "shortcut", "to_following", "to_shortcut")

    def __init__(self, edge: Edge, following: "_Step | None", to_following: _Conditions) -> None:
        self.edge = edge
        self.following = self.shortcut = following
        self.remaining: int = 0 if following is None else following.remaining + 1
        self.to_following = self.to_shortcut = to_following
        second = None if following is None else following.shortcut
        third = None if second is None else second.shortcut
        if following is None or second is None or third is None:
            return
        if following.remaining - second.remaining == second.remaining - third.remaining:
            extended = to_following.union(following.to_shortcut).union(second.to_shortcut)
            if len(extended.domains) <= _MAX_VALUES:
                self.shortcut, self.to_shortcut = third, extended


class _KnownPath(NamedTuple):
    """A part of a path that was followed before, from *first* to *last*."""

    first: _Step
    last: _Step

    def conditions(self) -> _Conditions:
        """Return the conditions on which a path that has passed the first edge passes all edges."""
        step, conditions = self.first, _NO_CONDITIONS
        while step is not self.last:
            if step.shortcut is not None and step.shortcut.remaining >= self.last.remaining:
                step, conditions = step.shortcut, conditions.union(step.to_shortcut)
            else:
                assert step.following is not None
                step, conditions = step.following, conditions.union(step.to_following)
        return conditions


class Trail:
    """The edges that a path has passed, as single edges and as parts that are known."""

    def __init__(self) -> None:
        self.parts: list[Edge | _KnownPath] = []
        self.first_known: int | None = None


class Shortcuts:
    """The shortcuts of a diagram, which are made from the paths that are followed in it.

    Args:
        diagram: The diagram.
        reasoner: The inference rules for the facts on its paths.
    """

    def __init__(self, diagram: Diagram, reasoner: Reasoner) -> None:
        self._diagram = diagram
        self._reasoner = reasoner
        self._steps: dict[Edge, list[_Step]] = {}
        self._edge_conditions: dict[Edge, _Conditions] = {}

    def take(self, edge: Edge, facts: PathFacts, trail: Trail) -> Edge:
        """Return the edge that the facts imply farthest on a known path from *edge*; *edge* if there is none."""
        known = self._farthest(edge, facts)
        if known is None:
            trail.parts.append(edge)
            return edge
        if trail.first_known is None:
            trail.first_known = len(trail.parts)
        trail.parts.append(known)
        return known.last.edge

    def add(self, trail: Trail) -> int:
        """Add the path of a trail to the known paths; return the number of its new steps.

        If the known paths in it are few, only the edges before them are new, and are linked to the first of them.
        """
        following: _Step | None = None
        new = trail.parts
        if trail.first_known is not None and len(new) - trail.first_known <= _MAX_PARTS:
            known = new[trail.first_known]
            assert isinstance(known, _KnownPath)
            following, new = known.first, new[: trail.first_known]
        for part in reversed(new):
            following = self._add_step(part, following)
        return len(new)

    def _add_step(self, part: Edge | _KnownPath, following: _Step | None) -> _Step | None:
        """Add the step of a part of a path; return None if conditions on values do not decide its first edge."""
        edge, inner = (part.first.edge, part.conditions()) if isinstance(part, _KnownPath) else (part, _NO_CONDITIONS)
        if not self._is_pure(edge):
            return None
        if len(inner.domains) > _MAX_VALUES:
            following = None
        to_following = inner if following is None else inner.union(self._conditions_of(following.edge))
        step = _Step(edge, following, to_following)
        steps = self._steps.setdefault(edge, [])
        steps.append(step)
        if len(steps) > _MAX_STEPS_PER_EDGE:
            del steps[0]
        return step

    def _farthest(self, edge: Edge, facts: PathFacts) -> _KnownPath | None:
        farthest, most = None, 0
        for first in self._steps.get(edge, ()):
            last = first
            while (following := self._following(last, facts)) is not None:
                last = following
            if first.remaining - last.remaining > most:
                farthest, most = _KnownPath(first, last), first.remaining - last.remaining
        return farthest

    def _following(self, step: _Step, facts: PathFacts) -> _Step | None:
        """Return the farthest step that one shortcut reaches, or None if the facts imply none."""
        if step.shortcut is not None and self._is_implied(step.to_shortcut, facts):
            return step.shortcut
        if step.following is step.shortcut:
            return None
        return step.following if self._is_implied(step.to_following, facts) else None

    def _conditions_of(self, edge: Edge) -> _Conditions:
        node = self._diagram.nodes[edge[0]]
        if edge not in self._edge_conditions and isinstance(node, Switch):
            table = self._diagram.values
            for target, ranges in ranges_of_targets(node, table.upper[node.value]).items():
                self._edge_conditions[edge[0], target] = _Conditions(
                    {node.value: ranges}, table.requirements[node.value]
                )
        return self._edge_conditions[edge]

    def _is_pure(self, edge: Edge) -> bool:
        """Return whether a switch has this edge, so that conditions on values decide it.

        A path that no packet takes leads from a switch to the node that rejects, even if the switch has no such edge.
        """
        node, target = self._diagram.nodes[edge[0]], edge[1]
        return isinstance(node, Switch) and target in node.targets

    def _is_implied(self, conditions: _Conditions, facts: PathFacts) -> bool:
        for value, ranges in conditions.domains.items():
            if not _is_subset(self._reasoner.possible_ranges(value, facts), ranges):
                return False
        return not unsatisfied(facts.checked, conditions.required, self._diagram.values.upper)


def _is_subset(left: Ranges, right: Ranges) -> bool:
    """Return whether each range of *left* is within a range of *right*."""
    for low, high in left:
        index = bisect_right(right, low, key=lambda bounds: bounds[0]) - 1
        if index < 0 or right[index][1] < high:
            return False
    return True
