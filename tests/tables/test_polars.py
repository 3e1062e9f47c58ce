"""`cbpf.polars`: scans give the rows of `read_table`, whatever polars passes to them, and read no more than needed."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
import cbpf.polars
from cbpf.polars import predicates, scan
from cbpf.tables.conditions import Condition, ConditionPrograms
from cbpf.tables.fields import FIELD_NAMES, field_programs, field_type
from support.captures import TRAFFIC, Pcapng, as_pcapng, decoded, encoded
from support.project import MISSING_TABLE_LIBRARIES, Rounds
from support.sample_pcapng import blocks_of_all_kinds

pl = pytest.importorskip("polars", reason="scans need polars; ./dev test --all installs it")
pytest.importorskip("pyarrow", reason="scans need pyarrow; ./dev test --all installs it")

T: Final = datetime(2026, 11, 20, 18, 0, 5, tzinfo=UTC)
COLUMNS: Final = ("number", "time", "interface", "link_type", "captured", "length", "data", *FIELD_NAMES)


@cache
def frame_of(*sources: Path, **options: Any) -> Any:
    """Return the rows of `read_table` with all columns."""
    return pl.from_arrow(cbpf.arrow.read_table(list(sources), columns=COLUMNS, **options))


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A capture with two link types, and a packet without a time."""
    path = tmp_path / "mixed.pcapng"
    path.write_bytes(b"".join(blocks_of_all_kinds(Pcapng("<"))))
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], int]]:
    """The columns and the number of rows of each batch that scans read."""
    batches: list[tuple[tuple[str, ...], int]] = []
    original: Any = scan._Scan._batches

    def counted(self: Any, *arguments: Any) -> Iterator[Any]:
        for batch in original(self, *arguments):
            batches.append((tuple(batch.schema.names), batch.num_rows))
            yield batch

    monkeypatch.setattr(scan._Scan, "_batches", counted)
    return batches


def test_a_scan_gives_all_rows_and_columns(mixed: Path) -> None:
    for sources in ([TRAFFIC], [mixed], [TRAFFIC, mixed]):
        lazy = cbpf.polars.scan_capture(sources)
        assert lazy.collect().equals(frame_of(*sources))
        assert lazy.collect(engine="streaming").equals(frame_of(*sources))
        assert lazy.collect_schema() == lazy.collect().schema


def test_options_select_rows_and_define_columns() -> None:
    options: dict[str, Any] = {"filter": "tcp", "since": "+10s", "until": "+30s", "sample": 2, "seed": 5}
    scanned = cbpf.polars.scan_capture(TRAFFIC, **options)
    assert 0 < scanned.collect().height < 905
    assert scanned.collect().equals(frame_of(TRAFFIC, **options))
    defined = cbpf.polars.scan_capture(TRAFFIC, define={"dns": "port 53", "first": cbpf.parse("ldb [0]\nret a")})
    assert defined.select(pl.col("dns").sum(), pl.col("first").max()).collect().row(0) == (
        len(list(cbpf.read_capture(TRAFFIC, filter="port 53"))),
        max(record.data[0] for record in decoded(TRAFFIC.read_bytes())),
    )


def test_only_the_columns_of_the_query_are_read(reads: list[Any]) -> None:
    cbpf.polars.scan_capture(TRAFFIC).select(pl.col("length").sum()).collect()
    cbpf.polars.scan_capture(TRAFFIC).filter(pl.col("ttl").is_in([64, 63])).select("src_ip").collect()
    assert [sorted(columns) for columns, _ in reads] == [["length"], ["src_ip", "ttl"]]
    assert cbpf.polars.scan_capture(TRAFFIC).select(pl.len()).collect().item() == 905


