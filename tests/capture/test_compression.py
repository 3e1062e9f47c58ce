"""Compressed captures: recognised, multi-member, live, truncated, corrupt, hostile, and without a library."""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
import os
import resource
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import pytest

import cbpf
from support.captures import TRAFFIC, Record, as_pcapng, encoded
from support.command_line import CommandLine
from support.project import Rounds, uncovered_environment
from support.sample_captures import ARP, PLAIN, RECORDS, Trickle, pipe


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


LZ4: Final = _library("lz4.frame")
ZSTD: Final = _library("compression.zstd") or _library("backports.zstd")
ISAL: Final = _library("isal")

Compress = Callable[[bytes], bytes]
COMPRESS: Final[dict[str, Compress | None]] = {
    "gzip": gzip.compress,
    "zstd": ZSTD and ZSTD.compress,
    "lz4": LZ4 and LZ4.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}
RECOGNISED: Final = {"gzip": 2, "zstd": 4, "lz4": 4, "xz": 6, "bzip2": 10}
"""Bytes that identify a compression."""


@pytest.fixture(params=COMPRESS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    compressor(name)
    return name


@pytest.fixture
def compress(kind: str) -> Compress:
    return compressor(kind)


def compressor(name: str) -> Compress:
    """Return the function that compresses; skip the test if its library is not installed."""
    function = COMPRESS[name]
    if function is None:
        pytest.skip(f"needs a library for {name}: the extra 'compressed'")
    return function


@pytest.fixture(params=["isal", "the standard library"])
def gzip_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each gzip library in turn the one that is used."""
    if request.param != "isal":
        monkeypatch.setitem(sys.modules, "isal", None)
        monkeypatch.setitem(sys.modules, "isal.igzip_lib", None)
    elif ISAL is None:
        pytest.skip("needs isal: the extra 'compressed'")


def filtered(source: bytes, expression: str = "") -> bytes:
    target = BytesIO()
    cbpf.filter_capture(BytesIO(source), target, expression)
    return target.getvalue()


def numbers(source: bytes) -> tuple[list[int], str]:
    """Return the numbers of the packets, and the message of the error after them or an empty one."""
    read: list[int] = []
    try:
        read.extend(packet.number for packet in cbpf.read_capture(BytesIO(source)))
    except cbpf.DamagedCapture as error:
        return read, str(error)
    return read, ""


# Reading


@pytest.mark.parametrize(
    "capture", [PLAIN, as_pcapng(RECORDS), TRAFFIC.read_bytes()], ids=["pcap", "pcapng", "traffic"]
)
def test_compressed_captures_are_read(capture: bytes, compress: Compress) -> None:
    assert filtered(compress(capture)) == capture
    assert filtered(compress(capture), "arp") == filtered(capture, "arp")


@pytest.mark.usefixtures("gzip_library")
def test_both_gzip_libraries_read_all_data() -> None:
    many = encoded([Record(index, 0, 1000, index.to_bytes(4, "big") * 250) for index in range(5000)])
    assert filtered(gzip.compress(many)) == many
    assert filtered(gzip.compress(many, 0)) == many


def test_paths_streams_and_standard_input_are_decompressed(
    cli: CommandLine, compress: Compress, tmp_path: Path
) -> None:
    path = tmp_path / "in.pcap"  # the name does not indicate the compression
    path.write_bytes(compress(PLAIN))
    assert len(list(cbpf.read_capture(path))) == 4
    assert len(list(cbpf.read_capture(cast(BinaryIO, Trickle(path.read_bytes()))))) == 4
    with path.open("rb") as file:
        process = cli.start("filter", "-q", "arp", stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.communicate() == (encoded(ARP), b"")


def test_all_members_are_read(compress: Compress) -> None:
    parts = [PLAIN[:30], b"", PLAIN[30:70], PLAIN[70:]]
    assert filtered(b"".join(map(compress, parts))) == PLAIN


@pytest.mark.parametrize("name", ["gzip", "xz"])
def test_zeros_between_members_are_skipped(name: str) -> None:
    compress = compressor(name)
    assert filtered(compress(PLAIN[:99]) + bytes(99_996) + compress(PLAIN[99:]) + bytes(512)) == PLAIN


@pytest.mark.parametrize("options", [{"check": lzma.CHECK_NONE}, {"check": lzma.CHECK_SHA256}, {"preset": 9}])
def test_xz_options_are_supported(options: Any) -> None:
    assert filtered(lzma.compress(PLAIN, **options)) == PLAIN


@pytest.mark.parametrize("level", range(1, 10))
def test_bzip2_block_sizes_are_supported(level: int) -> None:
    assert filtered(bz2.compress(b"", level) + bz2.compress(PLAIN, level)) == PLAIN


def test_the_compression_is_reported(kind: str, compress: Compress, tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    path.write_bytes(compress(PLAIN))
    with cbpf.read_capture(path) as reader:
        assert reader.compression == kind
    info = cbpf.capture_info(path)
    assert (info.compression, info.file_size, info.capture_size) == (kind, path.stat().st_size, len(PLAIN))


@pytest.mark.parametrize("name", ["zstd", "lz4"])
def test_skippable_frames_are_skipped(name: str) -> None:
    compress = compressor(name)
    index = struct.pack("<II", 0x184D2A5E, 9) + bytes(9)
    assert filtered(compress(PLAIN[:99]) + index + compress(PLAIN[99:]) + index) == PLAIN


def flushing(name: str) -> tuple[Compress, bytes]:
    """Return a function whose output can be decompressed at once, and the bytes before its first output."""
    if name == "gzip":
        deflate = zlib.compressobj(wbits=31)
        return lambda data: deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH), b""
    if name == "zstd":
        zstd_compressor = ZSTD.ZstdCompressor()
        return lambda data: cast(bytes, zstd_compressor.compress(data, zstd_compressor.FLUSH_BLOCK)), b""
    if name == "lz4":
        frame = LZ4.LZ4FrameCompressor(auto_flush=True)
        return lambda data: cast(bytes, frame.compress(data)), frame.begin()
    return cache(compressor(name)), b""  # without a flush operation: one stream per call


def truncated(name: str, *parts: bytes) -> bytes:
    """Return a compressed stream that contains *parts* and ends within a member."""
    write_through, begin = flushing(name)
    stream = begin + b"".join(map(write_through, parts))
    return stream + compressor(name)(b"")[: RECOGNISED[name] - 1] if name in ("xz", "bzip2") else stream


def test_packets_are_read_while_a_compressed_pipe_pauses(kind: str) -> None:
    write_through, begin = flushing(kind)
    with pipe() as (read_end, writer), open(read_end, "rb", buffering=0, closefd=False) as file:
        writer.write(begin + write_through(PLAIN + b"a part of a rec"))
        packets = iter(cbpf.read_capture(cast(BinaryIO, file)))
        assert [next(packets).number for _ in range(4)] == [1, 2, 3, 4]
        assert not writer.closed


def test_packets_are_written_while_a_compressed_pipe_pauses(cli: CommandLine, kind: str) -> None:
    write_through, begin = flushing(kind)
    process = cli.start("filter", "-r", "-", "-q", "arp", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        rescue = threading.Timer(30, process.kill)
        rescue.start()
        process.stdin.write(begin + write_through(PLAIN))
        output = b""
        while len(output) < len(encoded(ARP)) and (more := process.stdout.read(65_536)):
            output += more
        assert output == encoded(ARP)
        assert process.poll() is None
        process.stdin.close()
        rescue.cancel()


def test_many_compressed_sources(compress: Compress, tmp_path: Path) -> None:
    """Only one file is open at a time; reading continues at the position where it stopped."""
    path = tmp_path / "in.pcapng"
    path.write_bytes(compress(as_pcapng(RECORDS[:1])))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        target = BytesIO()
        cbpf.filter_capture([path] * 200, target, "", container="pcap")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    target.seek(0)
    assert [packet.time_ns for packet in cbpf.read_capture(target)] == [1_700_000_000_123_456_789] * 200


# Damage


@pytest.mark.usefixtures("gzip_library")
def test_gzip_truncated_at_every_byte_is_reported() -> None:
    check_truncations("gzip", gzip.compress(PLAIN))


@pytest.mark.parametrize("name", ["zstd", "lz4", "xz", "bzip2"])
def test_streams_truncated_at_every_byte_are_reported(name: str) -> None:
    check_truncations(name, compressor(name)(PLAIN))


def check_truncations(name: str, capture: bytes) -> None:
    packets: list[cbpf.Packet] = []
    for size in range(max(4, RECOGNISED[name]), len(capture)):
        packets.clear()
        with pytest.raises(cbpf.DamagedCapture, match=f"^capture: the {name} stream is truncated$"):
            packets.extend(cbpf.read_capture(BytesIO(capture[:size])))
    assert len(packets) == 4 or name not in ("gzip", "xz", "bzip2")  # these end with a checksum


def test_a_truncated_second_member_is_reported(kind: str, compress: Compress) -> None:
    second = compress(PLAIN[99:])
    for size in (1, RECOGNISED[kind] - 1, RECOGNISED[kind]):
        with pytest.raises(cbpf.DamagedCapture, match=f"^capture: the {kind} stream is truncated$"):
            list(cbpf.read_capture(BytesIO(compress(PLAIN[:99]) + second[:size])))


def test_complete_packets_of_a_truncated_stream_are_written(kind: str, tmp_path: Path) -> None:
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    source.write_bytes(truncated(kind, PLAIN[:-1]))
    with pytest.raises(cbpf.DamagedCapture, match=rf"in\.pcap: the {kind} stream is truncated") as damage:
        cbpf.filter_capture(source, target, "")
    assert damage.value.summary is not None
    assert damage.value.summary.packets_seen == 3
    assert target.read_bytes() == encoded(RECORDS[:3])


@pytest.mark.usefixtures("gzip_library")
def test_an_incorrect_gzip_checksum_is_reported() -> None:
    check_corruption("gzip", gzip.compress, -6, lost=20)


def test_an_incorrect_xz_checksum_is_reported() -> None:
    check_corruption("xz", lzma.compress, -40, lost=20)


def test_an_incorrect_bzip2_checksum_is_reported() -> None:
    """A bzip2 block is output when all of it was read: up to one block is lost, here 100 kB."""
    check_corruption("bzip2", lambda data: bz2.compress(data, 1), -6, lost=120)


def check_corruption(name: str, compress: Compress, position: int, lost: int) -> None:
    capture = encoded([Record(index, 0, 1000, os.urandom(1000)) for index in range(1000)])
    corrupt = bytearray(compress(capture))
    corrupt[position] ^= 1
    read, message = numbers(bytes(corrupt))
    assert 1000 - lost < len(read) <= 1000
    assert message.startswith(f"capture: the {name} stream cannot be decompressed: ")


def test_an_xz_stream_may_not_demand_much_memory() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}]
    with pytest.raises(cbpf.DamagedCapture, match=r"the xz stream needs more memory than the 256 MiB .*xz -dc FILE"):
        cbpf.read_capture(BytesIO(lzma.compress(PLAIN, filters=filters)))


def test_other_data_after_a_stream_is_reported(kind: str, compress: Compress) -> None:
    assert numbers(compress(PLAIN) + b"text") == (
        [1, 2, 3, 4],
        f"capture: the {kind} stream is followed by 74 65 78 74; only another {kind} stream may follow",
    )


def test_a_compressed_text_is_rejected(compress: Compress) -> None:
    with pytest.raises(cbpf.CaptureError, match=r"^capture: file too short: 4 bytes, but a pcap header has 24"):
        cbpf.read_capture(BytesIO(compress(b"text")))


@pytest.mark.fuzz
def test_corrupt_streams_raise_capture_errors_only(rounds: Rounds) -> None:
    for chance in rounds(60, min_checked=1):
        for compress in filter(None, COMPRESS.values()):
            capture = bytearray(compress(PLAIN) + compress(PLAIN[24:]))
            for _ in range(chance.randrange(1, 4)):
                capture[chance.randrange(len(capture))] ^= 1 << chance.randrange(8)
            with suppress(cbpf.CaptureError):
                list(cbpf.read_capture(BytesIO(bytes(capture))))
        rounds.checked()


def test_a_small_file_does_not_fill_the_memory(kind: str) -> None:
    """130 MB of packets are read by a process that may allocate 64 MiB more than at the start."""
    block = encoded([Record(0, 0, 200_000, bytes(200_000))] * 50)[24:]
    bomb = truncated(kind, encoded([]), *[block] * 13)
    code = """if True:
        import cbpf, re, resource, sys
        list(cbpf.read_capture(sys.argv[1]))  # completes the late imports
        used = 1024 * int(re.search(r"VmData:\\s+(\\d+)", open("/proc/self/status").read())[1])
        resource.setrlimit(resource.RLIMIT_DATA, (used + (64 << 20),) * 2)
        try:
            cbpf.filter_capture("-", None, cbpf.parse("ret #1"), engine="python")
        except cbpf.DamagedCapture as damage:
            print(damage.summary.packets_seen, damage)
    """
    command = [sys.executable, "-c", code, str(TRAFFIC)]
    done = subprocess.run(command, input=bomb, capture_output=True, check=False)
    assert done.stdout.decode() == f"650 standard input: the {kind} stream is truncated\n", done.stderr.decode()


# Missing libraries


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("zstd", ("compression.zstd", "backports.zstd")),
        ("lz4", ("lz4.frame",)),
        ("xz", ("lzma",)),
        ("bzip2", ("bz2",)),
    ],
)
def test_a_missing_library_is_reported(name: str, modules: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    begin = {
        "zstd": b"\x28\xb5\x2f\xfd",
        "lz4": b"\x04\x22\x4d\x18",
        "xz": b"\xfd7zXZ\0",
        "bzip2": b"BZh91AY&SY",
    }[name]
    remedy = (
        "this Python was built without the module of its standard library"
        if name in ("xz", "bzip2")
        else r"pip install 'cbpf\[compressed\]'"
    )
    with pytest.raises(cbpf.MissingLibrary, match=f"^capture: no library for a {name} stream; {remedy}$"):
        cbpf.read_capture(BytesIO(begin + bytes(99)))


def test_compression_libraries_are_imported_late() -> None:
    code = "import sys, cbpf; list(cbpf.read_capture(sys.argv[1])); print({'lzma', 'bz2', 'zlib'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(TRAFFIC)],
        capture_output=True,
        text=True,
        check=True,
        env=uncovered_environment(),  # coverage imports zlib
    )
    assert done.stdout == "set()\n"


def test_text_that_begins_like_bzip2_is_rejected() -> None:
    with pytest.raises(cbpf.CaptureError, match="is not the magic number of a capture"):
        cbpf.read_capture(BytesIO(b"BZh9 is the beginning of this text."))
