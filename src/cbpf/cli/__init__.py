"""The command `cbpf`: each subcommand is a module of `commands`, built on the public names of cbpf.

Exit codes: 0 yes or success; 1 no (the program is not accepted, the programs are not equal); 2 any error, usage errors
included; 3 undecided; 130 after Ctrl-C, 129 and 143 after SIGHUP and SIGTERM; 141 if the reader of the output has
closed the pipe. `failures` has the message of each exception.
"""

from __future__ import annotations

import os
import sys
import warnings

from .._signals import signal
from .._stdlib import suppress
from .._typing import Any, Final, NoReturn, Sequence
from .failures import report
from .parser import VERSION_TEXT, parse
from .streams import echo

QUERY_VARIABLE: Final = "_CBPF_COMPLETE"
"""The environment variable by which the completion script of a shell queries completions."""

_REPEAT_DELAY: Final = 0.01  # seconds


def main() -> NoReturn:
    """Run the command line and exit; an error is one line on stderr, or one line per finding."""
    status = 2
    try:
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        sys.unraisablehook = _raise_again
        _replace_closed_streams()
        _handle_signals()
        status = run(sys.argv[1:])
    except (Exception, KeyboardInterrupt) as error:
        status = report(error)
    finally:
        _restore_signals()
        _discard_unwritable_output()
    sys.exit(status)


def run(words: Sequence[str]) -> int:
    """Run a command line, and return its exit code."""
    if os.environ.get(QUERY_VARIABLE):
        from .completion import answer_query

        return answer_query()
    if list(words) == ["--version"]:
        echo(VERSION_TEXT)
        return 0
    invocation = parse(words)
    if invocation is None:
        from .click_parser import parse_with_click

        parsed = parse_with_click(words)
        if isinstance(parsed, int):
            return parsed
        invocation = parsed
    return invocation.run()


def _handle_signals() -> None:
    """Raise an exception for each signal that ends a command, except for those that the caller ignores.

    So partial output files are removed; nohup(1) makes a command ignore SIGHUP, and a shell in the background SIGINT.
    """
    for signum in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, _exit_on_signal)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _restore_signals() -> None:
    """Restore the default action of signals: an exception while the interpreter exits would print a traceback."""
    signal.setitimer(signal.ITIMER_REAL, 0)  # of `_raise_again`
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, signal.SIG_DFL)


def _exit_on_signal(signum: int, _: Any) -> NoReturn:
    """Exit with the code of a process that a signal ended, after the removal of partial output files."""
    sys.exit(128 + signum)


def _raise_again(unraisable: Any) -> None:
    """Repeat a signal whose exception was raised in a finalizer, where Python drops it; drop other exceptions.

    A timer repeats it, because a signal sent here would raise its exception before this function returns. The exception
    is a new one: the traceback of the old one would keep the finalized object alive.
    """
    if unraisable.exc_type not in (KeyboardInterrupt, SystemExit):  # of `_exit_on_signal`
        return
    error = unraisable.exc_type(*unraisable.exc_value.args)

    def handler(signum: int, frame: Any) -> NoReturn:
        raise error

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, _REPEAT_DELAY)


def _replace_closed_streams() -> None:
    """Open streams in place of those that the shell closed (`>&-`).

    Using such a stream is then an error with a message; Python would fail on the value None.
    """
    for name, mode, flags in (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode))


def _discard_unwritable_output() -> None:
    """Prevent the interpreter from flushing unwritable streams at exit, which would change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _show_warning(message: Warning | str, *_: Any) -> None:
    with suppress(OSError):  # stderr may be unwritable
        echo(f"cbpf: warning: {message}", err=True)
