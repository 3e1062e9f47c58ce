"""The graph of a program as SVG, laid out here. Lines and labels have colours to be read on white and on black."""

from collections.abc import Iterator
from html import escape
from typing import Final, NamedTuple

from .blocks import Block, Edge
from .captions import EDGE_COLORS, STROKES, TEXT_COLOR, Captions
from .layout import Layout, lay_out

_CHARACTER: Final = 7.3  # pixels of width at 12 pixels of height, for the wider monospaced fonts
_LINE: Final = 16.0
_PADDING: Final = 9.0
_NARROWEST: Final = 90.0
_NARROWEST_TEST: Final = 150.0  # the labels of two ways find room under it
_MOST_POINTS: Final = 20_000  # of ways over several rows; longer ways are cut, so that any program can be drawn


class _Box(NamedTuple):
    """A block, or another copy of it; where only the way to it is drawn, *lines* say where it leads."""

    block: Block
    lines: list[str]
    is_stub: bool


class _Line(NamedTuple):
    """A way between two boxes, by their numbers."""

    source: int
    target: int
    edge: Edge


class _Drawing:
    """The boxes and lines of a picture."""

    def __init__(self, captions: Captions) -> None:
        blocks = captions.flow.blocks
        self.captions = captions
        self.boxes = [_Box(block, captions.lines(block), False) for block in blocks]
        self.lines: list[_Line] = []
        copied = {block.number for block in blocks if not block.edges and len(block) == 1}
        met: set[int] = set()
        farthest = max(8, _MOST_POINTS // len(blocks))
        for edge in (edge for block in blocks for edge in block.edges):
            target = edge.target
            if target in copied and target in met:
                target = self._add(_Box(blocks[target], self._copied_lines(edge), False))
            elif edge.target - edge.source > farthest and target not in copied:
                target = self._add(_Box(blocks[target], [f"to {blocks[target].start}"], True))
            met.add(target)
            self.lines.append(_Line(edge.source, target, edge))

    def _add(self, box: _Box) -> int:
        self.boxes.append(box)
        return len(self.boxes) - 1

    def _copied_lines(self, edge: Edge) -> list[str]:
        return self.captions.lines(self.captions.flow.blocks[edge.target])

    def size(self, box: _Box) -> tuple[float, float]:
        """Width and height of a box."""
        ways = len(box.block.edges) if not box.is_stub else 0
        narrowest = _NARROWEST_TEST if ways == 2 else _NARROWEST
        width = max(map(len, box.lines)) * _CHARACTER + 2 * _PADDING
        return max(narrowest, width), len(box.lines) * _LINE + 2 * _PADDING - 4


def draw(captions: Captions) -> str:
    """The picture, as the text of an SVG file."""
    drawing = _Drawing(captions)
    sizes = [drawing.size(box) for box in drawing.boxes]
    layout = lay_out(sizes, [(line.source, line.target) for line in drawing.lines])
    parts = [*_opening(captions, layout)]
    for number, line in enumerate(drawing.lines):
        parts += _line(captions, line, layout.routes[number], layout.boxes[line.source], sizes[line.source])
    for number, box in enumerate(drawing.boxes):
        parts += _box(captions, box, layout.boxes[number], sizes[number])
    return "\n".join([*parts, "</svg>"]) + "\n"


_STYLE: Final = (
    "text{font:12px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre}"
    f".box text{{fill:{TEXT_COLOR}}}.remark{{font-weight:bold}}path{{fill:none}}"
)


def _opening(captions: Captions, layout: Layout) -> Iterator[str]:
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


def _box(captions: Captions, box: _Box, corner: tuple[float, float], size: tuple[float, float]) -> Iterator[str]:
    block, (x, y), (width, height) = box.block, corner, size
    dashes = "" if block.is_possible and not box.is_stub else ' stroke-dasharray="5 4"'
    faint = "" if block.is_possible else ' opacity="0.6"'
    yield f'<g class="box" data-block="{block.number}"{faint}>'
    yield (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6"'
        f' fill="{captions.fill(block)}" stroke="{STROKES[captions.kind(block)]}" stroke-width="1.5"{dashes}/>'
    )
    remarks = 0 if box.is_stub else len(captions.remarks(block))
    for number, text in enumerate(box.lines):
        style = ' class="remark"' if number >= len(box.lines) - remarks else ""
        baseline = y + _PADDING + 10 + number * _LINE
        yield f'<text x="{x + _PADDING:.1f}" y="{baseline:.1f}"{style}>{escape(text)}</text>'
    yield "</g>"


def _line(
    captions: Captions,
    line: _Line,
    route: list[tuple[float, float]],
    corner: tuple[float, float],
    size: tuple[float, float],
) -> Iterator[str]:
    """A way, its label beside its beginning, and what it means as a tooltip."""
    edge = line.edge
    color = EDGE_COLORS[edge.outcome]
    dashes = "" if edge.is_possible else ' stroke-dasharray="4 4" opacity="0.6"'
    stroke = 1.5 if captions.counts is None else 1 + 3.5 * captions.share(captions.taken(edge))
    told = edge.condition or "always"
    if captions.counts is not None:
        told += f": {captions.heat(captions.taken(edge))}"
    yield (
        f'<g data-edge="{edge.source}-{edge.target}"><path d="{_curve(route)}" stroke="{color}"'
        f' stroke-width="{stroke:.1f}"{dashes} marker-end="url(#{_arrow(edge.outcome)})">'
        f"<title>{escape(told)}</title></path>"
    )
    (x, y), is_left = route[0], route[0][0] < corner[0] + size[0] / 2 - 1
    label = captions.label(edge)
    if label:
        place = f'x="{x - 6:.1f}" text-anchor="end"' if is_left else f'x="{x + 6:.1f}"'
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
