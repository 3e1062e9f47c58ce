"""Options and arguments of the subcommands for tables."""

from __future__ import annotations

import os

from .._stdlib import wraps
from .._typing import Any
from .capture_options import filter_options
from .declarations import Function, argument, option
from .failures import CommandError, UsageError
from .options import display_name, read_filter
from .values import FILE, TEXT


def capture_and_filter_options(command: Function) -> Function:
    """Add CAPTURE before the arguments and options of `filter_options`, for the parameters *captures* and *accept*.

    With -r, the first word belongs to the expression. *accept* is None for an empty expression.
    """

    @wraps(command)
    def unfiltered(*arguments: Any, accept: Any, **options: Any) -> int | None:
        return command(*arguments, accept=None if accept == "" else accept, **options)

    filtered = filter_options(unfiltered)

    @argument("capture", kind=FILE, required=False)
    @wraps(filtered)
    def wrapper(
        *arguments: Any, capture: str | None, sources: tuple[str, ...], expression: tuple[str, ...], **options: Any
    ) -> int | None:
        if capture is not None and sources:
            expression = (capture, *expression)
        elif capture is not None:
            _require_capture(capture)
            sources = (capture,)
        return filtered(*arguments, sources=sources, expression=expression, **options)

    return wrapper


def _require_capture(capture: str) -> None:
    """Raise an error if the first word is not a file: it may be the expression."""
    if capture != "-" and not os.path.lexists(capture):
        advice = "the first argument is the capture, - for standard input"
        raise CommandError(f"{display_name(capture)}: No such file or directory; {advice}")


def column_option(command: Function) -> Function:
    """Add the option --column, for the parameter *define*: a filter by the name of the column."""

    @option(
        "--column",
        "define",
        metavar="NAME=FILTER",
        kind=TEXT,
        multiple=True,
        help="Define a column: whether a packet matches an expression, or, if FILTER is a file, the verdict of the"
        " program in it. May be repeated.",
    )
    @wraps(command)
    def wrapper(*arguments: Any, define: tuple[str, ...], **options: Any) -> int | None:
        filters: dict[str, Any] = {}
        for text in define:
            name, sign, filter = text.partition("=")
            if not name or not sign:
                raise UsageError(f"--column: {text!r} is not NAME=FILTER; example: dns='udp port 53'")
            if name in filters:
                raise UsageError(f"--column: {name!r} occurs twice")
            filters[name] = read_filter(filter) if os.path.isfile(filter) else filter
        return command(*arguments, define=filters, **options)

    return wrapper


def column_names(text: str) -> list[str]:
    """Return the names in a list that commas separate."""
    return [name.strip() for name in text.split(",")]
