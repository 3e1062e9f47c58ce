"""Options and reports that the subcommands for archives share."""

from __future__ import annotations

import json

import cbpf

from .._stdlib import wraps
from .._typing import Any, Final
from .capture_options import sample_options, snaplen_option
from .counts_output import write_csv
from .declarations import Function, argument, option
from .failures import UsageError, abridged
from .options import (
    container_options,
    dialect_option,
    expression_file_option,
    list_options,
    read_expression,
    read_filter,
)
from .streams import echo
from .values import EXPRESSION, FILE, TEXT, Integer

source_argument: Final = argument("source", metavar="SOURCE", kind=FILE)

dry_run_option: Final = option(
    "--dry-run", is_flag=True, help="Read no capture and write nothing; print the number of objects."
)

json_option: Final = option("--json", "as_json", is_flag=True, help="Print the report as one line of JSON.")


_storage_option: Final = option(
    "--storage-option",
    "storage_options",
    metavar="KEY=VALUE",
    kind=TEXT,
    multiple=True,
    help="Option of the store's driver, such as anon=true; VALUE is JSON or text. May be repeated.",
)


def storage_options(command: Function) -> Function:
    """Add --storage-option, for the parameter *storage_options*, a dictionary or None."""

    @_storage_option
    @wraps(command)
    def wrapper(*arguments: Any, storage_options: tuple[str, ...], **options: Any) -> int | None:
        return command(*arguments, storage_options=_storage_options(storage_options), **options)

    return wrapper


def work_options(command: Function) -> Function:
    """Add --storage-option, --workers, --scheduler and --batch, for the parameter *work*: arguments of an operation."""

    @_storage_option
    @option("--workers", metavar="N", kind=Integer(1, 1024), help="Read objects by N processes of this machine.")
    @option("--scheduler", metavar="ADDRESS", help="Read objects by the workers of a dask scheduler, tcp://HOST:8786.")
    @option(
        "--batch",
        metavar="SIZE",
        kind=TEXT,
        default="256MB",
        shows_default=True,
        help="The size of the objects that a worker reads at a time (kB, MB, GB, KiB, MiB, GiB).",
    )
    @wraps(command)
    def wrapper(
        *arguments: Any,
        storage_options: tuple[str, ...],
        workers: int | None,
        scheduler: str | None,
        batch: str,
        **options: Any,
    ) -> int | None:
        if workers is not None and scheduler is not None:
            raise UsageError("--workers and --scheduler are mutually exclusive")
        work = {
            "storage_options": _storage_options(storage_options),
            "workers": workers,
            "scheduler": scheduler,
            "batch_size": _size(batch),
        }
        return command(*arguments, work=work, **options)

    return wrapper


def _storage_options(texts: tuple[str, ...]) -> dict[str, Any] | None:
    return dict(map(_name_and_value, texts)) or None


def _name_and_value(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise UsageError(f"--storage-option: {text!r} is not KEY=VALUE; examples: anon=true, key=user")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


_UNITS: Final = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
}


def _size(text: str) -> int:
    number = text.rstrip("bBiIkKmMgG")
    unit = _UNITS.get(text[len(number) :].lower())
    if unit is None or not (number.isascii() and number.isdigit()) or not int(number):
        raise UsageError(f"--batch: {text!r} is not a size; examples: 256MB, 1GiB")
    return int(number) * unit


def period_options(command: Function) -> Function:
    """Add the options --since and --until with absolute times, for the parameters of these names."""
    forms = "2026-11-27T08:00:00Z, or seconds since 1970"
    for declared in (
        option("--until", metavar="TIME", kind=TEXT, help="Select packets with an earlier time, in the same forms."),
        option("--since", metavar="TIME", kind=TEXT, help=f"Select packets with this time or a later one: {forms}."),
    ):
        command = declared(command)
    return command


def accept_options(command: Function) -> Function:
    """Add EXPRESSION, -F, --program and the options of lists, for the parameter *accept*: a filter, or None."""

    @argument("expression", kind=EXPRESSION, required=False, multiple=True)
    @expression_file_option
    @option("--program", metavar="PROGRAM", kind=FILE, help="Run PROGRAM instead of an expression.")
    @list_options
    @wraps(command)
    def wrapper(
        *arguments: Any,
        expression: tuple[str, ...],
        expression_file: str | None,
        program: str | None,
        lists: cbpf.Expression | None,
        **options: Any,
    ) -> int | None:
        is_stated = bool(expression) or expression_file is not None or lists is not None
        if program is not None and is_stated:
            raise UsageError("--program PROGRAM cannot be combined with EXPRESSION, -F, --hosts or --ports")
        text = read_expression(expression, expression_file) if is_stated else None
        accept = read_filter(program) if program is not None else lists.replace(text=text or "") if lists else text
        return command(*arguments, accept=accept, **options)

    return wrapper


outputs_option: Final = option(
    "-w", "target", metavar="TARGET", kind=FILE, required=True, help="The folder of the outputs: a path or URL."
)

_compress_outputs_option: Final = option(
    "--compress",
    metavar="KIND[:LEVEL]",
    help="Compress the outputs: zstd, gzip, lz4, xz, bzip2, also with a level as in zstd:3; or none. By default, as "
    "the name of each object requires.",
)


_COPYING: Final = ("since", "until", "sample", "seed", "snaplen", "container", "compress", "dialect", "dry_run")


def copy_options(command: Function) -> Function:
    """Add the options that `filter` and `split` share, for the parameter *copying*: arguments of both functions."""

    @period_options
    @sample_options
    @snaplen_option
    @container_options
    @_compress_outputs_option
    @dialect_option
    @work_options
    @dry_run_option
    @wraps(command)
    def wrapper(*arguments: Any, work: dict[str, Any], **options: Any) -> int | None:
        copying = work | {name: options.pop(name) for name in _COPYING}
        return command(*arguments, copying=copying, **options)

    return wrapper


def print_report(report: cbpf.archive.Report, *, as_json: bool, as_csv: bool = False) -> int:
    """Print a report on standard output and its problems on standard error; return the exit code.

    The CSV of a report is that of its counts. An object that is not in the order of time is reported, and is not an
    error.
    """
    if as_csv and report.counts is not None:
        write_csv(report.counts)
    else:
        echo(json.dumps(report.as_dict()) if as_json else report.replace(problems=()))
    for line in abridged(report.problems, ""):
        echo(f"cbpf: {line}", err=True)
    return 2 if any(problem.status != "unsorted" for problem in report.problems) else 0
