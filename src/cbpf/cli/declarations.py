"""The declarations of subcommands: their options and arguments as plain data, beside the functions that run them.

A module of `commands` declares its subcommand by the decorators of this module. Its function takes the values of the
command line, and returns its exit code; None is 0. A package of `commands` declares a group of subcommands.
"""

from __future__ import annotations

import sys

import cbpf

from .._named_tuple import NamedTuple
from .._typing import Any, Callable, Collection, Final, Iterator, Sequence, TypeAlias
from .failures import UsageError
from .values import TEXT, Choice, Kind

Function: TypeAlias = "Callable[..., int | None]"
Decorator: TypeAlias = Callable[[Function], Function]

_PARAMETERS: Final = "cbpf_parameters"
"""The attribute of a function for its parameters, from the last to the first; `functools.wraps` copies it."""


class Option(NamedTuple):
    """An option of a subcommand.

    Args:
        names: Its names, such as ("-q", "--quiet").
        parameter: The parameter of the function that takes its value; None if the value has no meaning.
        kind: The kind of its value; None for a flag.
        default: The value, as text or as a number, if the option is not given.
        required: Whether the option must be given.
        multiple: Whether the option may be repeated; the value is then a tuple.
        counted: Whether the value is the number of repetitions.
        convert: Makes the value of the function from the value of the option.
        metavar: The name of the value in help texts, instead of that of the kind.
        shows_default: Whether the help text shows the default; a text is shown instead.
        help: The help text.
    """

    names: tuple[str, ...]
    parameter: str | None
    kind: Kind | None
    default: Any = None
    required: bool = False
    multiple: bool = False
    counted: bool = False
    convert: Callable[[Any], Any] | None = None
    metavar: str | None = None
    shows_default: bool | str = False
    help: str = ""

    @property
    def shown_name(self) -> str:
        """The name in messages: the longest one."""
        return max(self.names, key=len)

    def value(self, given: Sequence[str]) -> Any:
        """Return the value of the function, from texts of the command line; raise `ValueError` if one is invalid."""
        if self.counted:
            return len(given)
        if self.kind is None:
            return bool(given)
        if self.multiple:
            return tuple(map(self.kind.read, given))
        value = self.kind.read(given[-1]) if given else self._default(self.kind)
        return value if value is None or self.convert is None else self.convert(value)

    def _default(self, kind: Kind) -> Any:
        """Return the default as a value; one of a `Choice` is one of its words."""
        return self.default if self.default is None or isinstance(kind, Choice) else kind.read(self.default)


class Argument(NamedTuple):
    """An argument of a subcommand.

    Args:
        parameter: The parameter of the function that takes its value.
        kind: The kind of its value.
        default: The value if the argument is not given.
        required: Whether the argument must be given.
        multiple: Whether the argument may be repeated; the value is then a tuple.
        divided: Whether the value is two tuples, of the words before and after "--"; for repeated arguments only.
        metavar: The name of the argument in help texts, instead of that of the parameter.
    """

    parameter: str
    kind: Kind = TEXT
    default: str | None = None
    required: bool = True
    multiple: bool = False
    divided: bool = False
    metavar: str | None = None

    @property
    def shown_name(self) -> str:
        """The name in messages: that of one value in help texts."""
        return (self.metavar or self.parameter.upper()).removesuffix("...")

    def value(self, given: Sequence[str], following: int = 0) -> Any:
        """Return the value of the function, from texts of the command line; raise `ValueError` if one is invalid.

        The last *following* texts are those after "--".
        """
        values = tuple(map(self.kind.read, given))
        if self.divided:
            return values[: len(values) - following], values[len(values) - following :]
        if self.multiple:
            return values
        return values[0] if values else self.default


class Command(NamedTuple):
    """A subcommand.

    Args:
        name: Its name, after those of the groups that contain it.
        summary: Its line in the list of subcommands.
        function: The function that runs it; its docstring is the help text.
        parameters: Its options and arguments, in the order of the help text.
        foreign_options: Options of a similar program that it does not have, separated by spaces, by the advice for
            them.
    """

    name: str
    summary: str
    function: Function
    parameters: tuple[Option | Argument, ...]
    foreign_options: dict[str, str]

    def has_option(self, name: str) -> bool:
        """Return whether an option has a name."""
        return any(isinstance(entry, Option) and name in entry.names for entry in self.parameters)

    def name_of(self, parameter: str) -> str | None:
        """Return the longest name of the option for a parameter of the function, or that of the argument, or None."""
        return next((entry.shown_name for entry in self.parameters if entry.parameter == parameter), None)


