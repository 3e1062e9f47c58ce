"""Batches on workers: results, workers that are killed, and errors of the workers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

import cbpf
from cbpf.archive.execution import Execution, run
from support import archive_jobs

BATCHES = [f"batch {number}" for number in range(12)]


def threads() -> Executor:
    return ThreadPoolExecutor(2)


EXECUTIONS = {
    "this process": Execution(),
    "two processes": Execution(workers=2),
    "threads": Execution(executor=threads),
    "given processes": Execution(executor=archive_jobs.processes()),
}


SOME_EXECUTIONS = ["this process", "threads", pytest.param("given processes", marks=pytest.mark.slow)]


@pytest.mark.parametrize("name", [*SOME_EXECUTIONS, "two processes"])
def test_each_batch_has_its_result(name: str) -> None:
    results = dict(run(archive_jobs.named_length, BATCHES, EXECUTIONS[name]))
    assert results == {batch: (batch, len(batch)) for batch in BATCHES}


def test_processes_are_other_ones() -> None:
    numbers = {number for _, number in run(archive_jobs.process_id, BATCHES, Execution(workers=2))}
    assert os.getpid() not in numbers
    assert 1 <= len(numbers) <= 2


def test_only_a_few_batches_are_under_way() -> None:
    requested = 0
    unread = []

    def batches() -> Iterator[str]:
        nonlocal requested
        for batch in BATCHES:
            requested += 1
            yield batch

    for finished, _ in enumerate(run(archive_jobs.named_length, batches(), Execution(executor=threads)), 1):
        unread.append(requested - finished)
    assert max(unread) <= 4


def test_batches_that_are_added_after_the_end_are_run() -> None:
    remaining = ["a", "b"]

    class Batches(Iterator[str]):
        def __next__(self) -> str:
            if not remaining:
                raise StopIteration
            return remaining.pop(0)

    for execution in (Execution(), Execution(executor=threads)):
        remaining[:] = ["a", "b"]
        seen = []
        for batch, _ in run(archive_jobs.named_length, Batches(), execution):
            seen.append(batch)
            if batch in "ab":
                remaining.append(batch * 2)
        assert sorted(seen) == ["a", "aa", "b", "bb"]


@pytest.mark.parametrize(
    "execution",
    [
        pytest.param(Execution(workers=2), id="own"),
        pytest.param(Execution(executor=archive_jobs.processes()), id="given", marks=pytest.mark.slow),
    ],
)
def test_a_batch_that_kills_its_workers_is_given_up_and_the_others_are_not(execution: Execution) -> None:
    batches = [*BATCHES[:5], "poison", *BATCHES[5:]]
    results = dict(run(archive_jobs.kill_by_name, batches, execution))
    error = results.pop("poison")
    assert isinstance(error, cbpf.ArchiveError)
    assert "3 workers were killed" in str(error)
    assert results == {batch: len(batch) for batch in BATCHES}


@pytest.mark.slow
def test_batches_whose_worker_is_killed_once_have_results(tmp_path: Path) -> None:
    batches = ["once 1", *BATCHES, "once 2"]
    function = partial(archive_jobs.kill_once, str(tmp_path))
    assert dict(run(function, batches, Execution(workers=2))) == {batch: len(batch) for batch in batches}
    assert len(list(tmp_path.iterdir())) == 2


def test_an_executor_that_cannot_be_replaced_ends_the_run() -> None:
    with archive_jobs.processes()() as executor, pytest.raises(cbpf.ArchiveError, match="pass a function that makes"):
        list(run(archive_jobs.kill_by_name, ["poison"], Execution(executor=executor)))


def test_an_executor_of_the_caller_is_not_shut_down() -> None:
    with ThreadPoolExecutor(1) as executor:
        list(run(archive_jobs.named_length, BATCHES, Execution(executor=executor)))
        assert executor.submit(len, "abc").result() == 3


@pytest.mark.parametrize("name", SOME_EXECUTIONS)
def test_an_error_of_a_batch_ends_the_run(name: str) -> None:
    with pytest.raises(cbpf.MissingLibrary, match="no library"):
        list(run(archive_jobs.raise_error, BATCHES, EXECUTIONS[name]))


def test_no_worker_is_started_without_batches() -> None:
    assert not list(run(archive_jobs.named_length, [], Execution(scheduler="tcp://127.0.0.1:1")))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workers": 2, "scheduler": "tcp://host:1"}, "workers and scheduler are mutually exclusive"),
        ({"scheduler": "tcp://host:1", "executor": threads}, "scheduler and executor are mutually exclusive"),
        ({"workers": 0}, "out of range"),
        ({"workers": True}, "expected a number of processes"),
        ({"workers": "2"}, "expected a number of processes"),
        ({"executor": 3}, "neither an executor nor a function"),
    ],
)
def test_invalid_workers_are_rejected(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(cbpf.FieldError, match=message):
        Execution(**arguments)  # type: ignore[arg-type]


def test_a_function_that_makes_no_executor_is_rejected() -> None:
    make: Callable[[], object] = Future
    with pytest.raises(cbpf.FieldError, match="which is not a"):
        list(run(archive_jobs.named_length, BATCHES, Execution(executor=make)))  # type: ignore[arg-type]


SCRIPT = """
import sys
from cbpf.archive.execution import Execution, run
from support import archive_jobs
try:
    print(dict(run(archive_jobs.named_length, ["a"], Execution(workers=2))))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def test_a_script_without_a_guard_has_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines() == [
        "ArchiveError: the worker processes end when they start; a script must call this function below:"
        ' if __name__ == "__main__":'
    ]
    assert done.stderr == ""
