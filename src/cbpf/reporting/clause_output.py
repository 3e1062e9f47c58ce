"""Plain code with the clauses of its expression, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import cbpf

from .._typing import Final

_GAP: Final = "   "
_WIDTH: Final = 100  # columns
_MAX_TEXT: Final = 40  # characters of a clause beside an instruction


def plain_lines(mapped: cbpf.SourceMap, max_text: int = _MAX_TEXT) -> Iterator[str]:
    """Yield the listing of plain code, with the clause beside the first of its instructions."""
    listing = cbpf.listing(mapped.program).expandtabs(8).splitlines()
    width = max(map(len, listing))
    before = ""
    for line, text in zip(listing, mapped.texts(), strict=True):
        beside = shortened(text, max_text) if text != before else "" if not text else "|"
        yield f"{line:{width}}{_GAP}{beside}".rstrip()
        before = text


def clause_lines(mapped: cbpf.SourceMap) -> Iterator[str]:
    """Yield the clauses: the numbers of their first and last character, from 1, their instructions and loads."""
    loads = {load.index: str(load) for load in _flow(mapped).loads}
    width = len(str(max((clause.span.end for clause in mapped.clauses), default=0)))
    for clause in mapped.clauses:
        yield f"{clause.span.start + 1:{width}}-{clause.span.end:<{width}} {clause.text}"
        indentation = " " * (2 * width + 4)
        if not clause.instructions:
            yield f"{indentation}no instructions"
            continue
        bytes_loaded = "; ".join(dict.fromkeys(loads[index] for index in clause.instructions if index in loads))
        indices = cbpf.format_ranges(clause.instructions)
        facts = f"instructions {indices}" + (f", bytes {bytes_loaded}" if bytes_loaded else "")
        yield from textwrap.wrap(facts, _WIDTH, initial_indent=indentation, subsequent_indent=indentation)


def shortened(text: str, length: int) -> str:
    """Return a text, shortened to a number of characters."""
    return text if len(text) <= length else f"{text[: length - 4]} ..."


def _flow(mapped: cbpf.SourceMap) -> cbpf.Flow:
    """Return the flow of plain code, which may be longer than programs for sockets."""
    return cbpf.Flow(mapped.program)
