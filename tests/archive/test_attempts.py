"""Calls of a store: repeated while it does not answer, and errors in one line."""

import errno
from collections.abc import Callable

import pytest

import cbpf
from cbpf.archive.attempts import FIRST_PATIENCE, STORE_PATIENCE, attempt


class Clock:
    """A clock that only pauses advance."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr("cbpf.archive.attempts.monotonic", lambda: self.now)
        monkeypatch.setattr("cbpf.archive.attempts.sleep", self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


class Server:
    """A server that does not answer before a time."""

    def __init__(self, clock: Clock, start: float, error: Callable[[], Exception]) -> None:
        self._clock, self._start, self._error = clock, start, error
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self._clock.now < self._start:
            raise self._error()
        return "answer"


def _driver_error() -> Exception:
    """Return an exception that is not an OSError, as those of botocore."""
    kind = type("EndpointConnectionError", (Exception,), {"__module__": "botocore.exceptions"})
    error: Exception = kind("Could not connect")
    return error


TRANSIENT = [ConnectionRefusedError, TimeoutError, lambda: OSError(errno.EIO, "500"), _driver_error]


@pytest.mark.parametrize("error", TRANSIENT)
def test_a_server_that_is_away_for_five_seconds_is_waited_for(
    error: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(Clock(monkeypatch), 5, error)
    assert attempt("s3://b/x", server) == "answer"
    assert server.calls == 6


@pytest.mark.parametrize(("has_answered", "patience"), [(True, STORE_PATIENCE), (False, FIRST_PATIENCE)])
def test_a_server_that_stays_away_is_an_error(
    has_answered: bool, patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr("cbpf.archive.attempts._answered", {("s3", "b")} if has_answered else set())
    with pytest.raises(cbpf.ArchiveError, match=r"^s3://b/x: the store does not answer \([^\n]*Could not connect\)$"):
        attempt("s3://b/x", Server(clock, 10**6, _driver_error))
    assert patience - 5 <= clock.now <= patience


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError("b/x"), "s3://b/x: does not exist"),
        (FileNotFoundError("The specified bucket does not exist"), "s3://b/x: no such bucket"),
        (PermissionError("Access Denied"), "s3://b/x: access is denied (Access Denied); the credentials of the store"),
        (OSError(errno.ENOSPC, "No space left on device"), "s3://b/x: No space left on device"),
        (ValueError("two\nlines"), "s3://b/x: ValueError: two lines"),
        (
            type("NoCredentialsError", (Exception,), {"__module__": "botocore.exceptions"})("Unable to locate"),
            "s3://b/x: no credentials for the store; ",
        ),
    ],
)
def test_an_answer_of_the_store_is_an_error_at_once(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    server = Server(clock, 1, lambda: error)
    with pytest.raises(cbpf.ArchiveError) as caught:
        attempt("s3://b/x", server)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert (server.calls, caught.value.__cause__) == (1, error)


def test_errors_of_the_package_are_not_changed() -> None:
    def fail() -> None:
        raise cbpf.MissingLibrary("s3fs")

    with pytest.raises(cbpf.MissingLibrary, match=r"^s3fs$"):
        attempt("s3://b/x", fail)


def test_a_local_file_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(Clock(monkeypatch), 1, lambda: OSError(errno.EIO, "Input/output error"))
    with pytest.raises(cbpf.ArchiveError, match=r"^/x: "):
        attempt("/x", server)
    assert server.calls == 1
