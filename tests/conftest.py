"""Fixtures: the engines, the shipped capture, and the rounds of random tests."""

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import cbpf
from support import command_server
from support.command_line import CommandLine
from support.project import ENGINES, MISSING_LIBRARIES, MISSING_TABLE_LIBRARIES, ROOT, Rounds

SHARE_OF_ROUNDS = 1 / 8
"""The share of the rounds of random tests that run without the option --all."""
EXAMPLES_OF_HYPOTHESIS = 30
"""The number of examples per property without the option --all; with it, the usual 100."""


os.environ.pop("CBPF_DEBUG", None)  # with it, the messages that the tests expect follow a traceback


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run random tests with all their rounds, and slow tests")


def pytest_report_header() -> str:
    missing = MISSING_LIBRARIES + MISSING_TABLE_LIBRARIES
    return f"engines: {', '.join(ENGINES)}; libraries not installed: {', '.join(missing) or 'none'}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--all") and not os.environ.get("CBPF_FUZZ_SECONDS"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="slow; ./dev test --all runs it"))


def pytest_collection_finish() -> None:
    """Exempt the thousands of collected tests from garbage collections, which would traverse them each time."""
    gc.collect()
    gc.freeze()


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
def full_length(request: pytest.FixtureRequest) -> bool:
    """Whether a long test runs at full length: with the option --all."""
    return bool(request.config.getoption("--all"))


@pytest.fixture
def rounds(request: pytest.FixtureRequest, full_length: bool) -> Rounds:
    """Return the rounds of a random test.

    `./dev test` runs an eighth of the rounds that a test requests, `./dev test --all` all of them, and `./dev fuzz` as
    many as the time allows.

    The report of a failed test shows the seed of its round; CBPF_FUZZ_SEED=SEED repeats that round alone.
    """

    def record_seed(seed: str) -> None:
        request.node.user_properties[:] = [("seed", seed)]

    seconds = float(os.environ.get("CBPF_FUZZ_SECONDS", "0"))
    share = 1 if full_length else SHARE_OF_ROUNDS
    return Rounds(request.node.originalname, seconds, share, os.environ.get("CBPF_FUZZ_SEED"), record_seed)


def _restore_signals() -> None:
    """Restore the actions of signals that nohup(1) and background jobs ignore, because commands would inherit them."""
    for signum, action in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, action)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Skip a test that ends because a library is not installed; the reason is the message, which names the extra."""
    try:
        return (yield)
    except cbpf.MissingLibrary as error:
        if not MISSING_LIBRARIES:
            raise
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add the seed of the round to the report of a random test that failed."""
    report = yield
    seed = dict(item.user_properties).get("seed")
    if report.failed and seed:  # type: ignore[attr-defined]
        report.sections.append(("round", f"CBPF_FUZZ_SEED={seed}"))  # type: ignore[attr-defined]
    return report


def pytest_unconfigure() -> None:
    command_server.stop()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # workers inherit the actions
        _restore_signals()
    # The tests, and the commands that they start, have a cache of machine code of their own.
    os.environ["XDG_CACHE_HOME"] = str(Path(tempfile.gettempdir(), f"cbpf-tests-{os.getuid()}"))
    # A deadline would be an assertion about time, which depends on the load of the machine.
    examples = 100 if config.getoption("--all") else EXAMPLES_OF_HYPOTHESIS
    hypothesis.settings.register_profile("cbpf", deadline=None, max_examples=examples)
    hypothesis.settings.load_profile("cbpf")
    config.addinivalue_line("markers", "fuzz: a random test, of which ./dev fuzz runs any number of rounds")
    config.addinivalue_line("markers", "slow: a test that only ./dev test --all runs")
