"""`NamedTuple`, with the meaning of the one of `typing`, in a tenth of its time.

A class of `typing` compiles its constructor when it is defined, which takes 0.25 ms. The modules that filter a capture
define 60 such classes, and call the constructors of a few. Here, a constructor is compiled when it is first called.
"""

from ._stdlib import cache
from ._typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    from _collections import _tuplegetter

    _Function = type(lambda: None)

    @cache
    def _code(count: int) -> Any:
        """Return the code of a constructor with a number of fields, which has other names than theirs."""
        items = "".join(f"item_{number}, " for number in range(count))
        return eval(f"lambda _cls, {items}: make(_cls, ({items}))").__code__

    class _Constructor:
        """The `__new__` of a class, compiled when it is first called."""

        def __set_name__(self, owner: type, name: str) -> None:
            self._defining = owner

        def __get__(self, instance: object, owner: type) -> Any:
            defining: Any = self._defining  # another thread may have replaced its `__new__` by now
            code = _code(len(defining._fields)).replace(co_varnames=("_cls", *defining._fields))
            constructor = _Function(code, {"make": tuple.__new__, "__name__": defining.__module__}, "__new__")
            constructor.__qualname__ = f"{defining.__qualname__}.__new__"
            constructor.__defaults__ = tuple(defining._field_defaults.values())
            constructor.__annotations__ = defining.__annotations__
            defining.__new__ = staticmethod(constructor)
            return constructor

    class _Meta(type):
        """The class of the classes that `NamedTuple` is the only base of: their annotations are fields."""

        def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            declares_fields = bases == (NamedTuple,) if bases != (tuple,) else False
            if declares_fields:
                namespace |= {"__slots__": (), "__new__": _Constructor()}
            cls = super().__new__(mcs, name, bases, namespace)
            if declares_fields:
                cls._fields = cls.__match_args__ = fields = tuple(cls.__annotations__)
                cls._field_defaults = {field: namespace[field] for field in fields if field in namespace}
                for index, field in enumerate(fields):
                    setattr(cls, field, _tuplegetter(index, f"Alias for field number {index}"))
            return cls

    class NamedTuple(tuple, metaclass=_Meta):
        """The base class of immutable tuples whose items have names and types, like `typing.NamedTuple`."""

        __slots__ = ()
        _fields: tuple[str, ...] = ()
        _field_defaults: ClassVar[dict[str, Any]] = {}

        @classmethod
        def _make(cls, items: Any) -> Self:
            """Return a tuple of these items; raise `TypeError` if their number is another."""
            result = tuple.__new__(cls, items)
            if len(result) != len(cls._fields):
                raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(result)}")
            return result

        def _replace(self, /, **changes: Any) -> Self:
            """Return a copy with some items changed."""
            result = self._make(map(changes.pop, self._fields, self))
            if changes:
                raise ValueError(f"Got unexpected field names: {list(changes)!r}")
            return result

        __replace__ = _replace  # for copy.replace of Python 3.13

        def _asdict(self) -> dict[str, Any]:
            """Return the items by their names."""
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            items = (f"{name}={item!r}" for name, item in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({', '.join(items)})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)
