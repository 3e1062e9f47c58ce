"""What several subcommands share: programs and expressions from the command line, and common options."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, Final, TypeAlias, get_args

import click

import cbpf


def _dialect(context: click.Context, parameter: click.Parameter, name: str) -> cbpf.Dialect:
    return cbpf.DIALECTS[name]


dialect_option: Final = click.option(
    "--dialect",
    type=click.Choice(list(cbpf.DIALECTS)),
    default="pcap",
    show_default=True,
    callback=_dialect,
    help="Whose rules and whose arithmetic.",
)

engine_option: Final = click.option(
    "--engine",
    type=click.Choice(get_args(cbpf.EngineName)),
    default="auto",
    show_default=True,
    help="What runs the program.",
)

as_socket_option: Final = click.option(
    "--as-socket",
    is_flag=True,
    help="See packets as a live packet socket: VLAN tag taken out, protocol, type and device from the capture.",
)

expression_option: Final = click.option(
    "-e", "expression", metavar="EXPRESSION", help="A filter expression (pcap-filter(7)) instead of PROGRAM."
)

expression_file_option: Final = click.option(
    "-F", "expression_file", metavar="FILE", help="Read the expression from FILE; no expression may be given."
)

link_type_option: Final = click.option(
    "-y", "link_type", metavar="LINKTYPE", default="EN10MB", show_default=True, help="Of an expression: name or number."
)


def container_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command --pcap and --pcapng, as its parameter *container*."""

    @wraps(command)
    def chosen(*arguments: Any, as_pcap: bool, as_pcapng: bool, **options: Any) -> Any:
        if as_pcap and as_pcapng:
            raise click.UsageError("--pcap and --pcapng exclude each other")
        container = "pcap" if as_pcap else "pcapng" if as_pcapng else "same"
        return command(*arguments, container=container, **options)

    with_pcapng = click.option("--pcapng", "as_pcapng", is_flag=True, help="Write a pcapng, whatever is read.")(chosen)
    help = "Write a pcap, whatever is read; it has one link type."
    return click.option("--pcap", "as_pcap", is_flag=True, help=help)(with_pcapng)


def optimizer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command --optimizer and -O, as its parameter *optimizer*: "cbpf", "libpcap" or None."""

    @wraps(command)
    def chosen(*arguments: Any, optimizer: str, unoptimized: bool, **options: Any) -> Any:
        name = None if unoptimized or optimizer == "none" else optimizer
        return command(*arguments, optimizer=name, **options)

    help = "cbpf keeps every verdict; libpcap's does not always."
    choice = click.Choice(["cbpf", "libpcap", "none"])
    with_name = click.option("--optimizer", type=choice, default="cbpf", show_default=True, help=help)(chosen)
    return click.option("-O", "unoptimized", is_flag=True, help="No optimiser, as tcpdump -O.")(with_name)


goal_option: Final = click.option(
    "--goal",
    type=click.Choice(get_args(cbpf.Goal)),
    default="size",
    show_default=True,
    help="speed: of many tests on one value a tree, which is longer and has shorter paths.",
)


def list_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command --hosts, --ports and --direction, as its parameter *lists*: an Expression, or None."""

    @wraps(command)
    def chosen(*arguments: Any, hosts: str | None, ports: str | None, direction: Any, **options: Any) -> Any:
        lists = None
        if hosts is not None or ports is not None:
            lists = cbpf.Expression(
                hosts=() if hosts is None else cbpf.read_hosts(read_bytes(hosts), name=display_name(hosts)),
                ports=() if ports is None else cbpf.read_ports(read_bytes(ports), name=display_name(ports)),
                direction=direction,
            )
        return command(*arguments, lists=lists, **options)

    for option in (
        click.option(
            "--direction",
            type=click.Choice(get_args(cbpf.Direction)),
            default="src or dst",
            show_default=True,
            help="Which of a packet's addresses and ports must be in the lists.",
        ),
        click.option("--ports", metavar="FILE", help="And a port in this list: a number or range a line."),
        click.option("--hosts", metavar="FILE", help="And an address in this list: address, network or range a line."),
    ):
        chosen = option(chosen)
    return chosen


sources_option: Final = click.option(
    "-r",
    "sources",
    metavar="FILE",
    multiple=True,
    help="Capture to read, - for standard input (the default); may be repeated.",
)


def sources_to_read(sources: tuple[str, ...]) -> list[str]:
    """The captures of -r, or standard input if that is not a terminal."""
    if not sources and sys.stdin.isatty():
        raise click.UsageError("no capture to read; give -r FILE")
    return list(sources or ["-"])


LONGEST_FILE: Final = 1 << 26  # bytes of a program or an expression

format_choice: Final = click.Choice(cbpf.FORMAT_NAMES)


