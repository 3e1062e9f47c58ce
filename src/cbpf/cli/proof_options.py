"""Options of the subcommands that prove: the limit of time and the lengths of packets."""

from __future__ import annotations

from functools import wraps

from .._typing import Any, Final
from .declarations import Decorator, Function, option
from .failures import UsageError
from .values import Integer, Number


def _above_zero(value: float) -> float:
    if not value > 0:
        raise ValueError(f"{value} is not a number of seconds above 0")
    return value


def new_timeout_option(default: int, help: str) -> Decorator:
    """Return the option --timeout with a help text, for the parameter *timeout*."""
    return option(
        "--timeout",
        metavar="SECONDS",
        kind=Number(),
        default=default,
        shows_default=True,
        convert=_above_zero,
        help=help,
    )


timeout_option: Final = new_timeout_option(30, "Time limit of each proof, in seconds.")

_LENGTH: Final = Integer(0, 0xFF_FFFF)


def proof_options(command: Function) -> Function:
    """Add the options --shortest, --longest and --timeout."""

    @option(
        "--shortest",
        metavar="BYTES",
        kind=_LENGTH,
        default=0,
        shows_default=True,
        help="Minimum captured length to consider, in bytes.",
    )
    @option(
        "--longest",
        metavar="BYTES",
        kind=_LENGTH,
        default=65535,
        shows_default=True,
        help="Maximum captured length to consider, in bytes.",
    )
    @timeout_option
    @wraps(command)
    def wrapper(*arguments: Any, shortest: int, longest: int, **options: Any) -> int | None:
        if shortest > longest:
            raise UsageError(f"--shortest: {shortest} bytes exceed --longest, {longest} bytes")
        return command(*arguments, shortest=shortest, longest=longest, **options)

    return wrapper
