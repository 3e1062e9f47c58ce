"""Every cell of a table is that of the packet which `read_capture` returns, by machine code and by Python."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

import cbpf
from cbpf.capture import reader
from cbpf.capture.batches import append_data
from cbpf.capture.mapped_file import MappedFile
from cbpf.capture.native import choice
from cbpf.tables import data_column
from support.captures import TRAFFIC, VARIANTS, Pcapng, as_pcapng, decoded, encoded
from support.hostile_captures import SECONDS, blocks_of_all_kinds, damaged, traffic
from support.project import Rounds
from support.real_captures import parameters_of, real_captures
from support.sample_pcapng import TIMES
from support.sample_pcapng import blocks_of_all_kinds as sample_blocks
from support.scans import FILTERS, SIZES, Pieces, Sizes, shrink
from support.tables import FIXED_COLUMNS, read, rows_of, rows_of_packets

pytest.importorskip("pyarrow", reason="needs pyarrow; ./dev test --all installs it")

pytestmark = [
    pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning"),
    pytest.mark.filterwarnings("ignore::cbpf.SelectionWarning"),
    pytest.mark.filterwarnings("ignore::cbpf.TableWarning"),
]

RECORDS: Final = decoded(TRAFFIC.read_bytes())
TIME: Final = FIXED_COLUMNS.index("time")


def expected(source: Any, **options: Any) -> tuple[list[tuple[Any, ...]], str]:
    """Return the rows for the packets that `read_capture` returns, and its error."""
    packets: list[cbpf.Packet] = []
    interfaces: tuple[cbpf.Interface, ...] = ()
    error = ""
    try:
        with cbpf.read_capture(source, **options) as capture:
            for packet in capture:
                packets.append(packet)
                interfaces = capture.interfaces
    except cbpf.CbpfError as raised:
        error = f"{type(raised).__name__}: {raised}"
    return rows_of_packets(packets, interfaces), error


def check(monkeypatch: pytest.MonkeyPatch, open_source: Callable[[], Any], **options: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a capture; those of machine code and of Python equal the packets, by batches of any size."""
    monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", 1 << 60)
    packets, error = expected(open_source(), engine="python", **options)
    engines = ("python", "llvm") if "llvmlite" in _libraries() else ("python",)
    for engine in engines:
        monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", 0 if engine == "llvm" else 1 << 60)
        for batch_size in (70, 1 << 20):
            rows, raised = read(open_source(), engine=engine, batch_size=batch_size, **options)
            assert raised == error
            assert [without_time(row) for row in rows] == [without_time(row) for row in packets]
            for row, packet in zip(rows, packets, strict=True):
                assert row[TIME] == packet[TIME] or (row[TIME] is None and packet[TIME] in (0, None))
    return rows


