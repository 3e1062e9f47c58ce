"""Batches of packets from ranges, rows, Arrow columns and lists."""

import gc
import struct
from array import array
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import cbpf
from support.arrow_producer import ArrayProducer, StreamProducer, binary, views
from support.project import Rounds

VALUES = [b"", b"a", b"twelve bytes", b"thirteen byte", b"x" * 300, b"", b"\0\xff" * 40, b"the last one of them"]
LENGTH = cbpf.parse("ld #len\nret a")


def contents(source: Any) -> list[bytes]:
    return [bytes(packet) for packet in cbpf.Packets.of(source)]


# -- ranges ---------------------------------------------------------------------------------------------------


def test_packets_are_a_sequence() -> None:
    packets = cbpf.Packets(b"abcdefgh", positions=[0, 5, 8], lengths=[2, 3, 0], wire_lengths=[2, 99, 0])
    assert [bytes(packet) for packet in packets] == [b"ab", b"fgh", b""] == [bytes(packets[n]) for n in range(3)]
    assert bytes(packets[-2]) == b"fgh"
    assert repr(packets) == "<Packets: 3 in 8 bytes>"
    assert list(packets[1:].wire_lengths) == [99, 0]
    assert [bytes(packet) for packet in packets[::-1]] == [b"", b"fgh", b"ab"]
    with pytest.raises(IndexError):
        packets[3]


@pytest.mark.parametrize(
    "column",
    [[1, 3], (1, 3), array("B", [1, 3]), array("q", [1, 3]), iter([1, 3]), range(1, 4, 2), b"\1\3", {1: 0, 3: 0}],
)
def test_columns_accept_any_integers(column: Any) -> None:
    packets = cbpf.Packets(b"abcdef", positions=column, lengths=bytearray(b"\2\3"))
    assert [bytes(packet) for packet in packets] == [b"bc", b"def"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"positions": [0, 3], "lengths": [4, 2]}, "packet 1 is bytes 3 to 5; the buffer has 4 bytes"),
        ({"positions": [5], "lengths": [0]}, "packet 0 is bytes 5 to 5"),
        ({"positions": [2**64 - 1], "lengths": [2**32 - 1]}, "packet 0 is bytes"),
        ({"positions": [-1], "lengths": [1]}, "positions: "),
        ({"positions": array("q", [-1]), "lengths": [1]}, "positions: "),
        ({"positions": [2**64], "lengths": [1]}, "positions: "),
        ({"positions": [0], "lengths": [2**32]}, "lengths: "),
        ({"positions": [0.0], "lengths": [1]}, "positions: "),
        ({"positions": ["0"], "lengths": [1]}, "positions: "),
        ({"positions": "0", "lengths": [1]}, "positions: "),
        ({"positions": 0, "lengths": [1]}, "positions: "),
        ({"positions": [0], "lengths": [1, 1]}, "lengths: has 2 entries, but there are 1 position"),
        (
            {"positions": [0], "lengths": [1], "wire_lengths": []},
            "wire_lengths: has 0 entries, but there are 1 position",
        ),
        ({"positions": [0], "lengths": [1], "wire_lengths": [-1]}, "wire_lengths: "),
    ],
)
def test_invalid_ranges_are_rejected(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(cbpf.PacketError, match=message):
        cbpf.Packets(b"abcd", **columns)


def test_checked_ranges_cannot_change() -> None:
    positions = array("Q", [0, 1])
    packets = cbpf.Packets(b"abcd", positions=positions, lengths=[1, 1])
    positions[0] = 2**40
    assert list(packets.positions) == [0, 1]
    for column in (packets.positions, packets.lengths, packets.wire_lengths):
        with pytest.raises(TypeError, match="read-only"):
            column[0] = 2**30


def test_changes_of_the_buffer_are_visible(engine: Any) -> None:
    buffer = bytearray(b"\1\2")
    vm = cbpf.VM(cbpf.parse("ldb [0]\nret a"), engine=engine)
    packets = cbpf.Packets(buffer, positions=[0, 1], lengths=[1, 1])
    assert list(vm.verdicts(packets)) == [1, 2]
    buffer[:] = b"\3\4"
    assert list(vm.verdicts(packets)) == [3, 4]


@pytest.mark.parametrize("buffer", [5, "text", None, [b"a"]])
def test_objects_without_bytes_are_rejected(buffer: Any) -> None:
    with pytest.raises(cbpf.PacketError, match=f"packet: expected a bytes-like object, got {type(buffer).__name__}"):
        cbpf.Packets(buffer, positions=[], lengths=[])


# -- other sources of packets ---------------------------------------------------------------------------------


SOURCES: dict[str, Callable[[list[bytes]], Any]] = {
    "list": list,
    "tuple": tuple,
    "iterator": iter,
    "binary": binary,
    "large binary": lambda values: binary(values, kind="Z"),
    "views": views,
    "stream": lambda values: StreamProducer(binary(values)),
    "chunks": lambda values: StreamProducer(binary(values[:3]), binary([]), binary(values[3:])),
    "chunks of views": lambda values: StreamProducer(views(values[:4]), views(values[4:])),
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_every_source_yields_its_packets(make: Callable[[list[bytes]], Any], engine: Any) -> None:
    assert contents(make(VALUES)) == VALUES
    lengths = [len(value) for value in VALUES]
    assert list(cbpf.VM(LENGTH, engine=engine).verdicts(make(VALUES))) == lengths
    assert contents(make([])) == []
    assert list(cbpf.VM(LENGTH, engine=engine).verdicts(make([]))) == []


def test_packets_of_a_batch_are_the_batch() -> None:
    packets = cbpf.Packets.of(VALUES)
    assert cbpf.Packets.of(packets) is packets


def test_rows_of_bytes() -> None:
    rows = memoryview(bytes(range(12))).cast("B", (4, 3))
    assert contents(rows) == [bytes(range(start, start + 3)) for start in (0, 3, 6, 9)]
    assert list(cbpf.VM(LENGTH).verdicts(rows)) == [3] * 4


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"abc", "'bytes' object is a single packet; pass a list of buffers"),
        (bytearray(b"abc"), "is a single packet"),
        ("abc", "'str' object does not contain packets; pass a list"),
        (5, "'int' object does not contain packets"),
        (None, "'NoneType' object does not contain packets"),
        (array("I", [1, 2]), "has 1 dimensions of 4 bytes"),
        (memoryview(bytes(8)).cast("B", (2, 2, 2)), "has 3 dimensions of 1 bytes"),
        ([b"a", 5], "packet: expected a bytes-like object, got int"),
        ([b"a", "b"], "packet: expected a bytes-like object, got str"),
    ],
)
def test_invalid_sources_are_rejected(source: Any, message: str, engine: Any) -> None:
    with pytest.raises(cbpf.PacketError, match=message):
        cbpf.Packets.of(source)
    with pytest.raises(cbpf.PacketError, match=message):
        cbpf.VM(LENGTH, engine=engine).verdicts(source)


