"""The options for packets as lines of text."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import cbpf

from .._typing import Any, Final, TypeAlias
from ..packet.packet_text import dump
from ..reporting.packet_line import TIMES, PacketPrinter
from .declarations import Function, option
from .failures import UsageError
from .values import Choice

PacketLines: TypeAlias = "Callable[[cbpf.Packet, cbpf.Interface], list[str]]"
"""Returns the lines of a packet."""

FOREIGN_LINE_OPTIONS: Final = {
    "--hex prints the bytes of packets": "-x -X -A",
    "--time is the form of the time": "-t",
    "--json prints all fields": "-e -v -S --number",
}
"""The options of tcpdump for printing that these options replace, by the alternative."""


def line_options(command: Function) -> Function:
    """Add the options --hex, --json and --time, for the parameter *lines_of*, a `PacketLines`."""

    @option("--hex", "with_bytes", is_flag=True, help="Print the bytes of each packet below its line.")
    @option("--json", "as_json", is_flag=True, help="Print a JSON object per packet, one per line.")
    @option(
        "--time",
        kind=Choice(TIMES),
        shows_default="clock, or date with --json",
        help="Time to print: of the day or with the date (UTC), seconds since 1970, or since the first or previous"
        " packet.",
    )
    @wraps(command)
    def wrapper(*arguments: Any, with_bytes: bool, as_json: bool, time: str | None, **options: Any) -> int | None:
        if with_bytes and as_json:
            raise UsageError("--hex and --json are mutually exclusive")
        printer = PacketPrinter(time or ("date" if as_json else "clock"))

        def lines_of(packet: cbpf.Packet, interface: cbpf.Interface) -> list[str]:
            if as_json:
                return [printer.json(packet, interface)]
            return [printer.text(packet, interface), *(dump(packet.data) if with_bytes else ())]

        return command(*arguments, lines_of=lines_of, **options)

    return wrapper
