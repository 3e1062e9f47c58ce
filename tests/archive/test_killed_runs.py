"""Runs in which workers or the whole run are killed: the union of the outputs is that of an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cbpf.archive
from support import archive_jobs

pytestmark = pytest.mark.slow

COPIES = 8


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with captures in several folders."""
    for copy in range(COPIES):
        archive_jobs.write_archive(tmp_path / "in" / f"host-{copy}")
    return tmp_path / "in"


def test_workers_that_are_killed_while_they_write_leave_no_partial_output(source: Path, tmp_path: Path) -> None:
    (tmp_path / "flags").mkdir()
    names = ["00.pcap", "03.pcapng", "10.pcap.gz"]
    executor = archive_jobs.processes(archive_jobs.kill_while_writing, (str(tmp_path / "flags"), names))
    report = cbpf.archive.filter(
        str(source), str(tmp_path / "out"), archive_jobs.FILTER, executor=executor, batch_size=300_000
    )
    assert len(list((tmp_path / "flags").iterdir())) == 3
    assert report.is_complete
    assert (report.objects, report.processed) == (12 * COPIES, 12 * COPIES)
    assert archive_jobs.outputs(tmp_path / "out") == archive_jobs.expected_outputs(source)


def test_an_object_that_kills_its_workers_is_listed_and_the_others_are_done(source: Path, tmp_path: Path) -> None:
    executor = archive_jobs.processes(archive_jobs.kill_at, ("05.pcap",))
    report = cbpf.archive.filter(
        str(source / "host-0"), str(tmp_path / "out"), archive_jobs.FILTER, executor=executor, batch_size=300_000
    )
    killer = source / "host-0" / "day-0" / "05.pcap"
    assert [(problem.path, problem.status) for problem in report.problems] == [(str(killer), "failed")]
    assert "3 workers were killed" in report.problems[0].message
    expected = archive_jobs.expected_outputs(source / "host-0")
    del expected["day-0/05.pcap"]
    assert archive_jobs.outputs(tmp_path / "out") == expected
    again = cbpf.archive.filter(str(source / "host-0"), str(tmp_path / "out"), archive_jobs.FILTER)
    assert (again.unchanged, again.processed, again.is_complete) == (11, 1, True)


SCRIPT = """
import sys
import cbpf.archive
from support import archive_jobs

if __name__ == "__main__":
    source, target, flags = sys.argv[1:]
    executor = archive_jobs.processes(archive_jobs.slow_down, (0.02,))
    report = cbpf.archive.filter(source, target, archive_jobs.FILTER, executor=executor, batch_size=70_000)
    print(report.unchanged, report.processed)
"""


def start(source: Path, target: Path) -> subprocess.Popen[str]:
    path = source.parent / "script.py"
    path.write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(path), str(source), str(target), ""]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)


def test_a_run_that_is_killed_continues_when_it_is_started_again(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    with start(source, target) as process:
        while len(archive_jobs.receipts(target)) < 5:
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)  # the process, and its workers
    expected = archive_jobs.expected_outputs(source)
    written = archive_jobs.outputs(target)
    assert written.items() <= expected.items()
    assert len(written) < len(expected)
    with start(source, target) as process:
        output, _ = process.communicate()
    unchanged, processed = map(int, output.split())
    assert unchanged >= 5
    assert unchanged + processed == len(expected)
    assert archive_jobs.outputs(target) == expected


OWN_PROCESSES = """
import sys
import cbpf.archive
from support import archive_jobs
from cbpf.archive.execution import Execution, run

if __name__ == "__main__":
    for _, number in run(archive_jobs.sleeping_process, [0, 0, 60, 60, 60], Execution(workers=2)):
        print(number, flush=True)
"""


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(OWN_PROCESSES)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.kill()
    while Path(f"/proc/{worker}").exists() and "zombie" not in Path(f"/proc/{worker}/status").read_text():
        time.sleep(0.02)


def test_a_cluster_of_two_processes_has_the_same_outputs(source: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="needs dask.distributed; ./dev test --all installs it")
    target = tmp_path / "out"
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        report = cbpf.archive.filter(
            str(source), str(target), archive_jobs.FILTER, scheduler=cluster.scheduler_address, batch_size=300_000
        )
        assert (report.processed, report.is_complete) == (12 * COPIES, True)
        assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source)
        again = cbpf.archive.filter(
            str(source), str(target), archive_jobs.FILTER, scheduler=cluster.scheduler_address, batch_size=300_000
        )
        assert again.unchanged == 12 * COPIES


def test_a_worker_of_a_cluster_that_is_killed_costs_its_batch(source: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="needs dask.distributed; ./dev test --all installs it")
    target = tmp_path / "out"
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster.scheduler_address, set_as_default=False) as client,
    ):
        client.run(archive_jobs.slow_down, 0.02)
        victim, *_ = client.run(os.getpid).values()
        killer = archive_jobs.kill_after_receipts(target, 3, victim)
        report = cbpf.archive.filter(
            str(source), str(target), archive_jobs.FILTER, scheduler=cluster.scheduler_address, batch_size=70_000
        )
        killer.join()
    assert not Path(f"/proc/{victim}").exists()
    assert (report.objects, report.is_complete) == (12 * COPIES, True)
    assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source)


def test_a_batch_that_kills_workers_of_a_cluster_is_given_up() -> None:
    distributed = pytest.importorskip("distributed", reason="needs dask.distributed; ./dev test --all installs it")
    from cbpf.archive.execution import Execution, run

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        batches = ["a", "poison", "bc"]
        results = dict(run(archive_jobs.kill_by_name, batches, Execution(scheduler=cluster.scheduler_address)))
    assert isinstance(results.pop("poison"), cbpf.ArchiveError)
    assert results == {"a": 1, "bc": 2}


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "host:", "http://127.0.0.1:9"])
def test_a_wrong_scheduler_is_one_line(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="needs dask.distributed; ./dev test --all installs it")
    from cbpf.archive import executors
    from cbpf.archive.execution import Execution, run

    monkeypatch.setattr(executors, "_CONNECT_TIME", 1)
    with pytest.raises(cbpf.ArchiveError, match="no dask scheduler answers") as caught:
        list(run(archive_jobs.named_length, ["a"], Execution(scheduler=address)))
    assert str(caught.value).startswith(address)
    assert "\n" not in str(caught.value)
