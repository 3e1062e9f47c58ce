"""The control-flow and value analysis."""

from ..analysis import flow
from ..isa.dialects import PCAP, Dialect
from .arguments import LinkTypeName, ProgramSource, as_program


class Flow(flow.Flow):
    """The basic blocks of a program, and the facts that hold on entry to each instruction.

    Jumps go forward only, so the analysis is one pass over the program. It is sound: every claim holds in every
    execution, whatever the packet and its metadata. It is not complete: code that no packet reaches may be reported as
    feasible (`dead` decides such questions exactly, with a solver).

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        dialect: The dialect that the program is verified and analysed for; by default PCAP.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.

    Raises:
        ExpressionError: The expression cannot be compiled.
        VerificationError: The dialect rejects the program.

    >>> from cbpf import compile
    >>> flow = Flow(compile("arp"))
    >>> [(block.start, block.stop, [edge.condition for edge in block.edges]) for block in flow.blocks]
    [(0, 2, ['[12:2] == 0x806', '[12:2] != 0x806']), (2, 3, []), (3, 4, [])]
    >>> str(flow.facts(2).a), flow.facts(2).captured, flow.longest
    ('[12:2] == 0x806', 14, 3)
    """

    def __init__(self, program: ProgramSource, *, dialect: Dialect = PCAP, link_type: LinkTypeName = "EN10MB") -> None:
        super().__init__(as_program(program, link_type=link_type, dialect=dialect), dialect=dialect)
