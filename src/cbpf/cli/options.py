"""Options and arguments that several subcommands share, and the programs, expressions and captures they name."""

from __future__ import annotations

import os
import sys

import cbpf

from .._stdlib import contextmanager, wraps
from .._typing import Any, Callable, Final, Iterator, get_args
from .declarations import Decorator, Function, Invocation, option
from .failures import CommandError, UsageError
from .values import EXPRESSION, FILE, LINK_TYPE, Choice, Integer

# Options


def new_dialect_option(help: str, *, default: str | None = "pcap", shows_default: bool | str = True) -> Decorator:
    """Return the option --dialect with a help text, for the parameter *dialect*."""
    return option(
        "--dialect",
        kind=Choice(lambda: tuple(cbpf.DIALECTS)),
        default=default,
        shows_default=shows_default,
        convert=lambda name: cbpf.DIALECTS[name],
        help=help,
    )


dialect_option: Final = new_dialect_option("BPF dialect used to verify and run the program.")

engine_option: Final = option(
    "--engine",
    kind=Choice(lambda: get_args(cbpf.EngineName)),
    default="auto",
    shows_default=True,
    help="Execution engine.",
)

as_socket_option: Final = option(
    "--as-socket",
    is_flag=True,
    help="Present packets as a live Linux packet socket does: VLAN tag stripped; protocol, packet type and interface "
    "taken from the capture. With --dialect linux, an expression is compiled for such sockets.",
)

expression_option: Final = option(
    "-e", "expression", kind=EXPRESSION, help="Use a filter expression (pcap-filter(7)) instead of PROGRAM."
)


def expression_file_option(command: Function) -> Function:
    """Add the option -F, for the parameter *expression_file*; the file is the source of errors of the expression."""

    @option("-F", "expression_file", kind=FILE, help="Read the expression from FILE instead of the arguments.")
    @wraps(command)
    def wrapper(*arguments: Any, expression_file: str | None, **options: Any) -> int | None:
        try:
            return command(*arguments, expression_file=expression_file, **options)
        except cbpf.ExpressionError as error:
            if expression_file is not None and error.expression:
                error.source = display_name(expression_file)
            raise

    return wrapper


link_type_option: Final = option(
    "-y",
    "link_type",
    kind=LINK_TYPE,
    default="EN10MB",
    shows_default=True,
    help="Link type for EXPRESSION: a name, or a LINKTYPE number such as 1.",
)

netmask_option: Final = option(
    "--netmask", metavar="MASK", help="IPv4 netmask of the network, such as 255.255.255.0; `ip broadcast` requires it."
)

snaplen_option: Final = option(
    "-s",
    "snaplen",
    metavar="BYTES",
    kind=Integer(),
    default=262144,
    shows_default=True,
    help="Snapshot length in bytes, the verdict on accepted packets; 0 means the default.",
)

goal_option: Final = option(
    "--goal",
    kind=Choice(lambda: get_args(cbpf.Goal)),
    default="size",
    shows_default=True,
    help="Optimise for size (fewer instructions) or for speed: chains of tests become trees, which are longer but have "
    "shorter paths.",
)


def new_json_option(item: str = "") -> Decorator:
    """Return the option --json of a command that prints a line of JSON, or one per *item*, for *as_json*."""
    per_item = f" per {item}" if item else ""
    return option("--json", "as_json", is_flag=True, help=f"Print one line of JSON{per_item}.")


json_option: Final = new_json_option()

target_option: Final = option("-w", "target", kind=FILE, help="Write to FILE instead of standard output.")

sources_option: Final = option(
    "-r",
    "sources",
    kind=FILE,
    multiple=True,
    help="Capture to read, - for standard input (the default); may be repeated.",
)

format_choice: Final = Choice(lambda: cbpf.FORMAT_NAMES)


def target_format_option(default: str, choice: Choice = format_choice) -> Decorator:
    """Return the option --to, for the parameter *target_format*."""
    help = f"Output format: {', '.join(choice.words)}."
    return option(
        "--to", "target_format", metavar="FORMAT", kind=choice, default=default, shows_default=True, help=help
    )


