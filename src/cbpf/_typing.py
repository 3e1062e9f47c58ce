"""The names of `typing` and `collections.abc` that the package uses, without importing them.

`typing` and `re`, which it imports, take half of the time of an empty interpreter, and a command on a small capture
needs neither. Type checkers see the names of `typing`. When the package runs, each is a placeholder that allows the
same syntax. `Annotated` and `Literal` have the attributes of their counterparts that the package reads. The classes of
`collections.abc` come from the module that defines them, which every interpreter has loaded.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable as Callable
    from collections.abc import Collection as Collection
    from collections.abc import Generator as Generator
    from collections.abc import Hashable as Hashable
    from collections.abc import Iterable as Iterable
    from collections.abc import Iterator as Iterator
    from collections.abc import Mapping as Mapping
    from collections.abc import Sequence as Sequence
    from typing import Annotated as Annotated
    from typing import Any as Any
    from typing import BinaryIO as BinaryIO
    from typing import ClassVar as ClassVar
    from typing import Final as Final
    from typing import Generic as Generic
    from typing import Literal as Literal
    from typing import NoReturn as NoReturn
    from typing import Protocol as Protocol
    from typing import Self as Self
    from typing import TypeAlias as TypeAlias
    from typing import TypeGuard as TypeGuard
    from typing import TypeVar as TypeVar
    from typing import assert_never as assert_never
    from typing import dataclass_transform as dataclass_transform
    from typing import final as final
    from typing import get_args as get_args
    from typing import overload as overload
else:
    from _collections_abc import (  # noqa: F401
        Callable,
        Collection,
        Generator,
        Hashable,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    class _Form:
        """A name of `typing`, such as `Any`, or one with arguments, such as `Literal["a", "b"]`."""

        def __init__(self, name, arguments=()):
            self.__name__ = name
            self.__args__ = arguments

        def __getitem__(self, arguments):
            return type(self)(self.__name__, arguments if type(arguments) is tuple else (arguments,))

        def __or__(self, other):
            return _Form("Union", (self, other))

        def __ror__(self, other):
            return _Form("Union", (other, self))

        def __repr__(self):
            names = (item.__name__ if isinstance(item, type) else repr(item) for item in self.__args__)
            if self.__name__ == "Union":
                return " | ".join(names)
            return f"{self.__name__}[{', '.join(names)}]" if self.__args__ else self.__name__

    class _AnnotatedForm(_Form):
        @property
        def __metadata__(self):
            return self.__args__[1:]

    class TypeVar(_Form):
        def __init__(self, name, *constraints, bound=None):
            super().__init__(name)

    class Generic:
        __slots__ = ()

        def __class_getitem__(cls, parameters):
            return cls

    class Protocol(Generic):
        __slots__ = ()

    def _unchanged(decorated):
        return decorated

    def dataclass_transform(**_):
        return _unchanged

    def assert_never(value):
        raise AssertionError(f"Expected code to be unreachable, but got: {value!r}")

    def get_args(form):
        return form.__args__

    final = overload = _unchanged
    Annotated = _AnnotatedForm("Annotated")
    Any, BinaryIO, ClassVar, Final = map(_Form, ("Any", "BinaryIO", "ClassVar", "Final"))
    Literal, NoReturn, Self, TypeAlias, TypeGuard = map(
        _Form, ("Literal", "NoReturn", "Self", "TypeAlias", "TypeGuard")
    )
