"""An archive of 100,000 objects, on a store that makes them when they are read."""

import subprocess
import sys
from pathlib import Path

import pytest

import cbpf
from cbpf.archive import index_run
from cbpf.archive.manifest import Manifest
from cbpf.archive.manifest_parts import Part
from cbpf.archive.stores import Store
from cbpf.capture.times import TimeBounds
from support.archives import START
from support.project import TESTS

pytest.importorskip("fsspec", reason="archives need fsspec; ./dev test --all installs it")
pytest.importorskip("pyarrow", reason="manifests need pyarrow; ./dev test --all installs it")
pytestmark = pytest.mark.slow

SOURCE = "counted://archive"
OBJECTS = 100_000
MAX_GROWTH = 60_000  # kB, of which the counts of the fake store are about a half

MEASURED = """
import sys
import cbpf
from support.fake_store import CountedStore
CountedStore.reset(int(sys.argv[1]))
report = cbpf.archive.index("counted://archive", sys.argv[2])
status = open("/proc/self/status").read()
print(report.objects, report.processed, status.partition("RssAnon:")[2].split()[0])
"""


def _indexed(folder: Path, objects: int) -> int:
    """Index a number of objects in a process, and return its anonymous memory in kB."""
    command = [sys.executable, "-c", MEASURED, str(objects // 100), str(folder)]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=True)
    found, processed, memory = map(int, done.stdout.split())
    assert found == processed == objects
    return memory


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The manifest of all objects, and the memory that its process had beyond that of a tenth of them."""
    folder = tmp_path_factory.mktemp("manifests")
    growth = _indexed(folder / "all", OBJECTS) - _indexed(folder / "tenth", OBJECTS // 10)
    assert growth < MAX_GROWTH
    return Manifest.open(Store(), str(folder / "all"))


def test_a_manifest_has_all_objects_in_one_part(manifest: Manifest) -> None:
    (part,) = manifest.parts()
    assert part.rows == OBJECTS
    paths = [listed.path for listed in manifest.objects()]
    assert paths == sorted(paths)
    assert len(set(paths)) == OBJECTS


def test_times_select_objects_without_reading_the_others(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The objects of 90 seconds are in one group of rows, or in two: the others are excluded by the footer."""
    original, read = Part.read, []

    def read_and_count(part: Part, groups: list[int], columns: object = None) -> object:
        read.extend(groups)
        return original(part, groups, columns)  # type: ignore[arg-type]

    monkeypatch.setattr(Part, "read", read_and_count)
    for hour in range(0, 80, 7):
        read.clear()
        since = (START + 3600 * hour) * 10**9
        selected = list(manifest.objects(TimeBounds(since, since + 90 * 10**9)))
        assert len(selected) == 30
        assert 1 <= len(read) <= 2


def test_a_run_that_is_continued_lists_and_reads_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from support.fake_store import FOLDERS, CountedStore

    CountedStore.reset(OBJECTS // FOLDERS)
    original, calls = index_run.index_batch, [0]

    def interrupt(*arguments: object) -> object:
        calls[0] += 1
        if calls[0] == 40:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(index_run, "index_batch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cbpf.archive.index(SOURCE, str(tmp_path))
    monkeypatch.undo()
    assert sum(CountedStore.read.values()) == 39_000
    CountedStore.listed.clear()
    report = cbpf.archive.index(SOURCE, str(tmp_path))
    assert (report.objects, report.unchanged, report.processed) == (OBJECTS, 39_000, OBJECTS - 39_000)
    assert set(CountedStore.read.values()) == {1}
    assert set(CountedStore.listed.values()) == {1}
    assert len(CountedStore.listed) == FOLDERS + 1
    assert Manifest.open(Store(), str(tmp_path)).count() == OBJECTS


def test_all_packets_are_counted_from_the_manifest(manifest: Manifest) -> None:
    report = cbpf.archive.count(manifest.url, every="1h")
    assert report.counts is not None
    assert {row.packets for row in report.counts.rows[:-1]} == {2400}
    assert sum(row.packets for row in report.counts.rows) == 2 * OBJECTS
    assert (report.unchanged, report.processed) == (OBJECTS, 0)
