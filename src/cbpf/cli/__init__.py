"""The command `cbpf`: one subcommand a verb, each in a module of its own, on public names only.

Exit codes: 0 yes or done; 1 no (does not verify, not equal); 2 any error, usage included; 3 undecided; 130 Ctrl-C;
141 when the reader of the output went away.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, NoReturn

import click

import cbpf

COMMANDS: Final = (
    *("asm", "cases", "compile", "convert", "diff", "disasm", "explain", "filter", "graph", "info", "optimize", "run"),
    *("split", "stats", "trace", "verify"),
)


class _ReaderGone(Exception):
    """Whoever read our output has closed the pipe."""


@contextmanager
def _closed_pipe_told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise _ReaderGone from None


class _Commands(click.Group):
    """Imports a subcommand's module when it is asked for."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Keeps a closed pipe from click, which would exit with 1; here for --help and --version."""
        with _closed_pipe_told():
            return super().make_context(*arguments, **options)

    def invoke(self, context: click.Context) -> Any:
        """The same for the subcommands."""
        with _closed_pipe_told():
            result = super().invoke(context)
            sys.stdout.flush()
            return result

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f".commands.{name}", __name__).command
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(cbpf.__version__, message="cbpf %(version)s")
def group() -> None:
    """Classic BPF: compile, check, run and trace packet filters, and filter captures.

    Every PROGRAM is a file, or - for standard input, in any notation: assembly (bpf_asm, Go), the output of tcpdump
    -d, -dd or -ddd, bpf_asm's and bpf_dbg's, JSON, hexadecimal, libpcap's cBPF savefile, or the bytes of struct
    sock_filter. With -e EXPRESSION there is no PROGRAM.
    """


def main() -> NoReturn:
    """Runs the command line and exits; every error is one line on stderr."""
    gc.set_threshold(100_000)  # else all that is imported is looked through again and again
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    _replace_closed_streams()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup(1) sets it
            signal.signal(number, _stop)
    try:
        status = group.main(prog_name="cbpf", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        status = 2
    except click.UsageError as error:
        status = _fail(f"{error.format_message().rstrip('.')} ({_help_hint(error)})")
    except click.ClickException as error:
        status = _fail(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        status = 130
    except _ReaderGone:
        status = 141
    except cbpf.VerificationError as error:
        status = _fail(*map(str, error.findings))
    except cbpf.ProgramFormatError as error:
        status = _fail(*_problem_lines(error))
    except cbpf.Undecided as error:
        _fail(f"undecided: {error}")
        status = 3
    except cbpf.CbpfError as error:
        status = _fail(str(error))
    except OSError as error:
        status = _fail(f"{error.filename or 'standard output'}: {error.strerror}")
    _abandon_what_cannot_be_written()
    sys.exit(status)


def _stop(number: int, _: Any) -> NoReturn:
    """Ends the program as the signal would, but removes what is half written."""
    sys.exit(128 + number)


def _replace_closed_streams() -> None:
    """Streams for those that the shell closed (`>&-`): using one is an error of its own then, and not a crash."""
    for name, mode, flags in (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode))


def _fail(*lines: str) -> int:
    with suppress(OSError):  # where not even an error can be written
        for line in lines:
            click.echo(f"cbpf: {line}", err=True)
    return 2


def _problem_lines(error: cbpf.ProgramFormatError) -> list[str]:
    """Each problem, with the line of text and a caret below it."""
    prefix = f"{error.source}: " if error.source else ""
    return [f"{prefix}{problem}\n{problem.excerpt}" for problem in error.problems] or [str(error)]


def _help_hint(error: click.UsageError) -> str:
    return f"see {error.ctx.command_path if error.ctx else 'cbpf'} --help"


def _abandon_what_cannot_be_written() -> None:
    """Keeps the interpreter from trying again at its end, which would change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _show_warning(message: Warning | str, *_: Any) -> None:
    click.echo(f"cbpf: warning: {message}", err=True)
