"""Archives filtered object by object: names, reports, receipts, damaged and replaced objects."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import cbpf
import cbpf.archive
from cbpf.archive import tasks
from cbpf.archive.filtering import filter as filter_archive
from cbpf.archive.filtering import split as split_archive
from cbpf.archive.jobs import Receipts
from cbpf.archive.report import ObjectProblem, Report
from support import archive_jobs
from support.captures import TRAFFIC, decoded, encoded, relabelled

RECORDS = decoded(TRAFFIC.read_bytes())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with captures."""
    archive_jobs.write_archive(tmp_path / "in")
    return tmp_path / "in"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "out"


def run(source: Path, target: Path, expression: Any = archive_jobs.FILTER, **options: Any) -> Report:
    return filter_archive(str(source), str(target), expression, **options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 1},
        {"executor": lambda: ThreadPoolExecutor(3), "batch_size": 100_000},
        {"workers": 2, "batch_size": 100_000},
    ],
    ids=["here", "small batches", "threads", "processes"],
)
def test_each_object_has_the_output_of_filter_capture(source: Path, target: Path, options: dict[str, Any]) -> None:
    report = run(source, target, **options)
    assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source)
    assert (report.objects, report.processed, report.outputs, report.unchanged) == (12, 12, 12, 0)
    assert report.is_complete
    assert report.bytes_read == sum(path.stat().st_size for path in source.rglob("*") if path.is_file())


def test_the_report_counts_all_packets(source: Path, target: Path) -> None:
    paths = sorted(path for path in source.rglob("*") if path.is_file())
    summary = cbpf.filter_capture(paths, None, archive_jobs.FILTER)
    report = run(source, target)
    assert (report.packets, report.selected) == (summary.packets_seen, summary.packets_accepted)


def test_a_second_run_reads_nothing(source: Path, target: Path) -> None:
    run(source, target, batch_size=100_000)
    times = {path: path.stat().st_mtime_ns for path in target.rglob("*") if path.is_file()}
    report = run(source, target)
    assert (report.objects, report.unchanged, report.processed, report.outputs) == (12, 12, 0, 0)
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*") if path.is_file()} == times


def test_another_filter_is_another_job(source: Path, target: Path) -> None:
    run(source, target, "arp")
    assert run(source, target, "udp").processed == 12
    assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source, "udp")


@pytest.mark.parametrize("options", [{"snaplen": 60}, {"sample": 3}, {"invert": True}, {"until": 1}])
def test_other_options_are_another_job(source: Path, target: Path, options: dict[str, Any]) -> None:
    run(source, target)
    assert run(source, target, **options).processed == 12
    assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source, **options)


def test_new_and_replaced_objects_are_read(source: Path, target: Path) -> None:
    run(source, target)
    (source / "day-1" / "new.pcap").write_bytes(TRAFFIC.read_bytes())
    (source / "day-0" / "00.pcap").write_bytes(encoded(RECORDS[:99]))
    report = run(source, target)
    assert (report.unchanged, report.processed) == (11, 2)
    assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source)


def test_a_torn_receipt_counts_as_none(source: Path, target: Path) -> None:
    run(source, target, batch_size=1)
    torn, empty, other, *_ = archive_jobs.receipts(target)
    torn.write_bytes(torn.read_bytes()[:40])
    empty.write_bytes(b"")
    other.write_text(json.dumps({"version": 99, "objects": []}))
    report = run(source, target)
    assert (report.unchanged, report.processed) == (9, 3)
    assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source)


def test_an_output_appears_before_its_receipt(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: list[dict[str, str]] = []
    original = Receipts.write

    def write(self: Receipts, outcomes: Any) -> None:
        if outcomes:
            outputs.append(archive_jobs.outputs(target))
        original(self, outcomes)

    monkeypatch.setattr(Receipts, "write", write)
    run(source, target, batch_size=1)
    assert [len(found) for found in outputs] == list(range(1, 13))


def test_a_damaged_object_keeps_its_whole_packets_and_is_listed(source: Path, target: Path) -> None:
    damaged = source / "day-0" / "00.pcap"
    damaged.write_bytes(damaged.read_bytes()[:-10])
    report = run(source, target)
    assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source)
    assert [(problem.path, problem.status) for problem in report.problems] == [(str(damaged), "damaged")]
    assert "truncated" in report.problems[0].message
    assert not report.is_complete
    again = run(source, target)
    assert (again.processed, again.problems) == (0, report.problems)


