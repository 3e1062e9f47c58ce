r"""The commands of `cbpf` as data for the documentation: the help texts that click shows, in parts.

A help text is a list of paragraphs. One that begins with "Exit code:" lists the exit codes, and one that begins with a
line `\b`, where click keeps the line breaks, has examples, one command per line.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import click

from cbpf.cli.click_parser import group

_PROGRAM: Final = "cbpf"
_EXIT_CODES: Final = "Exit code: "
_DEFAULT_EXIT_CODES: Final = ((0, "success"), (2, "error"))  # of a command whose help text lists none
_EXAMPLES: Final = "\b\n"


class OptionText(NamedTuple):
    """The text of an option.

    Attributes:
        names: Its names, such as ("-q", "--quiet").
        metavar: The name of its value, such as "FILE" or "[pcap|linux|seccomp]"; "" for a flag.
        choices: The values that it accepts; empty if they are not listed.
        help: Its description, one or more sentences.
        default: Its default, if the help text shows it.
        limits: The range of its value, such as "at least 1"; None if its help text does not limit it.
    """

    names: tuple[str, ...]
    metavar: str
    choices: tuple[str, ...]
    help: str
    default: str | None
    limits: str | None


class CommandText(NamedTuple):
    """The text of a command.

    Attributes:
        name: Its name: "cbpf filter", "cbpf seccomp show", or "cbpf" for the command itself.
        summary: One line without a full stop.
        usage: The parts of its usage line after the name, such as ("[OPTIONS]", "[EXPRESSION]...").
        paragraphs: Its description, each paragraph on one line; `backticks` enclose code.
        exit_codes: The exit codes with their meanings.
        examples: Command lines, which run as tests.
        options: Its options in the order of its help text.
        subcommands: The subcommands of a group, sorted by name; empty for other commands.
    """

    name: str
    summary: str
    usage: tuple[str, ...]
    paragraphs: tuple[str, ...]
    exit_codes: tuple[tuple[int, str], ...]
    examples: tuple[str, ...]
    options: tuple[OptionText, ...]
    subcommands: tuple[CommandText, ...]

    @property
    def page(self) -> str:
        """The name of its pages: "cbpf-filter", or "cbpf" for the command itself."""
        return self.name.replace(" ", "-")


def main_command() -> CommandText:
    """Return the text of the command itself."""
    return _text(group, _context(group, _PROGRAM))


def all_commands() -> list[CommandText]:
    """Return the texts of the command itself and of all subcommands, those of a group after the group."""
    return list(_with_subcommands(main_command()))


def _with_subcommands(command: CommandText) -> Iterator[CommandText]:
    yield command
    for subcommand in command.subcommands:
        yield from _with_subcommands(subcommand)


def _subcommands(command: click.Command, context: click.Context) -> Iterator[CommandText]:
    """Yield the texts of the subcommands of a group."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            assert subcommand is not None
            yield _text(subcommand, _context(subcommand, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    return command.make_context(name, [], parent, resilient_parsing=True)


def _text(command: click.Command, context: click.Context) -> CommandText:
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    prose = [_joined(paragraph) for paragraph in paragraphs if not paragraph.startswith((_EXIT_CODES, _EXAMPLES))]
    return CommandText(
        context.command_path,
        (command.short_help or prose[0]).rstrip("."),
        tuple(command.collect_usage_pieces(context)),
        tuple(prose),
        tuple(code for paragraph in paragraphs for code in _exit_codes(paragraph)) or _DEFAULT_EXIT_CODES,
        tuple(line for paragraph in paragraphs for line in _examples(paragraph)),
        tuple(_option(option, context) for option in command.get_params(context) if isinstance(option, click.Option)),
        tuple(_subcommands(command, context)),
    )


def _joined(paragraph: str) -> str:
    return " ".join(paragraph.split())


def _exit_codes(paragraph: str) -> Iterator[tuple[int, str]]:
    """Yield the exit codes of a paragraph such as "Exit code: 0 equal, 1 different, 2 error"."""
    if paragraph.startswith(_EXIT_CODES):
        text = _joined(paragraph.removeprefix(_EXIT_CODES)).rstrip(".")
        for entry in re.split(r"[,;] (?=\d )", text):
            code, meaning = entry.split(" ", 1)
            yield int(code), meaning


def _examples(paragraph: str) -> Iterator[str]:
    if paragraph.startswith(_EXAMPLES):
        yield from (line.strip() for line in paragraph.removeprefix(_EXAMPLES).splitlines())


def _option(option: click.Option, context: click.Context) -> OptionText:
    takes_value = not (option.is_flag or option.count)
    default = option.get_help_extra(context).get("default")
    return OptionText(
        (*option.opts, *option.secondary_opts),
        option.make_metavar(context) if takes_value else "",
        tuple(option.type.choices) if isinstance(option.type, click.Choice) else (),
        (option.help or "").strip(),
        default.strip("()") if default is not None else None,  # click encloses a description in parentheses
        _limits(option.type) if takes_value else None,
    )


def _limits(type: click.ParamType[object]) -> str | None:
    if not isinstance(type, click.IntRange):
        return None
    return f"at least {type.min:,}" if type.max is None else f"{type.min:,} to {type.max:,}"