# -- Arrow ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [binary, views, lambda values, **array: binary(values, kind="Z", **array)])
def test_slices_of_arrow_columns(make: Callable[..., ArrayProducer]) -> None:
    for offset in range(len(VALUES) + 1):
        for length in range(len(VALUES) - offset + 1):
            assert contents(make(VALUES, offset=offset, length=length)) == VALUES[offset : offset + length]


def test_fixed_size_arrow_columns() -> None:
    rows = ArrayProducer("w:3", 2, [None, b"abcdefghi"], offset=1)
    assert contents(rows) == [b"def", b"ghi"]
    assert contents(ArrayProducer("w:0", 2, [None, None])) == [b"", b""]


@pytest.mark.parametrize("offset", [0, 3, 8, 13])
@pytest.mark.parametrize("count", [-1, 1])
def test_nulls_in_arrow_columns_are_rejected(offset: int, count: int) -> None:
    offsets, data = struct.pack("=33i", *range(33)), bytes(range(32))
    bitmap = (2**32 - 1 ^ 1 << 15).to_bytes(4, "little")
    with pytest.raises(cbpf.PacketError, match=f"packet {15 - offset} is null"):
        cbpf.Packets.of(ArrayProducer("z", 16, [bitmap, offsets, data], offset=offset, null_count=count))
    assert len(cbpf.Packets.of(ArrayProducer("z", 15 - offset, [bitmap, offsets, data], offset=offset, null_count=-1)))


def test_errors_name_the_chunk() -> None:
    bad = ArrayProducer("z", 1, [b"\0", struct.pack("=2i", 0, 1), b"a"], null_count=1)
    with pytest.raises(cbpf.PacketError, match=r"packet 0 is null \(chunk 1\)"):
        cbpf.Packets.of(StreamProducer(binary([b"a"]), bad))


def test_arrow_columns_are_not_copied() -> None:
    producer = binary([b"abc", b"de"])
    packets = cbpf.Packets.of(producer)
    (data,) = [held for held in producer.held if getattr(held, "raw", b"") == b"abcde\0"]
    data[0] = b"X"
    assert bytes(packets[0]) == b"Xbc"
    with pytest.raises(TypeError, match="read-only"):
        packets[0][0] = 1


