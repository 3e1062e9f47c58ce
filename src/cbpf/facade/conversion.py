"""Programs as text and bytes."""

from __future__ import annotations

from collections.abc import Callable

from .._typing import Final
from ..errors import ProgramWarning, warn
from ..formats import conversion
from ..formats.rules import MATCH_OF_TC, verdict_without_class
from ..isa.program import Program
from .arguments import LinkTypeName, ProgramSource, as_program


def render(program: ProgramSource, format: str, *, link_type: LinkTypeName | None = None) -> str:
    """Write a program in a text format.

    Args:
        program: The program: instructions, or a filter expression, which is compiled. For the format "tc", it accepts
            with the verdict 4294967295, for which tc takes the class of the command.
        format: The name of a text format, from `FORMAT_NAMES`.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`. None (the default):
            that of the packets that the format is for, RAW for "iptables" and EN10MB (Ethernet) for all others.

    Returns:
        The text, which ends with a newline.

    Raises:
        ExpressionError: An expression cannot be compiled.
        FieldError: *format* is unknown, or is not text.
        ProgramFormatError: The format cannot represent the program.

    Warns:
        ProgramWarning: The format is "iptables", and the program tests the EtherType of an Ethernet header; or the
            format is "tc", and the program returns a number that is neither 0, nor 4294967295, nor that of a class.

    >>> from cbpf import compile
    >>> print(render(compile("arp"), "c"), end="")
    { 0x28, 0, 0, 0x0000000c },
    { 0x15, 0, 1, 0x00000806 },
    { 0x6, 0, 0, 0x00040000 },
    { 0x6, 0, 0, 0x00000000 },
    """
    value = _program_for(format, program, link_type)
    return conversion.render(value, format)


def render_bytes(program: ProgramSource, format: str, *, link_type: LinkTypeName | None = None) -> bytes:
    r"""Write a program in any format.

    Args:
        program: The program: instructions, or a filter expression, which is compiled, as for `render`.
        format: A name of `FORMAT_NAMES`.
        link_type: The link type for an expression, as for `render`.

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
    value = _program_for(format, program, link_type)
    return conversion.render_bytes(value, format)


def _program_for(format: str, source: ProgramSource, link_type: LinkTypeName | None) -> Program:
    """Return the program for a format, and warn of one that hardly fits the hook that the format is for."""
    target = conversion.format_named(format)
    kind = target.link_type if link_type is None else link_type
    program = Program(as_program(source, link_type=kind, verdict=target.verdict))
    for name, misfit in _MISFITS.items():
        fact = misfit(program) if name == format else None
        if fact is not None:
            warn(f"format {name}: {fact}", ProgramWarning)
    return program


def _ethernet_offset(program: Program) -> str | None:
    """Return the fact that a program for Ethernet frames is in a format of programs for IP packets."""
    from ..analysis.ethernet_offsets import ethertype_test

    index = ethertype_test(program)
    if index is None:
        return None
    fact = f"instruction {index} tests the EtherType of an Ethernet header, and a rule sees the IP header first"
    return f"{fact}; compile the expression for the link type RAW"


def _verdict_without_class(program: Program) -> str | None:
    """Return the fact that a verdict is that of a socket filter, which tc takes as a class."""
    misfit = verdict_without_class(program)
    if misfit is None:
        return None
    index, verdict = misfit
    fact = f"instruction {index} returns {verdict}, which tc takes as the class {verdict >> 16:x}:{verdict & 0xFFFF:x}"
    return f"{fact} in place of that of the command; compile the expression with snaplen={MATCH_OF_TC} (-s)"


_MISFITS: Final[dict[str, Callable[[Program], str | None]]] = {
    "iptables": _ethernet_offset,
    "tc": _verdict_without_class,
}
