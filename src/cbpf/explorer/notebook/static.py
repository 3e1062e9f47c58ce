"""The program of a page without the page: its listing, its graph, and the number of accepted packets, as HTML."""

from __future__ import annotations

import html
import warnings
from urllib.parse import quote

import cbpf

from ..._typing import Any, Final, Iterator
from ...reporting.clause_output import plain_lines, shortened
from ..answers import Answers
from ..page import capture_bytes
from ..sources import Settings, Subject, read, settings
from .packets import ShownPackets

_LISTING: Final = "font-family: monospace; white-space: pre; overflow: auto; max-height: 30em; line-height: 1.3"
_PICTURE: Final = "overflow: auto; max-height: 40em"
_MAX_TEXT: Final = 200  # characters of an expression


def static_output(state: dict[str, Any], packets: ShownPackets) -> str:
    """Return the program of a page as HTML: an element `details`, without a script.

    Args:
        state: The state of the page.
        packets: The packets that it shows.
    """
    with warnings.catch_warnings(action="ignore"):  # those of the program were shown when it was compiled
        return _output(state, packets)


def _output(state: dict[str, Any], packets: ShownPackets) -> str:
    request = {"text": state["s"], "link_type": state["y"], "dialect": state["d"], "optimize": state.get("O", 1) == 1}
    source = settings(request)
    subject = read(source)
    assert subject.program is not None
    answers = Answers()
    if packets.capture is not None:
        answers.open_capture(capture_bytes(packets.capture), packets.name)
    heading = "; ".join([_program_text(subject, source), *_packet_texts(answers, request, subject, source, packets)])
    graph = answers.graph({"source": request, "heat": packets.capture is not None})
    parts = [*_listings(subject, source.dialect), _picture(graph)]
    return f"<details open><summary>{heading}</summary>{''.join(parts)}</details>"


def _program_text(subject: Subject, source: Settings) -> str:
    assert subject.program is not None
    count = len(subject.program)
    size = f"{count:,} instruction{'s' if count != 1 else ''}"
    text = html.escape(shortened(source.text, _MAX_TEXT))
    return f"<code>{text}</code>: {size}" if subject.mapped is not None else f"A program: {size}"


def _packet_texts(
    answers: Answers, request: dict[str, Any], subject: Subject, source: Settings, packets: ShownPackets
) -> Iterator[str]:
    """Yield the result of the program on the packets, if there are any."""
    if packets.single is not None:
        assert subject.program is not None
        data, wire_length = packets.single
        verdict = cbpf.VM(subject.program, dialect=source.dialect).evaluate(data, wire_length=wire_length)
        yield f"{'accepts' if verdict else 'rejects'} the packet"
    elif packets.capture is not None:
        answer = answers.verdicts({"source": request})
        first = "the first " if packets.has_more else ""
        yield f"accepts {answer['accepted']:,} of {first}{answer['listed']:,} packets"


def _listings(subject: Subject, dialect: cbpf.Dialect) -> Iterator[str]:
    """Yield the listing of a program, and of an expression the plain code with its clauses."""
    program, mapped = subject.program, subject.mapped
    assert program is not None
    if mapped is None or tuple(mapped.program) != tuple(program):
        yield _text(cbpf.listing(program, dialect=dialect).expandtabs(8))
    if mapped is not None:
        yield "<p>With the clause of each instruction, before the optimiser:</p>" if mapped.program != program else ""
        yield _text("\n".join(plain_lines(mapped)))


def _text(text: str) -> str:
    return f'<pre style="{_LISTING}">{html.escape(text.rstrip())}</pre>'


def _picture(graph: dict[str, Any]) -> str:
    """Return the graph as a picture, which notebooks that are not trusted show too, unlike an element `svg`."""
    if graph["svg"] is None:
        return f"<p>{html.escape(graph['message'])}</p>"
    data = quote(graph["svg"], safe="/:;=,'()!*@$ ")
    return f'<div style="{_PICTURE}"><img alt="The control-flow graph" src="data:image/svg+xml,{data}"></div>'