def container_options(command: Function) -> Function:
    """Add the options --pcap and --pcapng, for the parameter *container*: "pcap", "pcapng" or "same"."""

    @option(
        "--pcap",
        "as_pcap",
        is_flag=True,
        help="Write a pcap file, whatever the input format; it has one link type.",
    )
    @option("--pcapng", "as_pcapng", is_flag=True, help="Write a pcapng file, whatever the input format.")
    @wraps(command)
    def wrapper(*arguments: Any, as_pcap: bool, as_pcapng: bool, **options: Any) -> int | None:
        if as_pcap and as_pcapng:
            raise UsageError("--pcap and --pcapng are mutually exclusive")
        container = "pcap" if as_pcap else "pcapng" if as_pcapng else "same"
        return command(*arguments, container=container, **options)

    return wrapper


compress_option: Final = option(
    "--compress",
    metavar="KIND[:LEVEL]",
    help="Compress the output: zstd, gzip, lz4, xz, bzip2, also with a level as in zstd:3; or none. By default, the "
    "name of FILE decides (.zst, .gz, .lz4, .xz, .bz2), and a compressed input that FILE replaces keeps its "
    "compression.",
)


def optimizer_options(command: Function) -> Function:
    """Add the options --optimizer and -O, for the parameter *optimizer*: "cbpf", "libpcap" or None."""

    @option("-O", "unoptimized", is_flag=True, help="Do not optimise, like tcpdump -O.")
    @option(
        "--optimizer",
        kind=Choice(("cbpf", "libpcap", "none")),
        default="cbpf",
        shows_default=True,
        help="Optimiser: cbpf's preserves every verdict; libpcap's (with --frontend libpcap) changes some, mostly "
        "of truncated packets.",
    )
    @wraps(command)
    def wrapper(*arguments: Any, optimizer: str, unoptimized: bool, **options: Any) -> int | None:
        name = None if unoptimized or optimizer == "none" else optimizer
        return command(*arguments, optimizer=name, **options)

    return wrapper


def names_option(command: Function) -> Function:
    """Add the option --no-names, for the parameter *names*: a Resolver, or None."""

    @option(
        "--no-names",
        "without_names",
        is_flag=True,
        help="Reject names of hosts, networks, services and protocols, so that nothing is looked up.",
    )
    @wraps(command)
    def wrapper(*arguments: Any, without_names: bool, **options: Any) -> int | None:
        return command(*arguments, names=None if without_names else cbpf.SystemResolver(), **options)

    return wrapper


def list_options(command: Function) -> Function:
    """Add the options --hosts, --ports and --direction, for the parameter *lists*: an Expression, or None."""

    @option(
        "--hosts",
        kind=FILE,
        metavar="LIST",
        help="Also require an address from LIST: addresses, networks and ranges, separated by commas, or a file with "
        "one per line; a file of that name takes precedence.",
    )
    @option(
        "--ports",
        kind=FILE,
        metavar="LIST",
        help="Also require a port from LIST: numbers and ranges, separated by commas, or a file with one per line; a "
        "file of that name takes precedence.",
    )
    @option(
        "--direction",
        kind=Choice(lambda: get_args(cbpf.Direction)),
        default="src or dst",
        shows_default=True,
        help="The addresses and ports of a packet that must be in the lists.",
    )
    @wraps(command)
    def wrapper(*arguments: Any, hosts: str | None, ports: str | None, direction: Any, **options: Any) -> int | None:
        lists = None
        if hosts is not None or ports is not None:
            lists = cbpf.Expression(
                hosts=() if hosts is None else _list(hosts, cbpf.read_hosts, "addresses, as in 10.0.0.1,10.0.0.2"),
                ports=() if ports is None else _list(ports, cbpf.read_ports, "ports, as in 443,8000-8999"),
                direction=direction,
            )
        return command(*arguments, lists=lists, **options)

    return wrapper


