"""Programs as text and bytes."""

from ..formats import conversion
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

    >>> from cbpf import compile
    >>> print(render(compile("arp"), "c"), end="")
    { 0x28, 0, 0, 0x0000000c },
    { 0x15, 0, 1, 0x00000806 },
    { 0x6, 0, 0, 0x00040000 },
    { 0x6, 0, 0, 0x00000000 },
    """
    return conversion.render(as_program(program, link_type=link_type), format)


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
    return conversion.render_bytes(as_program(program, link_type=link_type), format)
