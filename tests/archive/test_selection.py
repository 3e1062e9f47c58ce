"""The objects of an operation: a listing, or the rows of a manifest that times select."""

from datetime import UTC, datetime, timedelta

import pytest

import cbpf
from cbpf.archive.locations import join
from cbpf.archive.manifest import Manifest
from cbpf.archive.selection import Selection, period
from cbpf.archive.stores import Store
from cbpf.capture.times import TimeBounds
from support.archives import START, capture, write_objects

pytest.importorskip("fsspec", reason="archives need fsspec; ./dev test --all installs it")
pytest.importorskip("pyarrow", reason="manifests need pyarrow; ./dev test --all installs it")


@pytest.fixture
def archive(root: str) -> str:
    write_objects(join(root, "in"), {f"{hour}.pcap": capture(START + 3600 * hour, 60) for hour in range(5)})
    cbpf.archive.index(join(root, "in"), join(root, "manifest"))
    return root


def _hours(selection: Selection) -> list[int]:
    return [int(listed.path.rpartition("/")[2].removesuffix(".pcap")) for listed in selection]


@pytest.mark.parametrize(
    ("since", "until", "expected"), [(1, 3, [1, 2]), (3, None, [3, 4]), (None, 1, [0]), (9, 10, [])]
)
def test_a_manifest_leaves_out_objects_without_packets_in_a_period(
    archive: str, since: int | None, until: int | None, expected: list[int]
) -> None:
    bounds = TimeBounds(*(None if hour is None else (START + 3600 * hour) * 10**9 for hour in (since, until)))
    selection = Selection(Store(), join(archive, "manifest"), bounds)
    assert _hours(selection) == expected
    assert (selection.objects, selection.pruned) == (5, 5 - len(expected))


def test_a_listing_leaves_out_nothing(archive: str) -> None:
    selection = Selection(Store(), join(archive, "in"), TimeBounds(0, 1))
    assert _hours(selection) == [0, 1, 2, 3, 4]
    assert (selection.objects, selection.pruned, selection.manifest) == (5, 0, None)


def test_an_empty_manifest_is_one_line(root: str) -> None:
    Manifest.open_or_create(Store(), join(root, "manifest"))
    with pytest.raises(cbpf.ArchiveError, match=r"/manifest: the manifest is empty; index the objects again$"):
        list(Selection(Store(), join(root, "manifest")))


def test_a_period_has_absolute_times() -> None:
    assert period("count", None, None) is None
    assert period("count", 10, "1970-01-01T00:00:20Z") == TimeBounds(10**10, 2 * 10**10)
    assert period("count", None, datetime.fromtimestamp(5, UTC)) == TimeBounds(None, 5 * 10**9)


@pytest.mark.parametrize("time", ["+5m", timedelta(minutes=5)])
def test_a_relative_time_is_one_line(time: str | timedelta) -> None:
    with pytest.raises(cbpf.FieldError, match=r"^count.since: is relative to the first packet of each object; [^\n]*$"):
        period("count", time, None)