def without_time(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[:TIME] + row[TIME + 1 :]


def _libraries() -> set[str]:
    from support.project import LIBRARIES, MISSING_LIBRARIES

    return {*LIBRARIES} - {*MISSING_LIBRARIES}


def odd_times(byte_order: str) -> bytes:
    """Return a pcapng with times of all resolutions, with an offset, beyond 64 bits, and packets without a time."""
    build = Pcapng(byte_order)
    parts = [build.section(), build.interface()]
    for index, (code, offset, units, _) in enumerate(TIMES, 1):
        parts.append(build.interface(options=build.resolution(code, offset=offset)))
        parts += [build.enhanced(bytes(index), interface=index, time=units), build.simple(b"abc" * index)]
    return b"".join(parts)


CAPTURES: Final[dict[str, Callable[[Random], bytes]]] = {
    **{name: lambda random, name=name: encoded(traffic(random, 120), VARIANTS[name]) for name in VARIANTS},  # type: ignore[misc]
    "empty": lambda random: encoded([]),
    "pcapng": lambda random: as_pcapng(traffic(random, 300)),
    "big-endian pcapng": lambda random: as_pcapng(traffic(random, 300), ">"),
    "odd times": lambda random: odd_times("<"),
    "odd times, big-endian": lambda random: odd_times(">"),
    "two sections of other link types": lambda random: (
        as_pcapng(traffic(random, 50), "<", 101) + as_pcapng(traffic(random, 300), ">")
    ),
    "all kinds of blocks": lambda random: b"".join(sample_blocks(Pcapng("<"))) + blocks_of_all_kinds(random, ">"),
    "truncated": lambda random: encoded(traffic(random, 300))[:-5],
    "truncated pcapng": lambda random: as_pcapng(traffic(random, 300))[:-5],
    "damaged": damaged,
}


@pytest.mark.parametrize("name", CAPTURES)
def test_cells_are_those_of_the_packets(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(name)
    shrink(monkeypatch, random.choice(SIZES))
    path = tmp_path / "in"
    path.write_bytes(CAPTURES[name](random))
    rows = check(monkeypatch, lambda: path)
    check(monkeypatch, lambda: BytesIO(path.read_bytes()))
    check(monkeypatch, lambda: Pieces(path.read_bytes()))
    check(monkeypatch, lambda: path, filter="greater 60")
    check(monkeypatch, lambda: path, sample=3, seed=5)
    times = sorted(row[TIME] for row in rows if row[TIME])
    since, until = (Decimal(times[len(times) * part // 4]).scaleb(-9) if times else 0 for part in (1, 3))
    if since < until:
        check(monkeypatch, lambda: path, since=since, until=until)
        check(monkeypatch, lambda: path, since=since, until=until, filter="greater 60", sample=2)


@pytest.mark.parametrize("path", parameters_of(real_captures("*.pcap*")))
def test_cells_of_real_captures_are_those_of_their_packets(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(monkeypatch, lambda: path)
    check(monkeypatch, lambda: path, filter="ip or ip6", since="+0.1")


@pytest.mark.fuzz
def test_cells_of_damaged_captures_are_those_of_their_packets(
    rounds: Rounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in"
    for random in rounds(3):
        shrink(monkeypatch, Sizes(random.choice((4_096, 20_001)), random.choice((1, 2, 5))))
        path.write_bytes(damaged(random))
        options: dict[str, Any] = {"filter": random.choice(FILTERS)} if random.random() < 0.6 else {}
        if random.random() < 0.4:
            options |= {"since": random.choice((SECONDS, "+3s")), "until": SECONDS + 1_000}
        check(monkeypatch, lambda: path, **options)


def test_compressed_captures_and_pipes_have_the_same_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = check(monkeypatch, lambda: TRAFFIC)
    path = tmp_path / "in.gz"
    path.write_bytes(gzip.compress(TRAFFIC.read_bytes()))
    assert check(monkeypatch, lambda: path) == rows
    for engine in ("python", "llvm"):
        if engine == "python" or "llvmlite" in _libraries():
            with subprocess.Popen(["cat", TRAFFIC], stdout=subprocess.PIPE) as cat:
                assert cat.stdout is not None
                assert read(cat.stdout, engine=engine)[0] == rows


def test_a_file_whose_lease_is_lost_has_the_same_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = check(monkeypatch, lambda: TRAFFIC)
    monkeypatch.setattr(MappedFile, "address", lambda self: None)
    assert check(monkeypatch, lambda: TRAFFIC) == rows


def test_a_file_that_is_open_for_writing_has_the_same_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in"
    path.write_bytes(encoded(traffic(Random(1), 300)))
    rows = check(monkeypatch, lambda: path)
    with path.open("r+b"):
        assert check(monkeypatch, lambda: path) == rows


def test_several_captures_follow_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are those in each capture; interfaces that become known later follow those known at the start."""
    build = Pcapng("<")
    late = [build.section(), build.interface(113), build.enhanced(b"abc" * 10)]
    late += [build.interface(228), build.enhanced(b"abcd" * 10, interface=1), build.simple(b"ab")]
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"".join(late))
    second.write_bytes(encoded(traffic(Random(1), 3), VARIANTS["big-endian"]))
    for size in (0, 1 << 60):
        monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", size)
        table = cbpf.arrow.read_table([first, second, first], columns=["number", "interface", "link_type", "captured"])
        assert [row[:3] for row in rows_of(table)] == [
            (1, 0, "LINUX_SLL"),
            (2, 1, "IPV4"),
            (3, 0, "LINUX_SLL"),
            (1, 2, "EN10MB"),
            (2, 2, "EN10MB"),
            (3, 2, "EN10MB"),
            (1, 3, "LINUX_SLL"),
            (2, 4, "IPV4"),
            (3, 3, "LINUX_SLL"),
        ]


def test_relative_times_are_those_of_each_capture(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(TRAFFIC.read_bytes())
    second.write_bytes(encoded([record._replace(seconds=record.seconds + 86_400) for record in RECORDS]))
    expected = [packet.number for packet in cbpf.read_capture(first, since="+5s", until="+10s")]
    table = cbpf.arrow.read_table([first, second], columns=["number"], since="+5s", until="+10s")
    assert 0 < len(expected) < len(RECORDS)
    assert rows_of(table) == [(number,) for number in expected * 2]


def test_filters_of_sockets_apply_to_their_view_of_the_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = check(monkeypatch, lambda: TRAFFIC, filter="vlan or ip6", as_socket=True, dialect=cbpf.LINUX)
    assert 0 < len(rows) < len(RECORDS)


def test_a_time_beyond_64_bits_is_null_with_one_warning(recwarn: pytest.WarningsRecorder) -> None:
    build = Pcapng("<")
    blocks = [build.section(), build.interface(options=build.resolution(9)), build.enhanced(b"a", time=5)]
    blocks += [build.enhanced(b"b", time=2**63), build.enhanced(b"c", time=2**64 - 1), build.enhanced(b"d", time=7)]
    with pytest.warns(cbpf.TableWarning) as warned:
        table = cbpf.arrow.read_table(BytesIO(b"".join(blocks)), columns=["time"])
    assert rows_of(table) == [(5,), (None,), (None,), (7,)]
    (warning,) = warned
    assert str(warning.message) == (
        "capture: packet 2: its time is outside the years 1677 to 2262; such times are null in the table"
    )
    assert warning.filename == __file__


def test_a_packet_without_a_time_has_none() -> None:
    build = Pcapng(">")
    blocks = [build.section(), build.interface(), build.simple(b"a"), build.enhanced(b"b", time=0)]
    assert rows_of(cbpf.arrow.read_table(BytesIO(b"".join(blocks)), columns=["time", "length"])) == [(None, 1), (0, 1)]


def test_complete_packets_of_a_damaged_capture_precede_its_error(tmp_path: Path) -> None:
    capture = encoded(traffic(Random(1), 20))
    sources = [BytesIO(capture[:-1]), BytesIO(capture)]
    rows, error = read(sources, columns=["number"], batch_size=16)
    assert [number for (number,) in rows] == [*range(1, 20), *range(1, 21)]
    assert error.startswith("DamagedCapture: capture: packet 20: ")
    with pytest.raises(cbpf.DamagedCapture, match=r"^capture: packet 20: .*truncated$"):
        cbpf.arrow.read_table(BytesIO(capture[:-1]))


def test_an_error_in_a_column_follows_the_complete_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []

    def limited(columns: Any, data: bytearray, lengths: Any) -> None:
        fetched.append(len(columns.starts))
        if len(fetched) == 3:
            raise cbpf.CaptureError("the disk fails")
        append_data(columns, data, lengths)

    monkeypatch.setattr(data_column, "append_data", limited)
    monkeypatch.setattr(reader, "CHUNK_SIZE", 10_000)
    rows, error = read(TRAFFIC, columns=["number", "data", "length"])
    assert error == "CaptureError: the disk fails"
    assert [number for number, *_ in rows] == list(range(1, fetched[0] + fetched[1] + 1))


def test_batches_have_the_stated_size_and_the_schema_of_the_reader(tmp_path: Path) -> None:
    with cbpf.arrow.read_batches(TRAFFIC, batch_size=400) as reader:
        batches = list(reader)
    assert [batch.num_rows for batch in batches] == [400, 400, 105]
    assert all(batch.schema.equals(reader.schema, check_metadata=True) for batch in batches)
    assert tuple(reader.schema.names) == FIXED_COLUMNS
    assert cbpf.arrow.read_table(BytesIO(encoded([]))).schema.equals(reader.schema)
