"""The graph of a program as SVG, laid out by `layout`.

The background is transparent. Every text has its own background, a box or a label, and a contrast of at least 4.5 : 1
to it (WCAG 2, level AA), so that a drawing can be read on any page; lines have at least 3 : 1 on white and on black.
All styles are attributes: a style sheet would also apply to the rest of a page that contains the SVG, some converters
ignore it, and the theme of a notebook is not that of the system. A page with a theme of its own can set other colours
by `data-kind` and `data-heat` of boxes and `data-outcome` of edges, because its rules override attributes.
"""

from collections.abc import Iterator
from html import escape

from .._named_tuple import NamedTuple
from .._typing import Final
from ..analysis.cfg import Block, Edge
from .labels import EDGE_COLORS, STROKES, TEXT_COLOR, Labels
from .layout import GraphLayout, lay_out

_CHARACTER_WIDTH: Final = 7.3  # pixels at 12 pixels of height, for the wider monospaced fonts
_LINE_HEIGHT: Final = 16.0
_PADDING: Final = 9.0
_MIN_WIDTH: Final = 90.0
_MIN_TEST_WIDTH: Final = 150.0  # leaves room for the labels of two edges below the box
_LABEL_DISTANCE: Final = 6.0
_LABEL_PADDING: Final = 3.0
_LABEL_FILL: Final = "#ffffff"
_HEAT_LEVELS: Final = 10
_MAX_POINTS: Final = 20_000  # of edges over several rows; longer edges end in stubs, so that any program can be drawn


class _Box(NamedTuple):
    """A drawn box: a block, one of several copies of a block, or a stub that only names the target of a long edge.

    *runs* executions reached the box. The last *remarks* of its lines are remarks, not instructions.
    """

    block: Block
    runs: int
    lines: list[str]
    remarks: int
    is_feasible: bool
    is_stub: bool = False


class _DrawnEdge(NamedTuple):
    """An edge between two boxes, by their indices."""

    source: int
    target: int
    edge: Edge


class _Drawing:
    """The boxes and edges of a drawing. A block that consists of a `ret` gets one box per incoming edge."""

    def __init__(self, labels: Labels) -> None:
        blocks = labels.blocks
        self.labels = labels
        self.boxes = [self._block_box(block, labels.runs(block), block.is_feasible) for block in blocks]
        self.edges: list[_DrawnEdge] = []
        self._duplicated = {
            block.number for block in blocks if not block.edges and len(block) == 1 and len(block.predecessors) > 1
        }
        self._drawn: set[int] = set()
        max_distance = max(8, _MAX_POINTS // len(blocks))
        for edge in (edge for block in blocks for edge in block.edges):
            is_far = edge.target - edge.source > max_distance
            self.edges.append(_DrawnEdge(edge.source, self._target(blocks[edge.target], edge, is_far), edge))

    def _block_box(self, block: Block, runs: int, is_feasible: bool) -> _Box:
        return _Box(block, runs, self.labels.lines(block, runs), len(self.labels.remarks(block)), is_feasible)

    def _target(self, block: Block, edge: Edge, is_far: bool) -> int:
        """Return the index of the box that an edge enters, after adding a copy or a stub if it needs one."""
        runs = self.labels.taken(edge)
        if block.number in self._duplicated:
            box = self._block_box(block, runs, edge.is_feasible)
            if block.number not in self._drawn:
                self._drawn.add(block.number)
                self.boxes[block.number] = box
                return block.number
        elif is_far:
            box = _Box(block, runs, [f"to {block.start}"], 0, edge.is_feasible, is_stub=True)
        else:
            return block.number
        self.boxes.append(box)
        return len(self.boxes) - 1

    def size(self, index: int) -> tuple[float, float]:
        """Return the width and height of a box."""
        box = self.boxes[index]
        width = max(map(len, box.lines)) * _CHARACTER_WIDTH + 2 * _PADDING
        is_test = index == box.block.number and len(box.block.edges) == 2
        return max(_MIN_TEST_WIDTH if is_test else _MIN_WIDTH, width), len(box.lines) * _LINE_HEIGHT + 2 * _PADDING - 4

    def outer_size(self, index: int) -> tuple[float, float]:
        """Return the width and height of a box with its edge labels, at 1/4 and 3/4 of the width of the box."""
        width, height = self.size(index)
        box = self.boxes[index]
        labels = [self.labels.label(edge) for edge in box.block.edges] if index == box.block.number else []
        label_width = max(map(len, labels), default=0) * _CHARACTER_WIDTH + 2 * _LABEL_DISTANCE
        return max(width, label_width * 2 + (width / 2 if len(labels) == 2 else 0)), height


def draw(labels: Labels) -> str:
    """Return the text of an SVG file."""
    drawing = _Drawing(labels)
    indices = range(len(drawing.boxes))
    outer_sizes = [drawing.outer_size(index) for index in indices]
    layout = lay_out(outer_sizes, [drawing.size(index) for index in indices], [edge[:2] for edge in drawing.edges])
    parts = [*_opening(labels, layout)]
    for edge, route in zip(drawing.edges, layout.routes, strict=True):
        x, _ = layout.boxes[edge.source]
        parts += _edge_markup(labels, edge.edge, route, x + drawing.size(edge.source)[0] / 2)
    for index in indices:
        parts += _box_markup(labels, drawing.boxes[index], layout.boxes[index], drawing.size(index))
    return "\n".join([*parts, "</svg>"]) + "\n"


_FONTS: Final = "'DejaVu Sans Mono',ui-monospace,Menlo,Consolas,monospace"


def _opening(labels: Labels, layout: GraphLayout) -> Iterator[str]:
    width, height = f"{layout.width:.0f}", f"{layout.height:.0f}"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img" font-family="{_FONTS}" font-size="12">'
    )
    packets = "" if labels.counts is None else f", {labels.counts.packets:,} packets"
    yield f"<title>{labels.title}{packets}</title>"
    yield "<defs>"
    for outcome, color in EDGE_COLORS.items():
        yield (
            f'<marker id="{_arrow(outcome)}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8"'
            f' markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="{color}"/></marker>'
        )
    yield "</defs>"


