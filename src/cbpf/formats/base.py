"""What a notation is."""

from collections.abc import Callable
from typing import NamedTuple

from ..isa.program import Program


class TextFormat(NamedTuple):
    """A notation that is text. Of several, the first that recognises a text reads it.

    *is_exact*: it can carry every program. Where it cannot, `render` refuses the programs that it cannot carry.
    """

    name: str
    recognizes: Callable[[str], bool]
    parse: Callable[[str], Program]
    render: Callable[[Program], str]
    is_exact: bool
    description: str


class BytesFormat(NamedTuple):
    """A notation that is bytes."""

    name: str
    recognizes: Callable[[bytes], bool]
    parse: Callable[[bytes], Program]
    render: Callable[[Program], bytes]
    is_exact: bool
    description: str
