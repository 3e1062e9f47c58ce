"""`cbpf.archive.index`: manifests of objects, brought up to date, and continued after interruptions."""

import re
from functools import partial
from pathlib import Path

import pytest

import cbpf
from cbpf.archive.listing import MARKER
from cbpf.archive.locations import join
from cbpf.archive.manifest import Manifest, is_manifest
from cbpf.archive.rows import Row
from cbpf.archive.stores import Store
from support import archive_jobs
from support.archives import START, capture, kill_in_index, write_objects
from support.captures import encoded

pytest.importorskip("fsspec", reason="archives need fsspec; ./dev test --all installs it")
pytest.importorskip("pyarrow", reason="manifests need pyarrow; ./dev test --all installs it")

HOUR = 3600
OBJECTS = {
    "day-1/a.pcap": capture(START, 60),
    "day-1/b.pcap": capture(START + HOUR, 90),
    "day-2/c.pcap": capture(START - HOUR, 10),
    "day-2/damaged.pcap": capture(START + 2 * HOUR, 5)[:-1],
    "day-2/notes.txt": b"no capture",
    "day-2/empty.pcap": encoded([]),
}
NAMES = ["day-2/c.pcap", "day-1/a.pcap", "day-1/b.pcap", "day-2/damaged.pcap", "day-2/empty.pcap", "day-2/notes.txt"]


@pytest.fixture
def archive(root: str) -> str:
    write_objects(join(root, "in"), OBJECTS)
    return root


def _rows(root: str) -> list[Row]:
    return list(Manifest.open(Store(), join(root, "manifest")).rows())


def _names(root: str) -> list[str]:
    return [row.path.removeprefix(f"{root}/in/") for row in _rows(root)]


def _index(root: str, source: str = "in", **options: object) -> cbpf.archive.Report:
    return cbpf.archive.index(join(root, source), join(root, "manifest"), **options)  # type: ignore[arg-type]


def test_a_manifest_has_a_row_for_each_object(archive: str) -> None:
    report = _index(archive)
    assert _names(archive) == NAMES
    assert [row.packets for row in _rows(archive)] == [10, 60, 90, 4, 0, 0]
    assert (report.objects, report.processed, report.packets, report.unchanged) == (6, 6, 164, 0)
    assert report.bytes_read == sum(map(len, OBJECTS.values()))
    assert [(Path(problem.path).name, problem.status) for problem in report.problems] == [
        ("damaged.pcap", "damaged"),
        ("notes.txt", "foreign"),
    ]
    assert not report.is_complete


def test_damaged_and_foreign_objects_are_lines_of_the_report(archive: str) -> None:
    text = str(_index(archive))
    assert re.search(r"^objects +6$", text, re.MULTILINE)
    assert re.search(
        r"/day-2/damaged\.pcap: packet 5\b[^\n]* the capture is truncated \(damaged\)$", text, re.MULTILINE
    )
    assert re.search(r"/day-2/notes\.txt: file too short[^\n]* \(foreign\)$", text, re.MULTILINE)


def test_objects_with_the_same_version_are_not_read_again(archive: str) -> None:
    _index(archive)
    rows = _rows(archive)
    report = _index(archive)
    assert (report.objects, report.processed, report.unchanged, report.bytes_read) == (6, 0, 6, 0)
    assert _rows(archive) == rows


def test_new_replaced_and_removed_objects_bring_a_manifest_up_to_date(archive: str) -> None:
    _index(archive)
    write_objects(join(archive, "in"), {"day-1/a.pcap": capture(START, 61), "day-3/d.pcap": capture(START, 7)})
    Store().remove(join(archive, "in/day-2/c.pcap"))
    report = _index(archive)
    assert (report.objects, report.processed, report.unchanged, report.removed) == (6, 2, 4, 1)
    assert sorted(_names(archive)) == sorted({*NAMES, "day-3/d.pcap"} - {"day-2/c.pcap"})
    assert {row.packets for row in _rows(archive) if row.path.endswith("/a.pcap")} == {61}
    assert len(list(Store().names(join(archive, "manifest")))) == 2


def test_several_sources_have_one_manifest(archive: str) -> None:
    _index(archive, "in/day-1")
    report = _index(archive, "in/day-2/*.pcap")
    assert report.removed == 0
    assert _names(archive) == NAMES[:-1]
    Store().remove(join(archive, "in/day-1/a.pcap"))
    assert _index(archive, "in/day-2/*.pcap").removed == 0
    assert _index(archive, "in/day-1").removed == 1


def test_rows_of_a_list_are_not_removed(archive: str) -> None:
    _index(archive)
    Store().write(join(archive, "list"), join(archive, "in/day-1/a.pcap").encode())
    report = cbpf.archive.index(f"@{join(archive, 'list')}", join(archive, "manifest"))
    assert (report.objects, report.unchanged, report.removed) == (1, 1, 0)


def test_a_manifest_within_its_source_is_not_indexed(archive: str) -> None:
    for expected in (0, 6):
        report = cbpf.archive.index(join(archive, "in"), join(archive, "in/manifest"))
        assert (report.objects, report.unchanged) == (6, expected)


def test_no_operation_reads_a_manifest_below_its_objects(archive: str) -> None:
    cbpf.archive.index(join(archive, "in"), join(archive, "in/manifest"))
    source, objects = join(archive, "in"), len(OBJECTS)
    assert cbpf.archive.count(source).objects == objects
    assert cbpf.archive.filter(source, join(archive, "out"), "").objects == objects
    assert cbpf.archive.merge(source, join(archive, "all.pcap")).objects == objects


