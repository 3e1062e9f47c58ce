"""The graph of a program as text that other programs draw: DOT and Mermaid."""

from collections.abc import Iterator

from .._typing import Final
from ..analysis.cfg import Edge
from .labels import EDGE_COLORS, FILLS, STROKES, TEXT_COLOR, Labels


def dot_lines(labels: Labels) -> Iterator[str]:
    """Yield the lines between the braces of a DOT digraph."""
    yield f'    node [shape=box, style="rounded,filled", fontname=monospace, fontcolor="{TEXT_COLOR}"]'
    yield "    edge [fontname=monospace]"
    yield "    bgcolor=transparent"
    if labels.is_folded:
        yield f'    label="{_dot_escaped(labels.title)}"'
    for block in labels.blocks:
        kind = labels.kind(block)
        lines = labels.lines(block, labels.runs(block))
        fill = labels.fill(block, labels.runs(block))
        style = "" if block.is_feasible else ', style="rounded,filled,dashed"'
        label = "".join(_dot_escaped(line) + "\\l" for line in lines)
        yield f'    b{block.number} [label="{label}", fillcolor="{fill}", color="{STROKES[kind]}"{style}]'
    for edge in (edge for block in labels.blocks for edge in block.edges):
        color = EDGE_COLORS[edge.outcome]
        style = "" if edge.is_feasible else ", style=dashed"
        label = _dot_escaped(_label_with_count(labels, edge))
        tooltip = _dot_escaped(edge.condition)
        yield (
            f'    b{edge.source} -> b{edge.target} [label="{label}", color="{color}", fontcolor="{color}",'
            f' tooltip="{tooltip}"{style}]'
        )


def _label_with_count(labels: Labels, edge: Edge) -> str:
    label = labels.label(edge)
    return label if labels.counts is None else f"{label} ({labels.taken(edge):,})"


def _dot_escaped(text: str) -> str:
    """Escape text for a quoted string of DOT, where backslashes begin escape sequences."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def mermaid_lines(labels: Labels) -> Iterator[str]:
    """Yield the lines after the header of a Mermaid flowchart."""
    blocks = labels.blocks
    if labels.is_folded:
        yield f"    %% {labels.title}"
    for block in blocks:
        lines = labels.lines(block, labels.runs(block))
        yield f'    b{block.number}["{"<br>".join(map(_mermaid_escaped, lines))}"]'
    for edge in (edge for block in blocks for edge in block.edges):
        label = _mermaid_escaped(_label_with_count(labels, edge))
        if edge.is_feasible:
            arrow = f'-- "{label}" -->' if label else "-->"
        else:
            arrow = f'-. "{label}" .->' if label else "-.->"
        yield f"    b{edge.source} {arrow} b{edge.target}"
    yield from _mermaid_classes(labels)


def _mermaid_classes(labels: Labels) -> Iterator[str]:
    kinds = {block.number: labels.kind(block) for block in labels.blocks}
    used = [kind for kind in FILLS if kind != "plain" and kind in kinds.values()]
    for kind in used:
        yield f"    classDef {kind} fill:{FILLS[kind]},stroke:{STROKES[kind]},color:{TEXT_COLOR}"
    for kind in used:
        yield f"    class {','.join(f'b{number}' for number, block_kind in kinds.items() if block_kind == kind)} {kind}"
    infeasible = [f"b{block.number}" for block in labels.blocks if not block.is_feasible]
    if infeasible:
        yield "    classDef infeasible stroke-dasharray:5 4"
        yield f"    class {','.join(infeasible)} infeasible"
    if labels.counts is not None:
        for block in labels.blocks:
            yield f"    style b{block.number} fill:{labels.fill(block, labels.runs(block))},color:{TEXT_COLOR}"


_MERMAID_ESCAPES: Final = str.maketrans({'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "&": "#amp;"})


def _mermaid_escaped(text: str) -> str:
    """Escape text for a quoted string of Mermaid, where entities begin with #."""
    return text.translate(_MERMAID_ESCAPES)
