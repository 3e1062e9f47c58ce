"""What a field may hold: the checks that `Value` classes name in their annotations."""

import operator
from collections.abc import Callable
from enum import IntEnum
from typing import Annotated, Any, TypeAlias

from .errors import FieldError

Check: TypeAlias = Callable[[str, Any], Any]


def integer(place: str, value: object) -> int:
    """The value as an int, by `operator.index`; a bool or a float is no number here."""
    if type(value) is int:
        return value
    try:
        if not isinstance(value, bool):
            return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise FieldError(f"{place}: {value!r} is not an integer")


def within(low: int, high: int, kind: str) -> Check:
    """A check for integers from *low* to *high*; *kind* names them in the error."""

    def check(place: str, value: object) -> int:
        number = value if type(value) is int else integer(place, value)
        if low <= number <= high:
            return number
        shown = number if number.bit_length() <= 128 else f"a number of {number.bit_length()} bits"
        raise FieldError(f"{place}: {shown} is not {kind} ({low}..{high})")

    return check


def text(place: str, value: object) -> str:
    """The value, which must be text."""
    try:
        if isinstance(value, str) and value.encode() is not None:
            return value
    except UnicodeEncodeError:
        pass
    raise FieldError(f"{place}: {value!r} is not text")


def flag(place: str, value: object) -> bool:
    """The value, which must be True or False."""
    if isinstance(value, bool):
        return value
    raise FieldError(f"{place}: {value!r} is neither True nor False")


def instance_of(kind: type) -> Check:
    """A check for instances of a class."""

    def check(place: str, value: object) -> object:
        if isinstance(value, kind):
            return value
        raise FieldError(f"{place}: {value!r} is not a {kind.__name__}")

    return check


def optional(check: Check) -> Check:
    """A check that also lets None pass."""
    return lambda place, value: None if value is None else check(place, value)


def member(enumeration: type[IntEnum]) -> Check:
    """A check for members of *enumeration*, given as members or as their numbers."""

    def check(place: str, value: object) -> IntEnum:
        if type(value) is enumeration:
            return value
        try:
            return enumeration(integer(place, value))
        except ValueError:
            names = ", ".join(f"{one.name}={one.value:#x}" for one in enumeration)
            raise FieldError(f"{place}: {value!r} is not a member of {enumeration.__name__} ({names})") from None

    return check


def one_of(*choices: object) -> Check:
    """A check for a few plain values."""

    def check(place: str, value: object) -> object:
        if type(value) in {type(choice) for choice in choices} and value in choices:
            return value
        raise FieldError(f"{place}: {value!r} is not one of {', '.join(map(repr, choices))}")

    return check


check_word = within(0, 0xFFFF_FFFF, "an unsigned 32-bit number")

Word: TypeAlias = Annotated[int, check_word]
HalfWord: TypeAlias = Annotated[int, within(0, 0xFFFF, "an unsigned 16-bit number")]
Byte: TypeAlias = Annotated[int, within(0, 0xFF, "an unsigned 8-bit number")]
