"""Options and arguments of subcommands that select packets of captures."""

from __future__ import annotations

import cbpf

from .._stdlib import wraps
from .._typing import Any, Final
from .declarations import Function, argument, option
from .failures import UsageError
from .options import (
    expression_file_option,
    list_options,
    read_expression,
    read_filter,
    sources_option,
    sources_to_read,
)
from .values import EXPRESSION, FILE, TEXT, Integer


def filter_options(command: Function) -> Function:
    """Add EXPRESSION, -r, -F, --program, and the options of lists.

    The parameters are *captures*, the captures to read, and *accept*, the filter: a text, an `Expression` or a program.
    """

    @argument("expression", kind=EXPRESSION, required=False, multiple=True)
    @sources_option
    @expression_file_option
    @option(
        "--program",
        metavar="PROGRAM",
        kind=FILE,
        help="Run PROGRAM instead of an expression; packets of another link type than that of a savefile do not match.",
    )
    @list_options
    @wraps(command)
    def wrapper(
        *arguments: Any,
        expression: tuple[str, ...],
        sources: tuple[str, ...],
        expression_file: str | None,
        program: str | None,
        lists: cbpf.Expression | None,
        **options: Any,
    ) -> int | None:
        if program is not None and (expression or expression_file is not None or lists):
            raise UsageError("--program PROGRAM cannot be combined with EXPRESSION, -F, --hosts or --ports")
        text = read_expression(expression, expression_file)
        accept = read_filter(program) if program is not None else lists.replace(text=text) if lists else text
        captures = sources_to_read(sources, expression)
        return command(*arguments, captures=captures, accept=accept, **options)

    return wrapper


def time_options(command: Function) -> Function:
    """Add the options --since and --until, for the parameters of these names."""
    forms = "2026-11-27T08:00:00Z, seconds since 1970, or +5m after the first packet"
    for declared in (
        option("--until", metavar="TIME", kind=TEXT, help="Select packets with an earlier time, in the same forms."),
        option("--since", metavar="TIME", kind=TEXT, help=f"Select packets with this time or a later one: {forms}."),
    ):
        command = declared(command)
    return command


def sample_options(command: Function) -> Function:
    """Add the options --sample and --seed, for the parameters *sample* and *seed*, which is 0 by default."""

    @option("--sample", metavar="1/N", kind=TEXT, help="Select about one in N packets at random, the same in each run.")
    @option("--seed", kind=Integer(0), help="Select other packets for --sample.")
    @wraps(command)
    def wrapper(*arguments: Any, sample: str | None, seed: int | None, **options: Any) -> int | None:
        if sample is None and seed is not None:
            raise UsageError("--seed INTEGER requires --sample 1/N")
        interval = None if sample is None else _sample_interval(sample)
        return command(*arguments, sample=interval, seed=seed or 0, **options)

    return wrapper


def with_selection(command: Function) -> Function:
    """Pass the options that select packets as one parameter, *selection*: arguments by name of a function of cbpf."""

    @wraps(command)
    def wrapper(*arguments: Any, **options: Any) -> int | None:
        selection = {name: options.pop(name) for name in _SELECTION}
        return command(*arguments, selection=selection, **options)

    return wrapper


_SELECTION: Final = ("since", "until", "sample", "seed", "engine", "dialect", "as_socket")

snaplen_option: Final = option(
    "--snaplen",
    metavar="N",
    kind=Integer(1, 262_144),
    help="Write at most N bytes of each packet, as captured with a snapshot length of N; the filter sees all bytes."
    " Comments remain if the format does.",
)


def rotation_options(command: Function) -> Function:
    """Add the options -C, -G and -W, for the parameter *rotation*, a `Rotation` or None."""

    @option("-C", "size", metavar="SIZE", kind=TEXT, help=_SIZE_HELP)
    @option("-G", "seconds", metavar="SECONDS", kind=Integer(1), help=_SECONDS_HELP)
    @option("-W", "files", metavar="FILES", kind=Integer(1), help=_FILES_HELP)
    @wraps(command)
    def wrapper(
        *arguments: Any, size: str | None, seconds: int | None, files: int | None, **options: Any
    ) -> int | None:
        if size is None and seconds is None:
            if files is not None:
                raise UsageError("-W FILES requires -C SIZE or -G SECONDS")
            return command(*arguments, rotation=None, **options)
        size_in_bytes = None if size is None else _size_in_bytes(size)
        rotation = cbpf.Rotation(size=size_in_bytes, files=files, seconds=seconds)
        return command(*arguments, rotation=rotation, **options)

    return wrapper


_SIZE_HELP: Final = "Begin another file when one has more than SIZE million bytes (suffixes k, m, g: KiB, MiB, GiB)."
_SECONDS_HELP: Final = "Begin another file after SECONDS of packet time; FILE is a time format such as out-%H%M%S.pcap."
_FILES_HELP: Final = "With -C, number FILES files and replace the earliest; with -G alone, stop after FILES files."
_UNITS: Final = {"": 1_000_000, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _size_in_bytes(text: str) -> int:
    number = text.rstrip("kKmMgG")
    unit = _UNITS.get(text[len(number) :].lower())
    if unit is None or not (number.isascii() and number.isdigit()):
        raise UsageError(f"-C: {text!r} is not a size; examples: 100 (million bytes), 512k, 64m, 1g")
    return int(number) * unit


def _sample_interval(text: str) -> int:
    numerator, _, interval = text.partition("/")
    if numerator.strip() != "1" or not interval.strip().isdecimal():
        raise UsageError(f"--sample: {text!r} is not a share of packets; examples: 1/10, 1/1000")
    return int(interval)
