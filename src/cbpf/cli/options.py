"""Options and arguments that several subcommands share, and the programs, expressions and captures they name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final, get_args

import click

import cbpf

from .failures import PROGRAM_FILES
from .values import EXPRESSION, FILE, LINK_TYPE

# Options


def _dialect(context: click.Context, parameter: click.Parameter, name: str) -> cbpf.Dialect:
    return cbpf.DIALECTS[name]


def new_dialect_option(help: str) -> Callable[..., Any]:
    """Return the option --dialect with a help text, for the parameter *dialect*."""
    choice = click.Choice(list(cbpf.DIALECTS))
    return click.option("--dialect", type=choice, default="pcap", show_default=True, callback=_dialect, help=help)


dialect_option: Final = new_dialect_option("BPF dialect used to verify and run the program.")

engine_option: Final = click.option(
    "--engine",
    type=click.Choice(get_args(cbpf.EngineName)),
    default="auto",
    show_default=True,
    help="Execution engine.",
)

as_socket_option: Final = click.option(
    "--as-socket",
    is_flag=True,
    help="Present packets as a live Linux packet socket does: VLAN tag stripped; protocol, packet type and interface "
    "taken from the capture.",
)

expression_option: Final = click.option(
    "-e", "expression", type=EXPRESSION, help="Use a filter expression (pcap-filter(7)) instead of PROGRAM."
)


def expression_file_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option -F, for the parameter *expression_file*; the file is the source of errors of the expression."""

    @wraps(command)
    def wrapper(*arguments: Any, expression_file: str | None, **options: Any) -> Any:
        try:
            return command(*arguments, expression_file=expression_file, **options)
        except cbpf.ExpressionError as error:
            if expression_file is not None and error.expression:
                error.source = display_name(expression_file)
            raise

    help = "Read the expression from FILE instead of the arguments."
    return click.option("-F", "expression_file", type=FILE, help=help)(wrapper)


link_type_option: Final = click.option(
    "-y",
    "link_type",
    type=LINK_TYPE,
    default="EN10MB",
    show_default=True,
    help="Link type for EXPRESSION: a name, or a LINKTYPE number such as 1.",
)

netmask_option: Final = click.option(
    "--netmask", metavar="MASK", help="IPv4 netmask of the network, such as 255.255.255.0; `ip broadcast` requires it."
)

goal_option: Final = click.option(
    "--goal",
    type=click.Choice(get_args(cbpf.Goal)),
    default="size",
    show_default=True,
    help="Optimise for size (fewer instructions) or for speed: chains of tests become trees, which are longer but have "
    "shorter paths.",
)

target_option: Final = click.option("-w", "target", type=FILE, help="Write to FILE instead of standard output.")

sources_option: Final = click.option(
    "-r",
    "sources",
    type=FILE,
    multiple=True,
    help="Capture to read, - for standard input (the default); may be repeated.",
)

format_choice: Final = click.Choice(cbpf.FORMAT_NAMES)


def target_format_option(default: str, choice: click.Choice[str] = format_choice) -> Callable[..., Any]:
    """Return the option --to, for the parameter *target_format*."""
    help = f"Output format: {', '.join(choice.choices)}."
    return click.option(
        "--to", "target_format", metavar="FORMAT", type=choice, default=default, show_default=True, help=help
    )


