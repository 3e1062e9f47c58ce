"""Compressed outputs: equal to the plain output after decompression, in separate frames, complete or absent."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Final, cast

import pytest

import cbpf
from cbpf.capture import compressed_output
from cbpf.capture.compressors import compressor_named
from cbpf.capture.outputs import open_output
from support.captures import TRAFFIC, Record, as_pcapng, encoded
from support.command_line import CommandLine
from support.damaged_writes import limited_file_size
from support.project import ENGINES, optional_library

LZ4: Final = optional_library("lz4.frame")
ZSTD: Final = optional_library("compression.zstd") or optional_library("backports.zstd")


def _frames(data: bytes, new: Callable[[], Any]) -> list[bytes]:
    """Return the content of each frame; *new* returns a decompressor."""
    contents = []
    while data:
        decompressor = new()
        contents.append(decompressor.decompress(data))
        assert decompressor.eof
        data = decompressor.unused_data
    return contents


SUFFIXES: Final = {"zstd": ".zst", "gzip": ".gz", "lz4": ".lz4", "xz": ".xz", "bzip2": ".bz2"}
DECOMPRESS: Final[dict[str, Callable[[bytes], bytes] | None]] = {
    "zstd": ZSTD and ZSTD.decompress,
    "gzip": gzip.decompress,
    "lz4": LZ4 and (lambda data: b"".join(_frames(data, LZ4.LZ4FrameDecompressor))),
    "xz": lzma.decompress,
    "bzip2": bz2.decompress,
}
TOOLS: Final = {
    "zstd": "zstd -dc",
    "gzip": "gzip -dc",
    "lz4": "lz4 -dc",
    "xz": "xz -dc",
    "bzip2": "bzip2 -dc",
    "bgzip": "bgzip -dc",
}
_RECORDS: Final = [
    Record(1_700_000_000 + index, 1000 * index, 1000, index.to_bytes(4, "big") * (1 + index % 100))
    for index in range(200)
]
CAPTURES: Final = {"pcap": encoded(_RECORDS), "pcapng": as_pcapng(_RECORDS)}


@pytest.fixture(params=SUFFIXES)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    decompressor(name)
    return name


def decompressor(kind: str) -> Callable[[bytes], bytes]:
    """Return the function that decompresses; skip the test if its library is not installed."""
    function = DECOMPRESS[kind]
    if function is None:
        pytest.skip(f"needs a library for {kind}: the extra 'compressed'")
    return function


@pytest.fixture
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make frames of 4 KiB, so that small captures have many."""
    monkeypatch.setattr(compressed_output, "FRAME_SIZE", 1 << 12)
    monkeypatch.setattr(compressed_output, "_MIN_FRAME_SIZE", 1 << 12)


def filtered(capture: bytes, expression: str = "", **options: Any) -> bytes:
    target = BytesIO()
    cbpf.filter_capture(BytesIO(capture), target, expression, **options)
    return target.getvalue()


class _Pieces(io.BytesIO):
    """A stream that returns 3,000 bytes per read at most, as a pipe does."""

    def read1(self, size: int | None = -1) -> bytes:
        return super().read1(3000)


# The content


@pytest.mark.usefixtures("small_frames")
@pytest.mark.parametrize("container", CAPTURES)
def test_every_target_has_the_plain_content(container: str, kind: str, tmp_path: Path) -> None:
    engine = cast(Any, "llvm" if "llvm" in ENGINES else "python")
    capture, decompress = CAPTURES[container], decompressor(kind)
    expression = "len > 100 and ether[3] & 3 != 0"
    plain = filtered(capture, expression)
    assert decompress(filtered(capture, expression, compress=kind, engine=engine)) == plain
    source, target, pair = tmp_path / "in", tmp_path / f"out{SUFFIXES[kind]}", [tmp_path / "1", tmp_path / "2"]
    source.write_bytes(capture)
    cbpf.filter_capture(source, target, expression, engine=engine)
    assert decompress(target.read_bytes()) == plain
    cbpf.split_capture(source, {expression: pair[0]}, rest=pair[1], compress=kind, engine=engine)
    assert [decompress(path.read_bytes()) for path in pair] == [plain, filtered(capture, f"not ({expression})")]
    other = "pcap" if container == "pcapng" else "pcapng"
    converted = filtered(capture, expression, compress=kind, container=other)
    assert decompress(converted) == filtered(capture, expression, container=other)


def test_a_small_capture_and_one_without_packets(kind: str) -> None:
    for capture in (TRAFFIC.read_bytes(), CAPTURES["pcap"][:24], CAPTURES["pcapng"][:28]):
        assert decompressor(kind)(filtered(capture, compress=kind)) == capture