def test_a_foreign_object_has_no_output_and_is_listed(source: Path, target: Path) -> None:
    (source / "day-0" / "notes.txt").write_text("not a capture\n")
    (source / "day-0" / "empty.pcap").write_bytes(b"")
    report = run(source, target, batch_size=1)
    assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source)
    assert {Path(problem.path).name: problem.status for problem in report.problems} == {
        "notes.txt": "foreign",
        "empty.pcap": "foreign",
    }
    assert report.outputs == 12


def test_an_object_that_disappears_is_listed_and_tried_again(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = source / "day-1" / "06.pcap"
    data = lost.read_bytes()
    original = tasks.filter_object

    def filter_object(job: tasks.FilterJob, item: Any) -> Any:
        lost.unlink(missing_ok=True)
        return original(job, item)

    monkeypatch.setattr(tasks, "filter_object", filter_object)
    report = run(source, target)
    assert [(problem.path, problem.status) for problem in report.problems] == [(str(lost), "unreadable")]
    monkeypatch.undo()
    lost.write_bytes(data)
    assert run(source, target).processed == 1
    assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source)


@pytest.fixture
def replacing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """A function that lets an object be replaced a number of times, each time while it is read."""

    def replace(path: Path, times: int) -> None:
        original = tasks._summaries
        remaining = list(range(times))

        def summaries(job: Any, source: Any, *arguments: Any) -> Any:
            result = original(job, source, *arguments)
            if str(source) == str(path) and remaining:
                new = path.with_suffix(".new")
                new.write_bytes(encoded(RECORDS[remaining.pop() : 300]))
                new.rename(path)
            return result

        monkeypatch.setattr(tasks, "_summaries", summaries)

    return replace


def test_an_object_that_is_replaced_is_read_again(
    source: Path, target: Path, replacing: Callable[[Path, int], None]
) -> None:
    replacing(source / "day-0" / "00.pcap", 2)
    report = run(source, target)
    assert report.is_complete
    assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source)
    assert run(source, target).processed == 0


def test_an_object_that_is_replaced_again_and_again_is_listed(
    source: Path, target: Path, replacing: Callable[[Path, int], None]
) -> None:
    path = source / "day-0" / "00.pcap"
    replacing(path, 3)
    report = run(source, target)
    assert report.problems == (ObjectProblem(str(path), "replaced", "was replaced while it was read"),)
    assert "day-0/00.pcap" not in archive_jobs.outputs(target)
    assert run(source, target).processed == 1
    assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source)


def test_a_dry_run_writes_nothing(source: Path, target: Path) -> None:
    report = run(source, target, dry_run=True)
    assert not target.exists()
    assert (report.objects, report.processed, report.outputs, report.dry_run) == (12, 12, 12, True)


def test_captures_of_other_link_types_have_programs_of_their_own(tmp_path: Path, target: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("EN10MB", "LINUX_SLL", "LINUX_SLL2", "RAW", "NULL"):
        linktype, records = (1, RECORDS) if name == "EN10MB" else relabelled(RECORDS, name)
        variant = archive_jobs.variant(linktype)
        (source / f"{name}.pcap").write_bytes(encoded(records, variant))
        (source / f"{name}-big.pcap").write_bytes(encoded(records, variant._replace(byte_order=">")))
    report = run(source, target, "tcp port 443")
    assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source, "tcp port 443")
    assert report.processed == 10
    assert report.selected is not None
    assert report.selected > 100


def test_packets_of_a_link_type_that_the_filter_does_not_fit_do_not_match(tmp_path: Path, target: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.pcap").write_bytes(encoded(RECORDS))
    (source / "b.pcap").write_bytes(encoded(RECORDS, archive_jobs.variant(108)))  # OpenBSD loopback
    with pytest.warns(cbpf.ExpressionWarning, match="link type LOOP"):
        report = run(source, target, "vlan")
    assert (report.outputs, report.is_complete) == (2, True)


def test_a_filter_that_fits_no_object_is_an_error(tmp_path: Path, target: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "b.pcap").write_bytes(encoded(RECORDS, archive_jobs.variant(108)))
    with pytest.raises(cbpf.LinkTypeError):
        run(source, target, "vlan")


@pytest.mark.parametrize("make", ["program", "vm", "savefile", "lists"])
def test_every_kind_of_filter_is_accepted(make: str, source: Path, target: Path) -> None:
    program = cbpf.compile("tcp")
    filters: dict[str, Any] = {
        "program": program,
        "vm": cbpf.VM(program, engine="interpreter"),
        "savefile": cbpf.Savefile(program, snaplen=262_144, link_type=1),
        "lists": cbpf.Expression("tcp", hosts=["10.0.0.0/8", "192.168.0.0/16"]),
    }
    run(source, target, filters[make])
    assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source, filters[make])


