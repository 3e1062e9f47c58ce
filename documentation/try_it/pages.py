"""The examples of a page of the built site, and the links beside them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from cbpf import FieldError
from cbpf.explorer.links import fragment
from documentation.try_it import shell, states
from documentation.try_it.commands import CommandReader
from documentation.try_it.python import PythonReader
from documentation.try_it.states import Example

PAGE: Final = "explorer/index.html"
"""The explorer page, relative to the root of the site."""
_BLOCK: Final = re.compile(
    r'<div class="language-(?P<language>\w+) highlight">(?:<span class="filename">(?P<title>[^<]*)</span>)?'
    r"<pre>(?:<span></span>)?<code>(?P<code>.*?)</code></pre></div>",
    re.DOTALL,
)
_STATED: Final = re.compile(r"\s*<!-- try: (?P<state>\{.*?\}) -->")
"""A comment after a block, with the state of its link."""
_FRAME: Final = re.compile(r"<!-- explorer: (?P<state>\{.*?\}) -->")
"""A comment in the place of the explorer page, with its state."""
_TAG: Final = re.compile(r"<[^>]+>")
_SHELL: Final = ("console", "sh")
_PYTHON: Final = ("pycon", "python")
_TEXT: Final = ("asm", "c", "go", "json", "text")


class Block(NamedTuple):
    """A block of code of a page.

    Attributes:
        end: The offset of its end in the page.
        language: Its language, such as "console".
        title: The name of its file, or None.
        text: Its text.
        stated: The program that a comment states, or None.
    """

    end: int
    language: str
    title: str | None
    text: str
    stated: Example | None = None


def blocks(page: str) -> list[Block]:
    """Return the blocks of code of a page, in order."""
    return [
        Block(
            match.end(),
            match["language"],
            None if match["title"] is None else html.unescape(match["title"]),
            html.unescape(_TAG.sub("", match["code"])),
            _stated(page, match.end()),
        )
        for match in _BLOCK.finditer(page)
    ]


def _stated(page: str, position: int) -> Example | None:
    comment = _STATED.match(page, position)
    return None if comment is None else states.stated(json.loads(comment["state"]))


def examples(page: str) -> Iterator[tuple[Block, list[Example]]]:
    """Yield the blocks of a page with their programs."""
    found = blocks(page)
    files = {block.title: block.text for block in found if block.title is not None}
    dialects = _dialects(found, files)
    commands, python = CommandReader(files), PythonReader(files)
    for block in found:
        programs = list(_programs(block, commands, python, dialects))
        distinct = {fragment_of(example): example for example in programs}
        yield block, [example for link, example in distinct.items() if link is not None]


def _dialects(found: list[Block], files: dict[str, str]) -> dict[str, str]:
    """Return the dialects of the files of a page, as its commands state them."""
    commands = CommandReader(files)
    for block in found:
        if _has_commands(block):
            list(_of_commands(block, commands))
    return commands.dialects


def _has_commands(block: Block) -> bool:
    return block.language in _SHELL or "\n$ " in f"\n{block.text}"


def _of_commands(block: Block, commands: CommandReader) -> Iterator[Example]:
    for line in shell.lines(block.text):
        for pipeline in shell.pipelines(line):
            yield from commands.examples(pipeline)


def _programs(
    block: Block, commands: CommandReader, python: PythonReader, dialects: dict[str, str]
) -> Iterator[Example]:
    if block.stated is not None:
        yield block.stated
    elif _has_commands(block):
        yield from _of_commands(block, commands)
    elif block.language in _PYTHON:
        yield from python.examples(block.text)
    elif block.language in _TEXT and (states.is_program(block.text) or (block.title or "").endswith(".asm")):
        name = block.title or "the program"
        example = states.program(block.text, name, dialect=dialects.get(name))
        if example is not None:
            yield example


def fragment_of(example: Example) -> str | None:
    """Return the fragment of the link of an example, or None if it would be too long."""
    try:
        return fragment(example.state)
    except FieldError:
        return None


def with_links(page: str, root: str) -> str:
    """Return a page with the links to the explorer page below its examples, and the explorer page where it requests it.

    Args:
        page: The HTML of the page.
        root: The path from the page to the root of the site, such as "../".
    """
    parts, position = [], 0
    for block, programs in examples(page):
        if programs:
            parts += [page[position : block.end], _paragraph(programs, root)]
            position = block.end
    return _FRAME.sub(lambda comment: _frame(json.loads(comment["state"]), root), "".join([*parts, page[position:]]))


def _paragraph(programs: list[Example], root: str) -> str:
    links = [
        f'<a href="{root}{PAGE}#{fragment_of(program)}">Try it: <code>{html.escape(program.name)}</code></a>'
        for program in programs
    ]
    return f'\n<p class="try-it">{" ".join(links)}</p>'


def _frame(state: dict[str, Any], root: str) -> str:
    """Return the explorer page in a frame, which a browser loads when a reader unfolds it."""
    name = html.escape(state["s"])
    return (
        '<details class="explorer-frame"><summary>Open the explorer page here</summary>'
        f'<iframe src="{root}{PAGE}#{fragment(state)}" title="The explorer page with the filter {name}" loading="lazy">'
        "</iframe></details>"
    )
