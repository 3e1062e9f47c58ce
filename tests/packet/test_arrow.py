"""Columns of Arrow: packets of producers, and producers that violate the C data interface."""

import ctypes
import gc
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

import cbpf
from cbpf.engines.base import llvm_is_installed
from support.arrow_producer import ArrayProducer, StreamProducer, binary, views
from support.hostile_arrow import NUMBERS, UNMAPPED, Hostile, is_rejected, native_packets
from support.project import TESTS, Rounds

VALUES = [b"", b"a", b"twelve bytes", b"thirteen byte", b"x" * 300, b"", b"\0\xff" * 40, b"the last one of them"]
LENGTH = cbpf.parse("ld #len\nret a")


def contents(source: Any) -> list[bytes]:
    return [bytes(packet) for packet in cbpf.Packets.of(source)]


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
    error = import_error(cbpf.Packets.of, hostile)
    assert "Arrow" in error
    assert not llvm_is_installed() or import_error(native_packets, hostile) == error
    gc.collect()
    for producer in getattr(hostile, "chunks", [hostile]):
        assert producer.released.count("array") == producer.released.count("schema") > 0


def import_error(read: Callable[[Any], object], source: Any) -> str:
    """Return the message of the error without addresses, which differ between exports of a producer."""
    with pytest.raises(cbpf.PacketError) as info:
        read(source)
    return re.sub("0x[0-9a-f]+", "", str(info.value))


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


# -- hostile producers ------------------------------------------------------------------------------------------------


def fixed() -> ArrayProducer:
    return ArrayProducer("w:3", 2, [None, b"abcdef"])


COLUMNS: dict[str, Callable[[], ArrayProducer]] = {
    "binary": lambda: binary([b"abc", b"de"]),
    "large binary": lambda: binary([b"abc", b"de"], kind="Z"),
    "views": lambda: views([b"abc", b"a long value of a view"]),
    "fixed size": fixed,
}


@pytest.mark.parametrize("address", UNMAPPED)
@pytest.mark.parametrize("make", COLUMNS.values(), ids=COLUMNS)
def test_addresses_that_are_not_mapped_are_rejected(make: Callable[[], ArrayProducer], address: int) -> None:
    assert is_rejected(Hostile(make(), schema={"format": address}))
    assert is_rejected(Hostile(make(), array={"buffers": address}))
    if address:
        assert is_rejected(Hostile(make(), schema={"dictionary": address}))
        assert is_rejected(Hostile(make(), array={"dictionary": address}))
    producer = make()
    count = len(producer._buffers)
    for index in range(1, count):
        hostile = make()
        hostile.array = lambda hostile=hostile, index=index: _with_address(hostile, index, address)  # type: ignore[method-assign,misc]
        assert is_rejected(hostile)


def _with_address(producer: ArrayProducer, index: int, address: int) -> bytes:
    """Return the array of a producer, with another address of one buffer."""
    data = ArrayProducer.array(producer)
    table = struct.unpack_from("P", data, 40)[0]
    ctypes.c_uint64.from_address(table + 8 * index).value = address
    return data


@pytest.mark.parametrize("name", ["length", "offset", "null_count", "n_buffers", "n_children"])
@pytest.mark.parametrize("make", COLUMNS.values(), ids=COLUMNS)
def test_numbers_that_are_impossible_are_rejected(make: Callable[[], ArrayProducer], name: str) -> None:
    usual = {"length": range(3), "offset": range(1), "null_count": (-1, 0), "n_buffers": (2, 3, 4), "n_children": (0,)}
    for number in NUMBERS:
        if number < 0 or number > 1 << 30:
            is_unknown = name == "null_count" and number == -1
            assert is_rejected(Hostile(make(), array={name: number})) is not is_unknown
        elif number in usual[name] and name in ("null_count", "n_children"):
            assert not is_rejected(Hostile(make(), array={name: number}))
    for number in {2, 3} - {len(make()._buffers)}:
        assert is_rejected(Hostile(make(), array={"n_buffers": number}))


@pytest.mark.parametrize(
    "text",
    [b"", b"u", b"Z ", b"i", b"+l", b"z\xff", b"\xff\xfe", b"w:", b"w:\xc2\xb2", b"w:\xd9\xa3", b"w:-1", b"w:+1",
     b"w:2147483648", b"w:" + b"9" * 5000, b"z" * 100_000, b"vu", b"w:3,", b"\n"],
)  # fmt: skip
def test_other_formats_are_rejected(text: bytes) -> None:
    with pytest.raises(cbpf.PacketError, match="unsupported column format"):
        cbpf.Packets.of(Hostile(binary([b"abc"]), text=text))
    assert is_rejected(Hostile(binary([b"abc"]), text=text, stream={}))


