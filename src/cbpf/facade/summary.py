"""Summaries of programs."""

from ..analysis import program_info as analysis
from ..analysis.program_info import ProgramInfo
from ..isa.dialects import PCAP, Dialect
from .arguments import LinkTypeName, ProgramSource, as_program


def program_info(program: ProgramSource, *, link_type: LinkTypeName = "EN10MB", dialect: Dialect = PCAP) -> ProgramInfo:
    """Summarise a program: its size, control flow, inputs and opcodes.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        dialect: The dialect that the program is verified and analysed for; by default PCAP.

    Returns:
        The properties.

    Raises:
        ExpressionError: An expression cannot be compiled.
        VerificationError: The dialect rejects the program.

    >>> from cbpf import compile
    >>> info = program_info(compile("arp"))
    >>> info.longest, info.bytes_inspected, info.accepted_by
    (3, 14, ('pcap', 'linux', 'freebsd', 'netbsd', 'openbsd', 'macos'))
    """
    return analysis.program_info(as_program(program, link_type=link_type, dialect=dialect), dialect=dialect)
