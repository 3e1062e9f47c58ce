"""The names of system calls and their numbers, by architecture.

The numbers come from the library system-calls, which is made from the kernel's own tables. Names of calls that kernels
no longer have are in `removed_calls`, since older profiles still contain them.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from ..._suggestions import suggestion
from ..._typing import Any, Final
from ...errors import FieldError, MissingLibrary
from .architectures import ArchitectureName, architecture
from .removed_calls import removed_calls

NAMES_REMEDY: Final = "names of system calls need system-calls: pip install 'cbpf[seccomp]'"
"""The fact and the remedy where the library is missing."""


@cache
def _library() -> Any:
    """Return the tables of the library; None if it is not installed."""
    try:
        from system_calls import syscalls
    except ImportError:
        return None
    return syscalls()


def names_available() -> bool:
    """Return whether the names of system calls are available.

    Returns:
        Whether the library system-calls is installed, with the extra `seccomp`.

    >>> names_available()
    True
    """
    return _library() is not None


def call_names(architecture: ArchitectureName = "x86_64") -> Mapping[str, int]:
    """Return the numbers of the system calls of an architecture, by name.

    Args:
        architecture: The architecture: a row of `ARCHITECTURES`, or a name.

    Returns:
        The numbers as the first word of struct seccomp_data has them: those of x32 have bit 30 set. The mapping is
        read-only; it is empty without the library system-calls.

    Raises:
        FieldError: The architecture is unknown.

    >>> call_names("i386")["socketcall"]
    102
    """
    return _tables(_row(architecture).table)[0]


@cache
def _tables(table: str) -> tuple[Mapping[str, int], Mapping[int, str]]:
    """Return the numbers by name, and the names by number, of a table of the library."""
    library = _library()
    if library is None:
        return MappingProxyType({}), MappingProxyType({})
    numbers = removed_calls(table) | library.load_arch_table(table)
    return MappingProxyType(numbers), MappingProxyType({number: name for name, number in numbers.items()})


def call_number(architecture: ArchitectureName, name: str) -> int:
    """Return the number of a system call.

    Args:
        architecture: The architecture: a row of `ARCHITECTURES`, or a name.
        name: The name of the call, such as "openat".

    Returns:
        The number, as the first word of struct seccomp_data has it.

    Raises:
        FieldError: The architecture is unknown, or does not have the call; the message has the nearest name.
        MissingLibrary: The library system-calls is not installed.

    >>> call_number("x86_64", "openat"), hex(call_number("x32", "openat"))
    (257, '0x40000101')
    """
    row = _row(architecture)
    if not names_available():
        raise MissingLibrary(NAMES_REMEDY)
    numbers = call_names(row)
    if name not in numbers:
        hint = suggestion(str(name), numbers)
        raise FieldError(f"system call: {row.name} has no system call {name!r}{hint}")
    return numbers[name]


def call_name(architecture: ArchitectureName, number: int) -> str | None:
    """Return the name of a system call.

    Args:
        architecture: The architecture: a row of `ARCHITECTURES`, or a name.
        number: The number, as the first word of struct seccomp_data has it.

    Returns:
        The name; None if the architecture has no call of this number, or the library system-calls is not installed.

    Raises:
        FieldError: The architecture is unknown.

    >>> call_name("x86_64", 257), call_name("aarch64", 56), call_name("x86_64", 9999)
    ('openat', 'openat', None)
    """
    return _tables(_row(architecture).table)[1].get(number)


_row: Final = architecture