def test_a_limit_of_rows_ends_the_scan(tmp_path: Path, reads: list[Any]) -> None:
    damaged = tmp_path / "damaged.pcap"
    damaged.write_bytes(TRAFFIC.read_bytes()[:-1])
    lazy = cbpf.polars.scan_capture(damaged)
    assert lazy.head(3).collect()["number"].to_list() == [1, 2, 3]
    assert reads == [(COLUMNS, 3)]
    filtered = lazy.head(50).filter(pl.col("protocol") == 6).select("number").collect()
    assert filtered.equals(frame_of(TRAFFIC).head(50).filter(pl.col("protocol") == 6).select("number"))
    with pytest.raises(cbpf.DamagedCapture, match=r"damaged\.pcap"):
        lazy.collect()


PREDICATES: Final[dict[str, tuple[Callable[[], Any], bool]]] = {
    "time": (lambda: (pl.col("time") >= T) & (pl.col("time") < T + timedelta(seconds=1)), True),
    "times that no packet has": (lambda: (pl.col("time") > T) & (pl.col("time") < T), True),
    "one time": (lambda: pl.col("time") == datetime(2026, 11, 20, 18, 0, 6, 426239, UTC), True),
    "time between": (lambda: pl.col("time").is_between(T, T + timedelta(milliseconds=1), closed="right"), True),
    "length": (lambda: pl.col("length") > 100, True),
    "length, mirrored": (lambda: pl.lit(100) <= pl.col("length"), True),
    "link type": (lambda: pl.col("link_type") == "EN10MB", True),
    "another link type": (lambda: pl.col("link_type") != "EN10MB", True),
    "port": (lambda: pl.col("dst_port") == 443, True),
    "not a port": (lambda: pl.col("dst_port") != 443, True),
    "ports": (lambda: pl.col("src_port").is_between(50, 60) & (pl.col("protocol") == 17), True),
    "everything": (
        lambda: (
            (pl.col("time") >= T)
            & (pl.col("length") <= 400)
            & (pl.col("ip_version") == 4)
            & (pl.col("ttl") >= 64)
            & (pl.col("tcp_flags") != 16)
            & (pl.col("data").bin.size() > 60)
        ),
        True,
    ),
    "listed ports": (lambda: pl.col("dst_port").is_in([53, 443, 80, 70_000, 0]), True),
    "one listed port": (lambda: pl.col("dst_port").is_in([443]), True),
    "an empty list": (lambda: pl.col("dst_port").is_in([]), False),
    "many ports": (lambda: pl.col("dst_port").is_in(list(range(1000))), False),
    "listed link types": (lambda: pl.col("link_type").is_in(["RAW"]), False),
    "negation": (lambda: ~(pl.col("length") > 100), True),
    "a tag": (lambda: pl.col("vlan") >= 0, True),
    "no tag": (lambda: pl.col("vlan").is_null(), False),
    "one of two": (lambda: (pl.col("length") > 1000) | (pl.col("protocol") == 17), False),
    "arithmetic": (lambda: pl.col("length") * 2 > 1000, False),
    "two columns": (lambda: pl.col("src_port") > pl.col("dst_port"), False),
    "interface": (lambda: pl.col("interface") == 0, False),
    "address of 16 bytes": (lambda: pl.col("src_ip6").is_not_null(), False),
    "Python": (
        lambda: pl.col("length").map_batches(lambda column: column > 90, return_dtype=pl.Boolean),
        False,
    ),
}


@pytest.mark.parametrize(("make", "is_pushed"), PREDICATES.values(), ids=PREDICATES)
def test_predicates_select_the_same_rows(make: Any, is_pushed: bool, mixed: Path, reads: list[Any]) -> None:
    for source in (TRAFFIC, mixed):
        reads.clear()
        expected = frame_of(source).filter(make())
        scanned = cbpf.polars.scan_capture(source).filter(make()).select("number", "time", "data").collect()
        assert scanned.equals(expected.select("number", "time", "data"))
        read = sum(rows for _, rows in reads)
        assert read == frame_of(source).height if not is_pushed else read >= expected.height
    for filter in ("ip", cbpf.compile("ip"), cbpf.VM(cbpf.compile("ip"))):
        scanned = cbpf.polars.scan_capture(TRAFFIC, filter=filter).filter(make()).select("number").collect()
        assert scanned.equals(frame_of(TRAFFIC, filter="ip").filter(make()).select("number"))


