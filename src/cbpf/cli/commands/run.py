"""cbpf run: the verdict on every packet of a capture."""

from __future__ import annotations

from functools import cache
from typing import Any

import click

import cbpf

from ..options import (
    as_socket_option,
    dialect_option,
    engine_option,
    expression_option,
    program_for_capture,
    program_view,
)


@click.command("run", short_help="The verdict of a program on each packet.")
@click.argument("arguments", nargs=-1, metavar="PROGRAM CAPTURE")
@expression_option
@dialect_option
@engine_option
@as_socket_option
def command(
    arguments: tuple[str, ...], expression: str | None, dialect: cbpf.Dialect, engine: Any, as_socket: bool
) -> None:
    """Print the verdict of PROGRAM on each packet of CAPTURE: packet number, verdict."""
    program_of, capture = program_for_capture(arguments, expression, dialect)
    machine = cache(lambda program: cbpf.VM(program, dialect=dialect, engine=engine))
    with capture:
        machine(program_of(0))
        for packet in capture:
            data, wire_length, metadata = program_view(packet, capture, as_socket)
            virtual_machine = machine(program_of(packet.interface))
            print(packet.number, virtual_machine.evaluate(data, metadata=metadata, wire_length=wire_length))
