"""The rows of objects: equal to the summaries of `capture_info`, `count_packets` and capinfos(1)."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

import cbpf
from cbpf.archive import indexing
from cbpf.archive.attempts import ObjectReplaced
from cbpf.archive.indexing import index_object
from cbpf.archive.locations import join
from cbpf.archive.rows import Minute, Row
from cbpf.archive.stores import Store
from support.archives import START, TRAFFIC_RECORDS, capture
from support.captures import as_pcapng, encoded

pytest.importorskip("fsspec", reason="archives need fsspec; ./dev test --all installs it")


def _row(root: str, data: bytes, *, is_native: bool | None = None) -> Row:
    path = join(root, "in.pcap")
    Store().write(path, data)
    return index_object(Store(), Store().info(path), is_native=is_native)


CAPTURES = {
    "pcap": encoded(TRAFFIC_RECORDS),
    "pcapng": as_pcapng(TRAFFIC_RECORDS),
    "gzip": gzip.compress(encoded(TRAFFIC_RECORDS)),
    "one packet": capture(START, 1),
    "many minutes": capture(START, 300, 7_000_000_000),
    "no packets": encoded([]),
}


@pytest.mark.parametrize("is_native", [False, True])
@pytest.mark.parametrize("data", CAPTURES.values(), ids=CAPTURES)
def test_a_row_has_the_facts_of_the_summaries(root: str, data: bytes, is_native: bool) -> None:
    if is_native:
        pytest.importorskip("llvmlite", reason="the native engine needs llvmlite")
    row = _row(root, data, is_native=is_native)
    path = join(root, "in.pcap")
    with Store().open(row.object) as source:
        info = cbpf.capture_info(source)
    with Store().open(row.object) as source:
        counts = cbpf.count_packets(source, every=60)
    totals = info.totals
    assert row.object == Store().info(path)
    assert (row.first_ns, row.last_ns) == (totals.earliest_ns, totals.latest_ns)
    assert (row.packets, row.captured_bytes, row.wire_bytes) == totals[:3]
    assert (row.link_types, row.is_sorted) == (("EN10MB",), info.out_of_order == 0)
    assert (row.status, row.message, row.untimed) == ("ok", "", 0)
    minutes = [(minute.minute * 60 * 10**9, *minute[1:]) for minute in row.minutes or ()]
    assert minutes == [(item.start_ns, *item[3:]) for item in counts.rows if item.packets]


@pytest.mark.skipif(shutil.which("capinfos") is None, reason="needs capinfos, of wireshark")
def test_a_row_equals_the_summary_of_capinfos(traffic: Path) -> None:
    row = index_object(Store(), Store().info(str(traffic)))
    command = ["capinfos", "-T", "-r", "-m", "-Q", "-M", "-c", "-d", "-a", "-e", "-S", "-o", str(traffic)]
    fields = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().split(",")
    _, packets, size, first, last, order = (field.strip('"') for field in fields)
    assert (row.packets, row.wire_bytes) == (int(packets), int(size))
    seconds = [f"{time // 10**9}.{time % 10**9:09}" for time in (row.first_ns or 0, row.last_ns or 0)]
    assert [text[: len(first)] for text in seconds] == [first, last]
    assert row.is_sorted is (order == "True")


def test_a_damaged_object_has_its_complete_packets(root: str) -> None:
    data = encoded(TRAFFIC_RECORDS[:10])
    row = _row(root, data[:-1])
    assert (row.status, row.packets) == ("damaged", 9)
    assert row.message.endswith("the capture is truncated")
    assert row.message.startswith("packet 10")
    assert _row(root, encoded(TRAFFIC_RECORDS[:9]))[3:11] == row[3:11]


@pytest.mark.parametrize("data", [b"", b"no capture", bytes(100), b"PK\x03\x04" + bytes(50)])
def test_an_object_that_is_no_capture_is_foreign(root: str, data: bytes) -> None:
    row = _row(root, data)
    assert (row.status, row.packets, row.first_ns, row.link_types) == ("foreign", 0, None, ())
    assert row.message
    assert "in.pcap" not in row.message


def test_too_many_minutes_are_left_out(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "MAX_MINUTES", 2)
    assert _row(root, capture(START, 4, 60 * 10**9)).minutes is None
    assert _row(root, capture(START, 2, 60 * 10**9)).minutes == (
        Minute(START // 60, 1, *[TRAFFIC_RECORDS[0].wire_length] * 2),
        Minute(START // 60 + 1, 1, *[TRAFFIC_RECORDS[1].wire_length] * 2),
    )


def test_an_object_that_is_replaced_is_read_again(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path, replacements = join(root, "in.pcap"), [capture(START, 2), capture(START, 3)]
    Store().write(path, capture(START, 1))
    _replace_while_reading(path, replacements, monkeypatch)
    row = index_object(Store(), Store().info(path))
    assert (row.packets, row.object) == (3, Store().info(path))


def test_an_object_that_is_replaced_again_and_again_is_an_error(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = join(root, "in.pcap")
    Store().write(path, capture(START, 1))
    _replace_while_reading(path, [capture(START, count) for count in range(2, 10)], monkeypatch)
    with pytest.raises(ObjectReplaced, match=r"in.pcap: was replaced while it was read"):
        index_object(Store(), Store().info(path))


def _replace_while_reading(path: str, replacements: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each read of the object be followed by the next replacement."""
    original = indexing._index

    def index_and_replace(*arguments: object, **options: object) -> Row:
        row = original(*arguments, **options)  # type: ignore[arg-type]
        if replacements:
            Store().write(path, replacements.pop(0))
        return row

    monkeypatch.setattr(indexing, "_index", index_and_replace)


def test_an_object_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "in.pcap"
    folder.mkdir()
    with pytest.raises(cbpf.ArchiveError, match=r"in.pcap: is a folder$"):
        index_object(Store(), Store().info(str(folder)))
