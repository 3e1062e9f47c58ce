"""cbpf explore: open the explorer page in a browser."""

from __future__ import annotations

import os

import cbpf

from ..browser import serve
from ..declarations import argument, option, subcommand
from ..failures import CommandError, UsageError
from ..options import (
    expression_option,
    goal_option,
    link_type_option,
    netmask_option,
    new_dialect_option,
    read_bytes,
    read_program,
    snaplen_option,
)
from ..values import FILE


@subcommand("explore", "Explore a program in a browser, without a network.")
@argument("program", required=False, kind=FILE)
@expression_option
@link_type_option
@new_dialect_option(
    "BPF dialect used to verify and run the program.", default=None, shows_default="linux with --live, else pcap"
)
@snaplen_option
@netmask_option
@goal_option
@option("-O", "unoptimized", is_flag=True, help="Do not optimise, like tcpdump -O.")
@option(
    "--live",
    is_flag=True,
    help="Compile for a live Linux packet socket, and present packets as it receives them: the kernel has VLAN tags, "
    "direction and interface as metadata.",
)
@option("-r", "capture", kind=FILE, help="Capture to open in the page; its first 1,000 packets are listed.")
@option("--no-browser", is_flag=True, help="Print the link only.")
def command(
    program: str | None,
    expression: str | None,
    link_type: str,
    dialect: cbpf.Dialect | None,
    snaplen: int,
    netmask: str | None,
    goal: cbpf.Goal,
    unoptimized: bool,
    live: bool,
    capture: str | None,
    no_browser: bool,
) -> None:
    """Serve the explorer page on 127.0.0.1, and open it in a browser; Ctrl-C ends it.

    The page shows PROGRAM or EXPRESSION while you type: errors, the program, its control-flow graph, and its run on a
    packet. It works without a network, and sends nothing to other machines. The page is a distribution of its own (pip
    install cbpf-explorer); questions about all packets need the extra smt, and eBPF the extra llvm.

    Exit code: 0 ended by Ctrl-C, 2 error.

    \b
      cbpf explore -e 'tcp port 443' -r in.pcap
      cbpf explore --no-browser filter.c
    """
    from ...explorer.links import DEFAULTS
    from ...explorer.page import Page, page_folder, served_facts
    from ...explorer.server import ExplorerServer

    if program is not None and expression is not None:
        raise UsageError("PROGRAM and -e EXPRESSION are mutually exclusive")
    kind = cbpf.link_type(link_type)
    dialect = dialect or (cbpf.LINUX if live else cbpf.PCAP)
    # An empty expression has no errors but those of the other options.
    cbpf.compile("", link_type=kind, snaplen=snaplen, netmask=netmask, dialect=dialect, live=live)
    state = {
        "s": _program_text(program) if program is not None else expression or "",
        "y": kind.name,
        "d": dialect.name,
        "S": snaplen or cbpf.DEFAULT_SNAPLEN,
        "m": netmask or "",
        "g": goal,
        "L": int(live),
        "O": int(not unoptimized),
    }
    state = {key: value for key, value in state.items() if value != DEFAULTS[key]}
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
