"""cbpf run: print the verdict of a program on each packet of a capture."""

from __future__ import annotations

from functools import cache
from typing import Any

import cbpf

from ..declarations import argument, subcommand
from ..options import (
    as_socket_option,
    dialect_option,
    engine_option,
    expression_option,
)
from ..packets import program_view, programs_for_capture
from ..tcpdump_options import TCPDUMP_OPTIONS
from ..values import FILE


@subcommand("run", "Print the verdict of a program on each packet.", foreign_options=TCPDUMP_OPTIONS)
@argument("arguments", required=False, multiple=True, metavar="PROGRAM CAPTURE", kind=FILE)
@expression_option
@dialect_option
@engine_option
@as_socket_option
def command(
    arguments: tuple[str, ...], expression: str | None, dialect: cbpf.Dialect, engine: Any, as_socket: bool
) -> None:
    """Print a line for each packet of CAPTURE: the packet's number, from 1, and the verdict of PROGRAM.

    A verdict of 0 rejects the packet, and any other accepts it. With -e EXPRESSION, the only argument is CAPTURE.

    \b
      cbpf run filter.c in.pcap
      cbpf run -e 'udp port 53' in.pcap
    """
    programs, capture = programs_for_capture(arguments, expression, dialect)
    vm_of = cache(lambda program: cbpf.VM(program, dialect=dialect, engine=engine))
    with capture:
        for packet in capture:
            program, verdict = programs.program(capture, packet.interface), 0
            if program is not None:
                data, wire_length, metadata = program_view(packet, capture, as_socket)
                verdict = vm_of(program).evaluate(data, metadata=metadata, wire_length=wire_length)
            print(packet.number, verdict)
        programs.require_fit([capture])
