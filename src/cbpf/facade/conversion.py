"""Programs as text and bytes."""

from .._typing import Final
from ..errors import ProgramWarning, warn
from ..formats import conversion
from ..isa.program import Program
from .arguments import LinkTypeName, ProgramSource, as_program


def render(program: ProgramSource, format: str, *, link_type: LinkTypeName = "EN10MB") -> str:
    """Write a program in a text format.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        format: The name of a text format, from `FORMAT_NAMES`.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.

    Returns:
        The text, which ends with a newline.

    Raises:
        ExpressionError: An expression cannot be compiled.
        FieldError: *format* is unknown, or is not text.
        ProgramFormatError: The format cannot represent the program.

    Warns:
        ProgramWarning: The format is "iptables", and the program tests the EtherType of an Ethernet header.

    >>> from cbpf import compile
    >>> print(render(compile("arp"), "c"), end="")
    { 0x28, 0, 0, 0x0000000c },
    { 0x15, 0, 1, 0x00000806 },
    { 0x6, 0, 0, 0x00040000 },
    { 0x6, 0, 0, 0x00000000 },
    """
    value = Program(as_program(program, link_type=link_type))
    _warn_of_misfit(value, format)
    return conversion.render(value, format)


def render_bytes(program: ProgramSource, format: str, *, link_type: LinkTypeName = "EN10MB") -> bytes:
    r"""Write a program in any format.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        format: A name of `FORMAT_NAMES`.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.

    Returns:
        The bytes; the UTF-8 encoding of a text format.

    Raises:
        ExpressionError: An expression cannot be compiled.
        FieldError: *format* is unknown.
        ProgramFormatError: The format cannot represent the program.

    >>> from cbpf import RetConstant
    >>> render_bytes([RetConstant(0)], "c")
    b'{ 0x6, 0, 0, 0x00000000 },\n'
    """
    value = Program(as_program(program, link_type=link_type))
    _warn_of_misfit(value, format)
    return conversion.render_bytes(value, format)


_WITHOUT_ETHERNET: Final = "iptables"
"""The format of programs whose packets begin with the IP header."""


def _warn_of_misfit(program: Program, format: str) -> None:
    """Warn of a program for Ethernet frames in a format of programs for IP packets."""
    if format != _WITHOUT_ETHERNET:
        return
    from ..analysis.ethernet_offsets import ethertype_test

    index = ethertype_test(program)
    if index is not None:
        fact = f"instruction {index} tests the EtherType of an Ethernet header, and a rule sees the IP header first"
        warn(f"format {format}: {fact}; compile the expression for the link type RAW", ProgramWarning)
