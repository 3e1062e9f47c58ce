"""The command line as click sees it: help texts, the messages about incorrect command lines, and completion.

The commands are made of the declarations that `parser` reads. None of them runs here: click returns an `Invocation`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from difflib import get_close_matches

import click
from click.core import ParameterSource

import cbpf

from .._typing import Any
from . import commands
from .completed_values import CompletedText
from .declarations import Argument, Command, Invocation, Option
from .failures import UsageError
from .parser import VERSION_TEXT
from .streams import echo
from .values import Choice, Integer, Kind, Number, Text


def parse_with_click(words: Sequence[str]) -> Invocation | int:
    """Return the invocation of a command line, or the exit code after a help text; raise `UsageError`."""
    try:
        with group.make_context("cbpf", list(words)) as context:
            invocation: Invocation = group.invoke(context)
            return invocation
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        raise _translated(error) from None


def _translated(error: click.UsageError) -> UsageError:
    message = " ".join(error.format_message().split("\n\t"))  # click lists choices one per line
    result = UsageError(message)
    if error.ctx is not None:
        result.command = error.ctx.command_path.removeprefix("cbpf").strip()
    return result


class _Group(click.Group):
    """A group that imports the module of a subcommand when the subcommand is used."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(commands.COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return click_command(commands.load(name)) if name in commands.COMMANDS else None

    def resolve_command(
        self, context: click.Context, words: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the subcommand; the error for an unknown one names similar ones."""
        try:
            return super().resolve_command(context, words)
        except click.UsageError as error:
            advice = _advice(words[0])
            raise click.UsageError(f"{error.message.rstrip('.')}{advice}", context) if advice else error from None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands in sections."""
        width = max(map(len, commands.COMMANDS))
        for title, names in commands.SECTIONS.items():
            with formatter.section(title):
                rows = [(f"{name:{width}}", commands.load(name).summary) for name in names]
                formatter.write_dl(rows)


def _advice(word: str) -> str:
    """Return the advice that ends the error for an unknown subcommand, or an empty text."""
    if os.path.isfile(word):
        return f"; it is a file: cbpf info {word} describes a capture, cbpf stats {word} a program"
    similar = get_close_matches(word, commands.COMMANDS, n=2)
    return f"; did you mean {' or '.join(similar)}?" if similar else ""


class _Command(click.Command):
    """A subcommand whose errors for options of a similar program name the alternative."""

    foreign_options: dict[str, str]

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        try:
            return super().parse_args(context, arguments)
        except click.NoSuchOption as error:
            advice = [text for text, options in self.foreign_options.items() if error.option_name in options.split()]
            if not advice:
                raise
            raise click.UsageError(f"{error.message.rstrip('.')}; {advice[0]}", context) from None
        except click.UsageError as error:
            error.ctx = error.ctx or context  # click's parser omits it from some errors
            raise


@click.group(
    cls=_Group,
    short_help="Classic BPF: packet filters and captures.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(cbpf.__version__, message=VERSION_TEXT)
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


def click_command(command: Command) -> click.Command:
    """Return the click command of a subcommand; it returns an `Invocation`."""

    def invoke(**values: Any) -> Invocation:
        source = click.get_current_context().get_parameter_source
        return Invocation(command, values, {name for name in values if source(name) is ParameterSource.COMMANDLINE})

    invoke.__doc__ = command.function.__doc__
    for declared in reversed(command.parameters):
        decorate = _option(declared) if isinstance(declared, Option) else _argument(declared)
        invoke = decorate(invoke)
    result = click.command(command.name, cls=_Command, short_help=command.summary)(invoke)
    result.foreign_options = command.foreign_options
    return result


def _option(option: Option) -> Callable[..., Any]:
    settings: dict[str, Any] = {"help": option.help, "show_default": option.shows_default}
    if option.counted:
        settings["count"] = True
    elif option.kind is None:
        settings["is_flag"] = True
    else:
        settings |= {"type": _click_type(option.kind), "metavar": option.metavar}
        settings |= {"multiple": option.multiple, "required": option.required}
        settings["callback"] = _callback(option)
    if option.default is not None:
        settings["default"] = option.default
    names = option.names if option.parameter is None else (*option.names, option.parameter)
    return click.option(*names, expose_value=option.parameter is not None, **settings)


def _callback(option: Option) -> Callable[..., Any]:
    def convert(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        if value is None or option.convert is None:
            return value
        try:
            return option.convert(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return convert


def _argument(argument: Argument) -> Callable[..., Any]:
    settings: dict[str, Any] = {"type": _click_type(argument.kind), "required": argument.required}
    settings |= {"metavar": argument.metavar, "nargs": -1 if argument.multiple else 1}
    if argument.default is not None:
        settings["default"] = argument.default
    return click.argument(argument.parameter, **settings)


def _click_type(kind: Kind) -> click.ParamType[Any]:
    match kind:
        case Choice():
            return click.Choice(kind.words)
        case Integer(None, None):
            return click.INT
        case Integer(low, high):
            integer = click.IntRange(low, high)
            integer.name = click.INT.name  # in place of "integer range"; the help text and errors state the range
            return integer
        case Number():
            return click.FLOAT
        case Text():
            return CompletedText(kind)
