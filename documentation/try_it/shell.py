"""Command lines of examples as words: pipelines, here-documents and redirections."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Final, NamedTuple

_HERE_DOCUMENT: Final = re.compile(
    r"<<'?(?P<end>\w+)'?(?P<rest>[^\n]*)\n(?P<text>.*?)^(?P=end)$", re.DOTALL | re.MULTILINE
)
_ERRORS: Final = re.compile(r"(?<=\s)2>\s*(&1|\S+)")
_ASSIGNMENT: Final = re.compile(r"[A-Z_]+=")
_SEPARATORS: Final = frozenset(("&&", "||", ";", "&"))


class Stage(NamedTuple):
    """A command of a pipeline.

    Attributes:
        words: Its name and its arguments.
        here_document: The text of its standard input, if it is part of the command line; else None.
        target: The file to which its standard output is redirected, or None.
    """

    words: tuple[str, ...]
    here_document: str | None
    target: str | None


def lines(text: str) -> Iterator[str]:
    """Yield the command lines of a block: those after "$ ", or all lines if none has this prompt.

    A command line continues after a backslash, and up to the end of a here-document.
    """
    rest = text.splitlines()
    has_prompts = any(line.startswith("$ ") for line in rest)
    while rest:
        line = rest.pop(0)
        if has_prompts and not line.startswith("$ "):
            continue
        command = line.removeprefix("$ ")
        while command.endswith("\\") and rest:
            command = f"{command[:-1]} {rest.pop(0).strip()}"
        if end := re.search(r"<<'?(\w+)'?", command):
            while rest and not command.endswith(f"\n{end[1]}"):
                command += f"\n{rest.pop(0)}"
        yield command


def pipelines(line: str) -> Iterator[list[Stage]]:
    """Yield the pipelines of a command line."""
    here = _HERE_DOCUMENT.search(line)
    document = here["text"] if here else None
    if here:
        line = line[: here.start()] + here["rest"] + line[here.end() :]
    lexer = shlex.shlex(_ERRORS.sub("", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    stages, words = list[Stage](), list[str]()
    try:
        tokens = list(lexer)
    except ValueError:
        return
    for token in [*tokens, ";"]:
        if token not in _SEPARATORS and token != "|":
            words.append(token)
            continue
        if words:
            stages.append(_stage(words, document if not stages else None))
        words = []
        if token != "|" and stages:
            yield stages
            stages = []


def _stage(words: list[str], document: str | None) -> Stage:
    kept, target = list[str](), None
    remaining = iter(words)
    for word in remaining:
        if word in (">", ">>", ">|"):
            target = next(remaining, None)
        elif word == "<":
            next(remaining, None)
        elif kept or not _ASSIGNMENT.match(word):
            kept.append(word)
    return Stage(tuple(kept), document, target)
