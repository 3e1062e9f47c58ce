"""A layered layout of a graph without cycles: boxes in rows, ways between them that pass no box.

After Sugiyama, Tagawa and Toda (1981): rows by the longest way from the top; a way over several rows gets a point in
each; the order in a row by the barycentre of the neighbours, to cut crossings; the places in a row as near to those of
the neighbours as the distances allow, by isotonic regression.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

_ITERATIONS: Final = 12
_BOX_GAP: Final = 24.0
_POINT_GAP: Final = 18.0
_ROW_GAP: Final = 34.0
_STRAIGHT_HEIGHT: Final = 18.0  # where ways go straight down, beside their labels
_CHAIN_WEIGHT: Final = 8.0  # how much more it counts that a way is straight where it passes rows
_LEAF_WEIGHT: Final = 0.1  # how little it counts where a box without ways out stands
_MARGIN: Final = 12.0

BoxSize = tuple[float, float]
NodePair = tuple[int, int]


class GraphLayout(NamedTuple):
    """Where all is, in units of the sizes, from the upper left.

    boxes: the left upper corner of each.
    routes: by edge, the points from the lower side of its source to the upper side of its target. It goes straight down
    from each point with an even index to the next, the last one excepted.
    """

    boxes: list[tuple[float, float]]
    routes: list[list[tuple[float, float]]]
    width: float
    height: float


def lay_out(rooms: Sequence[BoxSize], sizes: Sequence[BoxSize], edges: Sequence[NodePair]) -> GraphLayout:
    """Places boxes of (width, height), and edges from box to box by their numbers, of which none lead back.

    *rooms* are the boxes with what stands beside their lower sides, as wide to the left as to the right.
    """
    return _LayeredLayout(rooms, sizes, edges).layout()


def assign_ranks(count: int, edges: Sequence[NodePair]) -> list[int]:
    """The row of each box: behind all that lead to it; what nothing leads to stands right above what it leads to."""
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        above[target].append(source)
        below[source].append(target)
    ranks, missing = [0] * count, [len(sources) for sources in above]
    ready = [number for number in range(count) if not missing[number]]
    for number in ready:  # which grows
        ranks[number] = max((ranks[source] + 1 for source in above[number]), default=0)
        for target in below[number]:
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    for number in range(1, count):
        if not above[number] and below[number]:
            ranks[number] = min(ranks[target] for target in below[number]) - 1
    return ranks


class _LayeredLayout:
    """Boxes and points of ways, numbered on from the boxes."""

    def __init__(self, rooms: Sequence[BoxSize], sizes: Sequence[BoxSize], edges: Sequence[NodePair]) -> None:
        self._sizes, self._edges, self._count = sizes, edges, len(sizes)
        self._ranks = assign_ranks(len(sizes), edges)
        self._rows: list[list[int]] = [[] for _ in range(max(self._ranks, default=0) + 1)]
        for number, rank in enumerate(self._ranks):
            self._rows[rank].append(number)
        self._above: list[list[int]] = [[] for _ in sizes]
        self._below: list[list[int]] = [[] for _ in sizes]
        self._chains = [self._chain(source, target) for source, target in edges]
        self._widths = [width for width, _ in rooms] + [0.0] * (len(self._above) - len(sizes))
        self._order()
        self._x = [0.0] * len(self._above)
        self._place()

    def _chain(self, source: int, target: int) -> list[int]:
        """The edge as a chain of neighbours: a point in each row that it passes."""
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
        """Orders the rows by the barycentres of their neighbours, and keeps the order with the fewest crossings."""
        best = [row.copy() for row in self._rows]
        fewest = self._crossings()
        for sweep in range(_ITERATIONS):
            if not fewest:
                break
            if sweep % 2 == 0:
                for other, row in pairwise(self._rows):
                    _sort(row, self._above, other)
            else:
                for other, row in pairwise(reversed(self._rows)):
                    _sort(row, self._below, other)
            crossings = self._crossings()
            if crossings < fewest:
                fewest, best = crossings, [row.copy() for row in self._rows]
        self._rows = best

    def _crossings(self) -> int:
        total = 0
        for upper, lower in pairwise(self._rows):
            place = {number: index for index, number in enumerate(lower)}
            seen: list[int] = []
            for number in upper:
                targets = [place[one] for one in self._below[number]]
                total += sum(len(seen) - bisect_right(seen, target) for target in targets)
                for target in targets:
                    insort(seen, target)
        return total

    def _place(self) -> None:
        for row in self._rows:
            self._settle(row, [0.0] * len(row), [1.0] * len(row))
        for sweep in range(_ITERATIONS):
            downward = sweep % 2 == 0
            for row in self._rows if downward else reversed(self._rows):
                self._draw_near(row, (self._above,) if downward else (self._below,))
        for row in self._rows:
            self._draw_near(row, (self._above, self._below))

    def _draw_near(self, row: list[int], directions: Iterable[list[list[int]]]) -> None:
        """Moves a row towards its neighbours."""
        wishes, weights = [], []
        for number in row:
            near = [(self._weight(number, one), self._x[one]) for side in directions for one in side[number]]
            weight = sum(one for one, _ in near)
            wishes.append(sum(one * x for one, x in near) / weight if weight else self._x[number])
            weights.append(weight or 0.1)
        self._settle(row, wishes, weights)

    def _weight(self, number: int, neighbour: int) -> float:
        if number >= self._count and neighbour >= self._count:
            return _CHAIN_WEIGHT
        return 1.0 if self._below[number] and self._below[neighbour] else _LEAF_WEIGHT

    def _settle(self, row: list[int], wishes: list[float], weights: list[float]) -> None:
        """The places of a row nearest to what is wished, in their order and at their distances.

        Without the distances these places only must not fall: pool adjacent violators.
        """
        shifts = [0.0]
        for left, right in pairwise(row):
            shifts.append(shifts[-1] + self._distance(left, right))
        pools: list[tuple[float, float, int]] = []  # mean, weight, members
        for wish, weight, shift in zip(wishes, weights, shifts, strict=True):
            mean, members = wish - shift, 1
            while pools and pools[-1][0] > mean:
                other, others_weight, others = pools.pop()
                mean = (mean * weight + other * others_weight) / (weight + others_weight)
                weight += others_weight
                members += others
            pools.append((mean, weight, members))
        means = [mean for mean, _, members in pools for _ in range(members)]
        for number, mean, shift in zip(row, means, shifts, strict=True):
            self._x[number] = mean + shift

    def _distance(self, left: int, right: int) -> float:
        between = _BOX_GAP if left < self._count and right < self._count else _POINT_GAP
        return (self._widths[left] + self._widths[right]) / 2 + between

    def layout(self) -> GraphLayout:
        """All in its place."""
        left = min((self._x[one] - self._widths[one] / 2 for one in range(len(self._x))), default=0.0) - _MARGIN
        right = max((self._x[one] + self._widths[one] / 2 for one in range(len(self._x))), default=0.0) + _MARGIN
        self._x = [x - left for x in self._x]
        tops, bottoms = self._bands()
        boxes = [
            (self._x[number] - width / 2, tops[self._ranks[number]]) for number, (width, _) in enumerate(self._sizes)
        ]
        leaving, entering = self._ports(outward=True), self._ports(outward=False)
        routes = []
        for edge, chain in enumerate(self._chains):
            source, target = self._edges[edge]
            x, rank = leaving[edge], self._ranks[source]
            points = [(x, tops[rank] + self._sizes[source][1]), (x, bottoms[rank])]
            for number in chain[1:-1]:
                rank += 1
                points += [(self._x[number], tops[rank]), (self._x[number], bottoms[rank])]
            routes.append([*points, (entering[edge], tops[self._ranks[target]])])
        return GraphLayout(boxes, routes, right - left, bottoms[-1] + _MARGIN)

    def _bands(self) -> tuple[list[float], list[float]]:
        """The upper and the lower side of each row. Rows between which ways go far sideways lie farther apart."""
        tops, bottoms, y = [], [], _MARGIN
        for row in self._rows:
            tops.append(y)
            bottoms.append(y + max(self._sizes[one][1] if one < self._count else 0.0 for one in row) + _STRAIGHT_HEIGHT)
            farthest = max((abs(self._x[one] - self._x[two]) for one in row for two in self._below[one]), default=0.0)
            y = bottoms[-1] + _ROW_GAP + min(72.0, farthest / 10)
        return tops, bottoms

    def _ports(self, *, outward: bool) -> list[float]:
        """Where each edge leaves its source, or enters its target: side by side, in the order in which they come."""
        ports = [0.0] * len(self._edges)
        at_box: dict[int, list[int]] = {}
        for number, (source, target) in enumerate(self._edges):
            at_box.setdefault(source if outward else target, []).append(number)
        for box, edges in at_box.items():
            edges.sort(key=lambda edge: self._x[self._chains[edge][1 if outward else -2]])
            width = self._sizes[box][0]
            for place, edge in enumerate(edges):
                share = (place - (len(edges) - 1) / 2) / max(1, len(edges) - 1)
                ports[edge] = self._x[box] + share * width / 2
        return ports


def _sort(row: list[int], neighbours: list[list[int]], other: list[int]) -> None:
    """Sorts a row by the mean place of the neighbours in the other one; what has none there stays about where it is."""
    place = {number: float(index) for index, number in enumerate(other)}

    def key(number: int) -> float:
        near = neighbours[number]
        return sum(place[one] for one in near) / len(near) if near else own[number]

    own = {number: float(index) for index, number in enumerate(row)}
    row.sort(key=key)
