"""Ten questions about a capture have the same answers in pyarrow, polars, duckdb, pandas and plain Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Final

import pytest

import cbpf
from support.captures import TRAFFIC

pa = pytest.importorskip("pyarrow", reason="tables need pyarrow; ./dev test --all installs it")

COLUMNS: Final = (
    "number", "time", "captured", "length", "eth_type", "ip_version", "protocol",
    "src_ip", "dst_ip", "src_port", "dst_port", "tcp_flags", "dns",
)  # fmt: skip
SYN, SYN_ACK, TCP, UDP = 2, 18, 6, 17

Answers = dict[str, list[tuple[Any, ...]]]


def batches() -> Any:
    """Return a stream of record batches of the capture."""
    return cbpf.arrow.read_batches(TRAFFIC, columns=COLUMNS, define={"dns": "udp port 53"}, batch_size=200)


def in_python() -> Answers:
    """Return the answers by loops over the rows."""
    table = batches().read_all()
    times = table["time"].cast(pa.int64()).to_pylist()
    rows = table.drop_columns("time").to_pylist()

    def counted(values: Iterable[Any]) -> list[tuple[Any, ...]]:
        return sorted(Counter(value for value in values if value is not None).items())

    def ranked(counts: dict[Any, int], limit: int) -> list[tuple[Any, ...]]:
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]

    by_source: dict[Any, int] = defaultdict(int)
    by_version: dict[Any, list[int]] = defaultdict(list)
    lengths: dict[Any, list[int]] = defaultdict(list)
    for row, time in zip(rows, times, strict=True):
        if row["src_ip"] is not None:
            by_source[row["src_ip"]] += row["length"]
        if row["ip_version"] is not None:
            by_version[row["ip_version"]].append(time // 1000)
        if row["eth_type"] is not None:
            lengths[row["eth_type"]].append(row["length"])
    ports = Counter(row["dst_port"] for row in rows if row["protocol"] in (TCP, UDP) and row["dst_port"] is not None)
    return {
        "packets and bytes": [(len(rows), sum(row["length"] for row in rows))],
        "packets by protocol": counted(row["protocol"] for row in rows),
        "sources by bytes": ranked(by_source, 5),
        "packets per second": counted(time // 1_000_000_000 for time in times),
        "destination ports": ranked(ports, 10),
        "connection attempts": counted(row["dst_ip"] for row in rows if (row["tcp_flags"] or 0) & SYN_ACK == SYN),
        "lengths by EtherType": sorted((key, min(values), max(values)) for key, values in lengths.items()),
        "DNS": [(sum(row["dns"] for row in rows), sum(row["length"] for row in rows if row["dns"]))],
        "times by version": sorted((key, min(values), max(values)) for key, values in by_version.items()),
        "longest gap": [(max(later - time for time, later in pairwise(times)) // 1000,)],
    }


def rows_of(table: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a table of pyarrow."""
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def in_pyarrow() -> Answers:
    compute = pytest.importorskip("pyarrow.compute")
    table = batches().read_all()
    time = table["time"].cast(pa.int64())
    table = table.append_column("us", compute.divide(time, 1000)).append_column("s", compute.divide(time, 10**9))
    flags = compute.bit_wise_and(compute.cast(table["tcp_flags"], pa.uint8()), pa.scalar(SYN_ACK, pa.uint8()))
    syn = table.filter(compute.equal(flags, SYN))
    ports = table.filter(compute.is_in(table["protocol"], pa.array([TCP, UDP], pa.uint8())))
    dns = table.filter(table["dns"])

    def counts(rows: Any, key: str) -> Any:
        return rows.filter(compute.is_valid(rows[key])).group_by(key).aggregate([("length", "count")])

    def ranked(groups: Any, value: str, limit: int) -> Any:
        key = groups.column_names[0]
        return rows_of(groups.sort_by([(value, "descending"), (key, "ascending")]).slice(0, limit))

    sources = table.filter(compute.is_valid(table["src_ip"])).group_by("src_ip").aggregate([("length", "sum")])
    versions = table.filter(compute.is_valid(table["ip_version"])).group_by("ip_version")
    types = table.filter(compute.is_valid(table["eth_type"])).group_by("eth_type")
    return {
        "packets and bytes": [(table.num_rows, compute.sum(table["length"]).as_py())],
        "packets by protocol": sorted(rows_of(counts(table, "protocol"))),
        "sources by bytes": ranked(sources, "length_sum", 5),
        "packets per second": sorted(rows_of(counts(table, "s"))),
        "destination ports": ranked(counts(ports, "dst_port"), "length_count", 10),
        "connection attempts": sorted(rows_of(counts(syn, "dst_ip"))),
        "lengths by EtherType": sorted(rows_of(types.aggregate([("length", "min"), ("length", "max")]))),
        "DNS": [(dns.num_rows, compute.sum(dns["length"]).as_py())],
        "times by version": sorted(rows_of(versions.aggregate([("us", "min"), ("us", "max")]))),
        "longest gap": [(compute.max(compute.pairwise_diff(time.combine_chunks())).as_py() // 1000,)],
    }


def in_polars() -> Answers:
    pl = pytest.importorskip("polars", reason="needs polars; ./dev test --all installs it")
    col, lazy = pl.col, cbpf.polars.scan_capture(TRAFFIC)
    us = col("time").dt.epoch("us")

    def rows(frame: Any) -> list[tuple[Any, ...]]:
        collected: list[tuple[Any, ...]] = frame.collect().rows()
        return collected

    def counts(frame: Any, key: Any) -> list[tuple[Any, ...]]:
        return rows(frame.group_by(key.alias("key")).len().drop_nulls().sort("key"))

    def ranked(frame: Any, key: str, value: Any, limit: int) -> list[tuple[Any, ...]]:
        groups = frame.drop_nulls(key).group_by(key).agg(value.alias("value"))
        return rows(groups.sort(["value", key], descending=[True, False]).head(limit))

    is_dns = col("data").bpf.matches("udp port 53", length="length")
    return {
        "packets and bytes": rows(lazy.select(pl.len(), col("length").sum())),
        "packets by protocol": counts(lazy, col("protocol")),
        "sources by bytes": ranked(lazy, "src_ip", col("length").sum(), 5),
        "packets per second": counts(lazy, col("time").dt.epoch("s")),
        "destination ports": ranked(lazy.filter(col("protocol").is_in([TCP, UDP])), "dst_port", pl.len(), 10),
        "connection attempts": counts(lazy.filter(col("tcp_flags") & SYN_ACK == SYN), col("dst_ip")),
        "lengths by EtherType": rows(
            lazy.drop_nulls("eth_type").group_by("eth_type")
            .agg(col("length").min(), col("length").max().alias("max")).sort("eth_type")
        ),
        "DNS": rows(lazy.filter(is_dns).select(pl.len(), col("length").sum())),
        "times by version": rows(
            lazy.drop_nulls("ip_version").group_by("ip_version").agg(us.min().alias("a"), us.max().alias("b"))
            .sort("ip_version")
        ),
        "longest gap": rows(lazy.select(col("time").diff().max().dt.total_microseconds())),
    }  # fmt: skip


QUERIES: Final = {
    "packets and bytes": "select count(*), sum(length)::bigint from packets",
    "packets by protocol": "select protocol, count(*) from packets where protocol is not null group by 1 order by 1",
    "sources by bytes": """select src_ip, sum(length)::bigint as bytes from packets where src_ip is not null
        group by 1 order by 2 desc, 1 limit 5""",
    "packets per second": "select epoch_ns(time) // 1000000000, count(*) from packets group by 1 order by 1",
    "destination ports": f"""select dst_port, count(*) from packets where protocol in ({TCP}, {UDP}) and
        dst_port is not null group by 1 order by 2 desc, 1 limit 10""",
    "connection attempts": f"""select dst_ip, count(*) from packets where tcp_flags & {SYN_ACK} = {SYN}
        and dst_ip is not null group by 1 order by 1""",
    "lengths by EtherType": """select eth_type, min(length), max(length) from packets where eth_type is not null
        group by 1 order by 1""",
    "DNS": "select count(*), sum(length)::bigint from packets where dns",
    "times by version": """select ip_version, min(epoch_ns(time)) // 1000, max(epoch_ns(time)) // 1000 from packets
        where ip_version is not null group by 1 order by 1""",
    "longest gap": """select max(gap) // 1000 from
        (select epoch_ns(time) - lag(epoch_ns(time)) over (order by number) as gap from packets)""",
}  # fmt: skip


def in_duckdb() -> Answers:
    duckdb = pytest.importorskip("duckdb", reason="needs duckdb; ./dev test --all installs it")
    connection = duckdb.connect()
    stream = batches()  # noqa: F841  # duckdb finds the variable
    connection.execute("create table packets as select * from stream")
    return {name: connection.execute(query).fetchall() for name, query in QUERIES.items()}


def in_pandas() -> Answers:
    pandas = pytest.importorskip("pandas", reason="needs pandas; ./dev test --all installs it")
    frame = batches().read_all().to_pandas(types_mapper=pandas.ArrowDtype)
    us = frame["time"].astype("int64[pyarrow]") // 1000

    def pairs(series: Any) -> list[tuple[Any, ...]]:
        return [(key, value) for key, value in series.items()]

    def ranked(series: Any, limit: int) -> list[tuple[Any, ...]]:
        return sorted(pairs(series), key=lambda item: (-item[1], item[0]))[:limit]

    def extremes(values: Any, key: str) -> list[tuple[Any, ...]]:
        return list(values.groupby(frame[key]).agg(["min", "max"]).itertuples(name=None))

    syn = frame[(frame["tcp_flags"].astype("int64[pyarrow]").fillna(0) & SYN_ACK) == SYN]
    ports = frame[frame["protocol"].isin([TCP, UDP])]
    dns = frame[frame["dns"]]
    return {
        "packets and bytes": [(len(frame), frame["length"].sum())],
        "packets by protocol": pairs(frame.groupby("protocol").size()),
        "sources by bytes": ranked(frame.groupby("src_ip")["length"].sum(), 5),
        "packets per second": pairs((us // 1_000_000).value_counts().sort_index()),
        "destination ports": ranked(ports.groupby("dst_port").size(), 10),
        "connection attempts": pairs(syn.groupby("dst_ip").size()),
        "lengths by EtherType": extremes(frame["length"], "eth_type"),
        "DNS": [(len(dns), dns["length"].sum())],
        "times by version": extremes(us, "ip_version"),
        "longest gap": [(frame["time"].astype("int64[pyarrow]").diff().max() // 1000,)],
    }


@pytest.fixture(scope="module")
def expected() -> Answers:
    return in_python()


@pytest.mark.parametrize("answer", [in_pyarrow, in_polars, in_duckdb, in_pandas])
def test_ten_questions_have_the_same_answers(answer: Callable[[], Answers], expected: Answers) -> None:
    answers = answer()
    assert answers.keys() == expected.keys()
    assert len(answers) == 10
    for question, rows in answers.items():
        assert [tuple(row) for row in rows] == expected[question], question
