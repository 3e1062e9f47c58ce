"""cbpf graph: draw the control-flow graph of a program."""

from __future__ import annotations

import os

import cbpf

from ..._typing import Final, Literal
from ...reporting.documents import graph_document
from ..declarations import argument, option, subcommand
from ..failures import UsageError
from ..options import (
    as_socket_option,
    dialect_option,
    display_name,
    expression_option,
    json_option,
    link_type_option,
    target_option,
    write_bytes,
)
from ..profiling import ProfiledProgram, capture_option, profiled_program
from ..streams import echo, json_line
from ..values import FILE, Choice

_PictureFormat = Literal["dot", "mermaid", "svg"]

_SUFFIXES: Final[dict[str, _PictureFormat]] = {
    ".svg": "svg",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".md": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
}


@subcommand("graph", "Draw the control-flow graph of a program.")
@argument("program", required=False, kind=FILE)
@expression_option
@link_type_option
@option(
    "--to",
    "target_format",
    kind=Choice(("dot", "mermaid", "svg")),
    help="Output format; by default according to the suffix of -w FILE (.svg, .mmd, .mermaid, .md, .dot, .gv), or dot "
    "if it has none.",
)
@target_option
@capture_option
@option(
    "--clauses",
    "shows_clauses",
    is_flag=True,
    help="Draw the plain code of EXPRESSION, with the clause that each box belongs to. Optimised code has no clauses.",
)
@option(
    "--no-fold",
    "draws_all",
    is_flag=True,
    help="Draw every block. By default, a chain of tests with a common target is one box in a graph of more than 60 "
    "blocks.",
)
@json_option
@as_socket_option
@dialect_option
def command(
    program: str | None,
    expression: str | None,
    link_type: str,
    target_format: _PictureFormat | None,
    target: str | None,
    capture: str | None,
    shows_clauses: bool,
    draws_all: bool,
    as_json: bool,
    as_socket: bool,
    dialect: cbpf.Dialect,
) -> None:
    """Draw the control-flow graph of PROGRAM, by default read from standard input.

    It shows the basic blocks, and the edges between them with their conditions: [12:2] is the 2 bytes at offset 12.
    Blocks that no packet can reach are dashed. With -r it also shows how often each block ran on the packets of a
    capture, and how often each edge was taken. SVG needs no other program; DOT is for graphviz, Mermaid for
    Markdown. --json writes the same graph as data, with every block.

    \b
      cbpf graph -e 'tcp port 443' -r in.pcap -w https.svg
      cbpf graph -e 'tcp port 443 or arp' --clauses --to mermaid
    """
    if as_json and target_format is not None:
        raise UsageError("--json and --to are mutually exclusive")
    picture_format = None if as_json else target_format or _format_of_name(target)
    optimizer: cbpf.Optimizer = None if shows_clauses else "cbpf"
    profile = profiled_program(program, expression, link_type, capture, dialect, as_socket, optimizer)
    mapped = _source_map(expression, profile) if shows_clauses else None
    picture = cbpf.graph(
        profile.program,
        counts=profile.counts,
        notes=() if mapped is None else mapped.texts(),
        folds=False if draws_all else None,
        dialect=dialect,
    )
    if picture_format is None:
        text = json_line(graph_document(picture, dialect=dialect, mapped=mapped))
    else:
        text = _picture_text(picture, picture_format, target)
    write_bytes(target, text.encode())
    if picture.is_folded and not as_json:
        echo("cbpf: note: chains of tests are drawn as one box each; --no-fold draws every block", err=True)
    if profile.damage is not None:
        raise profile.damage


def _picture_text(picture: cbpf.Graph, picture_format: _PictureFormat, target: str | None) -> str:
    """Return a picture in a format, for the file *target*."""
    text = {"dot": picture.dot, "mermaid": picture.mermaid, "svg": picture.svg}[picture_format]()
    if picture_format == "mermaid" and target is not None and target.lower().endswith(".md"):
        return f"```mermaid\n{text}```\n"
    return text


def _source_map(expression: str | None, profile: ProfiledProgram) -> cbpf.SourceMap:
    """Return the clauses of a plain program."""
    if expression is None:
        raise UsageError("--clauses requires -e EXPRESSION")
    return cbpf.source_map(expression, link_type=profile.link_type)


def _format_of_name(target: str | None) -> _PictureFormat:
    """Return the format according to the suffix of a file name; DOT if there is none."""
    if target is None or not os.path.splitext(target)[1]:
        return "dot"
    for suffix, picture_format in _SUFFIXES.items():
        if target.lower().endswith(suffix):
            return picture_format
    *first, last = _SUFFIXES
    known = f"{', '.join(first)} and {last}"
    raise UsageError(f"{display_name(target)}: its suffix names no format; known are {known}, or use --to")
