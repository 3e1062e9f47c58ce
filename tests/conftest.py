"""Fixtures: the engines, the shipped capture, and the rounds of random tests."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from support.command_line import CommandLine
from support.project import ENGINES, ROOT, Rounds


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    name: str = request.param
    return name


@pytest.fixture
def cli() -> CommandLine:
    """The command `cbpf`: call it with arguments to run it, or `start` it."""
    return CommandLine()


@pytest.fixture
def traffic() -> Path:
    """The capture that the project ships."""
    return ROOT / "examples" / "traffic.pcap"


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Rounds:
    """A function of a number n that gives n seeded sources of randomness; under `./dev fuzz`, as many as time allows.

    The seed of a failing round is printed; CBPF_FUZZ_SEED=that repeats the round alone.
    """
    seconds = float(os.environ.get("CBPF_FUZZ_SECONDS", "0"))
    seed = os.environ.get("CBPF_FUZZ_SEED")

    def run(slice_size: int) -> Iterator[Random]:
        base, start, number = time.time_ns() if seconds else 0, time.monotonic(), 0
        seeds = [seed] if seed else None
        while (
            time.monotonic() - start < seconds if seconds and not seeds else number < (slice_size if not seeds else 1)
        ):
            name = seeds[0] if seeds else f"{request.node.originalname}-{base}-{number}"
            request.node.user_properties[:] = [("seed", name)]
            yield Random(name)
            number += 1
        if seconds:
            print(f"\n{request.node.name}: {number:,} rounds")

    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Adds the seed of the round to the report of a random test that failed."""
    report = yield
    seed = dict(item.user_properties).get("seed")
    if report.failed and seed:  # type: ignore[attr-defined]
        report.sections.append(("round", f"CBPF_FUZZ_SEED={seed}"))  # type: ignore[attr-defined]
    return report


def pytest_configure(config: pytest.Config) -> None:
    # Machine code that the tests keep is theirs, and that of the commands that they start.
    os.environ["XDG_CACHE_HOME"] = str(Path(tempfile.gettempdir(), f"cbpf-tests-{os.getuid()}"))
    config.addinivalue_line(
        "markers", "fuzz: a random test, of which ./dev test runs a slice and ./dev fuzz any number"
    )
