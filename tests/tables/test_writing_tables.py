"""`write_capture` with tables of Arrow: the captures that they were read from, and tables of other libraries."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from support.captures import RELABELLINGS, TRAFFIC, VARIANTS, Pcapng, as_pcapng, decoded, encoded, relabelled
from support.packet_tables import table_of
from support.real_captures import parameters_of, real_captures
from support.sample_captures import RECORDS
from support.sample_pcapng import FRAME, PACKET, TIMES, blocks_of_all_kinds

pa = pytest.importorskip("pyarrow", reason="tables need pyarrow; ./dev test --all installs it")

INT64: Final = range(-(2**63), 2**63)


def pcapng_with_times() -> bytes:
    """Return a pcapng with an interface for each resolution, whose times are 64-bit numbers of nanoseconds."""
    build = Pcapng("<")
    times = [row for row in TIMES if 0 <= row[3] < 2**63]
    blocks = [build.interface(options=build.resolution(code, offset=offset)) for code, offset, _, _ in times]
    blocks += [build.enhanced(FRAME, interface=index, time=row[2]) for index, row in enumerate(times)]
    return b"".join([build.section(), *blocks])


def linked(link_type: str) -> bytes:
    records = [record for record in decoded(TRAFFIC.read_bytes()) if record.wire_length == len(record.data)]
    linktype, converted = relabelled(records[:100], link_type)
    return as_pcapng(converted, ">", linktype)


CAPTURES: Final[dict[str, bytes]] = {
    "traffic": TRAFFIC.read_bytes(),
    "no packets": encoded([]),
    "pcapng": as_pcapng(RECORDS),
    "big-endian pcapng": as_pcapng(RECORDS, ">"),
    "blocks of all kinds": b"".join(blocks_of_all_kinds(Pcapng("<"))),
    "sections": b"".join(blocks_of_all_kinds(Pcapng("<")) + blocks_of_all_kinds(Pcapng(">"))),
    "resolutions": pcapng_with_times(),
    **{f"pcap, {name}": encoded(RECORDS, variant) for name, variant in VARIANTS.items()},
    **{name: linked(name) for name in RELABELLINGS},
}


def written(table: Any, container: Any = "pcapng", **options: Any) -> bytes:
    file = BytesIO()
    cbpf.write_capture(file, table, container=container, **options)
    return file.getvalue()


def packets(capture: bytes | Path) -> list[tuple[Any, ...]]:
    """Return number, time, length, data and interface of each packet, with the link type of the interface."""
    with cbpf.read_capture(capture if isinstance(capture, Path) else BytesIO(capture)) as reader:
        rows = list(reader)
        return [(*row[:5], reader.interfaces[row.interface].link_type.name) for row in rows]


def link_types(capture: bytes) -> list[str]:
    return [row[5] for row in packets(capture)]


def interfaces(capture: bytes) -> list[tuple[Any, ...]]:
    with cbpf.read_capture(BytesIO(capture)) as reader:
        list(reader)
        return [(interface.link_type, interface.snaplen, interface.name) for interface in reader.interfaces]


@pytest.mark.parametrize("capture", CAPTURES.values(), ids=CAPTURES)
def test_a_table_is_written_as_the_capture_that_it_was_read_from(capture: bytes) -> None:
    for table in (table_of(capture), cbpf.arrow.read_table(BytesIO(capture))):
        again = written(table, byte_order=byte_order_of(capture))
        assert packets(again) == packets(capture)
        assert interfaces(again) == interfaces(capture)


@pytest.mark.parametrize("name", ["traffic", "big-endian pcapng", "blocks of all kinds"])
def test_a_stream_is_written_as_the_capture_that_it_is_read_from(name: str) -> None:
    capture = CAPTURES[name]
    stream = cbpf.arrow.read_batches(BytesIO(capture), batch_size=3)
    assert packets(written(stream)) == packets(capture)


def test_the_packets_of_a_damaged_stream_are_written(tmp_path: Path) -> None:
    target = tmp_path / "out.pcap"
    with pytest.raises(cbpf.DamagedCapture):
        cbpf.write_capture(target, cbpf.arrow.read_batches(BytesIO(TRAFFIC.read_bytes()[:-1]), batch_size=100))
    assert packets(target) == packets(TRAFFIC)[:-1]


def byte_order_of(capture: bytes) -> Any:
    with cbpf.read_capture(BytesIO(capture)) as reader:
        list(reader)
        return reader.interfaces[0].byte_order


@pytest.mark.parametrize("path", parameters_of([*real_captures("*.pcap"), *real_captures("*.pcapng")]))
def test_real_captures_are_written_again(path: Path) -> None:
    for table in (table_of(path), cbpf.arrow.read_table(path)):
        assert packets(written(table)) == packets(path)


def test_a_table_of_one_link_type_is_written_as_a_pcap() -> None:
    capture = TRAFFIC.read_bytes()
    assert packets(written(table_of(capture), "pcap")) == packets(capture)


@pytest.mark.parametrize("data_type", [pa.binary(), pa.large_binary(), pa.binary_view()])
@pytest.mark.parametrize("unit", ["us", "ns"])
def test_every_form_of_a_table_is_accepted(data_type: Any, unit: Any) -> None:
    table = table_of(TRAFFIC, data_type=data_type)
    table = table.set_column(1, "time", table["time"].cast(pa.timestamp(unit, "Europe/Berlin")))
    expected = packets(TRAFFIC)
    batches = table.to_batches(max_chunksize=100)
    forms = {
        "table": table,
        "slices": pa.concat_tables([table.slice(0, 7), table.slice(7)]),
        "reader": pa.RecordBatchReader.from_batches(table.schema, batches),
        "other integers": table.set_column(5, "length", table["length"].cast(pa.int64())),
        "texts": table.set_column(3, "link_type", table["link_type"].cast(pa.string())),
    }
    for name, form in forms.items():
        assert packets(written(form)) == expected, name
    assert packets(written(batches[0])) == expected[:100]

    class OnlyAnArray:
        def __arrow_c_array__(self, requested_schema: object = None) -> Any:
            return batches[1].__arrow_c_array__(requested_schema)

    assert [row[1:] for row in packets(written(OnlyAnArray()))] == [row[1:] for row in expected[100:200]]


def test_columns_other_than_the_data_may_be_absent() -> None:
    table = pa.table({"data": [FRAME, bytes(20)], "more": [1, 2]})
    assert packets(written(table)) == [(1, 0, 64, FRAME, 0, "EN10MB"), (2, 1000, 20, bytes(20), 0, "EN10MB")]
    table = pa.table({"data": [PACKET], "length": [1500], "time": pa.array([None], pa.timestamp("s"))})
    assert packets(written(table, link_type="RAW")) == [(1, 0, 1500, PACKET, 0, "RAW")]
    assert packets(written(pa.table({"data": pa.array([], pa.binary())}), "pcap")) == []


def test_a_table_without_metadata_has_an_interface_for_each_pair() -> None:
    table = table_of(CAPTURES["blocks of all kinds"], data_type=pa.binary()).replace_schema_metadata(None)
    assert [row[4:] for row in packets(written(table))] == [(0, "EN10MB"), (0, "EN10MB"), (1, "RAW"), (0, "EN10MB")]
    reverse = table.take([2, 0, 1])
    assert [row[4:] for row in packets(written(reverse))] == [(0, "RAW"), (1, "EN10MB"), (1, "EN10MB")]
    only_types = table.select(["data", "link_type"])
    assert link_types(written(only_types)) == ["EN10MB", "EN10MB", "RAW", "EN10MB"]


def test_interfaces_that_the_metadata_lacks_are_added() -> None:
    table = table_of(CAPTURES["blocks of all kinds"])
    content = json.loads(table.schema.metadata[b"cbpf"])
    del content["interfaces"][1]
    shorter = table.replace_schema_metadata({b"cbpf": json.dumps(content).encode()})
    assert packets(written(shorter)) == packets(CAPTURES["blocks of all kinds"])


def test_arguments_replace_the_interfaces_of_a_table() -> None:
    table = table_of(CAPTURES["blocks of all kinds"])
    assert {row[4:] for row in packets(written(table, link_type="RAW"))} == {(0, "RAW")}
    chosen = [cbpf.Interface(cbpf.link_type(name), 65535, "<") for name in ("LINUX_SLL", "RAW")]
    assert [row[5] for row in packets(written(table, interfaces=chosen))] == [
        "LINUX_SLL",
        "LINUX_SLL",
        "RAW",
        "LINUX_SLL",
    ]
    with pytest.raises(cbpf.FieldError, match="packet 3: interface 1; the capture has 1, counted from 0"):
        written(table, interfaces=chosen[:1])


def test_a_filtered_table_keeps_its_interfaces() -> None:
    capture = CAPTURES["blocks of all kinds"]
    table = table_of(capture, data_type=pa.binary())
    raw = table.filter(pa.compute.equal(table["link_type"].cast(pa.string()), "RAW"))
    assert [row[1:] for row in packets(written(raw))] == [row[1:] for row in packets(capture) if row[5] == "RAW"]
    assert interfaces(written(raw)) == interfaces(capture)


DATA: Final = pa.array([FRAME, FRAME])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"a": DATA}), "table: the column 'data' is missing; it has a"),
        (pa.table({"dat": DATA}), "it has dat; did you mean 'dat'?"),
        (pa.table({}), "the column 'data' is missing; it has no columns"),
        (pa.table([DATA, DATA], ["data", "data"]), "table: there are 2 columns 'data'; one must remain"),
        (pa.table({"data": ["a"]}), "column 'data' has the type string; it must be binary"),
        (pa.table({"data": pa.array([FRAME, None])}), "packet 2: data is null"),
        (pa.table({"data": DATA, "length": [64, 63]}), "packet 2: 64 bytes, but 63 on the wire"),
        (pa.table({"data": DATA, "length": [64, -1]}), "table: column 'length': Integer value -1 not in range"),
        (pa.table({"data": DATA, "length": [64, 2**32]}), "table: column 'length': Integer value 4294967296 not in"),
        (pa.table({"data": DATA, "length": pa.array([64, None])}), "packet 2: length is null"),
        (pa.table({"data": DATA, "length": ["64", "64"]}), "column 'length' has the type string; it must be an integ"),
        (pa.table({"data": DATA, "time": [1, 2]}), "column 'time' has the type int64; it must be a timestamp"),
        (
            pa.table({"data": DATA, "time": pa.array([0, 2**62], pa.timestamp("s"))}),
            "table: column 'time': Casting from timestamp",
        ),
        (pa.table({"data": DATA, "time": pa.array([0, -1], pa.timestamp("us"))}), "packet 2: time"),
        (pa.table({"data": DATA, "link_type": ["EN10MB", "EN10"]}), "packet 2: link type: 'EN10' is unknown"),
        (pa.table({"data": DATA, "link_type": [1, 1]}), "column 'link_type' has the type int64; it must be text"),
        (pa.table({"data": DATA, "interface": [1.0, 1.0]}), "column 'interface' has the type double; it must be an"),
        (pa.table({"data": DATA}).replace_schema_metadata({b"cbpf": b"{"}), "metadata 'cbpf' of the schema: not the"),
        (pa.table({"data": DATA}).replace_schema_metadata({b"cbpf": b'{"version": 2, "interfaces": []}'}), "version 2"),
        (DATA, "packets: 'BinaryArray' object is not a table"),
        (pa.chunked_array([DATA]), "pass cbpf.Packets.of(column)"),
    ],
)  # fmt: skip
def test_invalid_tables_are_named_in_one_line(table: Any, message: str, tmp_path: Path) -> None:
    target = tmp_path / "out.pcap"
    with pytest.raises((cbpf.FieldError, cbpf.CaptureError), match=r"table|packet") as info:
        cbpf.write_capture(target, table)
    assert message in str(info.value)
    assert "\n" not in str(info.value)
    assert not target.exists()


def test_errors_of_a_stream_are_one_line() -> None:
    def batches() -> Any:
        yield pa.record_batch({"data": DATA})
        raise pa.ArrowInvalid("the first line\nthe second")

    reader = pa.RecordBatchReader.from_batches(pa.schema({"data": pa.binary()}), batches())
    with pytest.raises(cbpf.FieldError, match=r"^table: the first line$"):
        written(reader)


def test_two_interfaces_need_a_column() -> None:
    table = table_of(CAPTURES["blocks of all kinds"])
    assert [row[5] for row in packets(written(table.drop_columns("interface")))] == [
        "EN10MB",
        "EN10MB",
        "RAW",
        "EN10MB",
    ]
    with pytest.raises(
        cbpf.FieldError, match="packet 1: the table describes 2 interfaces, but has no column 'interface'"
    ):
        written(table.select(["data"]))
