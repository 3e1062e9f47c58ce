"""Immutable objects, and records: a class declares its fields as annotations, and inherits everything else.

`Record` is the part of `dataclasses` that the package needs, in a tenth of the import time (RATIONALE.md, "Why not
dataclasses?"). It adds validators: for a field annotated `Annotated[int, check]`, the constructor calls
`check(path, value)`, where *path* is "Class.field", and stores the result.

`JsonRecord` adds `as_dict`, whose result can be converted to JSON.
"""

from ._typing import Any, Self, dataclass_transform


def unchecked(path: str, value: object) -> object:
    """Return the value without checking it."""
    return value


def _make_init(cls: "type[Record]") -> Any:
    """Return the `__init__` of a class: a plain function with the fields as parameters, so that help() shows them."""
    fields: dict[str, Any] = cls.__annotations__
    scope: dict[str, Any] = {"put": object.__setattr__}
    error = f"AttributeError('{cls.__name__} is immutable')"
    parameters, lines = [], [f"    if self.__dict__: raise {error}"]
    for name, annotation in fields.items():
        scope[f"check_{name}"] = getattr(annotation, "__metadata__", (unchecked,))[0]
        scope[f"default_{name}"] = getattr(cls, name, None)
        parameters.append(f"{name}=default_{name}" if hasattr(cls, name) else name)
        lines.append(f"    put(self, {name!r}, check_{name}({cls.__name__ + '.' + name!r}, {name}))")
    if cls.__post_init__ is not Record.__post_init__:
        lines.append("    self.__post_init__()")
    exec("\n".join([f"def __init__({', '.join(['self', *parameters])}):", *lines]), scope)
    return scope["__init__"]


class _Constructor:
    """The `__init__` of a class, made at its first use: most classes of an import are never called."""

    def __get__(self, instance: object, owner: "type[Record]") -> Any:
        defining = next(cls for cls in owner.__mro__ if cls.__dict__.get("__init__") is self)
        init = _make_init(defining)
        type.__setattr__(defining, "__init__", init)
        return init.__get__(instance, owner)


class Immutable:
    """The base class of objects whose attributes are set once, by `_set_once` in their `__init__`."""

    __slots__ = ()

    def _set_once(self, **attributes: object) -> None:
        """Set all attributes; raise `AttributeError` if `__init__` is called again."""
        if any(hasattr(self, name) for name in attributes):
            raise AttributeError(f"{type(self).__name__} is immutable")
        for name, value in attributes.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")


@dataclass_transform(frozen_default=True)
class Record:
    """The base class of immutable records: equal by class and fields, hashable, picklable; `repr` is Python source."""

    __match_args__: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__annotations__:
            type.__setattr__(cls, "__match_args__", tuple(cls.__annotations__))
            type.__setattr__(cls, "__init__", _Constructor())

    def __post_init__(self) -> None:
        """Check the conditions that involve several fields; called after all fields are set."""

    def _fields(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed.

        Args:
            **changes: The new values, by field name.

        Returns:
            A record of the same class.
        """
        return type(self)(**(dict(zip(self.__match_args__, self._fields(), strict=True)) | changes))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; use replace({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *self._fields()))

    def __repr__(self) -> str:
        fields = zip(self.__match_args__, self._fields(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in fields)})"

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        return type(self), self._fields()


class JsonRecord(Record):
    """The base class of records that can be converted to JSON."""

    def as_dict(self) -> dict[str, Any]:
        """Return the record as a dictionary that can be converted to JSON.

        Returns:
            The fields by name: bytes as hexadecimal text, a program as a list of its instructions with the keys op, jt,
            jf and k, records as dictionaries, tuples as lists, and sets as sorted lists.
        """
        names: tuple[str, ...] = self.__match_args__
        return {name: json_value(getattr(self, name)) for name in names}


def json_value(value: Any) -> Any:
    """Return a value as one that can be converted to JSON; docs/reference/json.md describes the forms."""
    if value is None or isinstance(value, str | int | float):  # bool is an int
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: json_value(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    return value.as_dict() if hasattr(value, "as_dict") else [json_value(item) for item in value]