def test_times_select_packets(source: Path, target: Path) -> None:
    since = RECORDS[200].seconds + 1
    run(source, target, "", since=since)
    assert archive_jobs.outputs(target) == archive_jobs.expected_outputs(source, "", since=since)


def test_an_output_of_a_compression_that_is_not_written_is_plain_and_so_is_its_name(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    data = lzma.compress(TRAFFIC.read_bytes(), format=lzma.FORMAT_ALONE)
    (tmp_path / "in" / "a.pcap.lzma").write_bytes(data)
    (tmp_path / "in" / "notes.zip").write_bytes(b"no capture")
    report = filter_archive(str(tmp_path / "in"), str(tmp_path / "out"), "")
    assert (tmp_path / "out" / "a.pcap").read_bytes() == TRAFFIC.read_bytes()
    assert [problem.status for problem in report.problems] == ["foreign"]
    filter_archive(str(tmp_path / "in" / "a.pcap.lzma"), str(tmp_path / "xz"), "", compress="xz")
    assert lzma.decompress((tmp_path / "xz" / "a.pcap.xz").read_bytes()) == TRAFFIC.read_bytes()


def test_a_compression_is_the_suffix_of_the_outputs(source: Path, target: Path) -> None:
    run(source, target, compress="none")
    names = {path.removesuffix(".gz") for path in archive_jobs.expected_outputs(source)}
    assert set(archive_jobs.outputs(target)) == names


def test_a_format_is_the_suffix_of_the_outputs(source: Path, target: Path) -> None:
    run(source, target, container="pcapng", compress="none")
    assert {Path(name).suffix for name in archive_jobs.outputs(target)} == {".pcapng"}


def test_a_pattern_keeps_the_folders_below_it(source: Path, target: Path) -> None:
    run(source / "*" / "0[0-3].*", target)
    assert sorted(archive_jobs.outputs(target)) == [
        "day-0/00.pcap",
        "day-0/01.pcap.gz",
        "day-0/02.pcap",
        "day-0/03.pcapng",
    ]


def test_the_outputs_of_a_list_have_the_whole_paths(source: Path, target: Path, tmp_path: Path) -> None:
    listing = tmp_path / "list"
    listing.write_text(f"{source}/day-0/00.pcap\n{source}/day-1/*.pcap\n")
    filter_archive(f"@{listing}", str(target), "tcp")
    assert f"{source}/day-0/00.pcap".lstrip("/") in archive_jobs.outputs(target)
    assert len(archive_jobs.outputs(target)) == 1 + len(list((source / "day-1").glob("*.pcap")))


def test_a_manifest_selects_the_objects_of_a_period(source: Path, target: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="manifests need pyarrow; ./dev test --all installs it")
    cbpf.archive.index(str(source), str(tmp_path / "manifest"))
    times: dict[str, Any] = {"since": RECORDS[100].seconds, "until": RECORDS[250].seconds}
    report = filter_archive(str(tmp_path / "manifest"), str(target), "", **times)
    assert (report.objects, report.pruned + report.processed) == (12, 12)
    assert 0 < report.processed < 12
    written = {
        name.removeprefix(f"{source}/".lstrip("/")): value for name, value in archive_jobs.outputs(target).items()
    }
    expected = archive_jobs.expected_outputs(source, "", **times)
    assert written.items() <= expected.items()
    everything = tmp_path / "all"
    run(source, everything, "", **times)
    selected = sum(cbpf.capture_info(everything / name).totals.packets for name in written)
    assert selected == sum(cbpf.capture_info(path).totals.packets for path in everything.rglob("*.pcap*"))


@pytest.fixture
def memory() -> Iterator[Any]:
    """The driver of the store in memory, which is empty."""
    fsspec = pytest.importorskip("fsspec", reason="stores need fsspec; ./dev test --all installs it")
    driver = fsspec.filesystem("memory")
    driver.store.clear()
    driver.pseudo_dirs[:] = [""]
    yield driver
    driver.store.clear()


def test_a_store_has_the_same_outputs(source: Path, target: Path, memory: Any) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            memory.pipe_file(f"/bucket/in/{path.relative_to(source)}", path.read_bytes())
    report = filter_archive("memory://bucket/in", "memory://bucket/out", archive_jobs.FILTER)
    assert report.is_complete
    run(source, target)
    written = {name: memory.cat_file(path=f"/bucket/out/{name}") for name in archive_jobs.outputs(target)}
    assert {name: (target / name).read_bytes() for name in written} == written
    assert filter_archive("memory://bucket/in", "memory://bucket/out", archive_jobs.FILTER).unchanged == 12


def test_split_writes_the_outputs_of_each_filter_and_the_rest(source: Path, target: Path) -> None:
    routes = {"tcp port 443": "web", "arp": "arp"}
    report = split_archive(str(source), str(target), routes, rest="other")
    assert archive_jobs.outputs(target / "web") == archive_jobs.expected_outputs(source, "tcp port 443")
    assert archive_jobs.outputs(target / "arp") == archive_jobs.expected_outputs(source, "arp")
    assert archive_jobs.outputs(target / "other") == archive_jobs.expected_outputs(source, "not (tcp port 443 or arp)")
    assert report.outputs == 36
    assert dict(report.routes).keys() == {"web", "arp"}
    assert report.selected == sum(count for _, count in report.routes)
    assert report.as_dict()["routes"] == dict(report.routes)
    assert "web" in str(report)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"filter": "tcp prot 80"}, cbpf.ExpressionError, "prot"),
        ({"filter": 3}, cbpf.FieldError, "filter.filter"),
        ({"source": ""}, cbpf.FieldError, "filter.source"),
        ({"source": "{source}/none*"}, cbpf.ArchiveError, "no object matches"),
        ({"target": "{source}"}, cbpf.ArchiveError, "inside of the source"),
        ({"target": "{source}/out"}, cbpf.ArchiveError, "inside of the source"),
        ({"source": "{source}/**/*.pcap", "target": "{source}/day-0/out"}, cbpf.ArchiveError, "inside of the source"),
        ({"source": "{source}/day-0/*", "target": "{source}/day-0"}, cbpf.ArchiveError, "inside of the source"),
        ({"source": "{source}/day", "target": "{source}/day-0/out"}, cbpf.ArchiveError, "inside of the source"),
        ({"source": "{source}x", "target": "{source}/../out"}, cbpf.ArchiveError, "no object has this name"),
        ({"since": "+5m"}, cbpf.FieldError, "relative to the first packet"),
        ({"since": 2, "until": 1}, cbpf.FieldError, "not later than since"),
        ({"container": "pcapx"}, cbpf.FieldError, "container"),
        ({"compress": "zip"}, cbpf.FieldError, "compress"),
        ({"snaplen": 0}, cbpf.FieldError, "snaplen"),
        ({"sample": 0}, cbpf.FieldError, "sample"),
        ({"batch_size": 0}, cbpf.FieldError, "batch_size"),
        ({"workers": 0}, cbpf.FieldError, "workers"),
        ({"scheduler": "tcp://127.0.0.1:1", "workers": 2}, cbpf.FieldError, "mutually exclusive"),
        ({"storage_options": [1]}, cbpf.FieldError, "storage_options"),
        ({"dialect": "PCAP"}, cbpf.FieldError, "dialect"),
    ],
)
def test_a_wrong_argument_is_one_line_and_nothing_is_written(
    options: dict[str, Any], error: type[Exception], message: str, source: Path, target: Path
) -> None:
    arguments: dict[str, Any] = {"source": str(source), "target": str(target), "filter": "tcp", **options}
    for name in ("source", "target"):
        arguments[name] = arguments[name].format(source=source)
    before = sorted(source.rglob("*"))
    with pytest.raises(error, match=message) as caught:
        filter_archive(**arguments)
    assert "\n" not in str(caught.value)
    assert sorted(source.rglob("*")) == before
    assert not target.exists()