def test_a_null_without_a_bitmap_is_rejected() -> None:
    with pytest.raises(cbpf.PacketError, match="1 packets are null; buffer 0, which marks them, is missing"):
        cbpf.Packets.of(binary([b"a"], null_count=1))
    assert contents(binary([b"a"], null_count=-1)) == [b"a"]


def test_children_and_dictionaries_are_rejected() -> None:
    with pytest.raises(cbpf.PacketError, match="has 1 children; format z has none"):
        cbpf.Packets.of(Hostile(binary([b"a"]), array={"n_children": 1}))
    with pytest.raises(cbpf.PacketError, match="encoded by a dictionary"):
        cbpf.Packets.of(Hostile(binary([b"a"]), schema={"dictionary": 4096}))


def test_many_values_without_bytes_are_rejected() -> None:
    with pytest.raises(cbpf.PacketError, match="1099511627776 values of 0 bytes"):
        cbpf.Packets.of(ArrayProducer("w:0", 1 << 40, [None, None]))


@pytest.mark.parametrize("structure", ["schema", "array", "stream"])
def test_released_structures_are_rejected(structure: str) -> None:
    changes = {structure: {"release": 0}}
    if structure == "stream":
        with pytest.raises(cbpf.PacketError, match="the arrow_array_stream was released before it was imported"):
            cbpf.Packets.of(Hostile(binary([b"a"]), **changes))  # type: ignore[arg-type]
        return
    with pytest.raises(cbpf.PacketError, match=f"the arrow_{structure} was released before it was imported"):
        cbpf.Packets.of(Hostile(binary([b"a"]), **changes))  # type: ignore[arg-type]
    if structure == "schema":
        with pytest.raises(cbpf.PacketError, match="a schema that is released"):
            cbpf.Packets.of(Hostile(binary([b"a"]), stream={}, **changes))  # type: ignore[arg-type]
    else:  # this is how a stream ends
        assert contents(Hostile(binary([b"a"]), stream={}, **changes)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["get_schema", "get_next"])
def test_missing_functions_of_a_stream_are_rejected(name: str) -> None:
    with pytest.raises(cbpf.PacketError, match=f"Arrow stream: {name} is null"):
        cbpf.Packets.of(Hostile(binary([b"a"]), stream={name: 0}))


def test_an_error_without_text_is_reported() -> None:
    source = StreamProducer(binary([b"a"]), error=5)
    with pytest.raises(cbpf.PacketError, match="error 5: no reason given"):
        cbpf.Packets.of(source)


@pytest.mark.parametrize("result", [None, (), (1,), (None, None, None), [1, 2], "ab"])
def test_results_other_than_two_capsules_are_rejected(result: object) -> None:
    class Source:
        def __arrow_c_array__(self) -> object:
            return result

    assert is_rejected(Source())


def test_a_structure_is_moved_out_of_its_capsule() -> None:
    """So a second consumer of the capsules cannot release the memory in use."""

    class Same:
        capsules = binary(VALUES).__arrow_c_array__()

        def __arrow_c_array__(self) -> object:
            return self.capsules

    packets = cbpf.Packets.of(Same())
    with pytest.raises(cbpf.PacketError, match="the arrow_schema was released before it was imported"):
        cbpf.Packets.of(Same())
    del Same.capsules
    gc.collect()
    assert list(map(bytes, packets)) == VALUES


@pytest.mark.fuzz
def test_random_hostile_producers(rounds: Rounds) -> None:
    """In a child process, which a violation that is not detected may end; at least half of them are reported."""
    for source in rounds(1):
        command = [sys.executable, "-m", "support.hostile_arrow", str(source.random()), "1000"]
        result = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
        assert result.returncode == 0, (command, result.returncode, result.stderr[-2000:])
        assert int(result.stdout) >= 500


# -- the libraries themselves, if they are installed -----------------------------------------------------------------


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
    for invalid in (pyarrow.array(["a"]), pyarrow.array([1])):
        with pytest.raises(cbpf.PacketError, match="unsupported column format"):
            vm.verdicts(invalid)
    for table in (pyarrow.table({"a": VALUES}), pyarrow.record_batch({"a": VALUES})):
        with pytest.raises(cbpf.PacketError, match="a table or a struct; pass one of its columns"):
            vm.verdicts(table)
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
