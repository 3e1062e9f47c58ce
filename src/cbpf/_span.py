"""A part of a text: `Span`."""

from ._named_tuple import NamedTuple


class Span(NamedTuple):
    """A part of a text.

    Args:
        start: The offset of its first character, from 0.
        end: The offset after its last character.
    """

    start: int
    end: int
