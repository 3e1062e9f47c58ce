"""cbpf's `NamedTuple` behaves like that of `typing`."""

import copy
import inspect
import pickle
import re
import typing
from collections.abc import Callable
from typing import Any

import pytest

from cbpf import _named_tuple
from support.project import ROOT


class Point(_named_tuple.NamedTuple):
    """A point."""

    x: int
    y: int = 0

    @property
    def total(self) -> int:
        """The sum."""
        return self.x + self.y


class Labelled(Point):
    """A subclass without fields of its own."""

    label: str = ""


class Empty(_named_tuple.NamedTuple):
    """A tuple without fields."""


class _TypingPoint(typing.NamedTuple):
    """A point."""

    x: int
    y: int = 0


_TypingPoint.__name__ = _TypingPoint.__qualname__ = "Point"


def _outcome(function: Callable[[Any], Any], cls: Any) -> object:
    """Return the result of a function of a class, or the type of its exception."""
    try:
        return function(cls)
    except Exception as error:
        return type(error)


@pytest.mark.parametrize(
    "function",
    [
        lambda cls: tuple(cls(1)),
        lambda cls: tuple(cls(y=2, x=1)),
        lambda cls: cls(),
        lambda cls: cls(1, 2, 3),
        lambda cls: cls(1, z=3),
        lambda cls: (cls(1, 2).x, cls(1, 2).y),
        lambda cls: cls(1) == (1, 0),
        lambda cls: hash(cls(1)) == hash((1, 0)),
        lambda cls: repr(cls(1, "a")),
        lambda cls: repr(cls(1)._replace(y=5)),
        lambda cls: cls(1)._replace(z=5),
        lambda cls: tuple(cls._make([1, 2])),
        lambda cls: cls._make([1]),
        lambda cls: cls(1)._asdict(),
        lambda cls: (cls._fields, cls._field_defaults, cls.__match_args__),
        lambda cls: str(inspect.signature(cls)),
        lambda cls: setattr(cls(1), "x", 2),
        lambda cls: setattr(cls(1), "other", 2),
        lambda cls: vars(cls(1)),
        lambda cls: cls.x.__doc__,
        lambda cls: cls.__doc__,
        lambda cls: copy.deepcopy(cls(1)) == cls(1),
        lambda cls: repr(copy.copy(cls([]))),
        lambda cls: [cls(1) < cls(2), cls(1)[0], len(cls(1)), [*cls(1)]],
    ],
)
def test_behaviour_is_that_of_typing(function: Callable[[Any], Any]) -> None:
    assert repr(_outcome(function, Point)) == repr(_outcome(function, _TypingPoint))


def test_methods_subclasses_and_patterns() -> None:
    assert Point(1, 2).total == Labelled(1, 2).total == 3
    assert repr(Labelled(1)) == "Labelled(x=1, y=0)"
    assert Labelled._fields == ("x", "y")
    assert (type(Labelled(1)), type(Labelled(1)._replace(x=2)), Labelled(1).label) == (Labelled, Labelled, "")
    assert (Empty(), repr(Empty())) == ((), "Empty()")
    match Point(1, 2):
        case Point(first, y=second):
            assert (first, second) == (1, 2)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_have_the_class(protocol: int) -> None:
    copied = pickle.loads(pickle.dumps(Point(1, 2), protocol))
    assert (type(copied), copied) == (Point, (1, 2))


def test_two_threads_may_make_the_first_tuple_at_once() -> None:
    class Fresh(_named_tuple.NamedTuple):
        x: int

    constructor = Fresh.__dict__["__new__"]  # which another thread has looked up when this one replaces it
    assert Fresh(1) == (1,)
    assert Fresh.__dict__["__new__"] is not constructor
    assert constructor.__get__(None, Fresh)(Fresh, 2) == (2,)


def test_the_package_uses_no_other_named_tuples() -> None:
    """A class of `typing` takes 0.25 ms of the start."""
    uses = re.compile(r"^ *from typing import .*NamedTuple|typing\.NamedTuple\(|namedtuple\(", re.MULTILINE)
    users = [path.name for path in (ROOT / "src").rglob("*.py") if uses.search(path.read_text())]
    assert users == ["_named_tuple.py"]
