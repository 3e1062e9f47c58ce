"""The graph of a program as SVG, laid out here. Lines and labels have colours to be read on white and on black."""

from collections.abc import Iterator
from html import escape
from typing import Final, NamedTuple

from ..analysis.cfg import Block, Edge
from .labels import EDGE_COLORS, STROKES, TEXT_COLOR, Labels
from .layout import GraphLayout, lay_out

_CHARACTER_WIDTH: Final = 7.3  # pixels of width at 12 pixels of height, for the wider monospaced fonts
_LINE_HEIGHT: Final = 16.0
_PADDING: Final = 9.0
_MIN_WIDTH: Final = 90.0
_MIN_TEST_WIDTH: Final = 150.0  # the labels of two ways find room under it
_LABEL_DISTANCE: Final = 6.0
_MAX_POINTS: Final = 20_000  # of ways over several rows; longer ways are cut, so that any program can be drawn


class _Box(NamedTuple):
    """A block, or another copy of it, to which so many *runs* came; a stub only says where a long way leads.

    The last *remarks* of the lines are no instructions.
    """

    block: Block
    runs: int
    lines: list[str]
    remarks: int
    is_possible: bool
    is_stub: bool = False


class _DrawnEdge(NamedTuple):
    """A way between two boxes, by their numbers."""

    source: int
    target: int
    edge: Edge


class _Drawing:
    """The boxes and lines of a picture."""

    def __init__(self, captions: Labels) -> None:
        blocks = captions.flow.blocks
        self.labels = captions
        self.boxes = [self._block_box(block, captions.runs(block), block.is_feasible) for block in blocks]
        self.edges: list[_DrawnEdge] = []
        self._duplicated = {
            one.number for one in blocks if not one.edges and len(one) == 1 and len(one.predecessors) > 1
        }
        self._drawn: set[int] = set()
        farthest = max(8, _MAX_POINTS // len(blocks))
        for edge in (edge for block in blocks for edge in block.edges):
            is_far = edge.target - edge.source > farthest
            self.edges.append(_DrawnEdge(edge.source, self._target(blocks[edge.target], edge, is_far), edge))

    def _block_box(self, block: Block, runs: int, is_possible: bool) -> _Box:
        return _Box(block, runs, self.labels.lines(block, runs), len(self.labels.remarks(block)), is_possible)

    def _target(self, block: Block, edge: Edge, is_far: bool) -> int:
        """The box to which a way leads."""
        number, runs = block.number, self.labels.taken(edge)
        if number in self._duplicated:
            box = self._block_box(block, runs, edge.is_feasible)
            if number not in self._drawn:
                self._drawn.add(number)
                self.boxes[number] = box
                return number
        elif is_far:
            box = _Box(block, runs, [f"to {block.start}"], 0, edge.is_feasible, is_stub=True)
        else:
            return number
        self.boxes.append(box)
        return len(self.boxes) - 1

    def size(self, number: int) -> tuple[float, float]:
        """Width and height of a box."""
        box = self.boxes[number]
        width = max(map(len, box.lines)) * _CHARACTER_WIDTH + 2 * _PADDING
        ways = len(box.block.edges) if number == box.block.number else 0
        return max(_MIN_TEST_WIDTH if ways == 2 else _MIN_WIDTH, width), len(
            box.lines
        ) * _LINE_HEIGHT + 2 * _PADDING - 4

    def room(self, number: int) -> tuple[float, float]:
        """The same with the labels of its ways, which begin at a quarter and at three quarters of its width."""
        width, height = self.size(number)
        box = self.boxes[number]
        labels = [self.labels.label(edge) for edge in box.block.edges] if number == box.block.number else []
        longest = max(map(len, labels), default=0) * _CHARACTER_WIDTH + 2 * _LABEL_DISTANCE
        return max(width, longest * 2 + (width / 2 if len(labels) == 2 else 0)), height


def draw(captions: Labels) -> str:
    """The picture, as the text of an SVG file."""
    drawing = _Drawing(captions)
    numbers = range(len(drawing.boxes))
    rooms = [drawing.room(number) for number in numbers]
    layout = lay_out(rooms, [drawing.size(number) for number in numbers], [line[:2] for line in drawing.edges])
    parts = [*_opening(captions, layout)]
    for line, route in zip(drawing.edges, layout.routes, strict=True):
        x, _ = layout.boxes[line.source]
        parts += _edge_markup(captions, line, route, x + drawing.size(line.source)[0] / 2)
    for number in numbers:
        parts += _box_markup(captions, drawing.boxes[number], layout.boxes[number], drawing.size(number))
    return "\n".join([*parts, "</svg>"]) + "\n"


_STYLE: Final = (
    "text{font:12px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre}"
    f".box text{{fill:{TEXT_COLOR}}}.remark{{font-weight:bold}}path{{fill:none}}"
)


def _opening(captions: Labels, layout: GraphLayout) -> Iterator[str]:
    width, height = f"{layout.width:.0f}", f"{layout.height:.0f}"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img">'
    )
    flow = captions.flow
    packets = "" if captions.counts is None else f", {captions.counts.packets:,} packets"
    yield f"<title>{len(flow.program)} instructions in {len(flow.blocks)} blocks{packets}</title>"
    yield f"<style>{_STYLE}</style>"
    yield "<defs>"
    for outcome, color in EDGE_COLORS.items():
        yield (
            f'<marker id="{_arrow(outcome)}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8"'
            f' markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" style="fill:{color}"/></marker>'
        )
    yield "</defs>"


