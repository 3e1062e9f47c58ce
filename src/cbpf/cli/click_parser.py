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

from .._typing import Any, Final
from . import commands
from .completed_values import CompletedText
from .declarations import Argument, Command, Group, Invocation, Option
from .failures import UsageError
from .parser import VERSION_TEXT, words_after_dashes
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

    def __init__(self, declared: Group) -> None:
        super().__init__(declared.name, help=declared.help, short_help=declared.summary)
        self._declared = declared

    def list_commands(self, context: click.Context) -> list[str]:
        return self._declared.names

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return click_command(self._declared.load(name)) if name in self._declared.names else None

    def resolve_command(
        self, context: click.Context, words: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the subcommand; the error for an unknown one names similar ones."""
        try:
            return super().resolve_command(context, words)
        except click.UsageError as error:
            advice = _advice(self._declared, words[0])
            raise click.UsageError(f"{error.message.rstrip('.')}{advice}", context) if advice else error from None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands in sections."""
        width = max(map(len, self._declared.names))
        for title, names in self._declared.sections.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{width}}", self._declared.load(name).summary) for name in names])


def _advice(group: Group, word: str) -> str:
    """Return the advice that ends the error for an unknown subcommand, or an empty text."""
    if os.path.isfile(word):
        return f"; it is a file: {group.file_advice.format(word)}"
    in_groups = [entry.name for entry in group.entries() if entry.name.endswith(f" {word}")]
    similar = in_groups or get_close_matches(word, group.names, n=2)
    return f"; did you mean {' or '.join(similar)}?" if similar else ""


class _Command(click.Command):
    """A subcommand whose errors for options of a similar program name the alternative."""

    declared: Command

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        context.obj = words_after_dashes(self.declared, arguments)
        try:
            return super().parse_args(context, arguments)
        except click.NoSuchOption as error:
            foreign = self.declared.foreign_options.items()
            advice = [text for text, options in foreign if error.option_name in options.split()]
            if not advice:
                raise
            raise click.UsageError(f"{error.message.rstrip('.')}; {advice[0]}", context) from None
        except click.UsageError as error:
            error.ctx = error.ctx or context  # click's parser omits it from some errors
            raise


def click_command(entry: Command | Group) -> click.Command:
    """Return the click command of a subcommand, which returns an `Invocation`, or of a group of subcommands."""
    return _Group(entry) if isinstance(entry, Group) else _command(entry)


def _command(command: Command) -> click.Command:
    arguments = [entry for entry in command.parameters if isinstance(entry, Argument) and entry.divided]

    def invoke(**values: Any) -> Invocation:
        context = click.get_current_context()
        for argument in arguments:
            values[argument.parameter] = argument.value(values[argument.parameter], context.obj)
        source = context.get_parameter_source
        return Invocation(command, values, {name for name in values if source(name) is ParameterSource.COMMANDLINE})

    invoke.__doc__ = command.function.__doc__
    for declared in reversed(command.parameters):
        decorate = _option(declared) if isinstance(declared, Option) else _argument(declared)
        invoke = decorate(invoke)
    result = click.command(command.name, cls=_Command, short_help=command.summary)(invoke)
    result.declared = command
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


group: Final = _Group(commands.command)
group.context_settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
click.version_option(cbpf.__version__, message=VERSION_TEXT)(group)
