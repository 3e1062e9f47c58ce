"""`cbpf.archive.count`: equal to `count_packets` over all objects, from the objects and from the manifest."""

from collections.abc import Callable
from pathlib import Path

import pytest

import cbpf
from cbpf.archive import count_run, indexing
from cbpf.archive.locations import join
from cbpf.archive.stores import Store
from support.archives import START, TRAFFIC_RECORDS, capture, write_objects
from support.captures import Pcapng, as_pcapng, encoded, relabelled

pytest.importorskip("fsspec", reason="archives need fsspec; ./dev test --all installs it")
pytest.importorskip("pyarrow", reason="manifests need pyarrow; ./dev test --all installs it")

LINK_TYPE, RAW = relabelled(TRAFFIC_RECORDS[:200], "RAW")
OBJECTS = {
    "a.pcap": capture(START, 200),
    "b.pcapng": as_pcapng(TRAFFIC_RECORDS[200:400]),
    "c.pcap": capture(START + 150, 100, 3_000_000_000),
    "raw.pcapng": as_pcapng(RAW, linktype=LINK_TYPE),
}


@pytest.fixture
def archive(root: str) -> str:
    write_objects(join(root, "in"), OBJECTS)
    return root


@pytest.fixture
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The paths of the objects as files, for `count_packets`."""
    folder = tmp_path_factory.mktemp("files")
    for name, data in OBJECTS.items():
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in OBJECTS]


CASES = [
    ((), {}),
    ((), {"every": "1m"}),
    ((), {"every": 7}),
    (("tcp", "udp port 53"), {"every": "1m"}),
    (("arp",), {"since": START + 30, "until": START + 200}),
    (("",), {"since": START + 60, "every": "1m"}),
    (("tcp",), {"until": START}),
    ((), {"until": START + 120}),
    ((), {"since": START + 60, "until": START + 240, "every": "2m"}),
]


@pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning")  # ARP does not occur in packets of RAW
@pytest.mark.parametrize("source", ["in", "manifest"])
@pytest.mark.parametrize(("filters", "options"), CASES)
def test_counts_equal_those_of_count_packets(
    archive: str, files: list[str], source: str, filters: tuple[str, ...], options: dict[str, object]
) -> None:
    cbpf.archive.index(join(archive, "in"), join(archive, "manifest"))
    report = cbpf.archive.count(join(archive, source), *filters, **options)  # type: ignore[arg-type]
    expected = cbpf.count_packets(files, *filters, **options)  # type: ignore[arg-type]
    assert report.counts == expected
    assert (report.objects, report.problems, report.packets) == (4, (), None)


def test_a_manifest_answers_without_reading_objects(archive: str) -> None:
    cbpf.archive.index(join(archive, "in"), join(archive, "manifest"))
    for name in OBJECTS:
        Store().remove(join(archive, f"in/{name}"))
    report = cbpf.archive.count(join(archive, "manifest"), every="1m", until=START + 3600)
    assert report.counts is not None
    assert sum(row.packets for row in report.counts.rows) == 300
    assert (report.objects, report.pruned, report.unchanged, report.processed) == (4, 2, 2, 0)


def test_objects_with_too_many_minutes_are_read(
    archive: str, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "MAX_MINUTES", 4)
    cbpf.archive.index(join(archive, "in"), join(archive, "manifest"))
    report = cbpf.archive.count(join(archive, "manifest"), every="1m")
    assert report.counts == cbpf.count_packets(files, every="1m")
    assert (report.unchanged, report.processed) == (3, 1)


def test_packets_without_a_time_are_counted_from_a_manifest(root: str, untimed: bytes, tmp_path: Path) -> None:
    write_objects(join(root, "in"), {"untimed.pcapng": untimed})
    (tmp_path / "untimed.pcapng").write_bytes(untimed)
    cbpf.archive.index(join(root, "in"), join(root, "manifest"))
    for options in ({}, {"every": 60}, {"until": 60}, {"since": 60}):
        report = cbpf.archive.count(join(root, "manifest"), **options)  # type: ignore[arg-type]
        assert report.counts == cbpf.count_packets(tmp_path / "untimed.pcapng", **options)  # type: ignore[arg-type]


@pytest.fixture
def untimed() -> bytes:
    """A pcapng with a packet that has a time, and two Simple Packet Blocks, which have none."""
    build = Pcapng("<")
    frame = TRAFFIC_RECORDS[0].data
    return b"".join(
        [
            build.section(),
            build.interface(),
            build.enhanced(frame, time=START * 10**6),
            build.simple(frame),
            build.simple(frame),
        ]
    )


def test_damaged_and_foreign_objects_are_listed(archive: str) -> None:
    write_objects(join(archive, "in"), {"d.pcap": encoded(TRAFFIC_RECORDS[:5])[:-1], "notes.txt": b"no capture"})
    cbpf.archive.index(join(archive, "in"), join(archive, "manifest"))
    for source in ("in", "manifest"):
        report = cbpf.archive.count(join(archive, source))
        assert report.counts is not None
        assert report.counts.rows[0].packets == 500 + len(RAW) + 4
        problems = sorted((Path(problem.path).name, problem.status) for problem in report.problems)
        assert problems == [("d.pcap", "damaged"), ("notes.txt", "foreign")]


def test_an_expression_that_fits_some_link_types_is_a_warning(archive: str) -> None:
    with pytest.warns(cbpf.ExpressionWarning, match=r"link type RAW: .*; its packets do not match"):
        report = cbpf.archive.count(join(archive, "in"), "ether host ff:ff:ff:ff:ff:ff")
    assert report.counts is not None
    assert report.counts.rows[0].packets > 0
    with pytest.raises(cbpf.LinkTypeError):
        cbpf.archive.count(join(archive, "in/raw.pcapng"), "ether host ff:ff:ff:ff:ff:ff")


def test_a_dry_run_counts_nothing(archive: str) -> None:
    report = cbpf.archive.count(join(archive, "in"), "tcp", dry_run=True)
    assert (report.objects, report.processed, report.counts) == (4, 4, None)
    assert report.bytes_read == sum(map(len, OBJECTS.values()))


@pytest.mark.parametrize("workers", [1, 2])
def test_counts_do_not_depend_on_the_workers(tmp_path: Path, files: list[str], workers: int) -> None:
    write_objects(str(tmp_path / "in"), OBJECTS)
    report = cbpf.archive.count(f"{tmp_path}/in", "tcp", every="1m", workers=workers, batch_size=1)
    assert report.counts == cbpf.count_packets(files, "tcp", every="1m")


def _call(**options: object) -> Callable[[str], object]:
    return lambda source: cbpf.archive.count(source, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (_call(every="1x"), cbpf.FieldError, r"count.every: '1x' is not a duration"),
        (_call(since="+5m"), cbpf.FieldError, r"count.since: is relative"),
        (_call(since=10, until=5), cbpf.FieldError, r"count.until: 5 is not later than since"),
        (_call(batch_size=0), cbpf.FieldError, r"count.batch_size: 0 is not a number of bytes"),
        (_call(workers=0), cbpf.FieldError, r"workers: 0 is out of range"),
        (lambda source: cbpf.archive.count(source, "tcp prot 80"), cbpf.ExpressionError, r"prot"),
        (lambda source: cbpf.archive.count(f"{source}/none"), cbpf.ArchiveError, r"/none: no object has this name"),
    ],
)
def test_wrong_arguments_are_one_line(archive: str, call: Callable[[str], object], error: type, message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        call(join(archive, "in"))
    assert "\n" not in str(caught.value)


def test_too_many_intervals_are_an_error(archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbpf.archive.count_tasks.MAX_GROUPS", 10)
    with pytest.raises(cbpf.FieldError, match=r"count.every: more than 10 intervals have packets; choose longer ones"):
        count_run.count(join(archive, "in"), every=1)