def _arrow(outcome: bool | None) -> str:
    return f"cbpf-{'always' if outcome is None else str(outcome).lower()}"


def _box_markup(captions: Labels, box: _Box, corner: tuple[float, float], size: tuple[float, float]) -> Iterator[str]:
    block, (x, y), (width, height) = box.block, corner, size
    dashes = "" if box.is_possible and not box.is_stub else ' stroke-dasharray="5 4"'
    faint = "" if box.is_possible else ' opacity="0.6"'
    yield f'<g class="box" data-block="{block.number}"{faint}>'
    yield (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6"'
        f' fill="{captions.fill(block, box.runs)}" stroke="{STROKES[captions.kind(block)]}"'
        f' stroke-width="1.5"{dashes}/>'
    )
    for number, text in enumerate(box.lines):
        style = ' class="remark"' if number >= len(box.lines) - box.remarks else ""
        baseline = y + _PADDING + 10 + number * _LINE_HEIGHT
        yield f'<text x="{x + _PADDING:.1f}" y="{baseline:.1f}"{style}>{escape(text)}</text>'
    yield "</g>"


def _edge_markup(captions: Labels, line: _DrawnEdge, route: list[tuple[float, float]], middle: float) -> Iterator[str]:
    """A way, its label beside its beginning, outside of the *middle* of its box, and what it means as a tooltip."""
    edge = line.edge
    color = EDGE_COLORS[edge.outcome]
    dashes = "" if edge.is_feasible else ' stroke-dasharray="4 4" opacity="0.6"'
    stroke = 1.5 if captions.counts is None else 1 + 3.5 * captions.share(captions.taken(edge))
    told = edge.condition or "always"
    if captions.counts is not None:
        told += f": {captions.heat(captions.taken(edge))}"
    yield (
        f'<g data-edge="{edge.source}-{edge.target}"><path d="{_curve(route)}" stroke="{color}"'
        f' stroke-width="{stroke:.1f}"{dashes} marker-end="url(#{_arrow(edge.outcome)})">'
        f"<title>{escape(told)}</title></path>"
    )
    x, y = route[0]
    label = captions.label(edge)
    if label:
        place = (
            f'x="{x - _LABEL_DISTANCE:.1f}" text-anchor="end"' if x < middle - 1 else f'x="{x + _LABEL_DISTANCE:.1f}"'
        )
        yield f'<text {place} y="{y + 14:.1f}" fill="{color}">{escape(label)}</text>'
    yield "</g>"


def _curve(route: list[tuple[float, float]]) -> str:
    """Straight down where the way passes a row, and bent between two rows."""
    (x, y), *rest = route
    parts = [f"M{x:.1f} {y:.1f}"]
    for number, (next_x, next_y) in enumerate(rest):
        if number % 2 == 0 and number < len(rest) - 1:
            parts.append(f"V{next_y:.1f}")
        else:
            middle = (y + next_y) / 2
            parts.append(f"C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {next_y:.1f}")
        x, y = next_x, next_y
    return "".join(parts)
