"""cbpf run: the verdict on every packet of a capture."""

from typing import Any

import click

import cbpf

from .common import dialect_option, engine_option, read_program


@click.command("run", short_help="The verdict of a program on each packet.")
@click.argument("program")
@click.argument("capture")
@dialect_option
@engine_option
def command(program: str, capture: str, dialect: cbpf.Dialect, engine: Any) -> None:
    """Print the verdict of PROGRAM on each packet of CAPTURE: packet number, verdict."""
    virtual_machine = cbpf.VM(read_program(program), dialect=dialect, engine=engine)
    with cbpf.read_capture(capture) as packets:
        for packet in packets:
            verdict = virtual_machine.evaluate(packet.data, wire_length=packet.wire_length)
            print(packet.number, verdict)