@pytest.mark.parametrize("make", [binary, lambda values: StreamProducer(binary(values))])
def test_arrow_memory_is_released_once_after_the_last_view(make: Any) -> None:
    source = make(VALUES)
    producer = source.chunks[0] if isinstance(source, StreamProducer) else source
    packets = cbpf.Packets.of(source)
    gc.collect()
    assert "array" not in producer.released
    last = packets[4]
    del packets
    gc.collect()
    assert "array" not in producer.released
    assert bytes(last) == VALUES[4]
    del last
    gc.collect()
    assert sorted(producer.released) == sorted(["schema", "array"] + ["stream"] * (source is not producer))


@pytest.mark.parametrize(
    "hostile",
    [
        ArrayProducer("z", 2, [None, struct.pack("=3i", 0, -1, 3), b"abc"]),
        ArrayProducer("z", 2, [None, struct.pack("=3i", -1, 1, 3), b"abc"]),
        ArrayProducer("z", 2, [None, struct.pack("=3i", 0, 3, 2), b"abc"]),
        ArrayProducer("Z", 1, [None, struct.pack("=2q", -(2**63), 2**63 - 1), b"abc"]),
        ArrayProducer("Z", 1, [None, struct.pack("=2q", 0, 2**40), b"abc"]),
        ArrayProducer("z", 1, [None, struct.pack("=2i", 0, 1), None]),
        ArrayProducer("z", 1, [None, None, b"abc"]),
        ArrayProducer("z", 1, [None, struct.pack("=2i", 0, 1)]),
        ArrayProducer("z", 1, []),
        ArrayProducer("z", -1, [None, b"", b""]),
        ArrayProducer("z", 1, [None, b"", b""], offset=-1),
        ArrayProducer("z", 2**63 - 1, [None, b"", b""], offset=2**63 - 1),
        ArrayProducer("w:99999999999999999999", 1, [None, b""]),
        ArrayProducer("w:x", 1, [None, b""]),
        ArrayProducer("w:-1", 1, [None, b""]),
        ArrayProducer("u", 1, [None, struct.pack("=2i", 0, 1), b"a"]),
        ArrayProducer("vz", 1, [None, struct.pack("=iiii", -1, 0, 0, 0), b"a", struct.pack("q", 1)]),
        ArrayProducer("vz", 1, [None, struct.pack("=iiii", 13, 0, 0, 0), b"a", struct.pack("q", 12)]),
        ArrayProducer("vz", 1, [None, struct.pack("=iiii", 13, 0, 1, 0), b"a", struct.pack("q", 20)]),
        ArrayProducer("vz", 1, [None, struct.pack("=iiii", 13, 0, -1, 0), b"a", struct.pack("q", 20)]),
        ArrayProducer("vz", 1, [None, struct.pack("=iiii", 13, 0, 0, -1), b"a", struct.pack("q", 20)]),
        ArrayProducer("vz", 1, [None, struct.pack("=iiii", 13, 0, 0, 0), b"a", struct.pack("q", -1)]),
        ArrayProducer("vz", 1, [None, struct.pack("=iiii", 13, 0, 0, 0)]),
        StreamProducer(binary([b"a"]), error=5),
    ],
)
def test_malformed_arrow_arrays_are_rejected(hostile: Any) -> None:
    with pytest.raises(cbpf.PacketError, match=r"Arrow|Packets\.lengths"):
        cbpf.Packets.of(hostile)
    gc.collect()
    for producer in getattr(hostile, "chunks", [hostile]):
        assert sorted(producer.released)[:2] == ["array", "schema"]


def test_invalid_capsules_are_rejected() -> None:
    class InvalidCapsules:
        def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
            return binary([b"a"]).__arrow_c_array__()[::-1]

    with pytest.raises(cbpf.PacketError, match="expected a capsule named arrow_schema"):
        cbpf.Packets.of(InvalidCapsules())
    InvalidCapsules.__arrow_c_array__ = lambda self, requested_schema=None: (5, None)  # type: ignore[method-assign]
    with pytest.raises(cbpf.PacketError, match="expected a capsule named arrow_schema"):
        cbpf.Packets.of(InvalidCapsules())


@pytest.mark.fuzz
def test_random_arrow_offsets(rounds: Rounds) -> None:
    """Offsets of 8 values in 8 bytes are rejected, or give these ranges of the bytes."""
    for random in rounds(300, min_checked=0.1):
        offsets = [int(random.random() * 9) if random.random() < 0.9 else int(random.random() * -3) for _ in range(9)]
        offsets = sorted(offsets) if random.random() < 0.5 else offsets
        try:
            packets = cbpf.Packets.of(ArrayProducer("z", 8, [None, struct.pack("=9i", *offsets), b"abcdefgh"]))
        except cbpf.PacketError:
            assert offsets != sorted(offsets) or offsets[0] < 0
        else:
            rounds.checked()
            assert [bytes(packet) for packet in packets] == [b"abcdefgh"[start:end] for start, end in pairwise(offsets)]


