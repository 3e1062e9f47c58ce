"""The project's folders, its engines, and the type of the fixture of random rounds."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Final, TypeAlias, get_args

import cbpf

ROOT: Final = Path(__file__).parents[2]
TESTS: Final = ROOT / "tests"
ENGINES: Final = tuple(name for name in get_args(cbpf.EngineName) if name != "auto")

Rounds: TypeAlias = Callable[[int], Iterator[Random]]
"""A function that yields up to n seeded random sources; see the fixture `rounds`."""


def uncovered_environment() -> dict[str, str]:
    """Return the environment of a child process that is sent signals, without coverage measurement.

    A signal that arrives while coverage holds its own lock would block the child forever.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
