"""cbpf trace: every step of a program on one packet."""

from collections.abc import Iterator
from itertools import islice

import click

import cbpf

from .common import dialect_option, read_program


@click.command("trace", short_help="Every step of a program on one packet.")
@click.argument("program")
@click.argument("capture")
@click.option("-n", "number", metavar="K", type=click.IntRange(1), default=1, show_default=True, help="Which packet.")
@dialect_option
def command(program: str, capture: str, number: int, dialect: cbpf.Dialect) -> None:
    """Show every step of PROGRAM on packet K of CAPTURE: instruction, registers, what was loaded, where it went."""
    virtual_machine = cbpf.VM(read_program(program), dialect=dialect)
    packet = _packet(capture, number)
    click.echo(f"packet {number}: {packet.captured_length} of {packet.wire_length} bytes captured")
    images = str(virtual_machine.program).splitlines()
    verdict: int | None = 0  # of a record that is too short to begin
    for step in virtual_machine.trace(packet.data, wire_length=packet.wire_length):
        image = images[step.index].replace("\t", " ")
        click.echo(f"{image:46}  A={step.a:#010x} X={step.x:#010x}  {'; '.join(_events(step))}".rstrip())
        verdict = step.verdict
    click.echo(f"verdict {verdict}: {'keeps' if verdict else 'rejects'} the packet")


def _packet(capture: str, number: int) -> cbpf.Packet:
    with cbpf.read_capture(capture) as packets:
        for packet in islice(packets, number - 1, number):
            return packet
    raise cbpf.CaptureError(f"{capture}: has fewer than {number} packets")


def _events(step: cbpf.Step) -> Iterator[str]:
    if step.fetched is not None:
        place = f"byte {step.fetched.position}"
        if step.fetched.size > 1:
            place = f"bytes {step.fetched.position}..{step.fetched.position + step.fetched.size - 1}"
        yield (f"{place}: past the end" if step.fetched.value is None else f"{place}: {_hexadecimal(step.fetched)}")
    if step.taken is not None:
        yield f"{'true' if step.taken else 'false'}, to {step.following}"


def _hexadecimal(fetched: cbpf.Fetched) -> str:
    return f"0x{fetched.value:0{2 * fetched.size}x}"
