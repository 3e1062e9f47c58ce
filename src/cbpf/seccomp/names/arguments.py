"""The arguments of system calls: their names, their C types, and the bits of them that the kernel reads.

The data are C prototypes in two files: `arguments.txt` is made from the trace events of a kernel, and
`other_arguments.txt` has calls that it lacks, and those that differ by architecture.
"""

from collections.abc import Iterator, Mapping
from functools import cache

from ..._named_tuple import NamedTuple
from ..._typing import Final
from .architectures import Architecture, ArchitectureName
from .architectures import architecture as find_architecture
from .data_files import data_text

_LONG_TYPES: Final = frozenset({"long", "unsigned long", "size_t", "off_t", "aio_context_t"})
_64_BIT_TYPES: Final = frozenset({"loff_t", "u64", "__u64"})
_POINTER_TYPES: Final = frozenset({"cap_user_header_t", "cap_user_data_t", "__sighandler_t"})
_WIDTHS: Final = {"umode_t": 16}
_INT: Final = 32


class Argument(NamedTuple):
    """An argument of a system call.

    Args:
        name: The name in the kernel's source.
        type: The C type.
        width: The number of low bits that the kernel reads: 16, 32 or 64. A filter sees the whole register, and the
            kernel discards the upper bits afterwards.
    """

    name: str
    type: str
    width: int


def arguments_of(call: str, architecture: ArchitectureName = "x86_64") -> tuple[Argument, ...]:
    """Return the arguments of a system call.

    Args:
        call: The name of the call.
        architecture: The architecture: a row of `ARCHITECTURES`, or a name.

    Returns:
        The arguments in order; empty if the call has none, or they are not known.

    Raises:
        FieldError: The architecture is unknown.

    >>> [argument.name for argument in arguments_of("socket")]
    ['family', 'type', 'protocol']
    >>> arguments_of("write")[2]
    Argument(name='count', type='size_t', width=64)
    """
    row = find_architecture(architecture)
    prototype = _prototypes(row.name).get(call, "")
    arguments = tuple(_argument(text, row) for text in prototype.split(", ") if text)
    # There, such an argument occupies two registers, and an even one may have to be the first of them.
    is_split = row.register_bits == 32 and any(argument.type in _64_BIT_TYPES for argument in arguments)
    return () if is_split else arguments


def _argument(text: str, row: Architecture) -> Argument:
    """Return the argument of a declaration, such as `const char *filename`."""
    name = text.replace("*", " ").split()[-1]
    kind = text.removesuffix(name).rstrip()
    return Argument(name, kind, min(_width(kind), row.register_bits))


def _width(kind: str) -> int:
    """Return the size of a C type in bits, where a `long` has 64."""
    bare = kind.removeprefix("const ")
    if "*" in kind or bare in _LONG_TYPES | _64_BIT_TYPES | _POINTER_TYPES:
        return 64
    return _WIDTHS.get(bare, _INT)


@cache
def _prototypes(architecture: str) -> Mapping[str, str]:
    """Return the declarations of the arguments by the name of the call."""
    result = dict(_parsed(_lines("arguments.txt")))
    for line in _lines("other_arguments.txt"):
        names, colon, prototype = line.rpartition(": ")
        if not colon or architecture in names.split():
            result.update(_parsed([prototype]))
    for line in _lines("argument_aliases.txt"):
        alias, _, name = line.partition(" = ")
        result.setdefault(alias, result[name])
    return result


def _parsed(lines: "Iterator[str] | list[str]") -> Iterator[tuple[str, str]]:
    """Yield the name and the arguments of each prototype."""
    for line in lines:
        name, _, arguments = line.partition("(")
        yield name, arguments.removesuffix(")")


def _lines(file: str) -> Iterator[str]:
    """Yield the lines of a data file, without comments and empty lines."""
    return (line for line in data_text(file).splitlines() if line.strip() and not line.startswith("#"))
