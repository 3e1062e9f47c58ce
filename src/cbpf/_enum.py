"""`Enum`, with the meaning of the one of `enum`, for enumerations that are internal to the package.

The import of `enum` takes a tenth of the time of an empty interpreter, and each member of a class 15 microseconds.
Public enumerations are those of `enum`. Type checkers see its class, also for matches that handle all members;
`tests/test_enum.py` compares the behaviour.
"""

from ._typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from enum import Enum as Enum
    from enum import auto as auto
else:

    class auto:  # noqa: N801  # the name in the standard library
        """The value of a member: the number of members before it, plus 1."""

    class _Meta(type):
        """The class of enumerations: iterable, and a mapping of the names of members to the members."""

        def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            members = {key: value for key, value in namespace.items() if type(value) is auto}
            cls = super().__new__(mcs, name, bases, {k: v for k, v in namespace.items() if k not in members})
            cls.__members__ = {}
            for number, key in enumerate(members, 1):
                member = object.__new__(cls)
                member.name, member.value = key, number
                cls.__members__[key] = member
                setattr(cls, key, member)
            return cls

        def __iter__(cls) -> Any:
            return iter(cls.__members__.values())

        def __len__(cls) -> int:
            return len(cls.__members__)

        def __contains__(cls, value: object) -> bool:
            return type(value) is cls

        def __getitem__(cls, name: str) -> Any:
            return cls.__members__[name]

        def __call__(cls, value: int) -> Any:
            for member in cls:
                if value in (member, member.value):
                    return member
            raise ValueError(f"{value!r} is not a valid {cls.__qualname__}")

    class Enum(metaclass=_Meta):
        """The base class of enumerations whose members have the value `auto()`."""

        def __repr__(self) -> str:
            return f"<{type(self).__name__}.{self.name}: {self.value!r}>"

        def __str__(self) -> str:
            return f"{type(self).__name__}.{self.name}"

        def __reduce__(self) -> tuple[Any, ...]:
            return type(self), (self.value,)

        def __copy__(self) -> Any:
            return self

        def __deepcopy__(self, memo: object) -> Any:
            return self