def test_two_objects_with_one_output_are_an_error_before_anything_is_written(source: Path, target: Path) -> None:
    (source / "day-0" / "00.pcap.gz").write_bytes((source / "day-0" / "01.pcap.gz").read_bytes())
    with pytest.raises(cbpf.ArchiveError, match=r"00\.pcap\.gz: .*00\.pcap has the same output, day-0/00\.pcap"):
        run(source, target, compress="none")
    assert not target.exists()
    run(source, target)
    assert len(archive_jobs.outputs(target)) == 13


def test_an_object_that_is_listed_twice_is_filtered_once(source: Path, target: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{source}/day-0/00.pcap\n{source}/day-0/*.pcap\n")
    report = filter_archive(f"@{tmp_path / 'list'}", str(target), "tcp")
    assert report.objects == report.outputs == len(list((source / "day-0").glob("*.pcap")))


def test_a_target_that_cannot_be_written_ends_the_run(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(cbpf.ArchiveError, match=r"file/out.*Not a directory"):
        run(source, tmp_path / "file" / "out")


@pytest.mark.parametrize("routes", [{}, {"tcp": ""}, {"tcp": "../out"}, {"tcp": "a", "udp": "a"}, {"tcp": ".a"}])
def test_wrong_routes_are_rejected(routes: dict[str, str], source: Path, target: Path) -> None:
    with pytest.raises(cbpf.FieldError, match=r"split\.routes"):
        split_archive(str(source), str(target), routes)
    assert not target.exists()
