"""What a notation is."""

from collections.abc import Callable
from typing import NamedTuple

from ..program import Program


class Format(NamedTuple):
    """A notation: how to recognise its text, to read it, and to write it. The first that recognises a text reads it."""

    name: str
    recognizes: Callable[[str], bool] | None
    parse: Callable[[str], Program] | None
    render: Callable[[Program], str]
