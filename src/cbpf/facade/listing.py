"""Listings of programs."""

from ..isa import listing as listings
from ..isa.dialects import Dialect
from ..isa.program import Program
from .arguments import LinkTypeName, ProgramSource, as_program


def listing(instructions: ProgramSource, *, link_type: LinkTypeName = "EN10MB", dialect: Dialect | None = None) -> str:
    """Render instructions as `tcpdump -d` does: one line per instruction, with absolute jump targets.

    An instruction that tcpdump does not know is shown as `unimp`.

    Args:
        instructions: The program: instructions, or a filter expression, which is compiled.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        dialect: A dialect with a record size makes the constants of `ret` hexadecimal, since a verdict of seccomp is
            an action and its data. With any other dialect, or None, the text is exactly that of tcpdump.

    Returns:
        The lines, without a final newline.

    Raises:
        ExpressionError: The expression cannot be compiled.

    >>> from cbpf import RawInstruction
    >>> print(listing([RawInstruction(0x28, k=12), RawInstruction(0x15, 0, 3, 0x800)]))
    (000) ldh      [12]
    (001) jeq      #0x800           jt 2	jf 5
    """
    return listings.listing(Program(as_program(instructions, link_type=link_type)), dialect=dialect)
