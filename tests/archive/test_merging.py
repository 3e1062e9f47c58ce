"""Archives merged into one capture: the order of mergecap, formats, interfaces, problems."""

from __future__ import annotations

import io
import random
import shutil
import struct
import subprocess
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cbpf
from cbpf.archive import merge
from cbpf.archive import merging as merging_module
from cbpf.archive.report import Report
from support import archive_jobs
from support.captures import NANOSECONDS, TRAFFIC, Record, Variant, as_pcapng, decoded, encoded, relabelled

RECORDS = sorted(decoded(TRAFFIC.read_bytes()), key=lambda record: record[:2])
START = RECORDS[0].seconds


def parts(count: int, seed: int = 1) -> list[list[Record]]:
    """Return the packets of the traffic, dealt to captures at random; some times are equal."""
    rng = random.Random(seed)
    result: list[list[Record]] = [[] for _ in range(count)]
    for record in RECORDS:
        index = rng.randrange(count)
        result[index].append(record)
        if rng.random() < 0.1:
            result[rng.randrange(count)].append(record)  # at the same time
    return result


def write(folder: Path, captures: dict[str, bytes]) -> Path:
    for name, data in captures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def packets(path: Path) -> list[tuple[int, int, bytes]]:
    return [(packet.time_ns, packet.wire_length, packet.data) for packet in cbpf.read_capture(path)]