@pytest.mark.parametrize("since", [None, T, "2026-11-20T18:00:05.5Z", "+12s", 0])
@pytest.mark.parametrize("until", [None, T + timedelta(seconds=2), "+30s", "2026-11-20T18:00:05.6Z"])
def test_times_of_the_caller_and_of_a_predicate_are_combined(since: Any, until: Any) -> None:
    frame = frame_of(TRAFFIC, since=since, until=until)
    second = timedelta(seconds=1)
    for predicate in (
        pl.col("time") > T,
        pl.col("time") < T + second,
        pl.col("time").is_between(T - second, T + second),
    ):
        scanned = cbpf.polars.scan_capture(TRAFFIC, since=since, until=until).filter(predicate).select("number")
        assert scanned.collect().equals(frame.filter(predicate).select("number"))


def test_conditions_select_packets_in_the_scan(reads: list[Any]) -> None:
    lazy = cbpf.polars.scan_capture(TRAFFIC)
    pushed = ("port", "ports", "listed ports", "length", "time", "one time", "times that no packet has")
    for predicate in (*pushed, "another link type"):
        reads.clear()
        rows = lazy.filter(PREDICATES[predicate][0]()).select(pl.len()).collect().item()
        assert sum(count for _, count in reads) == rows, predicate
    reads.clear()
    lazy.filter(pl.col("dst_port") == 443, pl.col("data").bin.size() > 200).collect()
    assert 0 < sum(count for _, count in reads) < 100


@pytest.mark.fuzz
def test_random_predicates_select_the_same_rows(rounds: Rounds, mixed: Path) -> None:
    numbers = [name for name in FIELD_NAMES if not field_type(name).startswith("binary")]
    frames = {source: frame_of(source) for source in (TRAFFIC, mixed)}
    comparisons = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
    for random in rounds(60, min_checked=0.3):
        source = random.choice([TRAFFIC, TRAFFIC, mixed])
        frame = frames[source]
        terms = []
        for _ in range(random.randrange(1, 4)):
            column = pl.col(random.choice([*numbers, "length", "captured", "number"]))
            values = frame.select(column).to_series().drop_nulls().to_list() or [0]
            terms.append(random.choice(comparisons)(column, random.choice(values) + random.choice((0, 0, 0, 1))))
        predicate = terms[0]
        for term in terms[1:]:
            predicate = random.choice((operator.and_, operator.and_, operator.or_))(predicate, term)
        expected = frame.filter(predicate)
        scanned = cbpf.polars.scan_capture(source).filter(predicate).select("number", "data").collect()
        assert scanned.equals(expected.select("number", "data"))
        if 0 < expected.height < frame.height:
            rounds.checked()


@pytest.mark.parametrize("comparison", ["==", "!=", "<", "<=", ">", ">="])
def test_a_condition_accepts_the_packets_whose_value_fulfils_it(comparison: Any) -> None:
    functions = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
    holds = getattr(operator, functions[comparison])
    for link_type in ("EN10MB", "LINUX_SLL", "RAW"):
        for column, constant in (("dst_port", 443), ("ttl", 64), ("payload_length", 0), ("eth_type", 0x86DD)):
            programs = field_programs(column, link_type)
            filter = ConditionPrograms([Condition(column, comparison, constant)], None)
            packets = [record.data for record in decoded(TRAFFIC.read_bytes())]
            accepted = cbpf.VM(filter.program((cbpf.link_type(link_type), "<"))).verdicts(packets)
            if programs is None:
                assert not any(accepted)
                continue
            values = cbpf.VM(programs.values[0]).verdicts(packets)
            validity = cbpf.VM(programs.validity).verdicts(packets)
            expected = [bool(valid) and holds(value, constant) for value, valid in zip(values, validity, strict=True)]
            assert list(map(bool, accepted)) == expected


