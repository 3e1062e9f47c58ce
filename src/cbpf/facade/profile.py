"""Execution profiles."""

from .._typing import Any
from ..analysis import profile
from ..analysis.profile import ExecutionCounts
from ..isa.dialects import PCAP, Dialect
from .arguments import LinkTypeName, ProgramSource, as_program


def execution_counts(
    program: ProgramSource, packets: Any, *, link_type: LinkTypeName = "EN10MB", dialect: Dialect = PCAP
) -> ExecutionCounts:
    r"""Run a program on packets, and count the executions of each instruction.

    Counting takes a few times as long as the python engine.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        packets: Anything that `Packets.of` takes; or an iterable of `Packet`, such as a capture reader, with the wire
            lengths they record; or an iterable of `SocketView`, with their wire lengths and metadata.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        dialect: The dialect of the program; by default PCAP.

    Returns:
        The counts.

    Raises:
        ExpressionError: An expression cannot be compiled.
        VerificationError: The dialect rejects the program.
        PacketError: A packet is not a bytes-like object.

    >>> from cbpf import parse
    >>> execution_counts(parse("ldb [0]\njeq #1,0,1\nret #1\nret #0"), [b"\1", b"\2", b""])
    ExecutionCounts(packets=3, accepted=1, executed=(3, 2, 1, 1), taken=(0, 1, 0, 0), maximum=3)
    """
    return profile.execution_counts(as_program(program, link_type=link_type, dialect=dialect), packets, dialect=dialect)
