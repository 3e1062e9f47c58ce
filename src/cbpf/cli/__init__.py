"""The command `cbpf`: each subcommand is a module of `commands`, built on the public names of cbpf.

Exit codes: 0 yes or success; 1 no (the program is not accepted, the programs are not equal); 2 any error, usage errors
included; 3 undecided; 130 after Ctrl-C, 129 and 143 after SIGHUP and SIGTERM; 141 if the reader of the output has
closed the pipe. `failures` has the message of each exception.
"""

from __future__ import annotations

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

from .failures import PROGRAM_FILES, Carried, report

COMMANDS: Final = (
    *("asm", "cases", "compile", "completion", "convert", "diff", "disasm", "explain", "filter", "format", "graph"),
    *("info", "lint", "optimize", "run", "split", "stats", "trace", "verify", "why"),
)

_REPEAT_DELAY: Final = 0.01  # seconds


@contextmanager
def _past_click() -> Iterator[None]:
    """Carry exceptions past click, which would exit with other codes or print an empty line."""
    try:
        yield
    except Carried.HANDLED_BY_CLICK as error:
        raise Carried from error


class _Commands(click.Group):
    """A group that imports the module of a subcommand when the subcommand is used."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Parse the command line; --help and --version write here."""
        with _past_click():
            return super().make_context(*arguments, **options)

    def invoke(self, context: click.Context) -> Any:
        """Run the subcommand and flush its output."""
        with _past_click():
            try:
                result = super().invoke(context)
            except click.UsageError as error:
                if error.ctx is None:  # click's parser omits it from some errors
                    error.ctx = self._subcommand_context(context)
                raise
            except cbpf.VerificationError as error:
                names = context.meta.get(PROGRAM_FILES, ())
                if len(names) == 1:
                    (error.source,) = names
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


@click.group(
    cls=_Commands,
    short_help="Classic BPF: packet filters and captures.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(cbpf.__version__, message="cbpf %(version)s")
def group() -> None:
    """Compile, verify, run, trace, optimise and compare classic BPF packet filters, and filter captures.

    PROGRAM is a file, or - for standard input. Its format is detected: assembly (bpf_asm or Go syntax), a listing
    (tcpdump -d or bpf_dbg), C (tcpdump -dd or bpf_asm -c), decimal numbers (tcpdump -ddd or bpf_asm), JSON,
    hexadecimal, a cBPF savefile of libpcap, or the bytes of struct sock_filter. -e EXPRESSION replaces PROGRAM.

    Exit code: 0 success, 1 no (a program is rejected, two programs differ), 2 error, 3 undecided.

    \b
      cbpf info in.pcap
      cbpf filter -r in.pcap -w out.pcap 'tcp port 443'
      cbpf diff -e 'tcp port 80' -e 'tcp dst port 80'
    """


def main() -> NoReturn:
    """Run the command line and exit; an error is one line on stderr, or one line per finding."""
    status = 2
    try:
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        sys.unraisablehook = _raise_again
        _replace_closed_streams()
        _handle_signals()
        if "_CBPF_COMPLETE" in os.environ:
            from .completion import answer_queries

            answer_queries()
        status = int(group.main(prog_name="cbpf", standalone_mode=False) or 0)
    except (Exception, KeyboardInterrupt) as error:
        status = report(error)
    finally:
        _restore_signals()
        _discard_unwritable_output()
    sys.exit(status)


def _handle_signals() -> None:
    """Raise an exception for each signal that ends a command, except for those that the caller ignores.

    So partial output files are removed; nohup(1) makes a command ignore SIGHUP, and a shell in the background SIGINT.
    """
    for signum in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _exit_on_signal)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _restore_signals() -> None:
    """Restore the default action of signals: an exception while the interpreter exits would print a traceback."""
    signal.setitimer(signal.ITIMER_REAL, 0)  # of `_raise_again`
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) is not signal.SIG_IGN:
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
        click.echo(f"cbpf: warning: {message}", err=True)
