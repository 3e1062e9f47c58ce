"""Manifests: parts, versions, compaction, and the selection of objects by time."""

import json
import re
from pathlib import Path
from random import Random

import pytest

import cbpf
from cbpf.archive import stores
from cbpf.archive.compaction import compact
from cbpf.archive.known_objects import KnownObjects
from cbpf.archive.listing import MARKER
from cbpf.archive.locations import Location, join
from cbpf.archive.manifest import Manifest, is_manifest
from cbpf.archive.rows import Minute, Row
from cbpf.archive.stores import Store
from cbpf.capture.times import TimeBounds

pytest.importorskip("fsspec", reason="archives need fsspec; ./dev test --all installs it")
pyarrow = pytest.importorskip("pyarrow", reason="manifests need pyarrow; ./dev test --all installs it")


@pytest.fixture
def manifest(root: str) -> Manifest:
    return Manifest.open_or_create(Store(), join(root, "index"))


def _row(number: int, first_ns: int | None = None, last_ns: int | None = None, *, etag: str = "1") -> Row:
    """Return a row in which each field differs from its default."""
    minutes = (Minute(7, 1, 2, 3), Minute(9, 4, 5, 6)) if number % 3 else None
    times = (first_ns, last_ns if last_ns is not None else first_ns)
    return Row(
        f"s3://b/{number:04}.pcap", number, etag, *times, 5, 6, 7, 0, ("EN10MB", "RAW"), False, "ok", "", minutes
    )


def _random_rows(random: Random, count: int) -> list[Row]:
    rows = []
    for number in range(count):
        first = random.randrange(10**12)
        row = _row(number, first, first + random.randrange(10**10))
        kind = random.randrange(20)
        if kind == 0:
            row = row._replace(first_ns=None, last_ns=None, packets=0, status="foreign", message="no capture")
        elif kind == 1:
            row = row._replace(untimed=3)
        elif kind == 2:
            row = row._replace(first_ns=None, last_ns=None, untimed=3)
        rows.append(row)
    return rows


def test_rows_are_read_as_they_were_written(manifest: Manifest) -> None:
    rows = [_row(1, 50), _row(2, 10, 90), _row(3), _row(4, -5, 2**63 - 1)]
    manifest.write(1, "a", rows[:3])
    manifest.write(1, "b", rows[3:])
    assert list(manifest.rows()) == [rows[3], rows[1], rows[0], rows[2]]
    assert [listed.path for listed in manifest.objects()] == [row.path for row in manifest.rows()]
    assert manifest.count() == 4


def test_times_beyond_64_bits_are_the_nearest_ones(manifest: Manifest) -> None:
    manifest.write(1, "a", [_row(1, -(2**70), 2**70)])
    (row,) = manifest.rows()
    assert (row.first_ns, row.last_ns) == (-(2**63), 2**63 - 1)


@pytest.mark.parametrize("parts", [1, 3])
def test_bounds_select_the_objects_that_may_have_a_packet_in_them(manifest: Manifest, parts: int) -> None:
    random = Random(parts)
    rows = _random_rows(random, 2500)
    for part in range(parts):
        manifest.write(part + 1, "part", rows[part::parts])
    edges = [row.first_ns or 0 for row in random.sample(rows, 8)] + [row.last_ns or 0 for row in random.sample(rows, 8)]
    for bound in (None, *edges):
        for length in (None, 1, 90 * 10**9):
            until = None if length is None else (bound or 0) + length
            bounds = TimeBounds(bound, until)
            expected = {row.path for row in rows if row.may_contain(bounds)}
            assert {listed.path for listed in manifest.objects(bounds)} == expected
            assert {row.path for row in manifest.rows(bounds)} == expected


def test_a_row_may_contain_its_first_and_last_time_only() -> None:
    row = _row(1, 10, 20)
    assert row.may_contain(TimeBounds(20, None))
    assert not row.may_contain(TimeBounds(21, None))
    assert row.may_contain(TimeBounds(None, 11))
    assert not row.may_contain(TimeBounds(None, 10))
    assert not _row(1).may_contain(TimeBounds(0, None))
    assert _row(1)._replace(untimed=1).may_contain(TimeBounds(None, 1))
    assert not _row(1)._replace(untimed=1).may_contain(TimeBounds(1, None))


def test_a_later_run_replaces_the_row_of_an_object(manifest: Manifest) -> None:
    manifest.write(1, "b", [_row(1, 10, etag="old"), _row(2, 20)])
    manifest.write(2, "a", [_row(1, 30, etag="new")])
    assert [(listed.path[-6], listed.etag) for listed in manifest.objects()] == [("2", "1"), ("1", "new")]
    known = KnownObjects(manifest)
    assert known.is_unchanged(_row(1).path, "new")
    assert known.stale == 0
    assert not known.is_unchanged(_row(1).path, "old")
    assert known.stale == 1
    assert not known.is_unchanged("s3://b/other.pcap", "1")
    assert not known.was_seen(_row(2).path)


