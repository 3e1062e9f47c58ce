"""Drawings of control-flow graphs: SVG without another program, DOT for graphviz, Mermaid for Markdown."""

from collections.abc import Iterable

from .._record import JsonRecord, json_value
from .._typing import Any
from .._validators import flag
from ..analysis.flow import Flow
from ..analysis.profile import ExecutionCounts, check_counts, edge_counts
from ..errors import FieldError
from .folding import MAX_BLOCKS
from .labels import Labels
from .svg import draw
from .text import dot_lines, mermaid_lines


class Graph(JsonRecord):
    """A drawing of the control-flow graph of a program; `graph` returns it. Notebooks display it as SVG.

    Args:
        flow: The analysed program.
        counts: The execution counts that the drawing shows, or None.
        notes: A text for each instruction, which its box shows above the instructions; or no texts.
        folds: Whether each chain of tests with a common target is one box.
    """

    flow: Flow
    counts: ExecutionCounts | None
    notes: tuple[str, ...] = ()
    folds: bool = False

    def dot(self) -> str:
        """Return the graph in the DOT language of graphviz.

        Returns:
            The text, for `dot -Tsvg`. The nodes are the blocks, `b0`, `b1`, ...
        """
        return "\n".join(["digraph program {", *dot_lines(self._labels), "}"]) + "\n"

    def mermaid(self) -> str:
        """Return the graph as a Mermaid flowchart, which GitHub and others render in Markdown.

        Returns:
            The text, without a Markdown fence. The nodes are the blocks, `b0`, `b1`, ...
        """
        return "\n".join(["flowchart TD", *mermaid_lines(self._labels)]) + "\n"

    def svg(self) -> str:
        """Return the graph as an SVG file, laid out without another program.

        A block that consists of a `ret` is drawn once per incoming edge.

        Returns:
            The text of the file.
        """
        return draw(self._labels)

    @property
    def is_folded(self) -> bool:
        """Whether a box of the drawing represents several blocks."""
        return self._labels.is_folded

    @property
    def _labels(self) -> Labels:
        return Labels(self.flow, self.counts, self.notes, folds=self.folds)

    def as_dict(self) -> dict[str, Any]:
        """Return the graph as a dictionary that can be converted to JSON.

        Returns:
            The program; the blocks with their edges, and how often each was executed and taken, which is None without
            counts; the counts; and the notes. Chains of tests are not folded. docs/reference/json.md lists the keys.
        """
        executed = self.counts.executed if self.counts else None
        taken = edge_counts(self.flow, self.counts) if self.counts else {}
        blocks = [
            block.as_dict()
            | {
                "edges": [edge.as_dict() | {"count": taken.get((edge.source, edge.target))} for edge in block.edges],
                "executed": executed[block.start] if executed else None,
            }
            for block in self.flow.blocks
        ]
        return {
            "program": json_value(self.flow.program),
            "blocks": blocks,
            "counts": json_value(self.counts),
            "notes": list(self.notes),
        }

    def _repr_svg_(self) -> str:
        """Return the SVG text that notebooks display."""
        return self.svg()

    def __repr__(self) -> str:
        return f"<Graph of {self._labels.title}>"


def draw_graph(
    flow: Flow, *, counts: ExecutionCounts | None = None, notes: Iterable[str] = (), folds: bool | None = None
) -> Graph:
    """Return the drawing of the control-flow graph of an analysed program."""
    if counts is not None:
        check_counts(counts, flow)
    texts = tuple(notes)
    if texts and len(texts) != len(flow.program):
        raise FieldError(f"graph.notes: {len(texts)} texts for {len(flow.program)} instructions")
    return Graph(flow, counts, texts, len(flow.blocks) > MAX_BLOCKS if folds is None else flag("graph.folds", folds))
