"""A layered layout of an acyclic graph: boxes in rows, edges routed between the boxes.

The steps are those of Sugiyama, Tagawa and Toda (1981). The row of a box is the length of the longest path from the
top. An edge over several rows gets a point in each row that it passes. The order within a row follows the barycentres
of the neighbours in the adjacent row, to reduce crossings. The horizontal positions are as close to those of the
neighbours as the order and the minimum distances allow, by isotonic regression.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from itertools import pairwise

from .._named_tuple import NamedTuple
from .._typing import Final

_ITERATIONS: Final = 12  # of ordering, and of placement: alternately downward and upward
_BOX_GAP: Final = 24.0
_POINT_GAP: Final = 18.0
_ROW_GAP: Final = 34.0
_STRAIGHT_HEIGHT: Final = 18.0  # below each row, where edges run vertically beside their labels
_CHAIN_WEIGHT: Final = 8.0  # of keeping an edge straight where it passes rows; an edge between boxes has weight 1
_LEAF_WEIGHT: Final = 0.1  # of an edge to or from a box without outgoing edges
_MARGIN: Final = 12.0

BoxSize = tuple[float, float]
NodePair = tuple[int, int]


class GraphLayout(NamedTuple):
    """The positions of boxes and edges, in the unit of the box sizes; the origin is the upper left corner.

    Args:
        boxes: The upper left corner of each box.
        routes: For each edge, its points from the lower side of the source to the upper side of the target. It is
            vertical from each point with an even index to the next, except to the last one.
        width: The width of the drawing.
        height: The height of the drawing.
    """

    boxes: list[tuple[float, float]]
    routes: list[list[tuple[float, float]]]
    width: float
    height: float


def lay_out(outer_sizes: Sequence[BoxSize], sizes: Sequence[BoxSize], edges: Sequence[NodePair]) -> GraphLayout:
    """Place boxes, and route the edges between them.

    Args:
        outer_sizes: The width and height of the space that each box occupies: the box with the edge labels below it,
            symmetrical about its centre.
        sizes: The width and height of each box.
        edges: The source and target of each edge, as indices of boxes; the graph is acyclic.

    Returns:
        The layout.
    """
    return _LayeredLayout(outer_sizes, sizes, edges).layout()


def assign_ranks(count: int, edges: Sequence[NodePair]) -> list[int]:
    """Return the row of each box: the row after its last predecessor.

    A box without predecessors, except the first, is placed in the row before its first successor.
    """
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        above[target].append(source)
        below[source].append(target)
    ranks, pending = [0] * count, [len(sources) for sources in above]
    ready = [box for box in range(count) if not pending[box]]
    for box in ready:  # grows during the iteration
        ranks[box] = max((ranks[source] + 1 for source in above[box]), default=0)
        for target in below[box]:
            pending[target] -= 1
            if not pending[target]:
                ready.append(target)
    for box in range(1, count):
        if not above[box] and below[box]:
            ranks[box] = min(ranks[target] for target in below[box]) - 1
    return ranks


class _LayeredLayout:
    """The nodes of a layout: the boxes, and after them the points at which edges pass rows."""

    def __init__(self, outer_sizes: Sequence[BoxSize], sizes: Sequence[BoxSize], edges: Sequence[NodePair]) -> None:
        self._sizes, self._edges, self._count = sizes, edges, len(sizes)
        self._ranks = assign_ranks(len(sizes), edges)
        self._rows: list[list[int]] = [[] for _ in range(max(self._ranks, default=0) + 1)]
        for box, rank in enumerate(self._ranks):
            self._rows[rank].append(box)
        self._above: list[list[int]] = [[] for _ in sizes]
        self._below: list[list[int]] = [[] for _ in sizes]
        self._chains = [self._chain(source, target) for source, target in edges]
        self._widths = [width for width, _ in outer_sizes] + [0.0] * (len(self._above) - len(sizes))
        self._order()
        self._x = [0.0] * len(self._above)
        self._place()

    def _chain(self, source: int, target: int) -> list[int]:
        """Return the nodes of an edge, after adding a point in each row that it passes."""
        chain = [source]
        for rank in range(self._ranks[source] + 1, self._ranks[target]):
            chain.append(len(self._above))
            self._rows[rank].append(chain[-1])
            self._above.append([])
            self._below.append([])
        chain.append(target)
        for upper, lower in pairwise(chain):
            self._below[upper].append(lower)
            self._above[lower].append(upper)
        return chain

    def _order(self) -> None:
        """Order the rows by the barycentres of the neighbours; retain the order with the fewest crossings."""
        best = [row.copy() for row in self._rows]
        fewest = self._crossings()
        for iteration in range(_ITERATIONS):
            if not fewest:
                break
            if iteration % 2 == 0:
                for adjacent, row in pairwise(self._rows):
                    _sort(row, self._above, adjacent)
            else:
                for adjacent, row in pairwise(reversed(self._rows)):
                    _sort(row, self._below, adjacent)
            crossings = self._crossings()
            if crossings < fewest:
                fewest, best = crossings, [row.copy() for row in self._rows]
        self._rows = best

    def _crossings(self) -> int:
        """Return the number of edge crossings between adjacent rows."""
        total = 0
        for upper, lower in pairwise(self._rows):
            position = {node: index for index, node in enumerate(lower)}
            previous: list[int] = []  # targets of the nodes to the left, ascending
            for node in upper:
                targets = [position[neighbour] for neighbour in self._below[node]]
                total += sum(len(previous) - bisect_right(previous, target) for target in targets)
                for target in targets:
                    insort(previous, target)
        return total

    def _place(self) -> None:
        """Compute the horizontal centre of each node."""
        for row in self._rows:
            self._settle(row, [0.0] * len(row), [1.0] * len(row))
        for iteration in range(_ITERATIONS):
            downward = iteration % 2 == 0
            for row in self._rows if downward else reversed(self._rows):
                self._draw_near(row, (self._above,) if downward else (self._below,))
        for row in self._rows:
            self._draw_near(row, (self._above, self._below))

    def _draw_near(self, row: list[int], directions: Iterable[list[list[int]]]) -> None:
        """Move the nodes of a row towards the weighted mean of their neighbours."""
        preferred_positions, weights = [], []
        for node in row:
            near = [
                (self._weight(node, neighbour), self._x[neighbour])
                for neighbours in directions
                for neighbour in neighbours[node]
            ]
            total = sum(weight for weight, _ in near)
            preferred_positions.append(sum(weight * x for weight, x in near) / total if total else self._x[node])
            weights.append(total or 0.1)
        self._settle(row, preferred_positions, weights)

    def _weight(self, node: int, neighbour: int) -> float:
        if node >= self._count and neighbour >= self._count:
            return _CHAIN_WEIGHT
        return 1.0 if self._below[node] and self._below[neighbour] else _LEAF_WEIGHT

    def _settle(self, row: list[int], preferred_positions: list[float], weights: list[float]) -> None:
        """Place the nodes of a row as close as possible to their preferred positions, in order and at the distances.

        Minus the minimum distances, the positions need only be non-decreasing: a weighted isotonic regression, computed
        by the pool adjacent violators algorithm.
        """
        shifts = [0.0]
        for left, right in pairwise(row):
            shifts.append(shifts[-1] + self._distance(left, right))
        pools: list[tuple[float, float, int]] = []  # mean, weight, members
        for preferred, weight, shift in zip(preferred_positions, weights, shifts, strict=True):
            mean, members = preferred - shift, 1
            while pools and pools[-1][0] > mean:
                pool_mean, pool_weight, pool_members = pools.pop()
                mean = (mean * weight + pool_mean * pool_weight) / (weight + pool_weight)
                weight += pool_weight
                members += pool_members
            pools.append((mean, weight, members))
        means = [mean for mean, _, members in pools for _ in range(members)]
        for node, mean, shift in zip(row, means, shifts, strict=True):
            self._x[node] = mean + shift

    def _distance(self, left: int, right: int) -> float:
        """Return the minimum distance of the centres of two adjacent nodes."""
        gap = _BOX_GAP if left < self._count and right < self._count else _POINT_GAP
        return (self._widths[left] + self._widths[right]) / 2 + gap

    def layout(self) -> GraphLayout:
        """Return the positions of boxes and edges."""
        nodes = range(len(self._x))
        left = min((self._x[node] - self._widths[node] / 2 for node in nodes), default=0.0) - _MARGIN
        right = max((self._x[node] + self._widths[node] / 2 for node in nodes), default=0.0) + _MARGIN
        self._x = [x - left for x in self._x]
        tops, bottoms = self._bands()
        boxes = [(self._x[box] - width / 2, tops[self._ranks[box]]) for box, (width, _) in enumerate(self._sizes)]
        leaving, entering = self._ports(outward=True), self._ports(outward=False)
        routes = []
        for edge, chain in enumerate(self._chains):
            source, target = self._edges[edge]
            x, rank = leaving[edge], self._ranks[source]
            points = [(x, tops[rank] + self._sizes[source][1]), (x, bottoms[rank])]
            for node in chain[1:-1]:
                rank += 1
                points += [(self._x[node], tops[rank]), (self._x[node], bottoms[rank])]
            routes.append([*points, (entering[edge], tops[self._ranks[target]])])
        return GraphLayout(boxes, routes, right - left, bottoms[-1] + _MARGIN)

    def _bands(self) -> tuple[list[float], list[float]]:
        """Return the top and bottom of each row; the gap after a row grows with the horizontal extent of its edges."""
        tops, bottoms, y = [], [], _MARGIN
        for row in self._rows:
            tops.append(y)
            bottoms.append(y + max(self._sizes[node][1] if node < self._count else 0.0 for node in row))
            bottoms[-1] += _STRAIGHT_HEIGHT
            extent = max(
                (abs(self._x[node] - self._x[other]) for node in row for other in self._below[node]), default=0.0
            )
            y = bottoms[-1] + _ROW_GAP + min(72.0, extent / 10)
        return tops, bottoms

    def _ports(self, *, outward: bool) -> list[float]:
        """Return the x coordinate at which each edge leaves its source, or enters its target.

        The ports of a box are evenly spaced over half of its width, in the order of the next nodes of the edges.
        """
        ports = [0.0] * len(self._edges)
        edges_at_box: dict[int, list[int]] = {}
        for edge, (source, target) in enumerate(self._edges):
            edges_at_box.setdefault(source if outward else target, []).append(edge)
        for box, edges in edges_at_box.items():
            edges.sort(key=lambda edge: self._x[self._chains[edge][1 if outward else -2]])
            width = self._sizes[box][0]
            for index, edge in enumerate(edges):
                share = (index - (len(edges) - 1) / 2) / max(1, len(edges) - 1)
                ports[edge] = self._x[box] + share * width / 2
        return ports


def _sort(row: list[int], neighbours: list[list[int]], adjacent: list[int]) -> None:
    """Sort a row by the mean position of each node's neighbours in the adjacent row; others retain their position."""
    position = {node: float(index) for index, node in enumerate(adjacent)}
    own = {node: float(index) for index, node in enumerate(row)}

    def key(node: int) -> float:
        near = neighbours[node]
        return sum(position[neighbour] for neighbour in near) / len(near) if near else own[node]

    row.sort(key=key)
