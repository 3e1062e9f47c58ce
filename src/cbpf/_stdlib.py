"""Names of `contextlib`, `functools`, `operator`, `collections` and `types`, without importing these modules.

They import one another, which takes a third of the time of an empty interpreter, and a command on a small capture
needs a few of their names. Type checkers see the names of the standard library. When the package runs, those that
CPython implements in C come from the modules that it imports them from, and the others are defined here;
`tests/test_stdlib.py` compares the behaviour.
"""

from ._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import defaultdict as defaultdict
    from collections import deque as deque
    from contextlib import closing as closing
    from contextlib import contextmanager as contextmanager
    from contextlib import suppress as suppress
    from functools import cache as cache
    from functools import partial as partial
    from functools import wraps as wraps
    from operator import and_ as and_
    from operator import index as index
    from operator import itemgetter as itemgetter
    from types import MappingProxyType as MappingProxyType
else:
    from _collections import defaultdict, deque  # noqa: F401
    from _functools import partial  # noqa: F401
    from _operator import and_, index, itemgetter  # noqa: F401

    MappingProxyType = type(type.__dict__)

    class suppress:  # noqa: N801  # the name in the standard library
        """A context that ends without an exception where its block raises one of some classes."""

        def __init__(self, *exceptions):
            self._exceptions = exceptions

        def __enter__(self):
            pass

        def __exit__(self, kind, error, traceback):
            return kind is not None and issubclass(kind, self._exceptions)

    class closing:  # noqa: N801
        """A context that closes an object at its end."""

        def __init__(self, thing):
            self._thing = thing

        def __enter__(self):
            return self._thing

        def __exit__(self, *exception):
            self._thing.close()

    class _GeneratorContext:
        """A context whose block runs at the `yield` of a generator."""

        def __init__(self, generator):
            self._generator = generator

        def __enter__(self):
            return next(self._generator)

        def __exit__(self, kind, error, traceback):
            if error is None:
                if next(self._generator, self) is not self:
                    raise RuntimeError("generator didn't stop")
                return False
            try:
                self._generator.throw(error)
            except StopIteration as stop:
                return stop is not error
            except BaseException as raised:
                if raised is error or (isinstance(error, StopIteration) and raised.__cause__ is error):
                    error.__traceback__ = traceback  # without the frame of the generator
                    return False
                raise
            raise RuntimeError("generator didn't stop after throw()")

    def wraps(wrapped):
        """Return a decorator that gives a function the name, the documentation and the attributes of another."""

        def decorate(wrapper):
            for name in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__"):
                setattr(wrapper, name, getattr(wrapped, name))
            wrapper.__dict__.update(wrapped.__dict__)
            wrapper.__wrapped__ = wrapped
            return wrapper

        return decorate

    def contextmanager(function):
        """Return a function whose result is a context, made from a function that returns a generator."""

        @wraps(function)
        def make_context(*arguments, **named):
            return _GeneratorContext(function(*arguments, **named))

        return make_context

    def cache(function):
        """Return a function that calls another one once for each combination of arguments."""
        results = {}

        @wraps(function)
        def cached(*arguments):
            if arguments not in results:
                results[arguments] = function(*arguments)
            return results[arguments]

        cached.cache_clear = results.clear
        return cached