def in_order(captures: list[list[Record]]) -> list[tuple[int, int, bytes]]:
    """Return the packets of sorted captures in the order of time, and of the captures."""
    rows = [
        (record.seconds * 10**9 + record.nanoseconds // 1000 * 1000, record.wire_length, record.data)
        for records in captures
        for record in records
    ]
    return sorted(rows, key=lambda row: row[0])


def run(source: Path, target: Path, *arguments: Any, **options: Any) -> Report:
    return merge(str(source), str(target), *arguments, **options)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The path of the output."""
    return tmp_path / "out" / "merged.pcap"


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("container", ["pcap", "pcapng"])
def test_packets_are_in_the_order_of_time(count: int, container: Any, tmp_path: Path, target: Path) -> None:
    captures = parts(count)
    source = write(tmp_path / "in", {f"{index}.pcap": encoded(part) for index, part in enumerate(captures)})
    report = run(source, target, container=container)
    assert packets(target) == in_order(captures)
    assert cbpf.capture_info(target).container == container
    assert (report.objects, report.processed, report.packets, report.outputs) == (
        count,
        count,
        sum(map(len, captures)),
        1,
    )
    assert report.is_complete


@pytest.mark.skipif(not shutil.which("mergecap"), reason="needs mergecap (wireshark-common)")
def test_pcaps_are_merged_as_mergecap_does(tmp_path: Path, target: Path) -> None:
    """mergecap takes the last one of several files with equal times, so it is given them in the opposite order."""
    source = write(tmp_path / "in", {f"{index}.pcap": encoded(part) for index, part in enumerate(parts(4))})
    expected = tmp_path / "expected.pcap"
    paths = [str(path) for path in sorted(source.iterdir(), reverse=True)]
    subprocess.run(["mergecap", "-F", "pcap", "-w", str(expected), *paths], check=True)
    run(source, target)
    assert target.read_bytes() == expected.read_bytes()


@pytest.mark.skipif(not shutil.which("mergecap"), reason="needs mergecap (wireshark-common)")
def test_unsorted_captures_are_merged_as_mergecap_does_and_reported(tmp_path: Path, target: Path) -> None:
    captures = [[*part[20:], *part[:20]] for part in parts(3)]
    source = write(tmp_path / "in", {f"{index}.pcap": encoded(part) for index, part in enumerate(captures)})
    expected = tmp_path / "expected.pcap"
    paths = [str(path) for path in sorted(source.iterdir(), reverse=True)]
    subprocess.run(["mergecap", "-F", "pcap", "-w", str(expected), *paths], check=True)
    report = run(source, target)
    assert target.read_bytes() == expected.read_bytes()
    assert [problem.status for problem in report.problems] == ["unsorted"] * 3
    assert report.problems[0].message.startswith("1 packet earlier than the one before")


def test_a_merge_by_python_and_by_machine_code_is_the_same(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "in", {f"{index}.pcap": encoded(part) for index, part in enumerate(parts(3))})
    run(source, target)
    other = tmp_path / "python.pcap"
    monkeypatch.setattr(merging_module, "worker_engine", lambda: "python")
    run(source, other)
    assert other.read_bytes() == target.read_bytes()


def test_packets_beyond_the_snapshot_length_are_copied(tmp_path: Path, target: Path) -> None:
    variant = Variant(snaplen=50)
    captures = parts(2)
    source = write(tmp_path / "in", {f"{index}.pcap": encoded(part, variant) for index, part in enumerate(captures)})
    run(source, target)
    rows = in_order(captures)
    assert decoded(target.read_bytes()) == [
        Record(time // 10**9, time % 10**9, wire_length, data) for time, wire_length, data in rows
    ]


VARIANTS = {
    "big.pcap": Variant(">"),
    "nanoseconds.pcap": Variant("<", NANOSECONDS),
    "snaplen.pcap": Variant(snaplen=2000),
}


def test_pcaps_of_other_layouts_become_one_pcap(tmp_path: Path, target: Path) -> None:
    captures = dict(zip(VARIANTS, parts(3), strict=True))
    data = {name: encoded(part, VARIANTS[name]) for name, part in captures.items()}
    run(write(tmp_path / "in", data), target)
    assert cbpf.capture_info(target).container == "pcap"
    assert {time for time, *_ in packets(target)} >= {
        record.seconds * 10**9 + record.nanoseconds for record in captures["nanoseconds.pcap"]
    }
    assert len(packets(target)) == sum(map(len, captures.values()))
    assert [time for time, *_ in packets(target)] == sorted(time for time, *_ in packets(target))


def test_captures_of_other_kinds_become_a_pcapng_with_each_interface_once(tmp_path: Path, target: Path) -> None:
    one, two, three, four = parts(4)
    linktype, cooked = relabelled(four, "LINUX_SLL")
    data = {
        "a.pcap": encoded(one),
        "b.pcap": encoded(two),
        "c.pcapng": as_pcapng(three),
        "d.pcap": encoded(cooked, archive_jobs.variant(linktype)),
    }
    report = run(write(tmp_path / "in", data), target)
    assert packets(target) == in_order([one, two, three, cooked])
    info = cbpf.capture_info(target)
    assert info.container == "pcapng"
    assert [item.interface.link_type.name for item in info.interfaces] == ["EN10MB", "LINUX_SLL", "EN10MB"]
    assert info.interfaces[0].totals.packets == len(one) + len(two)  # equal interfaces of two objects are one
    assert report.is_complete


def test_comments_are_preserved(tmp_path: Path, target: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for index in range(2):
        with cbpf.CaptureWriter(source / f"{index}.pcapng") as writer:
            writer.append(bytes(60), time_ns=1000 * (10 - index), comment=f"of {index}")
    run(source, target)
    assert [packet.comments for packet in cbpf.read_capture(target)] == [("of 1",), ("of 0",)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_headers_in_the_byte_order_of_the_capturing_host_are_converted(order: Any, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    interface = cbpf.Interface(cbpf.link_type("NULL"), 262_144, order)
    with cbpf.CaptureWriter(source / "a.pcapng", interfaces=[interface], byte_order=order) as writer:
        writer.append(struct.pack(f"{order}I", 2) + bytes(40))
    run(source, tmp_path / "out.pcapng")
    assert [packet.data for packet in cbpf.read_capture(tmp_path / "out.pcapng")] == [struct.pack("=I", 2) + bytes(40)]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_name_of_the_output_decides_its_compression(suffix: str, tmp_path: Path) -> None:
    captures = parts(2)
    source = write(tmp_path / "in", {f"{index}.pcap": encoded(part) for index, part in enumerate(captures)})
    target = tmp_path / f"out.pcap{suffix}"
    run(source, target)
    assert cbpf.capture_info(target).compression == ("gzip" if suffix else None)
    assert packets(target) == in_order(captures)


def test_a_filter_and_a_period_select_packets(tmp_path: Path, target: Path) -> None:
    captures = parts(3)
    source = write(tmp_path / "in", {f"{index}.pcap": encoded(part) for index, part in enumerate(captures)})
    times = {"since": START + 1, "until": START + 60}
    report = run(source, target, "tcp", **times)
    assert packets(target) == _filtered(in_order(captures), "tcp", **times)
    assert report.selected == len(packets(target)) > 0
    run(source, target, **times)
    assert packets(target) == _filtered(in_order(captures), "", **times)


def _filtered(rows: list[tuple[int, int, bytes]], expression: str, **times: Any) -> list[tuple[int, int, bytes]]:
    file = io.BytesIO()
    with cbpf.CaptureWriter(file) as writer:
        for time_ns, wire_length, data in rows:
            writer.append(data, time_ns=time_ns, wire_length=wire_length)
    selected = cbpf.read_capture(io.BytesIO(file.getvalue()), filter=expression, **times)
    return [(packet.time_ns, packet.wire_length, packet.data) for packet in selected]


def test_objects_with_problems_are_listed_and_the_others_merged(tmp_path: Path, target: Path) -> None:
    captures = parts(3)
    data = {f"{index}.pcap": encoded(part) for index, part in enumerate(captures)}
    data["1.pcap"] = data["1.pcap"][:-5]
    data["empty.pcap"] = encoded([])
    data["notes.txt"] = b"no capture"
    report = run(write(tmp_path / "in", data), target)
    captures[1].pop()
    assert packets(target) == in_order(captures)
    assert sorted((Path(problem.path).name, problem.status) for problem in report.problems) == [
        ("1.pcap", "damaged"),
        ("notes.txt", "foreign"),
    ]


def test_captures_without_packets_make_an_empty_capture(tmp_path: Path, target: Path) -> None:
    run(write(tmp_path / "in", {"a.pcap": encoded([]), "b.pcap": encoded([])}), target)
    assert target.read_bytes() == encoded([])


def test_an_archive_without_captures_is_an_error(tmp_path: Path, target: Path) -> None:
    source = write(tmp_path / "in", {"notes.txt": b"no capture"})
    with pytest.raises(cbpf.ArchiveError, match=r"notes\.txt.*foreign"):
        run(source, target)
    assert not target.exists()


@pytest.mark.parametrize(
    ("source", "name"), [("in", "a.pcap"), ("in", "new.pcap"), ("in/*.pcap", "new.pcap"), ("in/a", "a.pcap")]
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_the_output_is_not_an_object_of_the_source(source: str, name: str, dry_run: bool, tmp_path: Path) -> None:
    data = encoded(RECORDS[:3])
    folder = write(tmp_path / "in", {"a.pcap": data})
    with pytest.raises(cbpf.ArchiveError, match=rf"/in/{name}: the source names this object as well; [^\n]*$"):
        run(tmp_path / source, folder / name, "arp", dry_run=dry_run)
    assert (folder / "a.pcap").read_bytes() == data
    assert [path.name for path in folder.iterdir()] == ["a.pcap"]


def test_the_output_is_not_an_object_of_a_manifest(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="manifests need pyarrow; ./dev test --all installs it")
    data = encoded(RECORDS[:3])
    folder = write(tmp_path / "in", {"a.pcap": data})
    cbpf.archive.index(str(folder), str(tmp_path / "manifest"))
    with pytest.raises(cbpf.ArchiveError, match=r"/in/a\.pcap: the source names this object as well"):
        run(tmp_path / "manifest", folder / "a.pcap", "arp")
    assert (folder / "a.pcap").read_bytes() == data


def test_an_output_beside_the_objects_of_a_pattern_is_written(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"a.pcap": encoded(RECORDS)})
    assert run(folder / "*.pcap", folder / "merged.pcap.gz").packets == len(RECORDS)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full exists on Linux")
def test_errors_of_the_output_name_it(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"a.pcap": encoded(RECORDS)})
    with pytest.raises((cbpf.ArchiveError, cbpf.CaptureError, OSError)) as raised:
        run(source, Path("/dev/full"))
    assert "/dev/full" in str(raised.value)


def test_a_name_of_a_compression_that_is_not_written_is_an_error(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"a.pcap": encoded(RECORDS)})
    with pytest.raises(cbpf.ArchiveError, match=r"/out\.pcap\.lzma: files of type \.lzma cannot be written; "):
        run(source, tmp_path / "out.pcap.lzma")
    assert not (tmp_path / "out.pcap.lzma").exists()


def test_a_missing_library_names_the_output(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cbpf.capture import compressors

    def load(level: int) -> Any:
        raise ImportError

    kind = compressors._KINDS["zstd"]._replace(load=load)
    monkeypatch.setitem(compressors._KINDS, "zstd", kind)
    source = write(tmp_path / "in", {"a.pcap": encoded(RECORDS)})
    with pytest.raises(cbpf.MissingLibrary, match=r"/merged\.pcap\.zst: no library for a zstd stream"):
        run(source, target.with_suffix(".pcap.zst"))


def test_too_many_objects_of_one_time_are_an_error(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging_module, "MAX_OPEN", 3)
    source = write(tmp_path / "in", {f"{index}.pcap": encoded(part) for index, part in enumerate(parts(4))})
    with pytest.raises(cbpf.ArchiveError, match="more than 3 objects have packets of the same time"):
        run(source, target)
    assert not target.exists()


def test_consecutive_objects_are_not_open_together(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging_module, "MAX_OPEN", 2)
    pieces = [RECORDS[first : first + 50] for first in range(0, len(RECORDS), 50)]
    source = write(tmp_path / "in", {f"{index:03}.pcap": encoded(part) for index, part in enumerate(pieces)})
    run(source, target)
    assert target.read_bytes() == encoded(RECORDS)


def test_memory_does_not_grow_with_the_number_of_objects(tmp_path: Path, target: Path) -> None:
    def peak(count: int) -> int:
        source = tmp_path / f"in-{count}"
        write(source, {f"{index:03}.pcap": encoded(RECORDS[index : index + 1]) for index in range(count)})
        tracemalloc.start()
        try:
            run(source, target)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)  # imports modules
    assert peak(200) < 20_000_000  # an open capture has a buffer of more than a megabyte


def test_link_types_that_do_not_fit_in_a_pcap_are_an_error(tmp_path: Path, target: Path) -> None:
    linktype, cooked = relabelled(RECORDS, "LINUX_SLL")
    data = {"a.pcap": encoded(RECORDS), "b.pcap": encoded(cooked, archive_jobs.variant(linktype))}
    message = r"/b\.pcap: link type LINUX_SLL is not EN10MB, the link type of /.*/a\.pcap; a pcap has one link type$"
    with pytest.raises(cbpf.CaptureError, match=message):
        run(write(tmp_path / "in", data), target, container="pcap")
    assert not target.exists()


def test_a_period_without_objects_is_an_error(tmp_path: Path, target: Path) -> None:
    pytest.importorskip("pyarrow", reason="manifests need pyarrow; ./dev test --all installs it")
    folder = write(tmp_path / "in", {"a.pcap": encoded(RECORDS)})
    cbpf.archive.index(str(folder), str(tmp_path / "manifest"))
    with pytest.raises(cbpf.ArchiveError, match=r"manifest: no object has packets in the period$"):
        run(tmp_path / "manifest", target, since=START + 10**6)
    assert not target.exists()


def test_packets_that_the_filter_does_not_fit_do_not_match(tmp_path: Path, target: Path) -> None:
    loop = encoded(RECORDS, archive_jobs.variant(108))  # OpenBSD loopback
    source = write(tmp_path / "in", {"a.pcap": loop, "b.pcap": encoded(RECORDS)})
    with pytest.warns(cbpf.ExpressionWarning, match="do not match"):
        report = run(source, target, "vlan or arp")
    assert report.selected == cbpf.filter_capture(source / "b.pcap", None, "vlan or arp").packets_accepted
    write(source, {"b.pcap": loop})
    with pytest.warns(cbpf.ExpressionWarning), pytest.raises(cbpf.LinkTypeError):
        run(source, target, "vlan or arp")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"filter": "tcp prot"}, cbpf.ExpressionError),
        ({"container": "x"}, cbpf.FieldError),
        ({"compress": "x"}, cbpf.FieldError),
        ({"since": "+1m"}, cbpf.FieldError),
        ({"dialect": 1}, cbpf.FieldError),
    ],
)
def test_wrong_arguments_are_rejected(options: dict[str, Any], error: type[Exception], tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"a.pcap": encoded(RECORDS)})
    with pytest.raises(error):
        run(source, tmp_path / "out.pcap", **options)
    assert not (tmp_path / "out.pcap").exists()


def test_a_dry_run_writes_nothing(tmp_path: Path, target: Path) -> None:
    source = write(tmp_path / "in", {"a.pcap": encoded(RECORDS)})
    report = run(source, target, dry_run=True)
    assert (report.processed, report.dry_run) == (1, True)
    assert not target.exists()


@pytest.fixture
def memory() -> Iterator[Any]:
    """The driver of the store in memory, which is empty."""
    fsspec = pytest.importorskip("fsspec", reason="stores need fsspec; ./dev test --all installs it")
    driver = fsspec.filesystem("memory")
    driver.store.clear()
    driver.pseudo_dirs[:] = [""]
    yield driver
    driver.store.clear()


def test_a_store_is_merged_as_files_are(memory: Any, tmp_path: Path, target: Path) -> None:
    data = {f"{index}.pcap": encoded(part) for index, part in enumerate(parts(3))}
    for name, content in data.items():
        memory.pipe_file(f"/bucket/{name}", content)
    assert merge("memory://bucket/*.pcap", "memory://out/merged.pcap").is_complete
    run(write(tmp_path / "in", data), target)
    assert memory.cat_file(path="/out/merged.pcap") == target.read_bytes()