@pytest.mark.parametrize("level", ["zstd:-7", "zstd:22", "gzip:1", "gzip:9", "lz4:12", "xz:0", "bzip2:1"])
def test_levels(level: str) -> None:
    decompress = decompressor(level.partition(":")[0])
    assert decompress(filtered(CAPTURES["pcap"], compress=level)) == CAPTURES["pcap"]


@pytest.mark.usefixtures("small_frames")
@pytest.mark.parametrize("tool", TOOLS)
def test_other_programs_decompress_the_output(tool: str, tmp_path: Path) -> None:
    kind = {"bgzip": "gzip"}.get(tool, tool)
    command = TOOLS[tool].split()
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    decompressor(kind)
    path = tmp_path / f"out{SUFFIXES[kind]}"
    for capture in CAPTURES.values():
        path.write_bytes(filtered(capture, compress=kind))
        done = subprocess.run([*command, str(path)], capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, capture, b"")


@pytest.mark.usefixtures("small_frames")
@pytest.mark.parametrize("kind", ["zstd", "lz4", "xz", "bzip2"])
def test_frames_end_with_records(kind: str) -> None:
    decompressor(kind)
    new = {
        "zstd": ZSTD and ZSTD.ZstdDecompressor,
        "lz4": LZ4 and LZ4.LZ4FrameDecompressor,
        "xz": lzma.LZMADecompressor,
        "bzip2": bz2.BZ2Decompressor,
    }[kind]
    ends = list(itertools.accumulate((16 + len(record.data) for record in _RECORDS), initial=24))
    for engine in ENGINES:
        target = BytesIO()
        cbpf.filter_capture(_Pieces(CAPTURES["pcap"]), target, "", compress=kind, engine=cast(Any, engine))
        frames = _frames(target.getvalue(), new)
        assert set(itertools.accumulate(map(len, frames))) <= {*ends}
        assert all((1 << 12) <= len(frame) <= (1 << 13) for frame in frames[:-1])
        assert len(frames) > 5


@pytest.mark.usefixtures("small_frames")
def test_frames_of_any_sizes_reuse_memory(kind: str) -> None:
    written, random = BytesIO(), Random(kind)
    pieces = [random.randbytes(random.choice((1, 500, 4_095, 4_096, 20_000, 70_000))) for _ in range(60)]
    with open_output(written, compressor_named(kind)) as output:
        for piece in pieces:
            output.write(piece)
    assert decompressor(kind)(written.getvalue()) == b"".join(pieces)


def test_zstd_and_lz4_frames_have_checksums() -> None:
    for kind in ("zstd", "lz4"):
        decompress = decompressor(kind)
        data = bytearray(filtered(CAPTURES["pcap"], compress=kind))
        data[-5] ^= 1  # of the checksum, or of the mark before it
        with pytest.raises((RuntimeError, OSError, *([ZSTD.ZstdError] if ZSTD else []))):
            decompress(bytes(data))


