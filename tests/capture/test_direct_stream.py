"""Frames that are decompressed into the memory of the reader: equal to the streams that the libraries' objects read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, BinaryIO, Final, cast

import pytest

import cbpf
from cbpf.capture import compression_kinds, direct_stream
from cbpf.capture.direct_stream import DirectStream
from cbpf.capture.frame_decoders import frame_decoder
from cbpf.capture.input import Input
from cbpf.capture.mapped_file import MappedFile
from support.compressed import LZ4, ZSTD, Pieces, legacy, skippable
from support.sample_captures import PLAIN

if ZSTD is None or LZ4 is None:
    pytest.skip("needs zstd and lz4: the extra 'compressed'", allow_module_level=True)

CONTENT: Final = b"".join(Random(index).randbytes(500) + bytes(700) for index in range(700))
BLOCKS: Final[dict[str, tuple[Callable[[bytes], bytes], int]]] = {
    "zstd": (lambda data: ZSTD.compress(data, options={ZSTD.CompressionParameter.checksum_flag: 1}), 1 << 17),
    "lz4": (lambda data: LZ4.compress(data, content_checksum=True), 1 << 16),
    "lz4, independent": (lambda data: LZ4.compress(data, block_linked=False, block_checksum=True), 1 << 16),
}
"""The functions that make a frame, and the maximum size of its blocks."""


def read(source: Any, room: int = 1 << 20, *, may_map: bool = False) -> tuple[bytes, str]:
    """Return the content of a source, read *room* bytes at a time at most, and the error after it or an empty text."""
    content, memory = bytearray(), memoryview(bytearray(room))
    try:
        with closing(Input(cast(BinaryIO, source))) as stream:
            stream.stream.may_map = may_map
            while count := stream.readinto(memory):
                content += memory[:count]
    except cbpf.CaptureError as error:
        return bytes(content), str(error)
    return bytes(content), ""


@pytest.fixture(params=BLOCKS)
def frame(request: pytest.FixtureRequest) -> Callable[[bytes], bytes]:
    return BLOCKS[request.param][0]


def test_the_installed_libraries_have_the_functions() -> None:
    for compression in (compression_kinds.ZSTD, compression_kinds.LZ4):
        assert frame_decoder(compression) is not None
    assert frame_decoder(compression_kinds.GZIP) is None


def streams(frame: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """Yield streams that other members, other bytes, or headers that are not supported follow."""
    whole, empty = frame(PLAIN), frame(b"")
    others = [ZSTD.compress(PLAIN), LZ4.compress(PLAIN), legacy(PLAIN), gzip.compress(PLAIN), bz2.compress(PLAIN)]
    tails = [b"", empty, whole, skippable(3, 9) + whole, b"text", whole[:4], lzma.compress(PLAIN), *others]
    for tail in [*tails, b"\x28\xb5\x2f\xfd\x01\x50\xd3" + bytes(20), b"\x04\x22\x4d\x18\x61\x40" + bytes(20)]:
        yield whole + tail
        yield empty + empty + tail
        yield skippable(0, 5) + whole + tail
    for size in range(0, len(whole), 2):
        yield whole[:size]
        yield empty + whole[: size + 1]


def test_streams_in_memory_and_in_pieces_have_the_same_content_and_error(frame: Callable[[bytes], bytes]) -> None:
    for stream in streams(frame):
        assert read(BytesIO(stream), 99) == read(Pieces([stream])), stream


def test_reads_of_any_size_return_the_same_bytes(
    frame: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = frame(CONTENT) + frame(b"") + frame(CONTENT[:99])
    for size, room in ((1 << 18, 1 << 22), (1 << 18, 10_000), (1_000, 70_000)):
        monkeypatch.setattr(direct_stream, "_MIN_INPUT_SIZE", min(size, 1 << 14))
        monkeypatch.setattr(direct_stream, "_MAX_INPUT_SIZE", size)
        assert read(BytesIO(stream), room) == (CONTENT + CONTENT[:99], "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that can be mapped."""
    path = tmp_path / "capture"
    path.write_bytes(bytes(9))
    with path.open("rb") as file, MappedFile(file.fileno(), "capture") as mapped:
        if not mapped.is_mapped:
            pytest.skip("needs read leases, and a kernel that reports unreadable pages")
    return path


