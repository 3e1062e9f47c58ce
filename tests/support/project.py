"""The project's folders, its engines, and the rounds of a random test."""

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from math import ceil
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import Any, Final, get_args

import cbpf

ROOT: Final = Path(__file__).parents[2]
TESTS: Final = ROOT / "tests"

PUBLIC_MODULES: Final = ("archive", "arrow", "linux", "polars", "seccomp")
PUBLIC_NAMES: Final = (
    *cbpf.__all__,
    *(f"{module}.{name}" for module in PUBLIC_MODULES for name in getattr(cbpf, module).__all__),
)
"""The public names of cbpf, and of its public modules: `linux.attach` is `cbpf.linux.attach`."""


def public_object(name: str) -> Any:
    """Return the object of a public name."""
    return attrgetter(name)(cbpf)


def is_installed(library: str) -> bool:
    """Return whether a library can be imported; since Python 3.14, the standard library contains zstd."""
    if library == "backports.zstd" and sys.version_info >= (3, 14):
        return True
    try:
        return find_spec(library) is not None
    except ModuleNotFoundError:  # its package does not exist
        return False


def optional_library(name: str) -> Any:
    """Return a module, or None if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


LIBRARIES: Final = (
    "backports.zstd",
    "bitwuzla",
    "cypcap",
    "isal",
    "llvmlite",
    "lz4",
    "pyseccomp",
    "system_calls",
    "tomlkit",
)
"""The libraries of the extras."""
MISSING_LIBRARIES: Final = tuple(name for name in LIBRARIES if not is_installed(name))
"""The libraries of the extras that are not installed; tests that need them are skipped."""
TABLE_LIBRARIES: Final = ("distributed", "duckdb", "fsspec", "pandas", "polars", "pyarrow", "s3fs")
"""The libraries of tables, which the extra `all` does not contain; `./dev test --all` installs them."""
MISSING_TABLE_LIBRARIES: Final = tuple(name for name in TABLE_LIBRARIES if not is_installed(name))
"""The libraries of tables that are not installed; tests that need them are skipped."""
ENGINES: Final = tuple(
    name
    for name in get_args(cbpf.EngineName)
    if name != "auto" and not (name == "llvm" and "llvmlite" in MISSING_LIBRARIES)
)
"""The engines that can be used."""


class Rounds:
    """The rounds of a random test: `for random in rounds(200)` runs 200 rounds, each with its own seeded source.

    A round that cannot use its input (a random program that the verifier rejects, for example) skips its assertions.
    Such a test states the share of rounds that must reach them, `rounds(200, min_checked=0.5)`, and calls `checked()`
    in each round that does. Fewer checked rounds fail the test, so that it cannot pass without testing anything.

    Args:
        name: Name of the test; part of each seed.
        seconds: Time to run, in seconds; 0 runs a number of rounds.
        share: Share of the rounds requested by the test that are run: 1 for all of them.
        seed: The only seed to run, or None.
        on_round: Function that is called with the seed of each round.
    """

    MIN_ROUNDS: Final = 20
    """The share is not tested after fewer rounds than this, since it would depend on chance."""

    def __init__(
        self, name: str, seconds: float, share: float, seed: str | None, on_round: Callable[[str], None]
    ) -> None:
        self._name = name
        self._seconds = seconds
        self._share = share
        self._seed = seed
        self._on_round = on_round
        self.count = 0
        self.checked_count = 0

    def __call__(self, count: int, *, min_checked: float = 0.0) -> Iterator[Random]:
        """Yield a seeded source of randomness per round; fail if too few rounds were checked."""
        self.count = self.checked_count = 0
        for seed in self._seeds(count):
            self._on_round(seed)
            yield Random(seed)
            self.count += 1
        if self._seconds:
            print(f"\n{self._name}: {self.count:,} rounds")
        if self.count >= self.MIN_ROUNDS:
            assert self.checked_count >= min_checked * self.count, (
                f"{self.checked_count} of {self.count} rounds reached their assertions; "
                f"at least {min_checked:.0%} must do so"
            )

    def checked(self) -> None:
        """Count the current round as one that reaches its assertions."""
        self.checked_count += 1

    def _seeds(self, count: int) -> Iterator[str]:
        if self._seed:
            yield self._seed
        elif not self._seconds:
            yield from (f"{self._name}-0-{index}" for index in range(ceil(self._share * count)))
        else:
            base, start = time.time_ns(), time.monotonic()
            while time.monotonic() - start < self._seconds:
                yield f"{self._name}-{base}-{self.count}"


def uncovered_environment() -> dict[str, str]:
    """Return the environment of a child process without coverage measurement.

    It is for a child that is sent signals, as one that arrives while coverage holds its own lock would block the child
    forever, and for a child that reports its imports.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
