"""Members of compressed streams: headers, frames without content, and formats, wherever the pieces of the input end."""

from __future__ import annotations

import bz2
import gzip
import itertools
import lzma
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import pytest

import cbpf
from cbpf.capture.compression_kinds import LEGACY_MAGIC
from support.captures import Record, encoded
from support.command_line import CommandLine
from support.compressed import (
    FRAME_KINDS,
    ISAL,
    LZ4,
    ZSTD,
    Pieces,
    content,
    gzip_member,
    legacy,
    skippable,
)
from support.sample_captures import PLAIN

NEEDS_LZ4: Final = pytest.mark.skipif(LZ4 is None, reason="needs lz4: the extra 'compressed'")
NEEDS_ZSTD: Final = pytest.mark.skipif(ZSTD is None, reason="needs zstd: the extra 'compressed'")
LONG: Final = encoded([Record(index, 0, 1000, index.to_bytes(4, "big") * 250) for index in range(400)])


def damage(stream: bytes) -> str:
    """Return the error of reading a compressed stream, which must be equal for a stream in single bytes."""
    messages = []
    for pieces in ([stream], [stream[index : index + 1] for index in range(len(stream))]):
        with pytest.raises(cbpf.DamagedCapture) as error:
            list(cbpf.read_capture(cast(BinaryIO, Pieces(pieces))))
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    return messages[0]


def splits(stream: bytes, positions: Iterable[int]) -> Iterator[list[bytes]]:
    for position in positions:
        yield [stream[:position], stream[position:]]


def decoded_by(command: list[str], stream: bytes) -> bytes | None:
    """Return the output of a program for a stream, or None if it is not installed."""
    if not shutil.which(command[0]):
        return None
    return subprocess.run(command, input=stream, capture_output=True, check=True).stdout


# gzip


