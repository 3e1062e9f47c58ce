"""The values of policy files and of tables of calls, which are written in TOML, checked."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..._suggestions import suggestion
from ..._typing import Any, Final, TypeAlias
from ...errors import FieldError, MissingLibrary, PolicyError
from ...isa.opcodes import WORD_MASK
from ..document_fields import number_of, text_of
from ..names.actions import parse_action
from ..names.architectures import Architecture, architecture
from ..names.grouped_calls import call_groups
from ..names.system_calls import NAMES_REMEDY, call_names, names_available

_RANGE: Final = re.compile(r"(\w+)\s*\.\.\s*(\w+)")

Bounds: TypeAlias = tuple[int, int]
"""The first and the last number of a range."""

Call: TypeAlias = str | Bounds
"""A system call: its name, or a range of numbers."""


def toml_document(text: str, source: str) -> Mapping[str, Any]:
    """Return the content of a file; raise `PolicyError` if it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        fact, _, place = str(error).rpartition(" (at ")
        parts = [source, place.removesuffix(")"), fact] if fact else [source, str(error)]
        raise PolicyError(": ".join(filter(None, parts))) from None
    except RecursionError:
        raise PolicyError(": ".join(filter(None, [source, "values are nested too deeply"]))) from None


def numbered_tables(text: str, key: str, prefix: str, tables: Sequence[object]) -> Iterator[tuple[str, object]]:
    """Yield the place of each table of an array of tables, with its line if it is written as [[key]], and the table."""
    header = re.compile(rf"^[ \t]*\[\[[ \t]*{key}[ \t]*\]\]", re.MULTILINE)
    lines = [text.count("\n", 0, found.end()) + 1 for found in header.finditer(text)]
    for index, table in enumerate(tables):
        line = f" (line {lines[index]})" if len(lines) == len(tables) else ""
        yield f"{prefix}{key} {index + 1}{line}", table


def action_field(path: str, value: object) -> int:
    """Return the verdict of a text that is an action."""
    try:
        return parse_action(text_of(path, value)).verdict
    except FieldError as error:
        raise FieldError(f"{path}: {str(error).removeprefix('action: ').removeprefix(f'{path}: ')}") from None


def architecture_field(path: str, value: object) -> Architecture:
    """Return the architecture of a name."""
    try:
        return architecture(text_of(path, value))
    except FieldError as error:
        raise FieldError(f"{path}: {str(error).removeprefix('architecture: ').removeprefix(f'{path}: ')}") from None


def architecture_or_range(path: str, value: object) -> Architecture | Bounds:
    """Return the architecture of a name, or a range of AUDIT_ARCH numbers."""
    return _numbers(path, value) or architecture_field(path, value)


def call_field(path: str, value: object) -> tuple[str, Call]:
    """Return a member of a list of calls, which may be the name of a group with its @, after the path of the member."""
    return path, _numbers(path, value) or text_of(path, value)


def check_call_names(path: str, names: Sequence[str], rows: Sequence[Architecture]) -> None:
    """Raise `FieldError` for a name that is neither a group nor a system call of any of the architectures."""
    if names and not rows:
        raise FieldError(f"{path}: {names[0]!r} is a name, but no architecture has one; write numbers")
    if names and not names_available():
        raise MissingLibrary(NAMES_REMEDY)
    for name in names:
        if name.startswith("@"):
            if name not in call_groups():
                raise FieldError(f"{path}: unknown group {name!r}{group_hint(name)}")
        elif not any(name in call_names(row) for row in rows):
            known = {each for row in rows for each in call_names(row)}
            listed = ", ".join(row.name for row in rows)
            raise FieldError(f"{path}: {name!r} is not a system call of {listed}{suggestion(name, known)}")


def without_groups(calls: Iterable[Call]) -> tuple[Call, ...]:
    """Return calls with the groups of `call_groups` replaced by their calls, which an architecture may lack.

    >>> without_groups(["read", "@swap", (435, 435)])
    ('read', 'swapoff', 'swapon', (435, 435))
    """
    groups = ((call, call_groups().get(call) if isinstance(call, str) else None) for call in calls)
    return tuple(item for call, group in groups for item in ((call,) if group is None else group.calls()))


def group_hint(name: str, others: Iterable[str] = ()) -> str:
    """Return the end of a message about an unknown group: the nearest name of `call_groups`, and of *others*."""
    known = [*others, *call_groups()]
    return suggestion(name, known) or f"; known are {', '.join(known)}"


def _numbers(path: str, value: object) -> Bounds | None:
    """Return the range of a number, or of a text such as "400..450"; None for another text."""
    if isinstance(value, str):
        match = _RANGE.fullmatch(value.strip())
        if match is None:
            return None
        low, high = (_range_end(path, digits) for digits in match.groups())
        if high < low:
            raise FieldError(f"{path}: {value!r} is empty; a range ends at its last number")
        return low, high
    word = number_of(path, value, WORD_MASK)
    return word, word


def _range_end(path: str, digits: str) -> int:
    try:
        return number_of(path, int(digits, 0), WORD_MASK)
    except ValueError:
        raise FieldError(f"{path}: {digits!r} is not a number; a range has two numbers, as in '400..450'") from None
