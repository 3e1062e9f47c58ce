"""`write_table`: the same table in each format, complete files or none, and the rows that other tools read."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from support.captures import TRAFFIC, Pcapng, Variant, encoded
from support.judges import tshark
from support.sample_captures import RECORDS

pa = pytest.importorskip("pyarrow", reason="tables need pyarrow; ./dev test --all installs it")

TYPED: Final = ("parquet", "arrow", "arrows")
COLUMNS: Final = ("number", "time", "length", "src_ip", "dst_ip6", "src_mac", "dst_port", "link_type", "dns", "data")
DEFINE: Final = {"dns": "port 53"}


def written(source: Any, format: Any, **options: Any) -> bytes:
    """Return the file of a table."""
    stream = io.BytesIO()
    cbpf.arrow.write_table(source, stream, format=format, **options)
    return stream.getvalue()


def typed(data: bytes, format: str) -> Any:
    """Return the table in a Parquet or Arrow file."""
    import pyarrow.parquet

    if format == "parquet":
        return pyarrow.parquet.read_table(io.BytesIO(data))
    open_file = pa.ipc.open_file if format == "arrow" else pa.ipc.open_stream
    return open_file(io.BytesIO(data)).read_all()


def csv_rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def json_rows(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.decode().splitlines()]


@pytest.mark.parametrize("format", TYPED)
def test_typed_formats_have_the_columns_of_read_table(format: str) -> None:
    table = typed(written(TRAFFIC, format, columns=COLUMNS, define=DEFINE), format)
    expected = cbpf.arrow.read_table(TRAFFIC, columns=COLUMNS, define=DEFINE)
    assert table.column_names == list(COLUMNS)
    assert table.to_pylist() == expected.to_pylist()
    kinds = dict(zip(expected.column_names, expected.schema.types, strict=True)) | {"data": pa.large_binary()}
    assert dict(zip(table.column_names, table.schema.types, strict=True)) == kinds


@pytest.mark.parametrize("format", TYPED)
def test_a_capture_can_be_made_of_typed_formats(format: str, tmp_path: Path) -> None:
    cbpf.write_capture(tmp_path / "again.pcap", typed(written(TRAFFIC, format), format))
    assert list(cbpf.read_capture(tmp_path / "again.pcap")) == list(cbpf.read_capture(TRAFFIC))


def test_text_formats_have_the_values_of_read_table() -> None:
    from datetime import datetime
    from ipaddress import ip_address

    expected = cbpf.arrow.read_table(TRAFFIC, columns=COLUMNS, define=DEFINE)
    times = expected["time"].cast(pa.int64()).to_pylist()
    rows = json_rows(written(TRAFFIC, "jsonl", columns=COLUMNS, define=DEFINE))
    assert len(rows) == 905
    for row, time, values in zip(rows, times, expected.drop_columns("time").to_pylist(), strict=True):
        assert list(row) == list(COLUMNS)
        moment, digits = row["time"].removesuffix("Z").split(".")
        assert int(datetime.fromisoformat(moment + "Z").timestamp()) * 1_000_000_000 + int(digits) == time
        text = {"time": row["time"], "data": values["data"].hex(), "src_mac": values["src_mac"].hex(":")}
        for name in ("src_ip", "dst_ip6"):
            text[name] = None if values[name] is None else str(ip_address(values[name]))
        assert row == {**values, **text}
    lines = csv_rows(written(TRAFFIC, "csv", columns=COLUMNS, define=DEFINE))
    assert lines == [{name: _csv_text(value) for name, value in row.items()} for row in rows]


def _csv_text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def test_src_and_dst_are_the_addresses_of_both_versions() -> None:
    columns = ("src", "dst", "src_ip", "src_ip6", "dst_ip", "dst_ip6")
    rows = json_rows(written(TRAFFIC, "jsonl", columns=columns))
    assert {row["src"] is None for row in rows} == {True, False}
    for row in rows:
        assert row["src"] == (row["src_ip"] or row["src_ip6"])
        assert row["dst"] == (row["dst_ip"] or row["dst_ip6"])
    for format in TYPED:
        table = typed(written(TRAFFIC, format, columns=["dst", "src"]), format)
        assert table.to_pylist() == [{"dst": row["dst"], "src": row["src"]} for row in rows]


@pytest.mark.skipif(tshark.available() is not None, reason=str(tshark.available()))
def test_csv_is_that_of_tshark() -> None:
    """The fields of packets without VXLAN and MPLS are those that tshark prints."""
    fields = ("frame.number", "frame.time_epoch", "frame.len", "ip.src", "tcp.srcport", "ip.dst", "tcp.dstport")
    words = [word for field in fields for word in ("-e", field)]
    options = ("-T", "fields", "-E", "separator=,", "-Y", "tcp && ip && !vxlan && !mpls")
    command = ["tshark", "-n", "-r", str(TRAFFIC), *options, *words]
    expected = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    columns = ("number", "time", "length", "src", "src_port", "dst", "dst_port")
    rows = csv_rows(written(TRAFFIC, "csv", columns=columns))
    judged = [line.split(",") for line in expected]
    simple = [row for row in rows if row["number"] in {line[0] for line in judged}]
    assert len(simple) == len(judged) > 400
    for row, line in zip(simple, judged, strict=True):
        assert [row[name] for name in columns if name != "time"] == [line[0], *line[2:]]
        assert row["time"] == _iso(int(line[1].replace(".", "")))


def test_parquet_has_the_same_totals_in_duckdb(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="needs duckdb; ./dev test --all installs it")
    path = tmp_path / "out.parquet"
    assert cbpf.arrow.write_table(TRAFFIC, path) == 905
    sums = duckdb.sql(f"select count(*), sum(length), sum(octet_length(data)) from '{path}'").fetchall()
    assert sums == [(905, 309_055, 309_055)]
    path = tmp_path / "out.csv"
    cbpf.arrow.write_table(TRAFFIC, path)
    kinds = duckdb.sql(f"describe select time, length, src from '{path}'").fetchall()
    assert [row[1] for row in kinds] == ["TIMESTAMP WITH TIME ZONE", "BIGINT", "VARCHAR"]


def test_text_is_aligned_and_fits_80_characters_for_ipv4() -> None:
    lines = written(TRAFFIC, "text", filter="ip").decode().splitlines()
    assert len(lines) == 1 + sum(1 for _ in cbpf.read_capture(TRAFFIC, filter="ip"))
    assert lines[0].split() == ["time", "length", "src", "src_port", "dst", "dst_port"]
    assert max(map(len, lines)) <= 80
    starts = [lines[0].index(name) for name in ("src ", "dst ")]
    assert all(line[start - 1] == " " and line[start] != " " for line in lines for start in starts)


def test_text_is_truncated_to_a_width() -> None:
    complete = written(TRAFFIC, "text", columns=["number", "data"]).decode().splitlines()
    for width in (1, 2, 3, 10, 40):
        lines = written(TRAFFIC, "text", columns=["number", "data"], width=width).decode().splitlines()
        marks = "..."[:width]
        assert lines == [line if len(line) <= width else line[: max(0, width - 3)] + marks for line in complete]


def test_text_of_no_packets_has_the_titles() -> None:
    assert written(TRAFFIC, "text", filter="sctp and port 1", columns=["time", "src"]) == b"time  src\n"
    assert written(TRAFFIC, "csv", filter="sctp and port 1", columns=["time", "src"]) == b"time,src\n"
    assert written(TRAFFIC, "jsonl", filter="sctp and port 1") == b""
    for format in TYPED:
        assert typed(written(TRAFFIC, format, filter="sctp and port 1"), format).num_rows == 0


def test_names_are_quoted_where_a_format_requires_it() -> None:
    define = {'a,"b"\n': "ip", "ä": "arp"}
    rows = csv_rows(written(TRAFFIC, "csv", columns=list(define), define=define))
    assert list(rows[0]) == list(define)
    assert list(json_rows(written(TRAFFIC, "jsonl", columns=list(define), define=define))[0]) == list(define)


def test_unusual_times_and_lengths_are_written() -> None:
    source = encoded(RECORDS)
    rows = csv_rows(written(io.BytesIO(source), "csv", columns=["time", "length", "captured", "data"]))
    packets = list(cbpf.read_capture(io.BytesIO(source)))
    assert [row["time"] for row in rows] == [_iso(packet.time_ns) for packet in packets]
    assert [row["data"] for row in rows] == [packet.data.hex() for packet in packets]
    assert [(int(row["length"]), int(row["captured"])) for row in rows] == [
        (packet.wire_length, len(packet.data)) for packet in packets
    ]


def _iso(time_ns: int) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9:09}Z"


def test_default_columns_are_null_for_link_types_without_them() -> None:
    usb = encoded(RECORDS[:1], Variant(linktype=249))
    (row,) = json_rows(written(io.BytesIO(usb), "jsonl"))
    assert (row["length"], row["src"], row["dst_port"], row["protocol"]) == (60, None, None, None)
    with pytest.raises(cbpf.CaptureError, match="packets of the link type USBPCAP have no column 'src_ip'"):
        written(io.BytesIO(usb), "jsonl", columns=["src"])


@pytest.mark.parametrize("format", TYPED)
def test_link_types_of_later_interfaces_are_written(format: str) -> None:
    build = Pcapng("<")
    many = build.enhanced(bytes(60)) * 70_000
    capture = build.section() + build.interface(1) + many + build.interface(101) + build.enhanced(b"E", interface=1)
    table = typed(written(io.BytesIO(capture), format, columns=["link_type", "number"]), format)
    assert table.num_rows == 70_001
    assert table["link_type"].value_counts().to_pylist() == [
        {"values": "EN10MB", "counts": 70_000},
        {"values": "RAW", "counts": 1},
    ]


def test_count_ends_the_table() -> None:
    for count in (1, 500, 905, 10_000):
        rows = csv_rows(written(TRAFFIC, "csv", count=count, columns=["number"]))
        assert [int(row["number"]) for row in rows] == list(range(1, min(count, 905) + 1))


def test_several_sources_are_one_table() -> None:
    rows = csv_rows(written([TRAFFIC, TRAFFIC], "csv", columns=["number"]))
    assert [int(row["number"]) for row in rows] == [*range(1, 906)] * 2


def test_suffixes_choose_format_and_compression(tmp_path: Path) -> None:
    for name in (
        "a.csv",
        "A.CSV",
        "a.csv.gz",
        "a.jsonl",
        "a.ndjson",
        "a.txt",
        "a.parquet",
        "a.pq",
        "a.arrow",
        "a.arrows",
    ):
        assert cbpf.arrow.write_table(TRAFFIC, tmp_path / name, count=3) == 3
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == (tmp_path / "a.csv").read_bytes()
    assert (tmp_path / "a.parquet").read_bytes()[:4] == b"PAR1"
    assert (tmp_path / "a.arrow").read_bytes()[:6] == b"ARROW1"
    cases = {
        "a.xlsx": "the suffix '.xlsx' is not that of a table (.parquet, .arrow, .arrows, .csv, .jsonl, .txt)",
        "a": "the target has no suffix (.parquet, ",
        "a.parquet.gz": "parquet files have their own compression; choose a name without suffix",
    }
    for name, message in cases.items():
        with pytest.raises(cbpf.FieldError) as raised:
            cbpf.arrow.write_table(TRAFFIC, tmp_path / name)
        assert str(raised.value).startswith(f"write_table.format: {message}")
    with pytest.raises(cbpf.FieldError, match=r"format: 'cvs' is not one of the formats .*; did you mean 'csv'\?"):
        cbpf.arrow.write_table(TRAFFIC, tmp_path / "b", format="cvs")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.arrow", "out.jsonl", "out.txt"])
def test_a_damaged_capture_yields_its_complete_packets(name: str, tmp_path: Path) -> None:
    damaged = tmp_path / "in.pcap"
    damaged.write_bytes(TRAFFIC.read_bytes()[:100_000])
    (tmp_path / name).write_bytes(b"old")
    with pytest.raises(cbpf.DamagedCapture, match="packet 365"):
        cbpf.arrow.write_table(damaged, tmp_path / name, columns=["number"])
    (tmp_path / "expected").mkdir()
    cbpf.arrow.write_table(TRAFFIC, tmp_path / "expected" / name, columns=["number"], count=364)
    assert (tmp_path / name).read_bytes() == (tmp_path / "expected" / name).read_bytes()


def test_other_errors_leave_the_file_unchanged(tmp_path: Path) -> None:
    build = Pcapng("<")
    usb = tmp_path / "usb.pcapng"
    usb.write_bytes(build.section() + build.interface(249) + build.enhanced(b"a"))
    for name in ("out.csv", "out.parquet", "out.arrow"):
        (tmp_path / name).write_bytes(b"old")
        with pytest.raises(cbpf.CaptureError, match="have no column 'src_port'"):
            cbpf.arrow.write_table(usb, tmp_path / name, columns=["src_port"])
        assert (tmp_path / name).read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 4


def test_a_table_does_not_replace_its_source(tmp_path: Path) -> None:
    shutil.copy(TRAFFIC, tmp_path / "in.pcap")
    for target in (tmp_path / "in.pcap", tmp_path / "link"):
        if target.name == "link":
            target.symlink_to("in.pcap")
        with pytest.raises(cbpf.CaptureError, match="is also an input, which this output must not replace"):
            cbpf.arrow.write_table(tmp_path / "in.pcap", target, format="csv")
    assert (tmp_path / "in.pcap").read_bytes() == TRAFFIC.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["time", "scr"]}, "columns: 'scr' is not a column; did you mean 'src'?"),
        ({"columns": ["src", "src"]}, "columns: 'src' occurs twice"),
        ({"define": {"src": "udp"}}, "define: 'src' is a column of every table; choose another name"),
        ({"define": 7}, "define: 7 is not a mapping of names to filters"),
        ({"columns": "time"}, "columns: 'time' is a text; pass a list of names"),
        ({"count": 0}, "count: "),
        ({"width": 0}, "width: "),
    ],
)
def test_other_arguments_are_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(cbpf.FieldError) as raised:
        written(TRAFFIC, "csv", **options)
    assert str(raised.value).startswith(f"write_table.{message}")
