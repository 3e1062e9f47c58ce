"""The program of a page without the page: its listing, its graph, and the number of accepted packets, as HTML."""

from __future__ import annotations

import html
from urllib.parse import quote

import cbpf

from ..._text import counted
from ..._typing import Final, Iterator
from ...reporting.clause_output import plain_lines, shortened
from ..caught import caught_warnings
from ..packets import LoadedCapture, OnePacket, execution_counts, verdicts_pane
from ..programs import graph_pane
from ..sources import Settings, Subject, read
from .packets import ShownPackets

_LISTING: Final = "font-family: monospace; white-space: pre; overflow: auto; max-height: 30em; line-height: 1.3"
_PICTURE: Final = "overflow: auto; max-height: 40em"
_BACKGROUND: Final = "background: white"  # on which the colours of the graph can be read
_MAX_TEXT: Final = 200  # characters of an expression


def static_output(source: Settings, packets: ShownPackets) -> str:
    """Return the program of a page as HTML: an element `details`, without a script."""
    with caught_warnings():  # those of the program were shown when it was compiled
        subject = read(source)
        if subject.program is None:
            return _rejected_output(subject, source)
        capture = packets.loaded()
        parts = [*_listings(subject, source.dialect), _picture(subject, source, capture)]
        heading = "; ".join([_program_text(subject, source), *_packet_texts(subject, source, packets, capture)])
    return _details(heading, *parts)


def _details(heading: str, *parts: str) -> str:
    return f"<details open><summary>{heading}</summary>{''.join(parts)}</details>"


def _rejected_output(subject: Subject, source: Settings) -> str:
    """Return the listing of a program that its dialect rejects, and the reasons."""
    program = cbpf.parse(source.text)
    heading = f"A program: {counted(len(program), 'instruction')}; the dialect {source.dialect.name} rejects it"
    reasons = [problem["message"] for problem in subject.problems]
    reasons += [f"{subject.more:,} more"] if subject.more else []
    items = "".join(f"<li>{html.escape(reason)}</li>" for reason in reasons)
    return _details(heading, f"<ul>{items}</ul>", _text(cbpf.listing(program, dialect=source.dialect).expandtabs(8)))


def _program_text(subject: Subject, source: Settings) -> str:
    assert subject.program is not None
    size = counted(len(subject.program), "instruction")
    text = html.escape(shortened(source.text, _MAX_TEXT))
    return f"<code>{text}</code>: {size}" if subject.mapped is not None else f"A program: {size}"


def _packet_texts(
    subject: Subject, source: Settings, packets: ShownPackets, capture: LoadedCapture | None
) -> Iterator[str]:
    """Yield the result of the program on the packets, if there are any."""
    assert subject.program is not None
    if packets.single is not None:
        view = OnePacket(*packets.single, cbpf.link_type(source.link_type)).view(source)
        machine = cbpf.VM(subject.program, dialect=source.dialect)
        verdict = machine.evaluate(view.data, metadata=view.metadata, wire_length=view.wire_length)
        yield f"{'accepts' if verdict else 'rejects'} the packet"
    elif capture is not None:
        answer = verdicts_pane(capture, subject, source)
        yield f"accepts {answer['accepted']:,} of {'the first ' if capture.has_more else ''}{packets.counted()}"


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


def _picture(subject: Subject, source: Settings, capture: LoadedCapture | None) -> str:
    """Return the graph as a picture, which notebooks that are not trusted show too, unlike an element `svg`."""
    assert subject.program is not None
    counts = None if capture is None else execution_counts(capture, subject, source)
    graph = graph_pane(subject, source, subject.program, counts)
    if graph["svg"] is None:
        return f"<p>{html.escape(graph['message'])}</p>"
    data = quote(graph["svg"], safe="/:;=,'()!*@$ ")
    picture = f'<img alt="The control-flow graph" style="{_BACKGROUND}" src="data:image/svg+xml,{data}">'
    return f'<div style="{_PICTURE}">{picture}</div>'