def read_bytes(path: str) -> bytes:
    """A whole file, or standard input for "-"."""
    if not path:
        raise click.UsageError("an empty name names no file")
    try:
        if path == "-":
            data = sys.stdin.buffer.read(LONGEST_FILE + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise click.ClickException(f"{display_name(path)}: {error.strerror}") from None
    if len(data) > LONGEST_FILE:
        raise click.ClickException(f"{display_name(path)}: is longer than {LONGEST_FILE:,} bytes; that is no program")
    return data


def display_name(path: str) -> str:
    """The name of a file for messages."""
    if path == "-":
        return "standard input"
    return path if path.isprintable() else repr(path)


def write_bytes(path: str | None, data: bytes) -> None:
    """Writes a whole file, or to standard output for None and "-"."""
    if path is None or path == "-":
        sys.stdout.buffer.write(data)
    elif not path:
        raise click.UsageError("an empty name names no file")
    else:
        with open(path, "wb") as file:
            file.write(data)


def read_program(path: str, format: str = "auto") -> cbpf.Program:
    """The program in a file; errors begin with its name."""
    try:
        return cbpf.parse(read_bytes(path), format=format)
    except cbpf.ProgramFormatError as error:
        error.source = display_name(path)
        raise


def read_filter(path: str) -> cbpf.Program | cbpf.Savefile:
    """The program in a file, with its context if that is a savefile."""
    data = read_bytes(path)
    try:
        return cbpf.Savefile.from_bytes(data) if cbpf.Savefile.recognizes(data) else cbpf.parse(data)
    except cbpf.ProgramFormatError as error:
        error.source = display_name(path)
        raise


def program_or_expression(
    path: str | None, expression: str | None, link_type: str, dialect: cbpf.Dialect = cbpf.PCAP
) -> cbpf.Program:
    """The program of a file, standard input by default, or that of -e EXPRESSION, optimised for *dialect*."""
    if expression is None:
        return read_program("-" if path is None else path)
    if path is not None:
        raise click.UsageError("PROGRAM and -e EXPRESSION exclude each other")
    return cbpf.compile(expression, link_type=link_type, dialect=dialect)


def plain_program(path: str | None, expression: str | None, link_type: str) -> cbpf.Program:
    """The program of a file, standard input by default, or what libpcap makes of -e EXPRESSION, not optimised."""
    if expression is None or path is not None:
        return program_or_expression(path, expression, link_type)
    return cbpf.compile(expression, link_type=link_type, optimizer=None)


def flow_of(program: cbpf.Program, dialect: cbpf.Dialect) -> cbpf.Flow:
    """The flow of a program, which may be longer than the dialect takes."""
    return cbpf.Flow(program, dialect=dialect.replace(longest=None, longest_translated_jump=None))


ProgramOf: TypeAlias = Callable[[int], cbpf.Program]
"""The program for the packets of an interface, by its index."""


def program_for_capture(
    arguments: tuple[str, ...], expression: str | None, dialect: cbpf.Dialect
) -> tuple[ProgramOf, cbpf.CaptureReader]:
    """The program and the opened capture of the arguments PROGRAM CAPTURE, or of -e EXPRESSION and CAPTURE.

    An expression is compiled for *dialect*, once for each interface, for the first one at once.
    """
    names = ("PROGRAM", "CAPTURE") if expression is None else ("CAPTURE",)
    if len(arguments) < len(names):
        raise click.UsageError(f"Missing argument '{names[len(arguments)]}'")
    if len(arguments) > len(names):
        raise click.UsageError(f"Got unexpected extra argument ({arguments[len(names)]})")
    if expression is None:
        program = read_program(arguments[0])
        return lambda interface: program, cbpf.read_capture(arguments[-1])
    capture = cbpf.read_capture(arguments[-1])

    @cache
    def compiled(interface: int) -> cbpf.Program:
        return cbpf.compile_for_capture(expression, capture, interface=interface, dialect=dialect)

    compiled(0)
    return compiled, capture


def program_view(
    packet: cbpf.Packet, capture: cbpf.CaptureReader, as_socket: bool
) -> tuple[bytes, int, cbpf.Metadata | None]:
    """What a program sees of a captured packet: bytes, wire length, metadata."""
    if as_socket:
        return cbpf.socket_view(packet.data, capture.interfaces[packet.interface].link_type, packet.wire_length)
    return packet.data, packet.wire_length, None


def read_expression(words: tuple[str, ...], expression_file: str | None) -> str:
    """The expression of the command line, or of -F FILE."""
    if expression_file is None:
        return " ".join(words)
    if words:
        raise click.UsageError("an expression and -F FILE exclude each other")
    try:
        return read_bytes(expression_file).decode().strip()
    except UnicodeDecodeError as error:
        raise cbpf.ExpressionError(f"{expression_file}: byte {error.start} is not UTF-8 text") from None