def test_an_empty_serialisation_pushes_nothing() -> None:
    class Unserialisable:
        @property
        def meta(self) -> Any:
            raise ValueError("a function of Python")

    assert predicates.pushdown(Unserialisable()) == predicates.NOTHING


# -- sources


def test_patterns_name_files_in_their_order(tmp_path: Path) -> None:
    records = decoded(TRAFFIC.read_bytes())
    for index in (2, 0, 1):
        folder = tmp_path / "a" / str(index)
        folder.mkdir(parents=True)
        (folder / "x.pcap").write_bytes(encoded(records[10 * index : 10 * index + 10]))
    lazy = cbpf.polars.scan_capture(f"{tmp_path}/**/*.pcap")
    lengths = [record.wire_length for record in records[:30]]
    assert lazy.select("length").collect().to_series().to_list() == lengths
    assert lazy.select(pl.col("interface").unique()).collect().to_series().to_list() == [0, 1, 2]
    paths: list[Any] = [tmp_path / "a/1/x.pcap", f"{tmp_path}/a/[2]/*"]
    assert cbpf.polars.scan_capture(paths).select("length").collect().to_series().to_list() == lengths[10:]


@pytest.mark.skipif("fsspec" in MISSING_TABLE_LIBRARIES, reason="URLs need fsspec; ./dev test --all installs it")
def test_urls_name_objects_of_stores() -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    records = decoded(TRAFFIC.read_bytes())
    for index in range(3):
        memory.pipe_file(f"/scan-test/{index}.pcapng", as_pcapng(records[10 * index : 10 * index + 10]))
    lazy = cbpf.polars.scan_capture("memory://scan-test/*.pcapng")
    assert lazy.select("length").collect().to_series().to_list() == [record.wire_length for record in records[:30]]
    assert lazy.head(12).collect().height == 12
    with pytest.raises(cbpf.ArchiveError, match="no-such"):
        cbpf.polars.scan_capture("memory://no-such/*.pcap").collect()


@pytest.mark.parametrize("source", [BytesIO(), "-", 5, None, [b"x.pcap"], [BytesIO()]])
def test_sources_that_cannot_be_read_again_are_rejected(source: Any) -> None:
    with pytest.raises(cbpf.FieldError, match="must be a path, a pattern or a URL"):
        cbpf.polars.scan_capture(source)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filter": 5}, r"scan_capture\.filter: 5 is not"),
        ({"since": "x"}, r"scan_capture\.since: 'x' is not a time"),
        ({"sample": 0}, "sample"),
        ({"engine": "fast"}, r"scan_capture\.engine: 'fast'"),
        ({"define": {"length": "ip"}}, "'length' is a column of every table"),
    ],
)
def test_invalid_arguments_are_rejected_before_the_scan(options: Any, message: str) -> None:
    with pytest.raises(cbpf.FieldError, match=message):
        cbpf.polars.scan_capture("does not exist.pcap", **options)


def test_a_lazy_frame_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(cbpf.FieldError, match=r"^write_capture\.packets: expected a frame, got a lazy one"):
        cbpf.write_capture(tmp_path / "out.pcap", cbpf.polars.scan_capture(TRAFFIC))
    assert not (tmp_path / "out.pcap").exists()


def test_errors_of_the_scan_are_those_of_cbpf(tmp_path: Path) -> None:
    with pytest.raises(cbpf.CaptureError, match=r"none\.pcap: No such file"):
        cbpf.polars.scan_capture(tmp_path / "none.pcap").collect()
    with pytest.raises(cbpf.CaptureError, match="no file matches the pattern"):
        cbpf.polars.scan_capture(f"{tmp_path}/*.pcap").collect()
    with pytest.raises(cbpf.CaptureError, match=rf"^{tmp_path}: is a folder; .*, such as {tmp_path}/\*\.pcap$"):
        cbpf.polars.scan_capture(tmp_path).collect()
    with pytest.raises(cbpf.ExpressionError, match="tcp prot 3"):
        cbpf.polars.scan_capture(TRAFFIC, filter="tcp prot 3").collect()