# -- the libraries themselves, if they are installed ---------------------------------------------------------


def test_numpy_arrays(engine: Any) -> None:
    numpy = pytest.importorskip("numpy")
    matrix = numpy.arange(60, dtype="u1").reshape(5, 12)
    shapes = [matrix, matrix[:, 2:], matrix[::2], matrix[::-1], matrix[:, ::2], matrix.T, matrix[:, :0], matrix[:0]]
    shapes += [numpy.broadcast_to(matrix[0], (4, 12)), matrix[1:4, 3:7], matrix.view("i1"), matrix > 5]
    vm = cbpf.VM(LENGTH, engine=engine)
    for rows in shapes:
        assert contents(rows) == [row.tobytes() for row in rows]
        assert list(vm.verdicts(rows)) == [rows.shape[1]] * rows.shape[0]
    packets = cbpf.Packets.of(matrix[1:, 2:])
    matrix[1, 2] = 200
    assert packets[0][0] == 200
    objects = numpy.array([b"abc", b"d"], dtype=object)
    assert list(vm.verdicts(objects)) == [3, 1]
    assert vm.run(numpy.array([1, 2], ">u2")) == 4
    assert vm.run(numpy.zeros((3, 0), "u1")) == 0
    columns = {"positions": numpy.array([0, 2]), "lengths": numpy.array([2, 1], "u4")}
    assert contents(cbpf.Packets(b"abc", **columns)) == [b"ab", b"c"]
    for invalid in (numpy.zeros(4, "u4"), numpy.zeros((2, 2), "u2"), numpy.zeros(3, "S4"), numpy.zeros(2, "M8[s]")):
        with pytest.raises(cbpf.PacketError):
            vm.verdicts(invalid)


def test_pyarrow_columns(engine: Any) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    vm = cbpf.VM(LENGTH, engine=engine)
    for kind in (pyarrow.binary(), pyarrow.large_binary(), pyarrow.binary_view()):
        column = pyarrow.array(VALUES, kind)
        assert contents(column) == VALUES
        assert contents(column[3:6]) == VALUES[3:6]
        assert contents(pyarrow.chunked_array([column, column[2:4]])) == VALUES + VALUES[2:4]
        assert contents(pyarrow.chunked_array([], kind)) == []
        assert list(vm.verdicts(column)) == [len(value) for value in VALUES]
        with pytest.raises(cbpf.PacketError, match="packet 1 is null"):
            cbpf.Packets.of(pyarrow.array([b"a", b"b", None], kind)[1:])
    assert contents(pyarrow.array([b"abc", b"def"], pyarrow.binary(3))[1:]) == [b"def"]
    for invalid in (pyarrow.array(["a"]), pyarrow.array([1]), pyarrow.table({"a": VALUES})):
        with pytest.raises(cbpf.PacketError, match="unsupported column format"):
            vm.verdicts(invalid)
    before = pyarrow.total_allocated_bytes()
    packets = cbpf.Packets.of(pyarrow.array([bytes(1000)] * 1000))
    gc.collect()
    assert pyarrow.total_allocated_bytes() > before + 900_000
    del packets
    assert pyarrow.total_allocated_bytes() < before + 100_000


def test_polars_series(engine: Any) -> None:
    polars = pytest.importorskip("polars")
    series = polars.Series(VALUES)
    assert contents(series) == VALUES
    assert contents(series[3:6]) == VALUES[3:6]
    assert contents(polars.concat([series, series], rechunk=False)) == VALUES * 2
    assert list(cbpf.VM(LENGTH, engine=engine).verdicts(series)) == [len(value) for value in VALUES]
    with pytest.raises(cbpf.PacketError, match="null"):
        cbpf.Packets.of(polars.Series([b"a", None]))


@pytest.mark.parametrize("container", ["pcap", "pcapng"])
def test_batches_of_a_capture(container: Any, traffic: Path, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    cbpf.filter_capture(traffic, capture, "", container=container)
    with cbpf.read_capture(capture) as reader:
        packets = reader.packets()
    singly = list(cbpf.read_capture(traffic))
    assert list(map(bytes, packets)) == [packet.data for packet in singly]
    assert list(packets.wire_lengths) == [packet.wire_length for packet in singly]
    vm = cbpf.VM(cbpf.compile("tcp and greater 200"), engine="llvm")
    expected = [vm.evaluate(packet.data, wire_length=packet.wire_length) for packet in singly]
    assert list(vm.verdicts(packets)) == expected
