"""cbpf run: print the verdict of a program on each packet of a capture."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cbpf

from ..._typing import Any
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
    programs, capture = programs_for_capture(arguments, expression, dialect, as_socket=as_socket)
    vm_of = cache(lambda program: cbpf.VM(program, dialect=dialect, engine=engine))

    @cache
    def verdict_function(interface: int) -> Callable[[cbpf.Packet], int]:
        """Return the function for the verdicts on the packets of an interface."""
        program = programs.program(capture, interface)
        if program is None:
            return lambda packet: 0
        vm = vm_of(program)
        if not as_socket and capture.interfaces[interface].link_type.host_order is None:
            match = vm.match
            return lambda packet: match(packet.data, packet.wire_length)

        def evaluate(packet: cbpf.Packet) -> int:
            data, wire_length, metadata = program_view(packet, capture, as_socket)
            return vm.evaluate(data, metadata=metadata, wire_length=wire_length)

        return evaluate

    with capture:
        for packet in capture:
            print(packet.number, verdict_function(packet.interface)(packet))
        programs.require_fit([capture])
