"""The reader of correct command lines.

It leaves everything else to `click_parser`: errors, help texts and completion. That accepts the same command lines with
the same values, but its import takes longer than a small capture.
"""

from __future__ import annotations

from itertools import islice

import cbpf

from .._typing import Any, Final, Iterator, Sequence
from . import commands
from .declarations import Argument, Command, Group, Invocation, Option

VERSION_TEXT: Final = f"cbpf {cbpf.__version__}"


class _NotPlain(Exception):
    """A command line that is not correct, or requests a help text."""


def parse(words: Sequence[str]) -> Invocation | None:
    """Return the invocation of a command line; None if it is not correct, or requests a help text."""
    entry: Command | Group = commands.command
    depth = 0
    while isinstance(entry, Group):
        if depth == len(words) or words[depth] not in entry.names:
            return None
        entry = entry.load(words[depth])
        depth += 1
    try:
        return _invocation(entry, words[depth:])
    except _NotPlain:
        return None


def _invocation(command: Command, words: Sequence[str]) -> Invocation:
    options = [entry for entry in command.parameters if isinstance(entry, Option)]
    arguments = [entry for entry in command.parameters if isinstance(entry, Argument)]
    given, others, following = _sorted(options, words)
    values = _arguments(arguments, others, following)
    for option in options:
        value = _value(option, [text for other, text in given if other is option])
        if option.parameter is not None:
            values[option.parameter] = value
    return Invocation(command, values, {option.parameter for option, _ in given})


def words_after_dashes(command: Command, words: Sequence[str]) -> int:
    """Return how many words follow the "--" that ends the options; 0 also if an option before it is not correct."""
    try:
        return _sorted([entry for entry in command.parameters if isinstance(entry, Option)], words)[2]
    except _NotPlain:
        return 0


def _sorted(options: Sequence[Option], words: Sequence[str]) -> tuple[list[tuple[Option, str]], list[str], int]:
    """Return the options that are given, with their texts, the other words, and how many of them follow "--"."""
    by_name = {name: option for option in options for name in option.names}
    given: list[tuple[Option, str]] = []
    others: list[str] = []
    following: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word == "--":
            following.extend(remaining)
        elif word.startswith("-") and word != "-":
            given.extend(_options_in(word, by_name, remaining))
        else:
            others.append(word)
    return given, others + following, len(following)


def _options_in(word: str, by_name: dict[str, Option], remaining: Iterator[str]) -> Iterator[tuple[Option, str]]:
    """Yield the options in a word, with their texts; an option without a value has an empty text."""
    if word.startswith("--"):
        name, sign, text = word.partition("=")
        option = _find(name, by_name)
        if option.kind is None and sign:
            raise _NotPlain
        yield option, text if sign or option.kind is None else _next(remaining)
        return
    for index, letter in enumerate(word[1:], 2):
        option = _find(f"-{letter}", by_name)
        if option.kind is not None:
            yield option, word[index:] or _next(remaining)
            return
        yield option, ""


def _find(name: str, by_name: dict[str, Option]) -> Option:
    if name not in by_name:
        raise _NotPlain
    return by_name[name]


def _next(remaining: Iterator[str]) -> str:
    for word in remaining:
        return word
    raise _NotPlain


def _arguments(arguments: Sequence[Argument], words: list[str], following: int) -> dict[str, Any]:
    """Return the values of the arguments, of which the last one may be repeated; *following* words follow "--"."""
    values: dict[str, Any] = {}
    remaining = iter(words)
    for argument in arguments:
        texts = list(remaining if argument.multiple else islice(remaining, 1))
        values[argument.parameter] = _value(argument, texts, following)
    if next(remaining, None) is not None:
        raise _NotPlain
    return values


def _value(declared: Option | Argument, texts: list[str], *following: int) -> Any:
    if declared.required and not texts:
        raise _NotPlain
    try:
        return declared.value(texts, *following)
    except ValueError:
        raise _NotPlain from None
