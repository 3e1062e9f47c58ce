"""Bar charts for docs/benchmarks.svg, written as SVG on a card that is readable on any background."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import accumulate
from typing import Final

from benchmarks.report import Chart

_WIDTH: Final = 760
_MARGIN: Final = 32
_NAMES: Final = 216  # where bars begin
_MAX_BAR_WIDTH: Final = 430
_STEP: Final = 26  # from one bar to the next
_BAR: Final = 15  # the height of a bar
_HEAD: Final = 58  # a panel's title and unit
_GAP: Final = 26

_STYLE: Final = """\
  .card { fill: #ffffff; stroke: #d8dee4 }
  .title { fill: #1f2328; font-weight: 600; font-size: 15px }
  .unit { fill: #656d76; font-size: 12px }
  .name, .number { fill: #424a53; font-size: 13px }
  .name { text-anchor: end }
  .ours { fill: #1f2328; font-weight: 600 }
  .line { stroke: #d8dee4 }
  .bar { fill: #b6bfc8 }
  .bar.own { fill: #8cc3cd }
  .bar.ours { fill: #1f7a8c }
  .number { font-variant-numeric: tabular-nums }
  text { font-family: system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Helvetica, Arial, sans-serif }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #30363d }
    .title, .ours { fill: #e6edf3 }
    .unit { fill: #8d96a0 }
    .name, .number { fill: #b1bac4 }
    .name.ours, .number.ours { fill: #e6edf3 }
    .line { stroke: #30363d }
    .bar { fill: #57606a }
    .bar.own { fill: #2b6672 }
    .bar.ours { fill: #4fb3c4 }
  }"""


def svg(charts: Sequence[Chart]) -> str:
    """Return an SVG with one panel per chart; every axis is linear and begins at 0."""
    heights = [_HEAD + _STEP * len(chart.bars) + _GAP for chart in charts]
    height = sum(heights) + _MARGIN
    label = "; ".join(_spoken(chart) for chart in charts)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        f' role="img" aria-label="{escape(label)}">',
        f"<style>\n{_STYLE}\n</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="10"/>',
    ]
    for chart, top in zip(charts, accumulate(heights, initial=_MARGIN), strict=False):
        lines += _panel(chart, top)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _panel(chart: Chart, top: int) -> Iterator[str]:
    largest = max(number for _, number in chart.bars)
    yield f'<text class="title" x="{_MARGIN}" y="{top + 14}">{escape(chart.title)}</text>'
    yield f'<text class="unit" x="{_MARGIN}" y="{top + 33}">{escape(chart.unit)}</text>'
    first = top + _HEAD - 10
    bottom = first + _STEP * len(chart.bars) - (_STEP - _BAR) + 4
    for index, (name, number) in enumerate(chart.bars):
        y = first + _STEP * index
        width = max(1.0, number / largest * _MAX_BAR_WIDTH)
        own = " own" if name.startswith("cbpf") else ""
        ours = " ours" if own and index == 0 else ""
        baseline = y + _BAR - 3
        yield f'<text class="name{ours}" x="{_NAMES - 10}" y="{baseline}">{escape(name)}</text>'
        yield f'<path class="bar{own}{ours}" d="{_bar(_NAMES, y, width)}"/>'
        yield f'<text class="number{ours}" x="{_NAMES + width + 8:.1f}" y="{baseline}">{_figure(number)}</text>'
    yield f'<line class="line" x1="{_NAMES}" x2="{_NAMES}" y1="{first - 4}" y2="{bottom}"/>'


def _bar(x: int, y: int, width: float) -> str:
    """Return the path of a rectangle with rounded right corners."""
    radius = min(3.0, width)
    return (
        f"M{x} {y}h{width - radius:.1f}a{radius:.1f} {radius:.1f} 0 0 1 {radius:.1f} {radius:.1f}"
        f"v{_BAR - 2 * radius:.1f}a{radius:.1f} {radius:.1f} 0 0 1 -{radius:.1f} {radius:.1f}H{x}z"
    )


def _figure(number: float) -> str:
    """Format a number with three digits, or two if it is below 1."""
    return f"{number:,.0f}" if number >= 100 else f"{number:#.3g}" if number >= 1 else f"{number:.2g}"


def _spoken(chart: Chart) -> str:
    bars = ", ".join(f"{name} {_figure(number)}" for name, number in chart.bars)
    return f"{chart.title}, {chart.unit}: {bars}"
