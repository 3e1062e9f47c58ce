"""Drawings of control-flow graphs."""

from collections.abc import Iterable

from ..analysis.profile import ExecutionCounts
from ..drawing.graph import Graph, draw_graph
from ..isa.dialects import PCAP, Dialect
from .arguments import LinkTypeName, ProgramSource
from .flow import Flow


def graph(
    program: ProgramSource,
    *,
    link_type: LinkTypeName = "EN10MB",
    counts: ExecutionCounts | None = None,
    notes: Iterable[str] = (),
    folds: bool | None = None,
    dialect: Dialect = PCAP,
) -> Graph:
    """Draw the control-flow graph of a program.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        counts: Counts from `execution_counts` for this program; boxes and edges then show how many packets reached
            them. None draws the graph alone.
        notes: A text for each instruction, such as its clause (`SourceMap.texts`). Each box shows its texts, without
            repetitions and empty ones, above its instructions.
        folds: Whether each chain of tests with a common target is drawn as one box, with the number of its tests; None
            (the default): only if the graph has more than 60 blocks.
        dialect: The dialect that the program is verified and analysed for; by default PCAP.

    Returns:
        The drawing.

    Raises:
        ExpressionError: An expression cannot be compiled.
        VerificationError: The dialect rejects the program.
        FieldError: *counts* are not those of a program of this length, or there are more or fewer *notes*.

    >>> from cbpf import compile
    >>> print(graph(compile("arp")).mermaid())
    flowchart TD
        b0["0 ldh [12]<br>1 jeq #35;0x806<br>[12:2] == 0x806 ?"]
        b1["2 ret #35;262144<br>accept"]
        b2["3 ret #35;0<br>reject"]
        b0 -- "true" --> b1
        b0 -- "false" --> b2
        classDef accept fill:#dafbe1,stroke:#1f883d,color:#1f2328
        classDef reject fill:#ffebe9,stroke:#d73a49,color:#1f2328
        class b1 accept
        class b2 reject
    <BLANKLINE>
    """
    return draw_graph(Flow(program, dialect=dialect, link_type=link_type), counts=counts, notes=notes, folds=folds)