def _outcome_name(outcome: bool | None) -> str:
    return "always" if outcome is None else str(outcome).lower()


def _arrow(outcome: bool | None) -> str:
    return f"cbpf-{_outcome_name(outcome)}"


def _box_markup(labels: Labels, box: _Box, corner: tuple[float, float], size: tuple[float, float]) -> Iterator[str]:
    block, (x, y), (width, height) = box.block, corner, size
    dashes = "" if box.is_feasible and not box.is_stub else ' stroke-dasharray="5 4"'
    heat = "" if labels.counts is None else f' data-heat="{round(_HEAT_LEVELS * labels.share(box.runs))}"'
    yield f'<g data-block="{block.number}" data-kind="{labels.kind(block)}"{heat} fill="{TEXT_COLOR}">'
    yield (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6"'
        f' fill="{labels.fill(block, box.runs)}" stroke="{STROKES[labels.kind(block)]}"'
        f' stroke-width="1.5"{dashes}/>'
    )
    for row, text in enumerate(box.lines):
        weight = ' font-weight="bold"' if row >= len(box.lines) - box.remarks else ""
        baseline = y + _PADDING + 10 + row * _LINE_HEIGHT
        yield f'<text x="{x + _PADDING:.1f}" y="{baseline:.1f}"{weight}>{escape(text)}</text>'
    yield "</g>"


def _edge_markup(labels: Labels, edge: Edge, route: list[tuple[float, float]], middle: float) -> Iterator[str]:
    """Yield the markup of an edge: its line, its condition as a tooltip, and its label.

    The label is beside the beginning of the line, on the side away from the *middle* of the source box.
    """
    color = EDGE_COLORS[edge.outcome]
    dashes = "" if edge.is_feasible else ' stroke-dasharray="4 4"'
    stroke = 1.5 if labels.counts is None else 1 + 3.5 * labels.share(labels.taken(edge))
    tooltip = edge.condition or "always"
    if labels.counts is not None:
        tooltip += f": {labels.run_text(labels.taken(edge))}"
    yield (
        f'<g data-edge="{edge.source}-{edge.target}" data-outcome="{_outcome_name(edge.outcome)}">'
        f'<path d="{_curve(route)}" fill="none" stroke="{color}"'
        f' stroke-width="{stroke:.1f}"{dashes} marker-end="url(#{_arrow(edge.outcome)})">'
        f"<title>{escape(tooltip)}</title></path>"
    )
    x, y = route[0]
    label = labels.label(edge)
    if label:
        yield from _label_markup(label, (x, y + 14), color, is_left=x < middle - 1)
    yield "</g>"


def _label_markup(label: str, point: tuple[float, float], color: str, *, is_left: bool) -> Iterator[str]:
    """Yield the background and the text of an edge label, to the left or right of a point on the edge."""
    x, baseline = point
    width = len(label) * _CHARACTER_WIDTH
    start = x - _LABEL_DISTANCE - width if is_left else x + _LABEL_DISTANCE
    position = f'x="{x - _LABEL_DISTANCE:.1f}" text-anchor="end"' if is_left else f'x="{start:.1f}"'
    yield (
        f'<rect x="{start - _LABEL_PADDING:.1f}" y="{baseline - 11:.1f}" width="{width + 2 * _LABEL_PADDING:.1f}"'
        f' height="15" rx="4" fill="{_LABEL_FILL}"/>'
    )
    yield f'<text {position} y="{baseline:.1f}" fill="{color}">{escape(label)}</text>'


def _curve(route: list[tuple[float, float]]) -> str:
    """Return the path data of an edge: vertical lines where it passes a row, Bézier curves between two rows."""
    (x, y), *rest = route
    parts = [f"M{x:.1f} {y:.1f}"]
    for index, (next_x, next_y) in enumerate(rest):
        if index % 2 == 0 and index < len(rest) - 1:
            parts.append(f"V{next_y:.1f}")
        else:
            middle = (y + next_y) / 2
            parts.append(f"C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {next_y:.1f}")
        x, y = next_x, next_y
    return "".join(parts)