@pytest.mark.parametrize(
    ("source", "manifest"),
    [("in", "in"), ("in", ""), ("in/day-1/*", "in/day-1"), ("in/day", "in"), ("in/day-1/a.pcap", "in/day-1")],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_folder_of_objects_does_not_become_a_manifest(
    archive: str, source: str, manifest: str, dry_run: bool
) -> None:
    with pytest.raises(cbpf.ArchiveError, match=r"^[^\n]*: contains the objects of the source; [^\n]*$"):
        cbpf.archive.index(join(archive, source), join(archive, manifest), dry_run=dry_run)
    assert not is_manifest(Store(), join(archive, manifest))


def test_a_manifest_is_not_a_file(tmp_path: Path) -> None:
    write_objects(str(tmp_path / "in"), {"a.pcap": capture(START, 1)})
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(cbpf.ArchiveError, match=r"/file: is a file; name a folder$"):
        cbpf.archive.index(str(tmp_path / "in"), str(tmp_path / "file"))


def test_many_parts_become_one(archive: str) -> None:
    for number in range(20):
        write_objects(join(archive, "in"), {f"day-4/{number}.pcap": capture(START + number, 1)})
        _index(archive, "in/day-4")
    assert len(_rows(archive)) == 20
    assert len(list(Store().names(join(archive, "manifest")))) <= 17


def test_each_batch_has_a_part(archive: str) -> None:
    _index(archive, batch_size=1)
    assert len(Manifest.open(Store(), join(archive, "manifest")).parts()) == 6


def test_a_dry_run_reads_and_writes_nothing(archive: str) -> None:
    report = _index(archive, dry_run=True)
    assert (report.objects, report.processed, report.packets) == (6, 6, 0)
    assert report.bytes_read == sum(map(len, OBJECTS.values()))
    assert not Store().exists(join(archive, "manifest"))
    _index(archive)
    assert _index(archive, dry_run=True).processed == 0


@pytest.mark.parametrize("source", ["none", "in/*.x", "in/day-2/x"])
def test_a_source_without_objects_writes_nothing(archive: str, source: str) -> None:
    with pytest.raises(cbpf.ArchiveError, match=rf"/{re.escape(source)}: [^\n]*$"):
        _index(archive, source)
    assert not Store().exists(join(archive, "manifest"))


def test_a_manifest_is_not_indexed(archive: str) -> None:
    _index(archive)
    with pytest.raises(cbpf.ArchiveError, match=r"/manifest: is a manifest; [^\n]*$"):
        cbpf.archive.index(join(archive, "manifest"), join(archive, "other"))
    assert not Store().exists(join(archive, "other"))


def test_a_manifest_of_another_version_is_one_line(archive: str) -> None:
    Store().write(join(archive, f"manifest/{MARKER}"), b'{"version": 9}')
    with pytest.raises(cbpf.ArchiveError, match=r"/manifest: is a manifest of version 9, [^\n]*$"):
        _index(archive)


def test_an_object_that_disappears_is_a_problem(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_objects(join(root, "in"), {"a.pcap": capture(START, 1), "b.pcap": capture(START, 2)})
    original = Store.list

    def list_and_remove(store: Store, source: str) -> list[object]:
        objects = list(original(store, source))
        store.remove(objects[0].path)
        return iter(objects)  # type: ignore[return-value]

    monkeypatch.setattr(Store, "list", list_and_remove)
    report = _index(root)
    assert [(problem.status, problem.message) for problem in report.problems] == [("unreadable", "does not exist")]
    assert [row.packets for row in _rows(root)] == [2]


def test_an_interrupted_run_is_continued(archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of the batches that were complete are not read again."""
    from cbpf.archive import index_run

    original, calls = index_run.index_batch, []

    def interrupt(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(index_run, "index_batch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        _index(archive, batch_size=1)
    monkeypatch.undo()
    report = _index(archive)
    assert (report.unchanged, report.processed) == (3, 3)
    assert _names(archive) == NAMES


@pytest.mark.parametrize("batch_size", [0, 1.5, "256MB"])
def test_a_batch_has_a_number_of_bytes(archive: str, batch_size: object) -> None:
    with pytest.raises(cbpf.FieldError, match=r"index.batch_size: "):
        _index(archive, batch_size=batch_size)


@pytest.mark.slow
def test_workers_that_are_killed_cost_their_batches(tmp_path: Path) -> None:
    write_objects(f"{tmp_path}/in", OBJECTS)
    (tmp_path / "flags").mkdir()
    names = ["a.pcap", "c.pcap", "notes.txt"]
    executor = archive_jobs.processes(kill_in_index, (str(tmp_path / "flags"), names))
    report = _index(str(tmp_path), executor=executor, batch_size=10_000)
    assert sorted(path.name for path in (tmp_path / "flags").iterdir()) == names
    assert (report.objects, report.processed, len(report.problems)) == (6, 6, 2)
    assert _names(str(tmp_path)) == NAMES


@pytest.mark.slow
def test_a_batch_that_kills_three_workers_is_reported_and_tried_by_the_next_run(tmp_path: Path) -> None:
    write_objects(f"{tmp_path}/in", OBJECTS)
    (tmp_path / "flags").mkdir()
    begin = partial(kill_in_index, always=True)
    executor = archive_jobs.processes(begin, (str(tmp_path / "flags"), ["b.pcap"]))
    report = _index(str(tmp_path), executor=executor, batch_size=1)
    failed = [problem for problem in report.problems if problem.status == "failed"]
    assert [(Path(problem.path).name, "3 workers were killed" in problem.message) for problem in failed] == [
        ("b.pcap", True)
    ]
    assert set(_names(str(tmp_path))) == {*NAMES} - {"day-1/b.pcap"}
    report = _index(str(tmp_path))
    assert (report.unchanged, report.processed) == (5, 1)
    assert _names(str(tmp_path)) == NAMES
