"""The values of JSON and TOML documents, checked: messages have the path of the value, the fact and the rule."""

from collections.abc import Callable, Iterable, Mapping

from .._suggestions import suggestion
from .._typing import Any, TypeVar
from ..errors import FieldError

_Item = TypeVar("_Item")


def number_of(path: str, value: object, upper: int) -> int:
    """Return the value if it is an integer from 0 to *upper*."""
    if type(value) is not int:
        raise FieldError(f"{path}: {shortened(value)} is not an integer (0..{upper})")
    if not 0 <= value <= upper:
        raise FieldError(f"{path}: {value} is out of range (0..{upper})")
    return value


def text_of(path: str, value: object) -> str:
    """Return the value if it is a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise FieldError(f"{path}: {'missing' if value is None else shortened(value)}; a text is required")
    return value


def list_of(path: str, value: object, item: Callable[[str, object], _Item]) -> tuple[_Item, ...]:
    """Return the items of a list, each checked by *item*; none if the value is absent."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise FieldError(f"{path}: {shortened(value)} is not a list")
    return tuple(item(f"{path}[{index}]", each) for index, each in enumerate(value))


def table_of(path: str, value: object, keys: Iterable[str], *, strict: bool = True) -> Mapping[str, Any]:
    """Return the value if it has keys and values; unless *strict* is False, other keys than *keys* are errors."""
    if not isinstance(value, dict):
        raise FieldError(f"{path}: {shortened(value)} is not a table of keys and values")
    for key in value if strict else ():
        if key not in keys:
            raise FieldError(f"{path}: unknown key {key!r}{hint(key, keys)}")
    return value


def hint(word: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown word: the nearest known one, or all."""
    return suggestion(word, known) or f"; known are {', '.join(known)}"


def shortened(value: object) -> str:
    """Return a value as text, of at most 43 characters."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
