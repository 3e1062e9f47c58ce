"""Attributes that are computed at their first use."""

from ._typing import Any, Callable, Generic, Self, TypeVar, overload

_Value = TypeVar("_Value")


class Lazy(Generic[_Value]):
    """A decorator: the method becomes an attribute, which is computed at its first use and then stored.

    It is `functools.cached_property` of Python 3.12 and later. In Python 3.11, that class computes an attribute under a
    lock that all instances share: threads would wait for each other's compilations, and a child process that is forked
    meanwhile would wait forever. Here, threads may compute a value at the same time; all of them get the first one.
    """

    def __init__(self, compute: Callable[[Any], _Value]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> _Value: ...
    def __get__(self, instance: object | None, owner: type) -> "Self | _Value":
        if instance is None:
            return self
        value: _Value = instance.__dict__.setdefault(self._name, self._compute(instance))
        return value