class Group(NamedTuple):
    """A group of subcommands: the modules and packages of one package, each of which defines `command`.

    Args:
        name: Its name, after those of the groups that contain it; "" for the command `cbpf` itself.
        summary: Its line in the list of subcommands.
        help: Its help text.
        sections: The names of its subcommands, by the headings of the help text.
        file_advice: The advice for a file in the place of a subcommand; it contains {} for the name of the file.
        package: The name of the package.
    """

    name: str
    summary: str
    help: str
    sections: dict[str, tuple[str, ...]]
    file_advice: str
    package: str

    @property
    def names(self) -> list[str]:
        """The names of its subcommands, sorted."""
        return sorted(name for names in self.sections.values() for name in names)

    def load(self, name: str) -> Command | Group:
        """Return the subcommand with a name of `names`."""
        loaded: Command | Group = __import__(f"{self.package}.{name}", fromlist=["command"]).command
        return loaded

    def entries(self) -> Iterator[Command | Group]:
        """Yield all subcommands, sorted by name, and those of each group after the group."""
        for name in self.names:
            entry = self.load(name)
            yield entry
            if isinstance(entry, Group):
                yield from entry.entries()


class Invocation:
    """A subcommand with the values of a command line.

    Args:
        command: The subcommand.
        values: The values, by the parameter of the function.
        given: The parameters whose values are those of the command line, and not defaults.
    """

    current: Invocation | None = None
    """The invocation that runs."""

    def __init__(self, command: Command, values: dict[str, Any], given: Collection[str | None]) -> None:
        self.command, self.values, self.given = command, values, given
        self.program_files: list[str] = []  # the names of the programs that the subcommand has read

    def run(self) -> int:
        """Run the subcommand, flush its output, and return its exit code."""
        Invocation.current = self
        try:
            status = self.command.function(**self.values)
            sys.stdout.flush()
        except UsageError as error:
            error.command = self.command.name
            raise
        except cbpf.FieldError as error:
            path, colon, rest = str(error).partition(":")
            name = self.command.name_of(path.rpartition(".")[2])
            if colon and name is not None:  # the user knows this name, and not the parameter
                error.args = (f"{name}:{rest}",)
            raise
        except cbpf.VerificationError as error:
            if len(self.program_files) == 1:
                (error.source,) = self.program_files
            raise
        return status or 0


def option(
    *names: str,
    kind: Kind | None = TEXT,
    is_flag: bool = False,
    counted: bool = False,
    expose_value: bool = True,
    **settings: Any,
) -> Decorator:
    """Return a decorator that adds an `Option` to a function.

    The parameter is the name without dashes, if there is one, and otherwise follows from the longest name.
    """
    options = tuple(name for name in names if name.startswith("-"))
    own = next((name for name in names if not name.startswith("-")), None)
    parameter = own or max(options, key=lambda name: name.startswith("--")).lstrip("-").replace("-", "_")
    declared = Option(
        options,
        parameter if expose_value else None,
        None if is_flag or counted else kind,
        counted=counted,
        **settings,
    )
    return _adding(declared)


def argument(parameter: str, **settings: Any) -> Decorator:
    """Return a decorator that adds an `Argument` to a function."""
    return _adding(Argument(parameter, **settings))


def _adding(declared: Option | Argument) -> Decorator:
    def decorate(function: Function) -> Function:
        setattr(function, _PARAMETERS, (declared, *getattr(function, _PARAMETERS, ())))
        return function

    return decorate


def subcommand(
    name: str, summary: str, *, foreign_options: dict[str, str] | None = None
) -> Callable[[Function], Command]:
    """Return a decorator that makes a `Command` of a function."""

    def decorate(function: Function) -> Command:
        return Command(name, summary, function, getattr(function, _PARAMETERS, ()), foreign_options or {})

    return decorate


def group(
    name: str, summary: str, *, sections: dict[str, tuple[str, ...]], file_advice: str, package: str
) -> Callable[[Callable[[], None]], Group]:
    """Return a decorator that makes a `Group` of a function, whose docstring is the help text."""

    def decorate(function: Callable[[], None]) -> Group:
        return Group(name, summary, function.__doc__ or "", sections, file_advice, package)

    return decorate
