"""A plugin of pytest: doctests that need a library which is not installed are skipped, with the reason."""

from collections.abc import Iterator

import pytest

import cbpf
from cbpf.seccomp.names.system_calls import NAMES_REMEDY, names_available

_IMPORTED = ("duckdb", "pandas", "polars", "pyarrow")
"""The optional libraries that examples import themselves."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Skip a doctest that ends because a library is not installed; the reason is the message, which names the extra.

    Without the library system-calls, examples of `cbpf.seccomp` print numbers in place of names.
    """
    try:
        return (yield)
    except Exception as error:
        failures = getattr(error, "failures", [error])  # those of all examples of a docstring
        for failure in failures:
            _, cause, _ = getattr(failure, "exc_info", (None, None, None))
            if isinstance(cause, cbpf.MissingLibrary):
                pytest.skip(str(cause))
            if isinstance(cause, ModuleNotFoundError) and cause.name in _IMPORTED:
                pytest.skip(f"the example needs {cause.name}; ./dev test --all installs it")
        if item.name.startswith("cbpf.seccomp.") and not names_available():
            pytest.skip(NAMES_REMEDY)
        raise