@pytest.fixture(params=["isal", "the standard library"])
def gzip_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each gzip library in turn the one that is used."""
    if request.param != "isal":
        monkeypatch.setitem(sys.modules, "isal", None)
        monkeypatch.setitem(sys.modules, "isal.igzip_lib", None)
    elif ISAL is None:
        pytest.skip("needs isal: the extra 'compressed'")


@pytest.mark.usefixtures("gzip_library")
@pytest.mark.parametrize("flags", range(32))
def test_gzip_headers_of_every_kind_are_read_wherever_pieces_end(flags: int) -> None:
    first, second = gzip_member(PLAIN[:99], flags), gzip_member(PLAIN[99:], flags)
    assert gzip.decompress(first + second) == PLAIN
    for start in (0, len(first)):
        for pieces in splits(first + second, range(start, start + 50)):
            assert content(pieces) == PLAIN


@pytest.mark.usefixtures("gzip_library")
def test_gzip_streams_are_read_wherever_pieces_end() -> None:
    stream = gzip_member(PLAIN[:99], 31) + gzip_member(b"", 31) + gzip_member(PLAIN[99:], 31) + bytes(20)
    for pieces in splits(stream, range(len(stream))):
        assert content(pieces) == PLAIN
    for size in (1, 2, 3, 7):
        assert content(stream[index : index + size] for index in range(0, len(stream), size)) == PLAIN


@pytest.mark.usefixtures("gzip_library")
def test_large_gzip_header_fields_are_read() -> None:
    for field in ({"extra": bytes(65_535)}, {"name": b"n" * 300_000}):
        stream = gzip_member(PLAIN, 31, **field)
        assert gzip.decompress(stream) == PLAIN
        assert content([stream]) == PLAIN
        assert content(stream[index : index + 1000] for index in range(0, len(stream), 1000)) == PLAIN


@pytest.mark.usefixtures("gzip_library")
@pytest.mark.parametrize(
    ("change", "fact"),
    [
        (lambda stream: stream[:20] + b"X" + stream[21:], "incorrect header checksum"),
        (lambda stream: stream[:2] + b"\7" + stream[3:], "method 7, flags 0x1f: only deflate (8) and"),
        (lambda stream: stream[:3] + b"\xff" + stream[4:], "method 8, flags 0xff: only deflate (8) and"),
        (lambda stream: stream[:3] + b"\x08" + stream[4:10] + b"n" * (1 << 20), "its header is longer than 1 MiB"),
    ],
)
def test_invalid_gzip_headers_are_reported(change: Callable[[bytes], bytes], fact: str) -> None:
    stream = change(gzip_member(PLAIN, 31))
    with pytest.raises(cbpf.DamagedCapture) as error:
        cbpf.read_capture(BytesIO(stream))
    assert str(error.value).startswith(f"capture: the gzip stream cannot be decompressed: {fact}")


@pytest.mark.usefixtures("gzip_library")
def test_gzip_headers_truncated_at_every_byte_are_reported() -> None:
    for flags in (0, 2, 31):
        first, second = gzip_member(PLAIN, flags), gzip_member(b"", flags)
        for size in range(1, len(second)):
            assert damage(first + second[:size]) == "capture: the gzip stream is truncated"


# Skippable frames


@pytest.fixture(params=FRAME_KINDS)
def frame(request: pytest.FixtureRequest) -> Callable[[bytes], bytes]:
    """Return the function that makes frames of a kind."""
    function = FRAME_KINDS[request.param]
    if function is None:
        pytest.skip("needs the extra 'compressed'")
    return function


@pytest.mark.parametrize("index", range(16))
def test_skippable_frames_are_skipped_anywhere(index: int, frame: Callable[[bytes], bytes]) -> None:
    first, second = frame(PLAIN[:99]), frame(PLAIN[99:])
    for size in (0, 1, 4, 100_000):
        skipped = skippable(index, size)
        assert content([skipped, first, second]) == PLAIN
        assert content([first + skipped + second]) == PLAIN
        assert content([first + second + skipped]) == PLAIN
        assert content([skipped * 3 + first + skipped * 2 + second + skipped]) == PLAIN


def test_skippable_frames_are_skipped_wherever_pieces_end(frame: Callable[[bytes], bytes]) -> None:
    stream = skippable(0, 21) + frame(PLAIN[:99]) + skippable(14, 0) + skippable(15, 9) + frame(PLAIN[99:])
    for pieces in splits(stream, range(len(stream))):
        assert content(pieces) == PLAIN
    assert content(bytes([byte]) for byte in stream) == PLAIN


@NEEDS_ZSTD
@NEEDS_LZ4
def test_the_compression_after_skippable_frames_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "in"
    for name, compress in (("zstd", ZSTD.compress), ("lz4", LZ4.compress)):
        path.write_bytes(skippable(14, 4) + compress(PLAIN) + skippable(0, 9))
        with cbpf.read_capture(path) as reader:
            assert (reader.compression, len(list(reader))) == (name, 4)


def test_skippable_frames_alone_are_an_empty_file() -> None:
    for stream in (skippable(0, 0), skippable(3, 1000) * 2):
        with pytest.raises(cbpf.CaptureError, match=r"^capture: file too short: 0 bytes"):
            cbpf.read_capture(BytesIO(stream))
    for size in (10, 11, 100):
        assert damage(skippable(0, 1000)[:size]) == "capture: the zstd or lz4 stream is truncated"


def test_other_data_after_skippable_frames_are_reported() -> None:
    for data in (PLAIN, gzip.compress(PLAIN)):
        begin = (skippable(0, 5) + data)[13:23].hex(" ")
        fact = f"is followed by {begin}; only another zstd or lz4 stream may follow"
        assert damage(skippable(0, 5) + data) == f"capture: the zstd or lz4 stream {fact}"


@NEEDS_ZSTD
def test_zstd_itself_skips_these_frames() -> None:
    stream = skippable(0, 9) + ZSTD.compress(PLAIN[:99]) + skippable(15, 0) + ZSTD.compress(PLAIN[99:])
    decoded = decoded_by(["zstd", "-dc"], stream)
    if decoded is None:
        pytest.skip("needs zstd")
    assert decoded == PLAIN


# lz4


@NEEDS_LZ4
def test_legacy_lz4_frames_are_read() -> None:
    for data in (PLAIN, LONG, LONG * 50):
        assert content([legacy(data)]) == data
    assert content([legacy(LONG, 1000)]) == LONG
    assert content([LEGACY_MAGIC + LEGACY_MAGIC + legacy(PLAIN) + LEGACY_MAGIC]) == PLAIN
    assert content([legacy(PLAIN[:99]) + LZ4.compress(PLAIN[99:150]) + legacy(PLAIN[150:])]) == PLAIN
    for pieces in splits(legacy(PLAIN[:99]) + legacy(PLAIN[99:]), range(len(legacy(PLAIN)))):
        assert content(pieces) == PLAIN


@NEEDS_LZ4
def test_truncated_legacy_lz4_frames_are_reported() -> None:
    stream = legacy(PLAIN)
    for size in range(10, len(stream), 7):
        assert damage(stream[:size]) == "capture: the lz4 stream is truncated"
    assert damage(stream + b"\1\0").endswith("is truncated")
    assert "cannot be decompressed" in damage(stream[:8] + b"\xff" * (len(stream) - 8))


@NEEDS_LZ4
def test_legacy_frames_of_lz4_itself_are_read() -> None:
    if not shutil.which("lz4"):
        pytest.skip("needs lz4")
    streams = [
        subprocess.run(["lz4", "-l", "-c"], input=part, capture_output=True, check=True).stdout
        for part in (LONG[:999], LONG[999:])
    ]
    assert content(streams) == LONG
    assert decoded_by(["lz4", "-d", "-c"], legacy(LONG[:999]) + LZ4.compress(LONG[999:])) == LONG


@NEEDS_LZ4
@pytest.mark.parametrize("block_checksum", [False, True])
@pytest.mark.parametrize("content_checksum", [False, True])
@pytest.mark.parametrize("block_linked", [False, True])
@pytest.mark.parametrize("store_size", [False, True])
def test_options_of_lz4_frames_are_supported(
    block_checksum: bool, content_checksum: bool, block_linked: bool, store_size: bool
) -> None:
    for block_size in (LZ4.BLOCKSIZE_MAX64KB, LZ4.BLOCKSIZE_MAX4MB):
        stream = LZ4.compress(
            LONG,
            block_size=block_size,
            block_checksum=block_checksum,
            content_checksum=content_checksum,
            block_linked=block_linked,
            store_size=store_size,
        )
        assert content([stream]) == LONG
        assert content(stream[index : index + 997] for index in range(0, len(stream), 997)) == LONG


@NEEDS_LZ4
def test_lz4_dictionaries_are_named() -> None:
    for flags, before in ((0x61, b""), (0x69, struct.pack("<Q", len(PLAIN)))):
        header = b"\x04\x22\x4d\x18" + bytes([flags, 0x40]) + before + struct.pack("<I", 4711) + b"\0"
        remedy = "decompress it first: lz4 -d -D DICTIONARY -c FILE | cbpf filter -r -"
        assert damage(header + bytes(99)) == f"capture: the lz4 stream needs dictionary 4711; {remedy}"


# zstd


def raw_zstd(data: bytes, header: bytes) -> bytes:
    """Return a zstd frame with a header and one raw block."""
    return b"\x28\xb5\x2f\xfd" + header + struct.pack("<I", len(data) << 3 | 1)[:3] + data


def with_window(log: int, eighths: int = 0) -> bytes:
    """Return a frame of the capture that demands a window of 2**log bytes, and some eighths more."""
    return raw_zstd(PLAIN, bytes([0, (log - 10) << 3 | eighths]))


@NEEDS_ZSTD
@pytest.mark.parametrize(
    ("log", "eighths", "mebibytes", "option"),
    [(27, 1, "144", 28), (28, 0, "256", 28), (30, 0, "1,024", 30), (30, 7, "1,920", 31), (31, 0, "2,048", 31)],
)
def test_larger_windows_are_named_in_every_frame(log: int, eighths: int, mebibytes: str, option: int) -> None:
    remedy = f"decompress it first: zstd -d --long={option} -c FILE | cbpf filter -r -"
    message = f"capture: the zstd stream needs a larger window: {mebibytes} MiB, and cbpf provides 128 MiB; {remedy}"
    frame = with_window(log, eighths)
    for before in (b"", ZSTD.compress(PLAIN), skippable(0, 9), ZSTD.compress(PLAIN) + skippable(0, 0)):
        assert damage(before + frame) == message
    decoded = decoded_by(["zstd", "-d", f"--long={option}", "-c"], frame)
    if decoded is None:
        pytest.skip("needs zstd")
    assert decoded == PLAIN


@NEEDS_ZSTD
def test_packets_before_a_larger_window_are_written(tmp_path: Path, cli: CommandLine) -> None:
    source, target = tmp_path / "in.pcap.zst", tmp_path / "out.pcap"
    source.write_bytes(ZSTD.compress(PLAIN) + with_window(31))
    for options, stdin in ((["-r", str(source)], b""), (["-r", "-"], source.read_bytes())):
        done = cli("filter", "-q", *options, "-w", str(target), stdin=stdin)
        assert done.exit_code == 2
        assert done.stderr.count("\n") == 1
        assert "zstd -d --long=31 -c FILE | cbpf filter -r -" in done.stderr
        assert target.read_bytes() == PLAIN
        target.unlink()


@NEEDS_ZSTD
def test_windows_up_to_the_limit_are_read() -> None:
    for log, eighths in ((12, 0), (17, 5), (27, 0)):
        assert content([with_window(log, eighths)]) == PLAIN
    fields = {0x20: bytes([len(PLAIN) % 256]), 0xE0: struct.pack("<Q", len(PLAIN)), 0xA0: struct.pack("<I", len(PLAIN))}
    for descriptor, size in fields.items():
        if descriptor != 0x20 or len(PLAIN) < 256:
            stream = raw_zstd(PLAIN, bytes([descriptor]) + size)
            for pieces in splits(stream, range(20)):
                assert content(pieces) == PLAIN


@NEEDS_ZSTD
def test_single_segments_larger_than_the_limit_are_named() -> None:
    stream = raw_zstd(PLAIN, b"\xe0" + struct.pack("<Q", 1 << 30))
    assert "needs a larger window: 1,024 MiB" in damage(stream)
    assert "demands a window of 1,048,576 MiB; at most 2,048 MiB are valid" in damage(
        raw_zstd(PLAIN, b"\xe0" + struct.pack("<Q", 1 << 40))
    )


@NEEDS_ZSTD
def test_zstd_dictionaries_are_named() -> None:
    remedy = "decompress it first: zstd -d -D DICTIONARY -c FILE | cbpf filter -r -"
    for flag, size in ((1, 1), (2, 2), (3, 4)):
        identifier = (211).to_bytes(size, "little")
        for header in (bytes([flag, 0x50]) + identifier, bytes([0x20 | flag]) + identifier + b"\x09"):
            assert damage(raw_zstd(PLAIN, header)) == f"capture: the zstd stream needs dictionary 211; {remedy}"


# xz, lzma, bzip2


def lzma_alone(data: bytes, **options: Any) -> bytes:
    return lzma.compress(data, format=lzma.FORMAT_ALONE, **options)


@pytest.mark.parametrize("preset", [0, 6])
def test_lzma_files_are_read(preset: int, tmp_path: Path) -> None:
    for data in (PLAIN, LONG):
        stream = lzma_alone(data, preset=preset)
        assert content([stream]) == data
        assert content(stream[index : index + 5] for index in range(0, len(stream), 5)) == data
    for size in range(14, len(lzma_alone(PLAIN)), 50):
        assert damage(lzma_alone(PLAIN)[:size]) == "capture: the lzma stream is truncated"
    path = tmp_path / "in.lzma"
    path.write_bytes(lzma_alone(PLAIN))
    assert cbpf.capture_info(path).compression == "lzma"
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 29}]
    remedy = "decompress it first: xz -dc FILE | cbpf filter -r -"
    assert damage(lzma_alone(PLAIN, filters=filters)) == (
        f"capture: the lzma stream needs more memory than the 256 MiB that cbpf provides; {remedy}"
    )


def test_several_xz_and_bzip2_streams_with_padding_are_read() -> None:
    for compress, padding in ((lzma.compress, bytes(8)), (bz2.compress, b"")):
        parts = [compress(PLAIN[:50]), compress(b""), compress(PLAIN[50:])]
        stream = padding.join(parts) + padding
        for pieces in splits(stream, range(len(stream))):
            assert content(pieces) == PLAIN


# One stream within another


def test_a_stream_within_a_stream_is_named() -> None:
    kinds: dict[str, tuple[Callable[[bytes], bytes], str]] = {
        "gzip": (gzip.compress, "gzip -dc"),
        "xz": (lzma.compress, "xz -dc"),
        "bzip2": (bz2.compress, "bzip2 -dc"),
    }
    if ZSTD and LZ4:
        kinds |= {"zstd": (ZSTD.compress, "zstd -dc"), "lz4": (LZ4.compress, "lz4 -dc")}
    for (outer, (compress, tool)), (inner, (compress_inner, _)) in itertools.product(kinds.items(), repeat=2):
        with pytest.raises(cbpf.CaptureError) as error:
            cbpf.read_capture(BytesIO(compress(compress_inner(PLAIN))))
        fact = f"a {inner} stream within a {outer} stream"
        assert str(error.value) == f"capture: {fact}; decompress the outer one: {tool} FILE | cbpf filter -r -"
