"""The kinds of text that click completes in a shell: files, expressions, link types and topics of the documentation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import click
from click.types import StringParamType

from .._typing import TYPE_CHECKING, Any, Final, TypeAlias
from .values import EXPRESSION, FILE, LINK_TYPE, ROUTE, TOPIC, Text

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Items: TypeAlias = "list[CompletionItem[Any]]"


class CompletedText(StringParamType):
    """A text of a kind, which a shell completes."""

    def __init__(self, kind: Text) -> None:
        self.name = kind.name
        self._complete = _COMPLETIONS.get(kind)

    def shell_complete(self, context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
        """Return the completions of an incomplete text."""
        return [] if self._complete is None else self._complete(incomplete)


def _files(incomplete: str) -> Items:
    """Return the completion of a file name, which is left to the shell."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def _words(words: Iterable[str], incomplete: str, before: str = "") -> Items:
    """Return the words that begin with *incomplete*, each after the text *before* it."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(before + word) for word in words if word.startswith(incomplete)]


def _expression(incomplete: str) -> Items:
    """Complete the last word of an expression; a word that is not in the language may begin the name of a file."""
    from cbpf.expression.vocabulary import KEYWORDS, NAMED_NUMBERS

    last = re.search(r"[\w-]*$", incomplete)
    word = last[0] if last else ""
    before = incomplete.removesuffix(word)
    vocabulary = [*KEYWORDS, *NAMED_NUMBERS] if word else KEYWORDS
    return _words(sorted(vocabulary), word, before) or _files(incomplete)


def _route(incomplete: str) -> Items:
    """Complete the expression before the last =, and the name of the file after it."""
    _, sign, name = incomplete.rpartition("=")
    return _files(name) if sign else _expression(incomplete)


def _link_type(incomplete: str) -> Items:
    """Complete the name of a link type, in upper or lower case."""
    from cbpf.packet.link_types import link_types

    return _words((link_type.name for link_type in link_types()), incomplete.upper())


def _topic(incomplete: str) -> Items:
    """Complete a title of one word, if the documentation is installed."""
    from cbpf import MissingLibrary
    from cbpf.explorer.page import site_folder
    from cbpf.explorer.topics import read_topics

    try:
        with open(f"{site_folder()}/search.json", "rb") as file:
            names = {topic.name for topic in read_topics(file.read())}
    except (MissingLibrary, OSError):
        return []
    return _words(sorted(name for name in names if " " not in name), incomplete.lower())


_COMPLETIONS: Final[dict[Text, Callable[[str], Items]]] = {
    FILE: _files,
    EXPRESSION: _expression,
    ROUTE: _route,
    LINK_TYPE: _link_type,
    TOPIC: _topic,
}
