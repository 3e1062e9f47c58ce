"""cbpf explore: open the explorer page in a browser."""

from __future__ import annotations

import os

import cbpf

from ..browser import serve
from ..declarations import argument, option, subcommand
from ..failures import CommandError, UsageError
from ..options import dialect_option, expression_option, link_type_option, read_bytes, read_program
from ..values import FILE


@subcommand("explore", "Explore a program in a browser, without a network.")
@argument("program", required=False, kind=FILE)
@expression_option
@link_type_option
@dialect_option
@option("-r", "capture", kind=FILE, help="Capture to open in the page; its first 1,000 packets are listed.")
@option("--no-browser", is_flag=True, help="Print the link only.")
def command(
    program: str | None,
    expression: str | None,
    link_type: str,
    dialect: cbpf.Dialect,
    capture: str | None,
    no_browser: bool,
) -> None:
    """Serve the explorer page on 127.0.0.1, and open it in a browser; Ctrl-C ends it.

    The page shows PROGRAM or EXPRESSION while you type: errors, the program, its control-flow graph, and its run on a
    packet. It works without a network, and sends nothing to other machines. The page is a distribution of its own (pip
    install cbpf-explorer); questions about all packets need the extra smt.

    Exit code: 0 ended by Ctrl-C, 2 error.

    \b
      cbpf explore -e 'tcp port 443' -r in.pcap
      cbpf explore --no-browser filter.c
    """
    from ...explorer.page import Page, page_folder, served_facts
    from ...explorer.server import ExplorerServer

    if program is not None and expression is not None:
        raise UsageError("PROGRAM and -e EXPRESSION are mutually exclusive")
    state = {"s": expression or "", "y": cbpf.link_type(link_type).name, "d": dialect.name}
    if program is not None:
        state["s"] = _program_text(program)
    if capture is not None:
        _check_capture(capture)
    facts = served_facts(state, None if capture is None else os.path.basename(capture))
    with ExplorerServer(Page(page_folder(), facts, capture)) as server:
        serve(server, server.url, opens=not no_browser)


def _program_text(path: str) -> str:
    """Return the text of a program; of a binary file, the assembly."""
    if path == "-":
        return cbpf.render(read_program(path), "asm")
    data = read_bytes(path)
    program = read_program(path)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    return cbpf.render(program, "asm") if "\0" in text else text


def _check_capture(path: str) -> None:
    """Raise an error if a file is not a capture: before a browser opens."""
    if path == "-":
        raise CommandError("the page reads a capture from a file, and not from standard input")
    cbpf.read_capture(path).close()
