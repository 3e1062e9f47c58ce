"""cbpf debug: step through a program on the packets of a capture."""

from __future__ import annotations

import sys

import cbpf

from ..declarations import argument, option, subcommand
from ..failures import UsageError
from ..options import as_socket_option, dialect_option, expression_option
from ..packets import filter_and_capture, packet_number_option
from ..streams import echo
from ..tcpdump_options import TCPDUMP_OPTIONS
from ..values import FILE


@subcommand("debug", "Step through a program on packets, in both directions.", foreign_options=TCPDUMP_OPTIONS)
@argument("arguments", required=False, multiple=True, metavar="PROGRAM CAPTURE", kind=FILE)
@expression_option
@packet_number_option
@option(
    "--optimized",
    is_flag=True,
    help="Debug the optimised program of EXPRESSION, whose instructions belong to no clause.",
)
@dialect_option
@as_socket_option
def command(
    arguments: tuple[str, ...],
    expression: str | None,
    number: int,
    optimized: bool,
    dialect: cbpf.Dialect,
    as_socket: bool,
) -> int:
    """Step through PROGRAM on the packets of CAPTURE, forwards and backwards, with breakpoints and watches.

    With -e EXPRESSION, the program is its plain code, and each instruction is shown with its clause. The commands are
    those of Linux's bpf_dbg and the short ones of Python's pdb, and `help` lists them. They are read from a terminal,
    or from a script on standard input, which an error ends. Without arguments, `load` loads the program and the
    capture.

    Exit code: 0 success, 1 the last search of a script found no packet, 2 error.

    \b
      cbpf debug filter.c in.pcap
      cbpf debug -n 6 -e 'tcp port 443' in.pcap
    """
    from ..debugger.actions import Actions
    from ..debugger.code import Settings
    from ..debugger.session import Session
    from ..debugger.shell import run_script, run_terminal

    session = Session(Settings(dialect, as_socket, "cbpf" if optimized else None))
    actions = Actions(session)
    try:
        if arguments or expression is not None:
            filter, path = filter_and_capture(_files(arguments), expression)
            session.load(filter, path, number)
            actions.start()
        if sys.stdin.isatty():
            echo("help lists the commands")
            run_terminal(actions)
            return 0
        run_script(actions)
    finally:
        session.close()
    return 0 if actions.has_found else 1


def _files(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the arguments; raise `UsageError` for standard input, from which the commands are read."""
    if "-" in arguments:
        fact = "PROGRAM and CAPTURE are files, because the commands are read from standard input"
        raise UsageError(f"{fact}; write the data to a file, or use <(COMMAND) of the shell")
    return arguments