# -- the namespace of expressions


@pytest.mark.parametrize("filter", ["tcp port 443", "greater 200", "udp", "ip6", "less 10"])
def test_matches_accepts_the_packets_of_a_filter(filter: str, engine: Any) -> None:
    packets = cbpf.polars.scan_capture(TRAFFIC).select("number", "data", "length")
    expression = pl.col("data").bpf.matches(filter, length="length", engine=engine)
    expected = frame_of(TRAFFIC, filter=filter)["number"].to_list()
    assert packets.filter(expression).select("number").collect().to_series().to_list() == expected
    assert packets.select(expression).collect(engine="streaming").to_series().sum() == len(expected)
    for form in (cbpf.compile(filter), cbpf.VM(cbpf.compile(filter))):
        again = packets.select(pl.col("data").bpf.matches(form, length=pl.col("length"), engine=engine).sum())
        assert again.collect().item() == len(expected)


def test_matches_compiles_for_the_link_type() -> None:
    packet = bytes.fromhex("45000014 00000000 40110000 7f000001 7f000001")
    frame = pl.DataFrame({"data": [packet]})
    assert frame.select(pl.col("data").bpf.matches("udp", link_type="RAW")).item() is True
    assert frame.select(pl.col("data").bpf.matches("udp")).item() is False


def test_the_length_on_the_wire_is_an_argument() -> None:
    frame = pl.DataFrame({"data": [bytes(60), bytes(60), None], "length": [60, None, 5]})
    matches = pl.col("data").bpf.matches
    assert frame.select(matches("greater 100")).to_series().to_list() == [False, False, None]
    assert frame.select(matches("greater 60", length="length")).to_series().to_list() == [True, True, None]
    assert frame.select(matches("greater 100", length=pl.lit(1500))).to_series().to_list() == [True, True, None]
    longer = matches("greater 100", length=pl.col("length") * 2)
    assert frame.select(longer).to_series().to_list() == [True, False, None]


def test_verdicts_are_numbers_and_null_for_null() -> None:
    frame = pl.DataFrame({"data": [b"\x05", b"", None, b"\xff" * 30]})
    program = cbpf.parse("ldb [0]\nret a")
    result = frame.select(pl.col("data").bpf.verdict(program))
    assert result.schema == {"data": pl.UInt32}
    assert result.to_series().to_list() == [5, 0, None, 255]
    assert frame.head(0).select(pl.col("data").bpf.verdict(program)).height == 0
    mark = cbpf.parse("ld #mark\nret a")
    assert frame.select(pl.col("data").bpf.verdict(mark, dialect=cbpf.LINUX).sum()).item() == 0
    with pytest.raises(cbpf.FieldError, match="use matches"):
        pl.col("data").bpf.verdict("tcp")
    with pytest.raises(cbpf.ExpressionError, match="arp x"):
        pl.col("data").bpf.matches("arp x")
    with pytest.raises(cbpf.PacketError, match="column 'data' has the type String; packets are Binary"):
        pl.DataFrame({"data": ["text"]}).select(pl.col("data").bpf.matches("arp"))


def test_a_scanned_frame_is_written_as_a_capture(mixed: Path) -> None:
    for source in (TRAFFIC, mixed):
        file = BytesIO()
        cbpf.write_capture(file, cbpf.polars.scan_capture(source).collect(), container="pcapng")
        written = list(cbpf.read_capture(BytesIO(file.getvalue())))
        expected = list(cbpf.read_capture(source))
        assert [packet[:5] for packet in written] == [packet[:5] for packet in expected]
