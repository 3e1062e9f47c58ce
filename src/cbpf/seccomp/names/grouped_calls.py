"""Groups of system calls with the names and the members that systemd gives them, such as @network-io.

The groups are in `call_groups.txt`, which is read at their first use.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

from ..._named_tuple import NamedTuple
from ..._suggestions import suggestion
from ..._typing import Final
from ...errors import FieldError
from .architectures import ARCHITECTURES
from .data_files import data_text
from .system_calls import call_names

_KNOWN: Final = "@known"


class CallGroup(NamedTuple):
    """A group of system calls.

    Args:
        name: The name, such as "@mount".
        description: The purpose of the calls.
        members: The names of calls, and of groups with their @. "@known" has no list: its calls are all that have a
            name on an architecture, none without the library system-calls.
    """

    name: str
    description: str
    members: tuple[str, ...]

    def calls(self) -> tuple[str, ...]:
        """Return the names of the calls, those of groups in the group included.

        Returns:
            The names in alphabetical order.

        >>> call_groups()["@swap"].calls()
        ('swapoff', 'swapon')
        """
        return tuple(sorted(_all_names() if self.name == _KNOWN else set(_calls(self))))


@cache
def call_groups() -> Mapping[str, CallGroup]:
    """Return the groups of system calls that policy files and tables of calls may name.

    Returns:
        The groups by name, such as "@mount": those of systemd 252, with the calls that later versions of systemd added.
        An architecture lacks some of the calls, and a few are calls of architectures that cbpf does not know. The
        mapping is read-only.

    >>> call_groups()["@module"].members
    ('delete_module', 'finit_module', 'init_module')
    """
    _, *sections = data_text("call_groups.txt").split("\n\n")
    return MappingProxyType({group.name: group for group in map(_group, sections)})


def _group(section: str) -> CallGroup:
    """Return the group of a section of the file."""
    head, *lines = section.splitlines()
    name, _, description = head.partition(": ")
    return CallGroup(name, description, tuple([line.removesuffix(" +") for line in lines]))


def _all_names() -> set[str]:
    """Return the names of the calls of all architectures."""
    return set().union(*map(call_names, ARCHITECTURES.values()))


def _calls(group: CallGroup) -> Iterator[str]:
    for member in group.members:
        if member.startswith("@"):
            yield from _calls(call_groups()[member])
        else:
            yield member


def call_group(name: str) -> CallGroup:
    """Return a group of system calls by its name.

    Args:
        name: The name, such as "@mount".

    Returns:
        The group.

    Raises:
        FieldError: The group is unknown; the message has the nearest name.

    >>> len(call_group("@mount").calls()), "mount" in call_group("@file-system").calls()
    (13, False)
    """
    if name in call_groups():
        return call_groups()[name]
    hint = suggestion(str(name), call_groups()) or f"; known are {', '.join(call_groups())}"
    raise FieldError(f"group: unknown group {name!r}{hint}")
