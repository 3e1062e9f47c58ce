"""The names of `_stdlib` behave like those of the standard library."""

import collections
import contextlib
import functools
import operator
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from cbpf import _stdlib

_ORIGINALS: Final[dict[str, Any]] = {
    name: vars(module)[name]
    for module, names in {
        collections: "defaultdict deque",
        contextlib: "closing contextmanager suppress",
        functools: "cache partial wraps",
        operator: "and_ index itemgetter",
        types: "MappingProxyType",
    }.items()
    for name in names.split()
}
_IN_C: Final = "defaultdict deque partial and_ index itemgetter MappingProxyType"


def test_each_name_is_one_of_the_standard_library() -> None:
    own = {name for name in vars(_stdlib) if name.isidentifier() and not name.startswith("_")}
    assert own == {*_ORIGINALS, "TYPE_CHECKING"}


@pytest.mark.parametrize("name", _IN_C.split())
def test_objects_in_c_are_those_of_the_standard_library(name: str) -> None:
    assert getattr(_stdlib, name) is _ORIGINALS[name]


class _Thing:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def close(self) -> None:
        self.calls.append("closed")


def _outcome(context: Any, error: BaseException | None) -> tuple[object, ...]:
    """Return the value of a context, and the exception at the end of its block, which raises *error*."""
    value: object = None
    try:
        with context as value:
            if error is not None:
                raise error
    except BaseException as raised:
        functions = [frame.name for frame in traceback.extract_tb(raised.__traceback__) if "test_" in frame.filename]
        return value, type(raised), str(raised), raised is error, type(raised.__cause__), functions
    return (value,)


_ERRORS: Final[tuple[Callable[[], BaseException | None], ...]] = (
    lambda: None,
    lambda: ValueError("from the block"),
    lambda: KeyError("from the block"),
    lambda: KeyboardInterrupt(),
    lambda: StopIteration("from the block"),
    lambda: RuntimeError("from the block"),
)


@pytest.mark.parametrize("make_error", _ERRORS)
@pytest.mark.parametrize("kinds", [(), (ValueError,), (LookupError, OSError), (BaseException,)])
def test_the_same_exceptions_are_suppressed(
    make_error: Callable[[], BaseException | None], kinds: tuple[type[BaseException], ...]
) -> None:
    assert _outcome(_stdlib.suppress(*kinds), make_error()) == _outcome(contextlib.suppress(*kinds), make_error())


@pytest.mark.parametrize("make_error", _ERRORS)
def test_an_object_is_closed_at_the_end(make_error: Callable[[], BaseException | None]) -> None:
    thing = _Thing()
    assert _outcome(_stdlib.closing(thing), make_error()) == _outcome(contextlib.closing(thing), make_error())
    assert thing.calls == ["closed", "closed"]


def _plain() -> Iterator[int]:
    yield 1


def _with_end() -> Iterator[int]:
    try:
        yield 1
    finally:
        [].clear()


def _handling() -> Iterator[int]:
    try:
        yield 1
    except BaseException:
        return


def _replacing() -> Iterator[int]:
    try:
        yield 1
    except ValueError:
        raise TypeError("from the context") from None


def _failing_at_the_start() -> Iterator[int]:
    raise OSError("from the context")
    yield 1


def _failing_at_the_end() -> Iterator[int]:
    yield 1
    raise OSError("from the context")


def _yielding_twice() -> Iterator[int]:
    yield 1
    yield 2


def _yielding_after_an_exception() -> Iterator[int]:
    try:
        yield 1
    except BaseException:
        yield 2


@pytest.mark.parametrize("make_error", _ERRORS)
@pytest.mark.parametrize(
    "function",
    [
        _plain,
        _with_end,
        _handling,
        _replacing,
        _failing_at_the_start,
        _failing_at_the_end,
        _yielding_twice,
        _yielding_after_an_exception,
    ],
)
def test_contexts_of_generators_have_the_same_outcomes(
    function: Callable[[], Iterator[int]], make_error: Callable[[], BaseException | None]
) -> None:
    own = _outcome(_stdlib.contextmanager(function)(), make_error())
    assert own == _outcome(contextlib.contextmanager(function)(), make_error())


def test_arguments_are_passed_to_the_generator() -> None:
    @_stdlib.contextmanager
    def context(*arguments: int, **named: int) -> Iterator[object]:
        """A context."""
        yield arguments, named

    with context(1, 2, name=3) as value:
        assert value == ((1, 2), {"name": 3})
    assert (context.__doc__, context.__name__) == ("A context.", "context")


def test_a_wrapper_has_the_attributes_of_the_function() -> None:
    def function(number: int) -> int:
        """Return the number."""
        return number

    function.attribute = 1  # type: ignore[attr-defined]

    def wrapper() -> None: ...
    def other() -> None: ...

    own, expected = _stdlib.wraps(function)(wrapper), functools.wraps(function)(other)
    assert own is wrapper
    names = functools.WRAPPER_ASSIGNMENTS
    assert [getattr(own, name, None) for name in names] == [getattr(expected, name, None) for name in names]
    assert vars(own) == vars(expected)


def test_results_are_cached_by_arguments() -> None:
    calls = []

    @_stdlib.cache
    def double(number: int = 0) -> int:
        """Return twice the number."""
        calls.append(number)
        return 2 * number

    assert [double(), double(), double(1), double(2), double(1)] == [0, 0, 2, 4, 2]
    assert calls == [0, 1, 2]
    double.cache_clear()
    assert (double(), calls) == (0, [0, 1, 2, 0])
    assert double.__doc__ == "Return twice the number."
