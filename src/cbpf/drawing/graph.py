"""The graph of a program as a picture: DOT for graphviz, mermaid for Markdown, and SVG that needs no other program."""

from .._record import Record
from ..analysis.flow import Flow
from ..analysis.profile import ExecutionCounts, check_counts
from ..isa.dialects import PCAP, Dialect
from ..isa.program import Instructions
from .labels import Labels
from .svg import draw
from .text import dot_lines, mermaid_lines


class Graph(Record):
    """The picture of a program: `graph` makes it. Notebooks show it.

    flow: what it shows. counts: how often each instruction was executed, or None.
    """

    flow: Flow
    counts: ExecutionCounts | None

    def dot(self) -> str:
        """The text for graphviz: `dot -Tsvg`. A node a block, `b0`, `b1`, ..."""
        return "\n".join(["digraph program {", *dot_lines(Labels(self.flow, self.counts)), "}"]) + "\n"

    def mermaid(self) -> str:
        """The text for mermaid, which GitHub and others draw in Markdown. A node a block, `b0`, `b1`, ..."""
        return "\n".join(["flowchart TD", *mermaid_lines(Labels(self.flow, self.counts))]) + "\n"

    def svg(self) -> str:
        """A picture, laid out here. A `ret` to which several ways lead is drawn at the end of each."""
        return draw(Labels(self.flow, self.counts))

    def _repr_svg_(self) -> str:
        """For notebooks."""
        return self.svg()

    def __repr__(self) -> str:
        return f"<Graph of {len(self.flow.program)} instructions in {len(self.flow.blocks)} blocks>"


def graph(program: Instructions, *, counts: ExecutionCounts | None = None, dialect: Dialect = PCAP) -> Graph:
    """The picture of a program; with *counts*, which `execution_counts` gives, also of where packets go.

    Raises `VerificationError` if *dialect* refuses the program, `FieldError` for counts of another program.

    >>> from cbpf import compile
    >>> print(graph(compile("arp")).mermaid())
    flowchart TD
        b0["0 ldh [12]<br>1 jeq #35;0x806<br>[12:2] == 0x806 ?"]
        b1["2 ret #35;262144<br>keep"]
        b2["3 ret #35;0<br>reject"]
        b0 -- "true" --> b1
        b0 -- "false" --> b2
        classDef keep fill:#dafbe1,stroke:#1f883d,color:#1f2328
        classDef reject fill:#ffebe9,stroke:#d73a49,color:#1f2328
        class b1 keep
        class b2 reject
    <BLANKLINE>
    """
    flow = Flow(program, dialect=dialect)
    if counts is not None:
        check_counts(counts, flow)
    return Graph(flow, counts)
