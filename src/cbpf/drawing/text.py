"""The graph of a program as text for other programs: DOT and mermaid."""

from collections.abc import Iterator
from typing import Final

from ..analysis.cfg import Edge
from .labels import EDGE_COLORS, FILLS, STROKES, TEXT_COLOR, Labels


def dot_lines(captions: Labels) -> Iterator[str]:
    """What stands between the braces."""
    yield f'    node [shape=box, style="rounded,filled", fontname=monospace, fontcolor="{TEXT_COLOR}"]'
    yield "    edge [fontname=monospace]"
    yield "    bgcolor=transparent"
    for block in captions.flow.blocks:
        kind = captions.kind(block)
        lines = captions.lines(block, captions.runs(block))
        fill = captions.fill(block, captions.runs(block))
        style = "" if block.is_feasible else ', style="rounded,filled,dashed"'
        label = "".join(_dot_escaped(line) + "\\l" for line in lines)
        yield f'    b{block.number} [label="{label}", fillcolor="{fill}", color="{STROKES[kind]}"{style}]'
    for edge in (edge for block in captions.flow.blocks for edge in block.edges):
        color = EDGE_COLORS[edge.outcome]
        style = "" if edge.is_feasible else ", style=dashed"
        label = _dot_escaped(_counted(captions, edge))
        tip = _dot_escaped(edge.condition)
        yield (
            f'    b{edge.source} -> b{edge.target} [label="{label}", color="{color}", fontcolor="{color}",'
            f' tooltip="{tip}"{style}]'
        )


def _counted(captions: Labels, edge: Edge) -> str:
    label = captions.label(edge)
    return label if captions.counts is None else f"{label} ({captions.taken(edge):,})"


def _dot_escaped(text: str) -> str:
    """Text for a quoted string of DOT, in which a backslash would be an escape."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def mermaid_lines(captions: Labels) -> Iterator[str]:
    """What stands below the first line."""
    blocks = captions.flow.blocks
    for block in blocks:
        lines = captions.lines(block, captions.runs(block))
        yield f'    b{block.number}["{"<br>".join(map(_mermaid_escaped, lines))}"]'
    for edge in (edge for block in blocks for edge in block.edges):
        label = _mermaid_escaped(_counted(captions, edge))
        if edge.is_feasible:
            arrow = f'-- "{label}" -->' if label else "-->"
        else:
            arrow = f'-. "{label}" .->' if label else "-.->"
        yield f"    b{edge.source} {arrow} b{edge.target}"
    yield from _mermaid_classes(captions)


def _mermaid_classes(captions: Labels) -> Iterator[str]:
    kinds = {block.number: captions.kind(block) for block in captions.flow.blocks}
    used = [kind for kind in FILLS if kind != "plain" and kind in kinds.values()]
    for kind in used:
        yield f"    classDef {kind} fill:{FILLS[kind]},stroke:{STROKES[kind]},color:{TEXT_COLOR}"
    for kind in used:
        yield f"    class {','.join(f'b{number}' for number, one in kinds.items() if one == kind)} {kind}"
    impossible = [f"b{block.number}" for block in captions.flow.blocks if not block.is_feasible]
    if impossible:
        yield "    classDef impossible stroke-dasharray:5 4,opacity:0.6"
        yield f"    class {','.join(impossible)} impossible"
    if captions.counts is not None:
        for block in captions.flow.blocks:
            yield f"    style b{block.number} fill:{captions.fill(block, captions.runs(block))},color:{TEXT_COLOR}"


_MERMAID_ESCAPES: Final = str.maketrans({'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "&": "#amp;"})


def _mermaid_escaped(text: str) -> str:
    """Text for a quoted string of mermaid, whose entities begin with #."""
    return text.translate(_MERMAID_ESCAPES)
