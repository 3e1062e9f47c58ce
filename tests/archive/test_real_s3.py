"""Archives on a real server of S3, SeaweedFS, which the tests start and end."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import cbpf
from cbpf.archive import indexing
from cbpf.archive.manifest import Manifest
from cbpf.archive.pending import WHOLE_SIZE
from cbpf.archive.rows import Row
from cbpf.archive.stores import Store
from support import archive_jobs
from support.archives import START, InterruptedWrite, capture, write_and_fail, write_objects
from support.s3_servers import Bucket, SeaweedServer

pytestmark = pytest.mark.slow

OBJECTS = {f"in/day-{number % 3}/{number:03}.pcap": capture(START + 60 * number, 20 + number) for number in range(60)}
OBJECTS |= {"in/damaged.pcap": capture(START, 9)[:-5], "in/notes.txt": b"no capture"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedServer]:
    server = SeaweedServer(tmp_path_factory.mktemp("seaweed"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def bucket(server: SeaweedServer) -> Bucket:
    return Bucket.create(server.endpoint)


def _facts(rows: Iterator[Row], root: str) -> list[tuple[object, ...]]:
    """Return rows without the versions of the objects, which stores choose."""
    return [(row.path.removeprefix(f"{root}/"), row.size, *row[3:]) for row in rows]


def _expected(folder: Path) -> list[tuple[object, ...]]:
    """Return the rows of the same objects as files."""
    write_objects(str(folder), OBJECTS)
    cbpf.archive.index(f"{folder}/in", f"{folder}/manifest")
    return _facts(Manifest.open(Store(), f"{folder}/manifest").rows(), str(folder))


@pytest.mark.parametrize("size", [10, WHOLE_SIZE + (1 << 23)])
def test_an_object_appears_completely_or_not_at_all(bucket: Bucket, size: int) -> None:
    with bucket.store.create(f"{bucket.url}/a") as stream:
        stream.write(bytes(size))
        assert not bucket.store.exists(f"{bucket.url}/a")
    with pytest.raises(InterruptedWrite), bucket.store.create(f"{bucket.url}/b") as stream:
        write_and_fail(stream, size)
    assert [(listed.path, listed.size) for listed in bucket.store.list(bucket.url)] == [(f"{bucket.url}/a", size)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_index_equals_that_of_files(bucket: Bucket, workers: int, tmp_path: Path) -> None:
    write_objects(bucket.url, OBJECTS, bucket.store)
    options = {"storage_options": bucket.options, "workers": workers, "batch_size": 20_000}
    report = cbpf.archive.index(f"{bucket.url}/in", f"{bucket.url}/manifest", **options)  # type: ignore[arg-type]
    assert (report.objects, report.processed, report.unchanged) == (62, 62, 0)
    assert sorted(problem.status for problem in report.problems) == ["damaged", "foreign"]
    manifest = Manifest.open(bucket.store, f"{bucket.url}/manifest")
    assert _facts(manifest.rows(), bucket.url) == _expected(tmp_path)
    again = cbpf.archive.index(f"{bucket.url}/in", f"{bucket.url}/manifest", **options)  # type: ignore[arg-type]
    assert (again.processed, again.unchanged) == (0, 62)


def test_a_server_that_is_stopped_for_five_seconds_is_waited_for(
    server: SeaweedServer, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_objects(bucket.url, OBJECTS, bucket.store)
    original, calls, restarts = indexing._index, [0], []

    def restart() -> None:
        time.sleep(5)
        server.start()

    def index_and_stop(*arguments: object, **options: object) -> Row:
        calls[0] += 1
        if calls[0] == 20:
            server.stop()
            restarts.append(threading.Thread(target=restart))
            restarts[0].start()
        return original(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(indexing, "_index", index_and_stop)
    report = cbpf.archive.index(f"{bucket.url}/in", f"{bucket.url}/manifest", storage_options=bucket.options)
    restarts[0].join()
    assert sorted(problem.status for problem in report.problems) == ["damaged", "foreign"]
    manifest = Manifest.open(bucket.store, f"{bucket.url}/manifest")
    assert _facts(manifest.rows(), bucket.url) == _expected(tmp_path)


def test_a_cluster_of_two_processes_indexes_and_counts(bucket: Bucket, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="needs dask.distributed; ./dev test --all installs it")
    write_objects(bucket.url, OBJECTS, bucket.store)
    expected = _expected(tmp_path)
    counts = cbpf.archive.count(f"{tmp_path}/in/day-*/*", "tcp", every="1h").counts
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        options = {"storage_options": bucket.options, "scheduler": cluster.scheduler_address, "batch_size": 100_000}
        report = cbpf.archive.index(f"{bucket.url}/in", f"{bucket.url}/manifest", **options)
        assert report.processed == 62
        manifest = Manifest.open(bucket.store, f"{bucket.url}/manifest")
        assert _facts(manifest.rows(), bucket.url) == expected
        assert cbpf.archive.count(f"{bucket.url}/in/day-*/*", "tcp", every="1h", **options).counts == counts


def test_workers_wait_for_a_server_that_is_stopped_for_five_seconds(
    server: SeaweedServer, bucket: Bucket, tmp_path: Path
) -> None:
    write_objects(bucket.url, OBJECTS, bucket.store)
    expected = cbpf.archive.count(f"{_written(tmp_path)}/in/day-*/*", "udp", every="1h").counts

    def restart() -> None:
        time.sleep(2)
        server.stop()
        time.sleep(5)
        server.start()

    thread = threading.Thread(target=restart)
    thread.start()
    options = {"storage_options": bucket.options, "workers": 2, "batch_size": 100_000}
    report = cbpf.archive.count(f"{bucket.url}/in/day-*/*", "udp", every="1h", **options)  # type: ignore[arg-type]
    thread.join()
    assert (report.problems, report.counts) == ((), expected)


def _written(folder: Path) -> Path:
    """Write the objects as files, and return the folder."""
    write_objects(str(folder), OBJECTS)
    return folder


@pytest.mark.parametrize("is_stopped", [False, True], ids=["running", "stopped for five seconds"])
def test_a_filter_by_two_processes_equals_that_of_files(
    server: SeaweedServer, bucket: Bucket, is_stopped: bool, tmp_path: Path
) -> None:
    write_objects(bucket.url, OBJECTS, bucket.store)
    write_objects(str(tmp_path), OBJECTS)
    executor = archive_jobs.processes(archive_jobs.slow_down, (0.05,))

    def interrupt() -> None:
        while not list(bucket.store.names(f"{bucket.url}/out/day-0")):
            time.sleep(0.02)
        server.stop()
        time.sleep(5)
        server.start()

    thread = threading.Thread(target=interrupt if is_stopped else lambda: None)
    thread.start()
    report = cbpf.archive.filter(
        f"{bucket.url}/in",
        f"{bucket.url}/out",
        "tcp",
        executor=executor,
        batch_size=20_000,
        storage_options=bucket.options,
    )
    thread.join()
    assert sorted(problem.status for problem in report.problems) == ["damaged", "foreign"]
    cbpf.archive.filter(f"{tmp_path}/in", f"{tmp_path}/out", "tcp")
    expected = archive_jobs.outputs(tmp_path / "out")
    assert len(expected) == report.outputs == 61
    names = [listed.path.removeprefix(f"{bucket.url}/out/") for listed in bucket.store.list(f"{bucket.url}/out")]
    written = {name: bucket.store.read(f"{bucket.url}/out/{name}") for name in names}
    assert written == {name: (tmp_path / "out" / name).read_bytes() for name in expected}
