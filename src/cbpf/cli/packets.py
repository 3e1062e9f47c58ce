"""One packet of a capture, for the subcommands `trace` and `why`."""

from __future__ import annotations

from typing import Final

import click

import cbpf

packet_number_option: Final = click.option(
    "-n",
    "number",
    metavar="K",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of the packet, from 1.",
)


def read_packet(capture: cbpf.CaptureReader, number: int) -> cbpf.Packet:
    """Return a packet of a capture, which is closed then."""
    with capture:
        for packet in capture:
            if packet.number == number:
                return packet
    raise cbpf.CaptureError(f"{capture.name}: contains fewer than {number:,} packets")