@pytest.mark.parametrize("library", ["isal", "the standard library"])
def test_gzip_blocks_are_those_of_bgzf(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its size in an extra field, and an empty one ends the file (the SAM specification, section 4.1)."""
    if library != "isal":
        monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)
    else:
        pytest.importorskip("isal.isal_zlib")
    random = os.urandom(70_000)  # incompressible
    capture = encoded([Record(1, 0, 70_000, random), *_RECORDS, Record(2, 0, 65_000, bytes(65_000))])
    data = filtered(capture, compress="gzip")
    blocks, start = [], 0
    while start < len(data):
        assert data[start : start + 4] == b"\x1f\x8b\x08\x04"
        assert data[start + 10 : start + 16] == b"\x06\x00BC\x02\x00"
        size = struct.unpack_from("<H", data, start + 16)[0] + 1
        blocks.append(gzip.decompress(data[start : start + size]))
        start += size
    assert b"".join(blocks) == capture
    assert all(len(block) <= 1 << 16 for block in blocks)
    assert (blocks[-1], len(data) - (start - size)) == (b"", 28)
    assert blocks.count(b"") == 1


# The choice


def test_the_name_of_the_file_decides(tmp_path: Path) -> None:
    capture = CAPTURES["pcap"]
    (tmp_path / "link").symlink_to("to.pcap.GZ")
    for name in ("a.gz", "a.b.GZ", "a.bgz", "link"):
        cbpf.filter_capture(BytesIO(capture), tmp_path / name, "")
        assert gzip.decompress((tmp_path / name).read_bytes()) == capture, name
    for name, compress in (("a.pcap", None), ("gz", None), (".gz", None), ("a.gz", "none")):
        cbpf.filter_capture(BytesIO(capture), tmp_path / name, "", compress=compress)
        assert (tmp_path / name).read_bytes() == capture, name
    with open(tmp_path / "b.gz", "wb") as file:
        cbpf.filter_capture(BytesIO(capture), file, "")
    assert gzip.decompress((tmp_path / "b.gz").read_bytes()) == capture
    with gzip.open(tmp_path / "c.gz", "wb") as stream:
        cbpf.filter_capture(BytesIO(capture), cast(Any, stream), "")
    assert gzip.decompress((tmp_path / "c.gz").read_bytes()) == capture


def test_compression_and_route_by_route(tmp_path: Path) -> None:
    routes = {"len > 200": tmp_path / "1.gz", "len <= 200": tmp_path / "2.xz"}
    cbpf.split_capture(TRAFFIC, routes, rest=tmp_path / "3")
    contents = [path.read_bytes() for path in (*routes.values(), tmp_path / "3")]
    assert gzip.decompress(contents[0]) == filtered(TRAFFIC.read_bytes(), "len > 200")
    assert lzma.decompress(contents[1]) == filtered(TRAFFIC.read_bytes(), "len <= 200")
    assert contents[2] == TRAFFIC.read_bytes()[:24]


def test_many_targets(tmp_path: Path) -> None:
    routes = {f"len == {14 + 4 * index}": tmp_path / f"{index}.gz" for index in range(60)}
    cbpf.split_capture(BytesIO(CAPTURES["pcap"]), routes)
    for expression, path in routes.items():
        assert gzip.decompress(path.read_bytes()) == filtered(CAPTURES["pcap"], expression)


def test_a_compressed_source_keeps_its_compression(kind: str, tmp_path: Path) -> None:
    capture, decompress = CAPTURES["pcap"], decompressor(kind)
    path = tmp_path / "in.pcap"
    path.write_bytes(filtered(capture, compress=kind))
    cbpf.filter_capture([path, path], path, "len > 100")
    with cbpf.read_capture(path) as reader:
        assert reader.compression == kind
    once = filtered(capture, "len > 100")
    assert decompress(path.read_bytes()) == once + once[24:]
    cbpf.filter_capture(path, path, "", compress="none")
    assert path.read_bytes() == once + once[24:]


def test_a_source_whose_compression_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    data = lzma.compress(CAPTURES["pcap"], format=lzma.FORMAT_ALONE)
    path.write_bytes(data)
    with pytest.raises(cbpf.CaptureError, match=r"in\.pcap: the lzma format can be read but not written; name one of"):
        cbpf.filter_capture(path, path, "arp")
    assert path.read_bytes() == data
    cbpf.filter_capture(path, path, "", compress="xz")
    assert lzma.decompress(path.read_bytes(), lzma.FORMAT_XZ) == CAPTURES["pcap"]


@pytest.mark.parametrize(
    ("compress", "message"),
    [
        ("zip", "compress: 'zip' is not one of zstd, gzip, lz4, xz, bzip2, none; a level may follow, as in zstd:3"),
        ("", "compress: '' is not one of"),
        (3, "compress: 3 is not one of"),
        ("none:1", "compress: 'none:1' is not one of"),
        ("gzip:", "compress: '' in 'gzip:' is not a level of gzip"),
        ("gzip:fast", "compress: 'fast' in 'gzip:fast' is not a level of gzip"),
        ("gzip:0", r"compress: 0 is not a level of gzip \(1..9\)"),
        ("bzip2:10", r"compress: 10 is not a level of bzip2 \(1..9\)"),
    ],
)
def test_invalid_compressions_are_rejected(compress: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(cbpf.FieldError, match=f"^{message}"):
        cbpf.filter_capture(tmp_path / "missing", None, "", compress=compress)


@pytest.mark.parametrize("name", ["a.lzma", "a.Z", "a.br", "a.zip"])
def test_names_of_other_compressions_are_rejected(name: str, tmp_path: Path) -> None:
    with pytest.raises(cbpf.CaptureError, match=r"files of type \.\w+ cannot be written; names of compressed captures"):
        cbpf.filter_capture(TRAFFIC, tmp_path / name, "")
    assert os.listdir(tmp_path) == []
    cbpf.filter_capture(TRAFFIC, tmp_path / name, "", compress="none")
    assert (tmp_path / name).read_bytes() == TRAFFIC.read_bytes()


@pytest.mark.parametrize("modules", [("backports.zstd", "compression.zstd"), ("lz4.frame",)])
def test_a_missing_library_is_reported_first(
    modules: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    kind = "lz4" if "lz4.frame" in modules else "zstd"
    missing, target = tmp_path / "missing.pcap", tmp_path / f"out{SUFFIXES[kind]}"
    message = f"no library for a {kind} stream; pip install 'cbpf\\[compressed\\]'"
    with pytest.raises(cbpf.MissingLibrary, match=message):
        cbpf.filter_capture(missing, target, "arp")
    with pytest.raises(cbpf.MissingLibrary, match=message):
        cbpf.split_capture(missing, {"arp": None}, compress=kind)


# Errors and signals


def _no_threads_remain() -> bool:
    return not any(thread.name.startswith("cbpf-compress") for thread in threading.enumerate())


@pytest.mark.usefixtures("small_frames")
@pytest.mark.parametrize("container", CAPTURES)
def test_an_error_of_writing_leaves_the_old_files(container: str, kind: str, tmp_path: Path) -> None:
    targets = [tmp_path / f"a{SUFFIXES[kind]}", tmp_path / f"b{SUFFIXES[kind]}"]
    for target in targets:
        target.write_bytes(b"old")
    with limited_file_size(1000), pytest.raises(cbpf.CaptureError, match="File too large"):
        cbpf.split_capture(BytesIO(CAPTURES[container]), {"": targets[0], "len < 0": targets[1]})
    assert [target.read_bytes() for target in targets] == [b"old", b"old"]
    assert sorted(os.listdir(tmp_path)) == [target.name for target in targets]
    with pytest.raises(cbpf.CaptureError, match=r"^/dev/full: No space left on device$"):
        cbpf.filter_capture(BytesIO(CAPTURES[container]), "/dev/full", "", compress=kind)
    assert _no_threads_remain()


@pytest.mark.usefixtures("small_frames")
def test_a_damaged_source_leaves_a_complete_target(kind: str, tmp_path: Path) -> None:
    target, capture = tmp_path / f"out{SUFFIXES[kind]}", CAPTURES["pcap"]
    with pytest.raises(cbpf.DamagedCapture):
        cbpf.filter_capture(BytesIO(capture[:-1]), target, "")
    assert decompressor(kind)(target.read_bytes()) == capture[: -16 - len(_RECORDS[-1].data)]


@pytest.mark.usefixtures("small_frames")
def test_an_exception_discards_the_target(kind: str, tmp_path: Path) -> None:
    class Interrupted(_Pieces):
        def read1(self, size: int | None = -1) -> bytes:
            if self.tell() > 30_000:
                raise KeyboardInterrupt
            return super().read1(size)

    with pytest.raises(KeyboardInterrupt):
        cbpf.filter_capture(Interrupted(CAPTURES["pcap"]), tmp_path / f"out{SUFFIXES[kind]}", "")
    assert os.listdir(tmp_path) == []
    assert _no_threads_remain()


@pytest.mark.usefixtures("small_frames")
def test_without_threads_frames_are_compressed_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert gzip.decompress(filtered(CAPTURES["pcap"], compress="gzip")) == CAPTURES["pcap"]


def test_the_command_writes_compressed_captures(cli: CommandLine, tmp_path: Path) -> None:
    source, plain = str(TRAFFIC), TRAFFIC.read_bytes()
    result = cli("filter", "-q", "-r", source, "--compress", "gzip:1")
    assert (result.exit_code, result.stderr, gzip.decompress(result.stdout)) == (0, "", plain)
    arguments = ["-q", "-r", source, "arp=arp.pcap", "--rest", "rest.pcap.gz", "--compress", "xz"]
    assert cli("split", *arguments, cwd=tmp_path).exit_code == 0
    assert lzma.decompress((tmp_path / "arp.pcap").read_bytes()) == filtered(plain, "arp")
    assert lzma.decompress((tmp_path / "rest.pcap.gz").read_bytes()) == filtered(plain, "not arp")
    result = cli("filter", "-r", "missing", "--compress", "gzip:10")
    assert (result.exit_code, result.stderr) == (2, "cbpf: --compress: 10 is not a level of gzip (1..9)\n")


def test_a_signal_leaves_the_old_file(cli: CommandLine, tmp_path: Path) -> None:
    target = tmp_path / "out.pcap.gz"
    target.write_bytes(b"old")
    with cli.start(
        "filter", "-w", str(target), cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        for part in (TRAFFIC.read_bytes(), encoded([Record(1, 0, 60_000, bytes(60_000))] * 200)[24:]):
            process.stdin.write(part)  # more than a frame and a pipe hold
        process.send_signal(signal.SIGINT)
        _, error = process.communicate()
    assert process.returncode in (130, -signal.SIGINT), error
    assert error == b""
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"out.pcap.gz": b"old"}
