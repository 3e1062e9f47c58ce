"""A program and its execution counts on the packets of a capture, for the subcommands `graph` and `stats`."""

from __future__ import annotations

import cbpf

from .._named_tuple import NamedTuple
from .._typing import Final
from .declarations import Invocation, option
from .failures import UsageError
from .options import program_or_expression
from .packets import filter_and_capture
from .values import FILE

capture_option: Final = option(
    "-r",
    "capture",
    metavar="CAPTURE",
    kind=FILE,
    help="Count executions on the packets of CAPTURE, - for standard input.",
)


class ProfiledProgram(NamedTuple):
    """A program; with a capture also its execution counts, and the damage at which the capture ended early.

    *link_type* is that of the program: of an expression on a capture, the first interface that the expression fits.
    """

    program: cbpf.Program
    counts: cbpf.ExecutionCounts | None
    damage: cbpf.DamagedCapture | None
    link_type: str | cbpf.Interface


def profiled_program(
    path: str | None,
    expression: str | None,
    link_type: str,
    capture: str | None,
    dialect: cbpf.Dialect,
    as_socket: bool,
    optimizer: cbpf.Optimizer = "cbpf",
) -> ProfiledProgram:
    """Load PROGRAM or compile -e EXPRESSION, and count its executions on -r CAPTURE.

    With a capture an expression is compiled for the link type of its first interface.
    """
    if capture is None:
        if as_socket:
            raise UsageError("--as-socket requires -r CAPTURE")
        loaded = program_or_expression(path, expression, link_type, optimizer=optimizer)
        return ProfiledProgram(loaded, None, None, link_type)
    _check_usage(path, expression, capture)
    arguments = (capture,) if expression is not None else ("-" if path is None else path, capture)
    program, source = filter_and_capture(arguments, expression)
    profile = cbpf.profile_capture(source, program, optimizer=optimizer, dialect=dialect, as_socket=as_socket)
    damage = None if profile.damage is None else cbpf.DamagedCapture(profile.damage)
    return ProfiledProgram(profile.program, profile.counts, damage, profile.interface or link_type)


def _check_usage(path: str | None, expression: str | None, capture: str) -> None:
    if expression is not None:
        if path is not None:
            raise UsageError("PROGRAM and -e EXPRESSION are mutually exclusive")
        if Invocation.current is not None and "link_type" in Invocation.current.given:
            raise UsageError("-y LINKTYPE and -r CAPTURE are mutually exclusive: CAPTURE has a link type")
    elif capture == "-" and path in (None, "-"):
        raise UsageError("PROGRAM and -r CAPTURE cannot both be standard input")
