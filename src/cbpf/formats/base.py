"""The description of a program format: its name, and how to recognise, parse and render it."""

from collections.abc import Callable

from .._named_tuple import NamedTuple
from .._span import Span
from ..isa.program import Program


class TextFormat(NamedTuple):
    """A format that is text.

    Args:
        name: The name, as `parse`, `render` and `--from` take it.
        recognizes: Whether a text looks like this format. The first format that recognises a text parses it.
        parse: Convert text to a program; raises `ProgramFormatError`.
        render: Convert a program to text that ends with a newline.
        is_exact: Whether the format can represent every program. If it cannot, `cbpf.render` raises
            `ProgramFormatError` for the programs that it cannot represent.
        description: A line for docs/reference/formats.md.
        link_type: The link type of the packets that a program in this format is for, unless the caller states another.
        verdict: The verdict on accepted packets that this format requires of an expression; None: the usual one.
        locate: Return the place of each instruction in a text that *parse* can parse; of none if they are not known.
    """

    name: str
    recognizes: Callable[[str], bool]
    parse: Callable[[str], Program]
    render: Callable[[Program], str]
    is_exact: bool
    description: str
    link_type: str = "EN10MB"
    verdict: int | None = None
    locate: Callable[[str], list[Span]] | None = None


class BytesFormat(NamedTuple):
    """A format that is bytes; its fields are those of `TextFormat`, for bytes, without *locate*."""

    name: str
    recognizes: Callable[[bytes], bool]
    parse: Callable[[bytes], Program]
    render: Callable[[Program], bytes]
    is_exact: bool
    description: str
    link_type: str = "EN10MB"
    verdict: int | None = None