def container_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options --pcap and --pcapng, for the parameter *container*: "pcap", "pcapng" or "same"."""

    @wraps(command)
    def wrapper(*arguments: Any, as_pcap: bool, as_pcapng: bool, **options: Any) -> Any:
        if as_pcap and as_pcapng:
            raise click.UsageError("--pcap and --pcapng are mutually exclusive")
        container = "pcap" if as_pcap else "pcapng" if as_pcapng else "same"
        return command(*arguments, container=container, **options)

    for option in (
        click.option("--pcapng", "as_pcapng", is_flag=True, help="Write a pcapng file, whatever the input format."),
        click.option(
            "--pcap",
            "as_pcap",
            is_flag=True,
            help="Write a pcap file, whatever the input format; it has one link type.",
        ),
    ):
        wrapper = option(wrapper)
    return wrapper


compress_option: Final = click.option(
    "--compress",
    metavar="KIND[:LEVEL]",
    help="Compress the output: zstd, gzip, lz4, xz, bzip2, also with a level as in zstd:3; or none. By default, the "
    "name of FILE decides (.zst, .gz, .lz4, .xz, .bz2), and a compressed input that FILE replaces keeps its "
    "compression.",
)


def optimizer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options --optimizer and -O, for the parameter *optimizer*: "cbpf", "libpcap" or None."""

    @wraps(command)
    def wrapper(*arguments: Any, optimizer: str, unoptimized: bool, **options: Any) -> Any:
        name = None if unoptimized or optimizer == "none" else optimizer
        return command(*arguments, optimizer=name, **options)

    for option in (
        click.option(
            "--optimizer",
            type=click.Choice(["cbpf", "libpcap", "none"]),
            default="cbpf",
            show_default=True,
            help="Optimiser: cbpf's preserves every verdict; libpcap's (with --frontend libpcap) changes some, mostly "
            "of truncated packets.",
        ),
        click.option("-O", "unoptimized", is_flag=True, help="Do not optimise, like tcpdump -O."),
    ):
        wrapper = option(wrapper)
    return wrapper


def names_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option --no-names, for the parameter *names*: a Resolver, or None."""

    @wraps(command)
    def wrapper(*arguments: Any, without_names: bool, **options: Any) -> Any:
        return command(*arguments, names=None if without_names else cbpf.SystemResolver(), **options)

    help = "Reject names of hosts, networks, services and protocols, so that nothing is looked up."
    return click.option("--no-names", "without_names", is_flag=True, help=help)(wrapper)


def list_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options --hosts, --ports and --direction, for the parameter *lists*: an Expression, or None."""

    @wraps(command)
    def wrapper(*arguments: Any, hosts: str | None, ports: str | None, direction: Any, **options: Any) -> Any:
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
            help="The addresses and ports of a packet that must be in the lists.",
        ),
        click.option("--ports", type=FILE, help="Also require a port from FILE (one number or range per line)."),
        click.option(
            "--hosts",
            type=FILE,
            help="Also require an address from FILE (one address, network or range per line).",
        ),
    ):
        wrapper = option(wrapper)
    return wrapper


