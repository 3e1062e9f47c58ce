"""The failures of a command: the message on stderr and the exit code of each exception."""

from __future__ import annotations

import errno
import os

import cbpf

from .._stdlib import suppress
from .._typing import Final, Sequence
from .streams import echo

DEBUG_VARIABLE: Final = "CBPF_DEBUG"
"""The environment variable that shows the traceback of an error."""

_MAX_PROBLEMS: Final = 20
"""The number of mistakes in one program or expression that are shown."""

UNDECIDED: Final = 3
"""The exit code if a query about all packets has no answer."""

_WRITE_ERRORS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EROFS, errno.ESTALE)


class CommandError(Exception):
    """An error of the command line's own, with one line per message."""


class UsageError(CommandError):
    """A command line that a subcommand cannot run; *command* is the name of the subcommand, "" for `cbpf` itself."""

    command: str = ""


def report(error: BaseException) -> int:
    """Print an error, as one line or one line per finding, and return the exit code."""
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, KeyboardInterrupt | SystemExit):
        error = error.__cause__  # of a signal in a method `__set_name__`: Python 3.11 raises a RuntimeError instead
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, BrokenPipeError):
        return 141
    if os.environ.get(DEBUG_VARIABLE, "0") != "0" and not isinstance(error, CommandError):
        import traceback

        _print("".join(traceback.format_exception(error)).rstrip())
    _print(*(f"cbpf: {line}" for line in messages(error)))
    return UNDECIDED if isinstance(error, cbpf.Undecided) else 2


def undecided_message(error: cbpf.Undecided) -> str:
    """Return the reason for a missing answer, and the option whose increase may give an answer."""
    advice = "" if error.parameter is None else f"; increase --{error.parameter}"
    return f"undecided: {error.reason}{advice}"


def messages(error: BaseException) -> list[str]:
    """Return the lines of the message of an error, without the name of the command."""
    match error:
        case UsageError():
            command = f"cbpf {error.command}".rstrip()
            return [f"{str(error).rstrip('.')} (see {command} --help)"]
        case CommandError():
            return str(error).splitlines()
        case cbpf.VerificationError():
            return abridged(error.findings, error.source)
        case cbpf.ProgramFormatError():
            return _problem_lines(error)
        case cbpf.ExpressionError():
            return _expression_lines(error)
        case cbpf.Undecided():
            return [undecided_message(error)]
        case cbpf.CbpfError():
            return [str(error)]
        case MemoryError():
            return ["out of memory"]
        case OSError(errno=errno.ENOMEM):
            return ["out of memory"]
        case OSError():
            return [_operating_system_message(error)]
        case _:
            fact = " ".join(f"{type(error).__name__}: {error}".split())
            return [f"internal error: {fact}; set {DEBUG_VARIABLE}=1 for the traceback"]


def abridged(reasons: Sequence[object], subject: str) -> list[str]:
    """Return the line of each reason after its subject, if there is one; of many reasons, the first ones and a count.

    A single reason beyond the limit is shown, since its count would take a line as well.
    """
    prefix = f"{subject}: " if subject else ""
    shown = reasons if len(reasons) <= _MAX_PROBLEMS + 1 else reasons[:_MAX_PROBLEMS]
    remaining = len(reasons) - len(shown)
    return [f"{prefix}{reason}" for reason in shown] + ([f"{prefix}and {remaining:,} more"] if remaining else [])


def _operating_system_message(error: OSError) -> str:
    """Return the message of an error of the operating system; one of writing without a name is of standard output."""
    text = error.strerror or str(error)
    if error.filename is not None:
        name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
        return f"{name if name.isprintable() else repr(name)}: {text}"
    return f"standard output: {text}" if error.errno in _WRITE_ERRORS else text


def _problem_lines(error: cbpf.ProgramFormatError) -> list[str]:
    """Return the message of each problem, each with the line of text and a caret below it."""
    lines = [f"{problem}\n{problem.excerpt}" for problem in error.problems]
    return abridged(lines, error.source) or [str(error)]


def _expression_lines(error: cbpf.ExpressionError) -> list[str]:
    """Return the message of each problem, each with the line of the expression and a caret below it."""
    lines = [f"{error.place_of(problem)}: {problem.message}\n{problem.excerpt}" for problem in error.problems]
    return abridged(lines, error.source or "expression") or [str(error)]


def _print(*lines: str) -> None:
    """Print lines on stderr."""
    with suppress(OSError):  # stderr itself may be unwritable
        for line in lines:
            echo(line, err=True)
