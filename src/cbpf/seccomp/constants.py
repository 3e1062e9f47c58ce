"""The names of constants in conditions on arguments: AF_*, CLONE_*, PROT_* and others, from `constants.txt`."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from .._named_tuple import NamedTuple
from .._typing import Final
from .architectures import Architecture

_FAMILIES: Final = {
    "mips": frozenset({"mips", "mipsel", "mips64", "mipsel64", "mips64n32", "mipsel64n32"}),
    "ppc": frozenset({"ppc", "ppc64", "ppc64le"}),
}
_GROUPS: Final = {
    "socket": {0: "AF", 1: "SOCK"},
    "socketpair": {0: "AF", 1: "SOCK"},
    "clone": {0: "CLONE"},
    "unshare": {0: "CLONE"},
    "setns": {1: "CLONE"},
    "mmap": {2: "PROT", 3: "MAP"},
    "mmap2": {2: "PROT", 3: "MAP"},
    "mprotect": {2: "PROT"},
    "pkey_mprotect": {2: "PROT"},
    "prctl": {0: "PR"},
    "ioctl": {1: "TIOC"},
    "fcntl": {1: "F"},
    "fcntl64": {1: "F"},
    "ptrace": {0: "PTRACE"},
    "personality": {0: "PER"},
    "seccomp": {0: "SECCOMP"},
    "kill": {1: "SIG"},
    "tkill": {1: "SIG"},
    "tgkill": {2: "SIG"},
}
_CLONE_OF_S390: Final = {1: "CLONE"}  # there, the stack is argument 0


class Constant(NamedTuple):
    """A constant of Linux.

    Args:
        name: The name, such as "AF_INET".
        group: The group, such as "AF".
        number: The number on x86-64 and most other architectures.
        is_flag: Whether it is combined with others of its group.
        differs_on: The names of the architectures that have another number.
    """

    name: str
    group: str
    number: int
    is_flag: bool
    differs_on: frozenset[str]


@cache
def constants() -> Mapping[str, Constant]:
    """Return the constants by name.

    >>> constants()["AF_ALG"].number, constants()["CLONE_NEWUSER"].is_flag
    (38, True)
    """
    from importlib.resources import files

    lines = files(__package__).joinpath("constants.txt").read_text().splitlines()
    return MappingProxyType({each.name: each for each in map(_constant, lines) if each is not None})


def _constant(line: str) -> Constant | None:
    """Return the constant of a line; None for a comment."""
    if line.startswith("#"):
        return None
    group, name, digits, *families = line.split()
    differs_on = frozenset().union(*(_FAMILIES[each] for word in families for each in word.split(",")))
    return Constant(name, group.removesuffix("+"), int(digits, 0), group.endswith("+"), differs_on)


@cache
def constants_of(call: str, argument: int, architecture: Architecture | None) -> Mapping[int, Constant]:
    """Return the constants that an argument of a call may have on an architecture, by number.

    >>> constants_of("socket", 0, None)[2].name
    'AF_INET'
    """
    groups = _GROUPS.get(call, {})
    if call == "clone" and architecture is not None and architecture.name in ("s390", "s390x"):
        groups = _CLONE_OF_S390
    group = groups.get(argument)
    name = None if architecture is None else architecture.name
    return MappingProxyType(
        {each.number: each for each in constants().values() if each.group == group and name not in each.differs_on}
    )