@pytest.mark.parametrize("window_size", [50, 20_000])
def test_mapped_files_have_the_same_content_and_error(
    frame: Callable[[bytes], bytes], window_size: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct_stream, "_WINDOW_SIZE", window_size)
    for stream in [*[*streams(frame)][::29], frame(CONTENT) + frame(CONTENT[:99])]:
        path.write_bytes(stream)
        content, error = read(path, 70_000, may_map=True)
        assert (content, error) == read(path, 70_000)
        assert error == read(Pieces([stream]))[1].replace("capture", str(path), 1)


@pytest.mark.parametrize("window_size", [5_000, 1 << 20])
def test_a_file_is_read_on_while_another_process_waits_to_write_to_it(
    frame: Callable[[bytes], bytes], window_size: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct_stream, "_WINDOW_SIZE", window_size)
    path.write_bytes(frame(CONTENT))
    stream, content, memory = Input(str(path)), bytearray(), memoryview(bytearray(10_000))
    stream.stream.may_map = is_expected = True
    while count := stream.readinto(memory):
        content += memory[:count]
        assert stream.stream.is_mapped == is_expected
        if is_expected and len(content) > 200_000:
            with pytest.raises(BlockingIOError):
                os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            is_expected = False
    assert not is_expected
    assert content == CONTENT
    stream.close()
    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))


@pytest.mark.parametrize("kind", BLOCKS)
def test_all_blocks_before_a_corruption_are_returned(kind: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads of all sizes return equal bytes: those of a stream in pieces, or more."""
    frame, block_size = BLOCKS[kind]
    first, stream, random = frame(b"first"), frame(CONTENT), Random(kind)
    for position in [*random.sample(range(20, len(stream)), 12), len(stream) - 1]:
        corrupt = bytearray(first + stream)
        corrupt[len(first) + position] ^= 0x55
        results = set()
        for size, room in ((1 << 18, 1 << 22), (1 << 18, 3_000), (20_000, 100_000)):
            monkeypatch.setattr(direct_stream, "_MAX_INPUT_SIZE", size)
            results.add(read(BytesIO(corrupt), room))
        path.write_bytes(corrupt)
        content, error = read(path, 100_000, may_map=True)
        results.add((content, error.replace(str(path), "capture", 1)))
        ((content, error),) = results
        in_pieces, error_in_pieces = read(Pieces([bytes(corrupt)]))
        assert (error == "") == (error_in_pieces == "")
        assert not error or error.startswith(f"capture: the {kind[:4].rstrip(',')} stream cannot be decompressed: ")
        assert len(content) >= len(in_pieces)
        if position == len(stream) - 1:  # of the checksum
            assert content == b"first" + CONTENT
        elif error:
            assert len(content) > 5 + (position / len(stream) - 0.1) * len(CONTENT) - 2 * block_size


@contextmanager
def opened(path: Path, position: int) -> Iterator[BinaryIO]:
    with path.open("rb") as file:
        file.seek(position)
        yield file


def test_a_file_that_is_not_at_its_start_is_read_again_from_there(tmp_path: Path) -> None:
    path, stream = tmp_path / "in", bytearray(BLOCKS["zstd"][0](CONTENT))
    stream[-1] ^= 0x55
    expected = read(BytesIO(stream))
    assert expected[1]
    memory = BytesIO(b"before" + stream)
    memory.seek(6)
    assert read(memory) == expected
    path.write_bytes(b"before" + stream)
    with opened(path, 6) as file:
        content, error = read(file)
    assert (content, error.partition(": ")[2]) == (expected[0], expected[1].partition(": ")[2])


def test_pipes_and_streams_without_the_functions_are_read_by_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise AssertionError

    stream = ZSTD.compress(PLAIN)
    monkeypatch.setattr(DirectStream, "readinto", fail)
    with pytest.raises(AssertionError):
        read(BytesIO(stream))
    assert read(Pieces([stream])) == (PLAIN, "")
    monkeypatch.setattr(ZSTD, "_zstd", None)
    assert read(BytesIO(stream)) == (PLAIN, "")
