"""Packets of Arrow columns in several buffers: read without a copy, by Python and by machine code."""

import gc
import pickle
import struct
from collections.abc import Callable
from typing import Any

import pytest

import cbpf
from cbpf.packet.scattered_buffer import merged
from support.arrow_producer import ArrayProducer, StreamProducer, binary, views
from support.hostile_arrow import native_packets

VALUES = [b"", b"a", b"twelve bytes", b"thirteen byte", b"x" * 300, b"", b"\0\xff" * 40, b"the last one of them"]
COLUMNS: dict[str, Callable[[], Any]] = {
    "views": lambda: views(VALUES),
    "chunks of views": lambda: StreamProducer(views(VALUES[:3]), views([]), views(VALUES[3:], per_buffer=1)),
    "chunks": lambda: StreamProducer(binary(VALUES[:3]), binary([b""]), binary(VALUES[3:])),
    "chunks of fixed size": lambda: StreamProducer(*[ArrayProducer("w:2", 2, [None, b"abcd"])] * 2),
    "chunks without bytes": lambda: StreamProducer(binary([b"", b""]), binary([b""])),
    "large offsets": lambda: binary(VALUES, kind="Z", offset=2, length=5),
}
ECHO = cbpf.parse("ldb [0]\ntax\nld #len\nadd x\nret a")


def producers(source: Any) -> list[ArrayProducer]:
    return list(getattr(source, "chunks", [source]))


@pytest.mark.parametrize("make", COLUMNS.values(), ids=COLUMNS)
def test_machine_code_reads_the_ranges_that_python_reads(make: Callable[[], Any]) -> None:
    pytest.importorskip("llvmlite", reason="machine code needs llvmlite")
    expected, packets = cbpf.Packets.of(make()), native_packets(make())
    assert list(map(bytes, packets)) == list(map(bytes, expected))
    assert list(packets.lengths) == list(packets.wire_lengths) == list(expected.lengths)
    assert list(packets.positions) == list(expected.positions)
    assert list(cbpf.VM(ECHO, engine="llvm").verdicts(packets)) == list(
        cbpf.VM(ECHO, engine="python").verdicts(expected)
    )


def test_long_columns_are_read_by_machine_code() -> None:
    values = [bytes([index % 251]) * (index % 40) for index in range(6_000)]
    expected = list(cbpf.VM(ECHO, engine="python").verdicts(values))
    chunks = StreamProducer(views(values[:10]), views(values[10:], per_buffer=900))
    for source in (views(values, per_buffer=700), binary(values), binary(values, kind="Z"), chunks):
        for engine in ("llvm", "auto", "interpreter"):
            assert list(cbpf.VM(ECHO, engine=engine).verdicts(source)) == expected
    long = views([*values, b"y" * 20])
    rows = long._buffers[1]
    assert isinstance(rows, bytes)
    long._buffers[1] = rows[:-4] + struct.pack("=i", 1 << 20)  # the offset of the last view
    with pytest.raises(cbpf.PacketError, match="packet 6000 is 20 bytes at 1048576 of data buffer"):
        cbpf.VM(ECHO).verdicts(long)


def test_values_in_several_buffers_are_not_copied() -> None:
    source = views(VALUES)
    packets = cbpf.Packets.of(source)
    for held in source.held:
        content = getattr(held, "raw", b"")
        if b"twelve bytes" in content:  # the views
            held[content.index(b"twelve")] = b"T"
        elif b"xxx" in content:
            held[content.index(b"x")] = b"Y"
    assert bytes(packets[2]) == b"Twelve bytes"
    assert bytes(packets[4]) == b"Y" + b"x" * 299
    with pytest.raises(TypeError, match="read-only"):
        packets[4][0] = 1


@pytest.mark.parametrize("make", COLUMNS.values(), ids=COLUMNS)
def test_memory_of_several_buffers_is_released_once_after_the_last_view(make: Callable[[], Any]) -> None:
    source = make()

    def release_count() -> int:
        gc.collect()
        return sum(producer.released.count("array") for producer in set(producers(source)))

    packets = cbpf.Packets.of(source)
    part, last = packets[1:], max(packets, key=len)
    content = bytes(last)
    del packets
    assert release_count() == 0 or not content
    del part
    assert bytes(last) == content
    assert release_count() == 0 or not content
    del last
    assert release_count() == len(producers(source))


@pytest.mark.parametrize("make", COLUMNS.values(), ids=COLUMNS)
def test_batches_of_several_buffers_are_sequences(make: Callable[[], Any]) -> None:
    packets = cbpf.Packets.of(make())
    contents = list(map(bytes, packets))
    assert [bytes(packets[index]) for index in range(-len(packets), 0)] == contents
    for part in (slice(1, 3), slice(None, None, -1), slice(0, 0), slice(1, None, 2)):
        assert list(map(bytes, packets[part])) == contents[part]
        assert list(cbpf.VM(ECHO, engine="llvm").verdicts(packets[part])) == [
            content[0] + len(content) if content else 0 for content in contents[part]
        ]
    with pytest.raises(IndexError):
        packets[len(packets)]
    restored = pickle.loads(pickle.dumps(packets))
    assert list(map(bytes, restored)) == contents
    assert list(restored.wire_lengths) == list(packets.wire_lengths)


def test_the_buffer_of_packets_in_several_buffers_is_a_copy() -> None:
    packets = cbpf.Packets.of(views(VALUES))
    assert bytes(packets.buffer) == b"".join(VALUES)
    ranges = zip(packets.positions, packets.lengths, strict=True)
    assert [bytes(packets.buffer[start : start + size]) for start, size in ranges] == VALUES
    assert packets.buffer.obj is packets.buffer.obj  # made once


def test_wire_lengths_can_be_given_for_any_source() -> None:
    for source in (VALUES, views(VALUES), cbpf.Packets.of(VALUES)):
        packets = cbpf.Packets.of(source, wire_lengths=range(1000, 1008))
        assert list(packets.wire_lengths) == list(range(1000, 1008))
        assert list(map(bytes, packets)) == VALUES
        assert list(cbpf.VM(cbpf.parse("ld #len\nret a"), engine="llvm").verdicts(packets)) == list(range(1000, 1008))
    with pytest.raises(cbpf.PacketError, match="wire_lengths: has 1 entries, but there are 8 positions"):
        cbpf.Packets.of(VALUES, wire_lengths=[1])


def test_parts_that_overlap_or_touch_are_one_part() -> None:
    assert merged([(30, 40), (0, 10), (5, 8), (10, 12), (35, 50)]) == [(0, 12), (30, 50)]
    assert merged([]) == []