def _list(value: str, read: Callable[..., Any], kind: str) -> Any:
    """Return the list in a file or, if no file has this name, the list of the entries in *value* itself."""
    if value == "-" or os.path.exists(value):
        return read(read_bytes(value), name=display_name(value))
    try:
        return read(value.replace(",", "\n").encode(errors="surrogateescape"), name="")
    except cbpf.FieldError:
        raise CommandError(f"{display_name(value)}: No such file or directory, and not a list of {kind}") from None


# Files

_MAX_FILE_SIZE: Final = 1 << 26  # bytes of a program or an expression


def sources_to_read(sources: tuple[str, ...], words: tuple[str, ...] = ()) -> list[str]:
    """Return the captures of -r, or standard input unless that is a terminal or *words* begin with a file."""
    if not sources and words and os.path.splitext(words[0])[1] and os.path.isfile(words[0]):
        raise UsageError(f"{display_name(words[0])} is a file, and not an expression; read it with -r FILE")
    if not sources and sys.stdin.isatty():
        raise UsageError("no capture to read; give -r FILE")
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
        raise CommandError(f"{display_name(path)}: {error.strerror}{_expression_hint(error)}") from None
    if len(data) > _MAX_FILE_SIZE:
        fact = f"longer than {_MAX_FILE_SIZE:,} bytes"
        raise CommandError(f"{display_name(path)}: {fact}; a program or an expression is not that long")
    return data


def _expression_hint(error: OSError) -> str:
    """Return a hint for an expression in the place of PROGRAM, if the subcommand accepts -e."""
    invocation = Invocation.current
    if isinstance(error, FileNotFoundError) and invocation is not None and invocation.command.has_option("-e"):
        return "; an expression is given as -e EXPRESSION"
    return ""


def write_bytes(path: str | None, data: bytes) -> None:
    """Write a file, or to standard output for None and "-"; for None, only a text is written to a terminal."""
    if path is not None:
        _check_path(path)
    elif b"\0" in data and sys.stdout.isatty():
        raise UsageError("standard output is a terminal; give -w FILE")
    cbpf.write_file("-" if path is None else path, data)


def _check_path(path: str) -> None:
    if not path:
        raise UsageError("a file name must not be empty")


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
    if Invocation.current is not None:
        Invocation.current.program_files.append(display_name(path))
    try:
        yield
    except cbpf.ProgramFormatError as error:
        error.source = display_name(path)
        raise


def program_or_expression(
    path: str | None,
    expression: str | None,
    link_type: str,
    dialect: cbpf.Dialect | None = None,
    optimizer: cbpf.Optimizer = "cbpf",
) -> cbpf.Program:
    """Return the program of -e EXPRESSION, optimised for *dialect*, or that of a file, by default standard input."""
    source = program_source(path, expression)
    if isinstance(source, cbpf.Program):
        return source
    return cbpf.compile(source, link_type=link_type, dialect=dialect or cbpf.PCAP, optimizer=optimizer)


def program_source(path: str | None, expression: str | None, format: str = "auto") -> cbpf.Program | str:
    """Return the text of -e EXPRESSION, or the program of a file, by default standard input."""
    if expression is None:
        return read_program("-" if path is None else path, format)
    if path is not None:
        raise UsageError("PROGRAM and -e EXPRESSION are mutually exclusive")
    return expression


def read_expression(words: tuple[str, ...], expression_file: str | None) -> str:
    """Return the expression of the arguments, or that of -F FILE."""
    if expression_file is None:
        return " ".join(words)
    if words:
        raise UsageError("EXPRESSION and -F FILE are mutually exclusive")
    return cbpf.read_expression(read_bytes(expression_file), name=display_name(expression_file))


def read_route(text: str, target_name: str = "FILE") -> tuple[str, str]:
    """Return the expression and the target of EXPRESSION=FILE, which is split at its last =."""
    expression, sign, target = text.rpartition("=")
    if not sign or not target:
        raise UsageError(f"{text!r}: expected EXPRESSION={target_name}")
    return expression, target