def test_a_compaction_leaves_one_part_with_the_latest_rows(manifest: Manifest) -> None:
    rows = _random_rows(Random(1), 100)
    for run, start in enumerate(range(0, 100, 10), 1):
        manifest.write(run, "part", rows[start : start + 10])
    manifest.write(11, "part", [rows[5]._replace(etag="new")])
    expected = list(manifest.rows())
    assert compact(manifest, 12) == 0
    assert [part.rows for part in manifest.parts()] == [100]
    assert list(manifest.rows()) == expected
    assert len(list(manifest.store.names(manifest.url))) == 2
    assert manifest.last_run() == 12


def test_a_compaction_merges_overlapping_parts(manifest: Manifest) -> None:
    rows = _random_rows(Random(2), 5000)
    for part in range(5):
        manifest.write(part + 1, "part", rows[part::5])
    manifest.write(6, "part", [row._replace(etag="new") for row in rows[::50]])
    expected = list(manifest.rows())
    assert compact(manifest, 7) == 0
    assert list(manifest.rows()) == expected
    (part_file,) = [part.file for part in manifest.parts()]
    groups = [part_file.metadata.row_group(group).num_rows for group in range(part_file.metadata.num_row_groups)]
    assert groups == [1024] * 4 + [5000 - 4 * 1024]


def test_a_compaction_leaves_out_objects_that_are_gone(manifest: Manifest) -> None:
    manifest.write(1, "part", [_row(number, number) for number in range(10)])
    assert compact(manifest, 2, lambda path: path[-6] != "3") == 1
    assert [listed.path[-6] for listed in manifest.objects()] == list("012456789")


def test_an_interrupted_compaction_changes_no_row(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new part has been written, and the old ones have not been removed."""
    manifest.write(1, "part", [_row(1, 10)])
    manifest.write(2, "part", [_row(1, 20, etag="new"), _row(2, 30)])
    monkeypatch.setattr("cbpf.archive.compaction.remove_replaced", lambda manifest: None)
    compact(manifest, 3, lambda path: path != _row(2).path)
    assert len(list(manifest.store.names(manifest.url))) == 4
    assert [part.rows for part in manifest.parts()] == [1]
    assert [listed.etag for listed in manifest.objects()] == ["new"]
    monkeypatch.undo()
    compact(manifest, 4)
    assert len(list(manifest.store.names(manifest.url))) == 2


def test_a_folder_without_a_marker_is_no_manifest(root: str) -> None:
    assert not is_manifest(Store(), join(root, "index"))
    assert not is_manifest(Store(), join(root, "*"))
    with pytest.raises(cbpf.ArchiveError, match=rf"{re.escape(root)}/index: is not a manifest: [^\n]*$"):
        Manifest.open(Store(), join(root, "index"))


def test_another_version_is_one_line(manifest: Manifest) -> None:
    assert is_manifest(manifest.store, manifest.url)
    manifest.store.write(join(manifest.url, MARKER), json.dumps({"version": 2}).encode())
    with pytest.raises(cbpf.ArchiveError, match=r"index: is a manifest of version 2, [^\n]*reads version 1;[^\n]*$"):
        Manifest.open(manifest.store, manifest.url)


@pytest.mark.parametrize("data", [b"", b"no Parquet", b"PAR1" + bytes(20) + b"PAR1"])
def test_a_damaged_part_is_one_line(manifest: Manifest, data: bytes) -> None:
    manifest.store.write(manifest.part_path(1, "part"), data)
    with pytest.raises(cbpf.ArchiveError, match=r"00000001-part.parquet: [^\n]+$"):
        list(manifest.rows())


def test_a_foreign_parquet_file_is_one_line(manifest: Manifest) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    output = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table({"a": [1]}), output)
    manifest.store.write(manifest.part_path(1, "part"), output.getvalue().to_pybytes())
    with pytest.raises(
        cbpf.ArchiveError, match=r"part.parquet: is not a part of a manifest; remove it, and index again$"
    ):
        list(manifest.rows())


def test_other_tools_read_the_folder(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    manifest = Manifest.open_or_create(Store(), str(tmp_path))
    manifest.write(1, "a", [_row(1, 50), _row(2, 10)])
    manifest.write(2, "b", [_row(3, 70)])
    table = parquet.read_table(tmp_path)
    assert sorted(table["path"].to_pylist()) == [_row(number).path for number in (1, 2, 3)]
    polars = pytest.importorskip("polars", reason="needs polars; ./dev test --all installs it")
    assert polars.scan_parquet(tmp_path / "*.parquet").select(polars.len()).collect().item() == 3


def test_an_error_of_a_store_names_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(location: Location) -> None:
        raise cbpf.ArchiveError(f"{location.path}: no rights")

    monkeypatch.setattr(stores, "entry_of", deny)
    with pytest.raises(cbpf.ArchiveError, match=rf"^{tmp_path}: no rights$"):
        is_manifest(Store(), f"{tmp_path}/")