def _check_seconds(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    if not value > 0:
        raise click.BadParameter(f"{value} is not a number of seconds above 0")
    return value


def new_timeout_option(default: int, help: str) -> Callable[..., Any]:
    """Return the option --timeout with a help text, for the parameter *timeout*."""
    return click.option(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=default,
        show_default=True,
        callback=_check_seconds,
        help=help,
    )


timeout_option: Final = new_timeout_option(30, "Time limit of each proof, in seconds.")

_LENGTH: Final = click.IntRange(0, 0xFF_FFFF)


def proof_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options --shortest, --longest and --timeout."""

    @wraps(command)
    def wrapper(*arguments: Any, shortest: int, longest: int, **options: Any) -> Any:
        if shortest > longest:
            raise click.UsageError(f"--shortest: {shortest} bytes exceed --longest, {longest} bytes")
        return command(*arguments, shortest=shortest, longest=longest, **options)

    for option in (
        timeout_option,
        click.option(
            "--longest",
            metavar="BYTES",
            type=_LENGTH,
            default=65535,
            show_default=True,
            help="Maximum captured length to consider, in bytes.",
        ),
        click.option(
            "--shortest",
            metavar="BYTES",
            type=_LENGTH,
            default=0,
            show_default=True,
            help="Minimum captured length to consider, in bytes.",
        ),
    ):
        wrapper = option(wrapper)
    return wrapper


# Files

_MAX_FILE_SIZE: Final = 1 << 26  # bytes of a program or an expression


def sources_to_read(sources: tuple[str, ...], words: tuple[str, ...] = ()) -> list[str]:
    """Return the captures of -r, or standard input unless that is a terminal or *words* begin with a file."""
    if not sources and words and os.path.splitext(words[0])[1] and os.path.isfile(words[0]):
        raise click.UsageError(f"{display_name(words[0])} is a file, and not an expression; read it with -r FILE")
    if not sources and sys.stdin.isatty():
        raise click.UsageError("no capture to read; give -r FILE")
    return list(sources or ["-"])


def read_bytes(path: str) -> bytes:
    """Read a file of limited size, or standard input for "-"."""
    _check_path(path)
    try:
        if path == "-":
            data = sys.stdin.buffer.read(_MAX_FILE_SIZE + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(_MAX_FILE_SIZE + 1)
    except OSError as error:
        raise click.ClickException(f"{display_name(path)}: {error.strerror}{_expression_hint(error)}") from None
    if len(data) > _MAX_FILE_SIZE:
        fact = f"longer than {_MAX_FILE_SIZE:,} bytes"
        raise click.ClickException(f"{display_name(path)}: {fact}; a program or an expression is not that long")
    return data


def _expression_hint(error: OSError) -> str:
    """Return a hint for an expression in the place of PROGRAM, if the subcommand accepts -e."""
    parameters = click.get_current_context().command.params
    if isinstance(error, FileNotFoundError) and any("-e" in parameter.opts for parameter in parameters):
        return "; an expression is given as -e EXPRESSION"
    return ""


def write_bytes(path: str | None, data: bytes) -> None:
    """Write a file, or to standard output for None and "-"."""
    if path is not None:
        _check_path(path)
    cbpf.write_file("-" if path is None else path, data)


def _check_path(path: str) -> None:
    if not path:
        raise click.UsageError("a file name must not be empty")


def display_name(path: str) -> str:
    """Return the name of a file for messages: "standard input" for "-", and escapes for unprintable characters."""
    if path == "-":
        return "standard input"
    return path if path.isprintable() else repr(path)


# Programs and expressions


def read_program(path: str, format: str = "auto") -> cbpf.Program:
    """Return the program in a file; the name of the file precedes error messages."""
    with _named_program(path):
        return cbpf.parse(read_bytes(path), format=format)


def read_filter(path: str) -> cbpf.Program | cbpf.Savefile:
    """Return the program in a file; from a savefile, with its link type and snapshot length."""
    data = read_bytes(path)
    with _named_program(path):
        return cbpf.Savefile.from_bytes(data) if cbpf.Savefile.recognizes(data) else cbpf.parse(data)


@contextmanager
def _named_program(path: str) -> Iterator[None]:
    """Add the name of a program's file to errors in its text, and keep it for the errors of the verifier."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta.setdefault(PROGRAM_FILES, []).append(display_name(path))
    try:
        yield
    except cbpf.ProgramFormatError as error:
        error.source = display_name(path)
        raise


def program_or_expression(
    path: str | None,
    expression: str | None,
    link_type: str,
    dialect: cbpf.Dialect = cbpf.PCAP,
    optimizer: cbpf.Optimizer = "cbpf",
) -> cbpf.Program:
    """Return the program of -e EXPRESSION, optimised for *dialect*, or that of a file, by default standard input."""
    if expression is None:
        return read_program("-" if path is None else path)
    if path is not None:
        raise click.UsageError("PROGRAM and -e EXPRESSION are mutually exclusive")
    return cbpf.compile(expression, link_type=link_type, dialect=dialect, optimizer=optimizer)


def read_expression(words: tuple[str, ...], expression_file: str | None) -> str:
    """Return the expression of the arguments, or that of -F FILE."""
    if expression_file is None:
        return " ".join(words)
    if words:
        raise click.UsageError("EXPRESSION and -F FILE are mutually exclusive")
    return cbpf.read_expression(read_bytes(expression_file), name=display_name(expression_file))


def flow_of(program: cbpf.Program, dialect: cbpf.Dialect) -> cbpf.Flow:
    """Return the flow of a program, which may be longer than the dialect accepts."""
    return cbpf.Flow(program, dialect=dialect.replace(longest=None, longest_translated_jump=None))


def path_length(shortest: int, longest: int) -> str:
    """Return the range of path lengths as text."""
    return f"{shortest:,}" if shortest == longest else f"{shortest:,} to {longest:,}"
