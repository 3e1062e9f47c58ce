"""The command `cbpf`: each subcommand is a module of `commands`, built on the public names of cbpf.

Exit codes: 0 yes or success; 1 no (the program is not accepted, the programs are not equal); 2 any error, usage errors
included; 3 undecided; 130 after Ctrl-C, 129 and 143 after SIGHUP and SIGTERM; 141 if the reader of the output has
closed the pipe.
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

_GC_THRESHOLD: Final = 100_000  # allocations; with the default, the garbage collector traverses all imports repeatedly


class _PipeClosed(Exception):
    """The reader of standard output has closed the pipe."""


@contextmanager
def _closed_pipe_reported() -> Iterator[None]:
    """Replace BrokenPipeError, which click would turn into exit code 1."""
    try:
        yield
    except BrokenPipeError:
        raise _PipeClosed from None


class _Commands(click.Group):
    """A group that imports the module of a subcommand when the subcommand is used."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Parse the command line; --help and --version write here."""
        with _closed_pipe_reported():
            return super().make_context(*arguments, **options)

    def invoke(self, context: click.Context) -> Any:
        """Run the subcommand and flush its output."""
        with _closed_pipe_reported():
            try:
                result = super().invoke(context)
            except click.UsageError as error:
                if error.ctx is None:  # click's parser omits it from some errors
                    error.ctx = self._subcommand_context(context)
                raise
            sys.stdout.flush()
            return result

    def _subcommand_context(self, context: click.Context) -> click.Context:
        """Return a context of the subcommand that was invoked, for messages."""
        name = context.invoked_subcommand
        command = None if name is None else self.get_command(context, name)
        return context if command is None else click.Context(command, info_name=name, parent=context)

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
    """Compile, verify, run, trace, optimise and compare classic BPF packet filters, and filter captures.

    PROGRAM is a file, or - for standard input. Its format is detected: assembly (bpf_asm or Go syntax), a listing
    (tcpdump -d or bpf_dbg), C (tcpdump -dd or bpf_asm -c), decimal numbers (tcpdump -ddd or bpf_asm), JSON,
    hexadecimal, a cBPF savefile of libpcap, or the bytes of struct sock_filter. -e EXPRESSION replaces PROGRAM.

    Exit code: 0 success, 1 no (a program is rejected, two programs differ), 2 error, 3 undecided.
    """


def main() -> NoReturn:
    """Run the command line and exit; an error is one line on stderr, or one line per finding."""
    gc.set_threshold(_GC_THRESHOLD)
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    _replace_closed_streams()
    for signum in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup(1) makes a command ignore SIGHUP
            signal.signal(signum, _exit_on_signal)
    status = _run()
    _discard_unwritable_output()
    sys.exit(status)


def _run() -> int:
    """Run the command line, report its error if there is one, and return the exit code."""
    try:
        return int(group.main(prog_name="cbpf", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        return _fail(f"{error.format_message().rstrip('.')} ({_help_hint(error)})")
    except click.ClickException as error:
        return _fail(*error.format_message().splitlines())
    except (click.Abort, KeyboardInterrupt):
        return 130
    except _PipeClosed:
        return 141
    except cbpf.VerificationError as error:
        return _fail(*map(str, error.findings))
    except cbpf.ProgramFormatError as error:
        return _fail(*_problem_lines(error))
    except cbpf.Undecided as error:
        _fail(f"undecided: {error}")
        return 3
    except cbpf.CbpfError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename or 'standard output'}: {error.strerror}")


def _exit_on_signal(signum: int, _: Any) -> NoReturn:
    """Exit with the code of a process that a signal ended, after the removal of partial output files."""
    sys.exit(128 + signum)


def _replace_closed_streams() -> None:
    """Open streams in place of those that the shell closed (`>&-`).

    Using such a stream is then an error with a message; Python would fail on the value None.
    """
    for name, mode, flags in (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode))


def _fail(*lines: str) -> int:
    """Print an error and return its exit code."""
    with suppress(OSError):  # stderr itself may be unwritable
        for line in lines:
            click.echo(f"cbpf: {line}", err=True)
    return 2


def _problem_lines(error: cbpf.ProgramFormatError) -> list[str]:
    """Return the message of each problem, each with the line of text and a caret below it."""
    prefix = f"{error.source}: " if error.source else ""
    return [f"{prefix}{problem}\n{problem.excerpt}" for problem in error.problems] or [str(error)]


def _help_hint(error: click.UsageError) -> str:
    return f"see {error.ctx.command_path if error.ctx else 'cbpf'} --help"


def _discard_unwritable_output() -> None:
    """Prevent the interpreter from flushing unwritable streams at exit, which would change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _show_warning(message: Warning | str, *_: Any) -> None:
    click.echo(f"cbpf: warning: {message}", err=True)
