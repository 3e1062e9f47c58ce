"""The kinds of values that options and arguments name: files, expressions and link types.

A kind gives the value its name in help texts, and completes it in a shell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import click
from click.types import StringParamType

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _files(incomplete: str) -> list[CompletionItem[Any]]:
    """Return the completion of a file name, which is left to the shell."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def _words(words: Iterable[str], incomplete: str, before: str = "") -> list[CompletionItem[Any]]:
    """Return the words that begin with *incomplete*, each after the text *before* it."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(before + word) for word in words if word.startswith(incomplete)]


class _File(StringParamType):
    name = "file"

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem[Any]]:
        """Complete the name of a file."""
        return _files(incomplete)


class _Expression(StringParamType):
    name = "expression"

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem[Any]]:
        """Complete the last word of an expression; a word that is not in the language may begin the name of a file."""
        from cbpf.expression.vocabulary import KEYWORDS, NAMED_NUMBERS

        last = re.search(r"[\w-]*$", incomplete)
        word = last[0] if last else ""
        before = incomplete.removesuffix(word)
        vocabulary = [*KEYWORDS, *NAMED_NUMBERS] if word else KEYWORDS
        return _words(sorted(vocabulary), word, before) or _files(incomplete)


class _Route(_Expression):
    name = "expression=file"

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem[Any]]:
        """Complete the expression before the last =, and the name of the file after it."""
        _, sign, name = incomplete.rpartition("=")
        return _files(name) if sign else super().shell_complete(context, parameter, incomplete)


class _LinkType(StringParamType):
    name = "linktype"

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem[Any]]:
        """Complete the name of a link type, in upper or lower case."""
        from cbpf.packet.link_types import link_types

        return _words((link_type.name for link_type in link_types()), incomplete.upper())


FILE: Final = _File()
EXPRESSION: Final = _Expression()
ROUTE: Final = _Route()
LINK_TYPE: Final = _LinkType()
