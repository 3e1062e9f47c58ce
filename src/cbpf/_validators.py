"""Validators of fields, for the annotations of `Record` classes: each returns the value or raises `FieldError`."""

from itertools import chain, repeat

from ._stdlib import index, wraps
from ._typing import TYPE_CHECKING, Annotated, Any, Callable, Iterable, TypeAlias, TypeVar
from .errors import FieldError

if TYPE_CHECKING:
    from enum import IntEnum

Check: TypeAlias = Callable[[str, Any], Any]

_Item = TypeVar("_Item")
_Function = TypeVar("_Function", bound=Callable[..., object])


def integer(path: str, value: object) -> int:
    """Return the value as an int, by `operator.index`; bool and float are rejected."""
    if type(value) is int:
        return value
    try:
        if not isinstance(value, bool):
            return index(value)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise FieldError(f"{path}: {value!r} is not an integer")


def within(low: int, high: int, kind: str) -> Check:
    """Return a validator of integers from *low* to *high*, inclusive; messages call such an integer *kind*."""

    def check(path: str, value: object) -> int:
        result = value if type(value) is int else integer(path, value)
        if low <= result <= high:
            return result
        text = result if result.bit_length() <= 128 else f"a number of {result.bit_length()} bits"
        raise FieldError(f"{path}: {text} is not {kind} ({low}..{high})")

    return check


def text(path: str, value: object) -> str:
    """Return the value if it is a string that UTF-8 can encode."""
    try:
        if isinstance(value, str) and value.encode() is not None:
            return value
    except UnicodeEncodeError:
        pass
    raise FieldError(f"{path}: {value!r} is not text")


def flag(path: str, value: object) -> bool:
    """Return the value if it is a bool."""
    if isinstance(value, bool):
        return value
    raise FieldError(f"{path}: {value!r} is neither True nor False")


def iterable(path: str, value: Iterable[_Item]) -> Iterable[_Item]:
    """Return the value if it can be iterated over; no item is consumed."""
    try:
        iter(value)
    except TypeError:
        raise FieldError(f"{path}: {value!r} is not iterable") from None
    return value


def seconds(path: str, value: object) -> float:
    """Return the value if it is a number of seconds above 0."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return value
    raise FieldError(f"{path}: {value!r} is not a number of seconds above 0")


def function(path: str, value: object) -> object:
    """Return the value if it can be called."""
    if callable(value):
        return value
    raise FieldError(f"{path}: {value!r} is not a function")


def instance_of(kind: type) -> Check:
    """Return a validator of instances of a class."""

    def check(path: str, value: object) -> object:
        if isinstance(value, kind):
            return value
        raise FieldError(f"{path}: {value!r} is not a {kind.__name__}")

    return check


def optional(check: Check) -> Check:
    """Return a validator that also accepts None."""
    return lambda path, value: None if value is None else check(path, value)


def member(enumeration: "type[IntEnum]") -> Check:
    """Return a validator of the members of an enumeration, given as members or as their numbers."""

    def check(path: str, value: object) -> "IntEnum":
        if type(value) is enumeration:
            return value
        try:
            return enumeration(integer(path, value))
        except ValueError:
            names = ", ".join(f"{member.name}={member.value:#x}" for member in enumeration)
            raise FieldError(f"{path}: {value!r} is not a member of {enumeration.__name__} ({names})") from None

    return check


def one_of(*choices: object) -> Check:
    """Return a validator of a few plain values; their types must match exactly."""

    def check(path: str, value: object) -> object:
        if type(value) in {type(choice) for choice in choices} and value in choices:
            return value
        raise FieldError(f"{path}: {value!r} is not one of {', '.join(map(repr, choices))}")

    return check


def checked(**checks: Check) -> Callable[[_Function], _Function]:
    """Return a decorator of functions whose arguments of these names are checked before each call.

    Errors name an argument like "filter_capture.count", and that of a constructor like "CaptureWriter.container".
    """

    def decorate(decorated: Any) -> Any:
        place = decorated.__qualname__.removesuffix(".__init__")
        positional = decorated.__code__.co_varnames[: decorated.__code__.co_argcount]

        @wraps(decorated)
        def wrapper(*arguments: Any, **named: Any) -> Any:
            values = map(check, chain(positional, repeat("")), arguments)
            return decorated(*values, **{name: check(name, value) for name, value in named.items()})

        def check(name: str, value: Any) -> Any:
            return checks[name](f"{place}.{name}", value) if name in checks else value

        return wrapper

    return decorate


check_optimizer = one_of("cbpf", "libpcap", None)
check_word = within(0, 0xFFFF_FFFF, "an unsigned 32-bit number")

Word: TypeAlias = Annotated[int, check_word]
HalfWord: TypeAlias = Annotated[int, within(0, 0xFFFF, "an unsigned 16-bit number")]
Byte: TypeAlias = Annotated[int, within(0, 0xFF, "an unsigned 8-bit number")]
