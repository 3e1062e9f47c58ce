"""cbpf why: explain the verdict of a filter expression on one packet."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

import cbpf

from ..._text import counted
from ..._typing import Final
from ...reporting.documents import why_document
from ..declarations import argument, option, subcommand
from ..options import (
    as_socket_option,
    expression_file_option,
    json_option,
    list_options,
    read_expression,
)
from ..packets import packet_number_option, program_view, read_packet
from ..proof_options import new_timeout_option
from ..streams import echo, echo_json
from ..tcpdump_options import TCPDUMP_OPTIONS
from ..values import EXPRESSION, FILE

_MAX_INDENTED: Final = 12
"""The depth from which parts are not indented further."""
_WIDTH: Final = 100  # columns
_MAX_TEXT: Final = 48  # characters of a clause beside its outcome

_PREDICATES: Final[dict[str, str]] = {
    "true": "is true",
    "false": "is false",
    "not evaluated": "is not evaluated",
    "bytes missing": "needs bytes that are missing",
    "division by zero": "divides by zero",
}


@subcommand("why", "Explain the verdict of an expression on one packet.", foreign_options=TCPDUMP_OPTIONS)
@argument("expression", kind=EXPRESSION, required=False, multiple=True)
@option("-r", "capture", metavar="CAPTURE", kind=FILE, required=True, help="Capture with the packet.")
@packet_number_option
@expression_file_option
@list_options
@as_socket_option
@new_timeout_option(10, "Time limit of the search for the smallest change, in seconds.")
@json_option
def command(
    expression: tuple[str, ...],
    capture: str,
    number: int,
    expression_file: str | None,
    lists: cbpf.Expression | None,
    as_socket: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Explain why a filter expression (pcap-filter(7)) accepts or rejects packet K of CAPTURE.

    Each clause is shown with its outcome and the bytes that it loaded, and so are the and, or and not around it. The
    clause that decided is marked; those after it were not evaluated. The last lines show the smallest change of the
    packet that inverts the verdict: if it has more than one byte, the extra smt is required.

    \b
      cbpf why -r in.pcap -n 3 'tcp port 443 and not host 192.0.2.1'
    """
    text = read_expression(expression, expression_file)
    source = cbpf.read_capture(capture)
    packet = read_packet(source, number)
    interface = source.interfaces[packet.interface]
    data, wire_length, metadata = program_view(packet, source, as_socket)
    explained = text if lists is None else lists.replace(text=text)
    why = cbpf.explain_verdict(
        explained,
        data,
        link_type=interface if metadata is None else interface.link_type,
        wire_length=wire_length,
        metadata=metadata,
        netmask=0,
        timeout=timeout,
    )
    if as_json:
        echo_json(why_document(why, number=number, link_type=interface.link_type.name))
        return
    lengths = f"{len(data):,} of {counted(wire_length, 'byte')} captured"
    echo(f"packet {number}: {lengths}, link type {interface.link_type.name}")
    for lines in (list(_part_lines(why)), [_verdict(why)], list(_change_lines(why))):
        if lines:
            echo("\n".join(["", *lines]))


def _part_lines(why: cbpf.VerdictExplanation) -> Iterator[str]:
    """Yield a line for each part: a mark if it decided, its outcome, its text, and the bytes that it loaded."""
    outcome_width = max((len(part.outcome) for part in why.parts), default=0)
    texts = [_indented(part) for part in why.parts]
    text_width = max((len(text) for text in texts if len(text) <= _MAX_TEXT), default=0)
    for part, text in zip(why.parts, texts, strict=True):
        mark = ">" if part is why.deciding else " "
        line = f"{mark} {part.outcome:{outcome_width}}  {text:{text_width}}"
        loads = _loads(part.loads)
        if len(text) > text_width or len(line) + 2 + len(loads) > _WIDTH:
            yield line.rstrip()
            line, indentation = "", " " * (outcome_width + 6 + len(text) - len(text.lstrip()))
            yield from textwrap.wrap(loads, _WIDTH, initial_indent=indentation, subsequent_indent=indentation)
        else:
            yield f"{line}  {loads}".rstrip()


def _indented(part: cbpf.ExplainedPart) -> str:
    depth = f"({part.depth}) " if part.depth > _MAX_INDENTED else ""
    return f"{'  ' * min(part.depth, _MAX_INDENTED)}{depth}{part.text}"


def _loads(loads: Sequence[cbpf.Fetched]) -> str:
    """Return loads as text, each once: [12:2]=0800 for the bytes 08 00 at offset 12."""
    return " ".join(dict.fromkeys(map(_load, loads)))


def _load(load: cbpf.Fetched) -> str:
    place = f"[{load.position}]" if load.size == 1 else f"[{load.position}:{load.size}]"
    return f"{place} is missing" if load.value is None else f"{place}={load.value:0{2 * load.size}x}"


def _verdict(why: cbpf.VerdictExplanation) -> str:
    verdict = "accepts the packet" if why.accepts else "rejects the packet"
    if why.deciding is not None:
        return f"{verdict}: {_quoted(why.deciding)} {_PREDICATES[why.deciding.outcome]}"
    if why.accepts:
        return f"{verdict}: the expression is empty"
    return f"{verdict}: its headers cannot be measured: {_loads(why.measured)}"


def _quoted(part: cbpf.ExplainedPart) -> str:
    return f"'{textwrap.shorten(part.text, 2 * _MAX_TEXT, placeholder=' ...')}'"


def _change_lines(why: cbpf.VerdictExplanation) -> Iterator[str]:
    """Yield the smallest change that inverts the verdict, a line for each sequence of bytes."""
    if why.unknown:
        yield f"smallest change that inverts the verdict: unknown: {why.unknown}"
    elif why.change is None:
        yield "no change of the bytes inverts the verdict"
    else:
        limit = "" if why.change.is_smallest else " (time was too short to prove that it is the smallest one)"
        yield f"smallest change that inverts the verdict{limit}:"
        # Consecutive offsets have the same difference to their positions.
        sequences = groupby(enumerate(why.change.changes), lambda item: (item[1].offset - item[0], item[1].parts))
        yield from (_change([change for _, change in sequence]) for _, sequence in sequences)


def _change(changes: Sequence[cbpf.ByteChange]) -> str:
    """Return the line of changes of consecutive bytes, which have the same effects."""
    first, last = changes[0], changes[-1]
    place = f"byte {first.offset}" if len(changes) == 1 else f"bytes {first.offset}..{last.offset}"
    old, new = bytes(change.old for change in changes), bytes(change.new for change in changes)
    effects = "; ".join(f"{_quoted(part)} {_PREDICATES[part.outcome]}" for part in first.parts)
    return f"  {place}: {old.hex()} -> {new.hex()}" + (f", then {effects}" if effects else "")
