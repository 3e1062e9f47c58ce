"""The names of constants in conditions on arguments: AF_*, CLONE_*, O_* and others, from `constants.txt`.

The numbers of some constants differ by architecture. A section of the file is parsed at the first use of one of its
names.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

from ..._named_tuple import NamedTuple
from ..._typing import Final
from .architectures import ARCHITECTURES, Architecture
from .arguments import arguments_of
from .data_files import data_text

_FAMILIES: Final = {
    "mips": ("mips", "mipsel", "mips64", "mipsel64", "mips64n32", "mipsel64n32"),
    "ppc": ("ppc", "ppc64", "ppc64le"),
    "s390": ("s390", "s390x"),
}
"""The architectures of words in the file that name several."""


class Constant(NamedTuple):
    """A constant of Linux.

    Args:
        name: The name, such as "AF_INET".
        number: The number on x86_64 and most other architectures; None if x86_64 lacks it.
        is_flag: Whether it is combined with others.
        others: The numbers by the names of the architectures with another one; None where it is absent.
    """

    name: str
    number: int | None
    is_flag: bool
    others: Mapping[str, int | None]

    def number_on(self, architecture: Architecture | None) -> int | None:
        """Return the number on an architecture, x86_64 if it is None; None if the architecture lacks the constant."""
        return self.number if architecture is None else self.others.get(architecture.name, self.number)


@cache
def _sections() -> Mapping[str, str]:
    """Return the lines of each section by its header, which has its name, and the arguments with its constants."""
    _, *sections = data_text("constants.txt").rstrip().split("\n\n")
    return {header: lines for header, _, lines in (each.partition("\n") for each in sections)}


@cache
def _constants(header: str) -> tuple[Constant, ...]:
    """Return the constants of a section."""
    is_flag = header.partition("]")[0].endswith("+")
    return tuple([_constant(line, is_flag) for line in _sections()[header].splitlines()])


def _constant(line: str, is_flag: bool) -> Constant:
    name, digits, *others = line.split()
    numbers: dict[str, int | None] = {}
    for words, _, other in (each.partition("=") for each in others):
        for word in words.split(","):
            numbers.update(dict.fromkeys(_FAMILIES.get(word, (word,)), _number(other)))
    return Constant(name, _number(digits), is_flag, numbers)


def _number(digits: str) -> int | None:
    return None if digits == "-" else int(digits, 0)


def constant(name: str) -> Constant | None:
    """Return the constant of a name; None if it is unknown.

    >>> constant("AF_ALG").number, constant("CLONE_NEWUSER").is_flag
    (38, True)
    >>> constant("O_DIRECTORY").number, constant("O_DIRECTORY").number_on(ARCHITECTURES["aarch64"])
    (65536, 16384)
    """
    line = f"{name} "
    for header, lines in _sections().items():
        if lines.startswith(line) or f"\n{line}" in lines:
            return next(each for each in _constants(header) if each.name == name)
    return None


def constant_names() -> Iterator[str]:
    """Yield the names of all constants."""
    for lines in _sections().values():
        yield from (line.partition(" ")[0] for line in lines.splitlines())


@cache
def constants_of(call: str, argument: int, architecture: Architecture | None) -> Mapping[int, Constant]:
    """Return the constants that an argument of a call may have on an architecture, by their numbers there.

    >>> constants_of("socket", 0, None)[2].name
    'AF_INET'
    """
    arguments = arguments_of(call, architecture or ARCHITECTURES["x86_64"])
    if argument >= len(arguments):
        return MappingProxyType({})
    result: dict[int, Constant] = {}
    for header in _headers().get(f"{call}.{arguments[argument].name}", ()):
        for each in _constants(header):
            number = each.number_on(architecture)
            if number is not None:
                result.setdefault(number, each)
    return MappingProxyType(result)


@cache
def _headers() -> Mapping[str, list[str]]:
    """Return the headers of the sections of each argument, such as "socket.family"."""
    result: dict[str, list[str]] = {}
    for header in _sections():
        for each in header.split()[1:]:
            result.setdefault(each, []).append(header)
    return result
