"""Batches of packets from ranges, rows, Arrow columns and lists."""

import ctypes
import mmap
from array import array
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

import cbpf
from support.arrow_producer import StreamProducer, binary, views
from support.project import ENGINES, Rounds

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


# -- random buffers and columns ---------------------------------------------------------------------------------------


class Subclass(bytes):
    """Bytes that state another length."""

    def __len__(self) -> int:
        return 1 << 30


def _mapped(data: bytes) -> mmap.mmap:
    mapped = mmap.mmap(-1, max(len(data), 1))
    mapped[: len(data)] = data
    return mapped


BUFFERS: dict[str, Callable[[bytes], Any]] = {
    "bytes": lambda data: data,
    "bytearray": bytearray,
    "subclass": Subclass,
    "array": lambda data: array("B", data),
    "16-bit array": lambda data: array("H", data + bytes(len(data) % 2)),
    "ctypes": lambda data: (ctypes.c_char * len(data)).from_buffer_copy(data) if data else b"",
    "mapping": _mapped,
    "read-only view": lambda data: memoryview(bytearray(data)).toreadonly(),
    "reversed": lambda data: memoryview(data[::-1])[::-1],
    "every second byte": lambda data: memoryview(bytes(byte for pair in zip(data, data, strict=True) for byte in pair))[
        ::2
    ],
    "signed": lambda data: memoryview(data).cast("b"),
    "matrix": lambda data: memoryview(data).cast("B", (1, len(data))) if data else b"",
}


def random_column(random: Random, count: int, most: int) -> Any:
    """Return numbers, of which few exceed *most*, in one of several types."""
    numbers = [
        random.randrange(most + 2) if random.random() < 0.02 else random.randrange(most // 2 + 1) for _ in range(count)
    ]
    if random.random() < 0.05:
        return random.choice([[-1], ["x"], None, [0.5], [2**64], [*numbers, 0]])
    makers: list[Callable[[list[int]], Any]] = [list, tuple, iter, lambda items: array("Q", items)]
    return random.choice(makers)(numbers)


def as_numbers(column: Any, limit: int) -> tuple[list[int] | None, Any]:
    """Return the numbers of a column, None if they are not valid, and a column that was not consumed."""
    try:
        numbers = list(column)
    except TypeError:
        return None, column
    is_valid = all(type(number) is int and 0 <= number < limit for number in numbers)
    return numbers if is_valid else None, column if hasattr(column, "__len__") else iter(numbers)


@pytest.mark.fuzz
def test_random_buffers_and_columns(rounds: Rounds) -> None:
    """Each engine returns the verdicts on the ranges of the bytes, or the batch is rejected."""
    program = cbpf.parse("ldb [0]\ntax\nld #len\nadd x\nret a")
    vms = [cbpf.VM(program, engine=engine) for engine in ENGINES]
    for random in rounds(400, min_checked=0.3):
        data = random.randbytes(random.choice([0, 1, 2, 7, 64]))
        buffer = random.choice(list(BUFFERS.values()))(data)
        content = bytes(memoryview(buffer))
        packet_count = random.randrange(5)
        positions, first = as_numbers(random_column(random, packet_count, len(content)), 2**64)
        lengths, second = as_numbers(random_column(random, packet_count, len(content)), 2**32)
        expected = None
        if positions is not None and lengths is not None and len(positions) == len(lengths):
            ranges = [(start, start + length) for start, length in zip(positions, lengths, strict=True)]
            if all(end <= len(content) for _, end in ranges):
                expected = [content[start:end] for start, end in ranges]
        if expected is None:
            with pytest.raises(cbpf.PacketError):
                cbpf.Packets(buffer, positions=first, lengths=second)
            continue
        packets = cbpf.Packets(buffer, positions=first, lengths=second)
        verdicts = [packet[0] + len(packet) if packet else 0 for packet in expected]
        assert list(map(bytes, packets)) == expected
        assert [list(vm.verdicts(packets)) for vm in vms] == [verdicts] * len(vms)
        assert [vm.run(buffer) for vm in vms] == [content[0] + len(content) if content else 0] * len(vms)
        rounds.checked()


# -- numpy and captures ---------------------------------------------------------


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
