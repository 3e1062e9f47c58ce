"""cbpf graph: the control-flow graph of a program as a picture."""

from __future__ import annotations

from typing import Final, Literal

import click

import cbpf

from ..options import as_socket_option, dialect_option, expression_option, link_type_option, write_bytes
from ..profiling import capture_option, measured

_Format = Literal["dot", "mermaid", "svg"]

_SUFFIXES: Final[dict[str, _Format]] = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid", ".md": "mermaid"}


@click.command("graph", short_help="The control-flow graph of a program as a picture.")
@click.argument("program", required=False)
@expression_option
@link_type_option
@click.option(
    "--to",
    "chosen",
    type=click.Choice(["dot", "mermaid", "svg"]),
    help="How to draw. By default as the name of -w FILE ends (.svg, .mmd, .dot), else dot.",
)
@click.option("-w", "target", metavar="FILE", help="Write to FILE.")
@capture_option
@as_socket_option
@dialect_option
def command(
    program: str | None,
    expression: str | None,
    link_type: str,
    chosen: _Format | None,
    target: str | None,
    capture: str | None,
    as_socket: bool,
    dialect: cbpf.Dialect,
) -> None:
    """Draw how runs go through PROGRAM: its blocks, and the ways between them with their conditions.

    SVG needs no other program; DOT is for graphviz, mermaid for Markdown. Blocks that no run reaches are dashed. With
    -r the picture shows how often each block ran on the packets of a capture, and which way they went.

      cbpf graph -e 'tcp port 443' -r in.pcap -w https.svg
    """
    found = measured(program, expression, link_type, capture, dialect, as_socket)
    picture = cbpf.graph(found.program, counts=found.counts, dialect=dialect)
    texts = {"dot": picture.dot, "mermaid": picture.mermaid, "svg": picture.svg}
    format = chosen or _by_name(target)
    text = texts[format]()
    if format == "mermaid" and target is not None and target.lower().endswith(".md"):
        text = f"```mermaid\n{text}```\n"
    write_bytes(target, text.encode())
    if found.damage is not None:
        raise found.damage


def _by_name(target: str | None) -> _Format:
    """The format that the name of a file tells."""
    for suffix, format in _SUFFIXES.items():
        if target is not None and target.lower().endswith(suffix):
            return format
    return "dot"
