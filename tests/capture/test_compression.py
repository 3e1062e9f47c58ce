"""Compressed captures: found by magic, read through all members, live, cut, corrupt, hostile, and without a library."""

from __future__ import annotations

import gzip
import importlib
import os
import resource
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import pytest

import cbpf
from support.captures import TRAFFIC, Record, as_pcapng, encoded
from support.project import Rounds
from support.sample_captures import ARP, PLAIN, RECORDS, Trickle, cbpf_filter, pipe


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
}


@pytest.fixture(params=COMPRESS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if COMPRESS[name] is None:
        pytest.skip(f"needs a library for {name}: the extra 'compressed'")
    return name


@pytest.fixture
def compress(kind: str) -> Compress:
    function = COMPRESS[kind]
    assert function is not None
    return function


@pytest.fixture(params=["isal", "the standard library"])
def gzip_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """gzip read by each library."""
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
    """The numbers of the packets, and the complaint behind them."""
    found: list[int] = []
    try:
        found.extend(one.number for one in cbpf.read_capture(BytesIO(source)))
    except cbpf.DamagedCapture as error:
        return found, str(error)
    return found, ""


# Reading


@pytest.mark.parametrize(
    "capture", [PLAIN, as_pcapng(RECORDS), TRAFFIC.read_bytes()], ids=["pcap", "pcapng", "traffic"]
)
def test_compressed_captures_are_read(capture: bytes, compress: Compress) -> None:
    assert filtered(compress(capture)) == capture
    assert filtered(compress(capture), "arp") == filtered(capture, "arp")


@pytest.mark.usefixtures("gzip_library")
def test_either_library_reads_gzip() -> None:
    many = encoded([Record(index, 0, 1000, index.to_bytes(4, "big") * 250) for index in range(5000)])
    assert filtered(gzip.compress(many)) == many
    assert filtered(gzip.compress(many, 0)) == many


def test_from_a_path_a_stream_and_standard_input(compress: Compress, tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"  # its name does not tell
    path.write_bytes(compress(PLAIN))
    assert len(list(cbpf.read_capture(path))) == 4
    assert len(list(cbpf.read_capture(cast(BinaryIO, Trickle(path.read_bytes()))))) == 4
    with path.open("rb") as file:
        process = cbpf_filter("-q", "arp", stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.communicate() == (encoded(ARP), b"")


def test_members_are_read_through(compress: Compress) -> None:
    parts = [PLAIN[:30], b"", PLAIN[30:70], PLAIN[70:]]
    assert filtered(b"".join(map(compress, parts))) == PLAIN


def test_zeros_between_gzip_members() -> None:
    assert filtered(gzip.compress(PLAIN[:99]) + bytes(99_999) + gzip.compress(PLAIN[99:]) + bytes(512)) == PLAIN


@pytest.mark.parametrize("name", ["zstd", "lz4"])
def test_skippable_frames(name: str) -> None:
    compress = COMPRESS[name]
    if compress is None:
        pytest.skip(f"needs a library for {name}: the extra 'compressed'")
    index = struct.pack("<II", 0x184D2A5E, 9) + bytes(9)
    assert filtered(compress(PLAIN[:99]) + index + compress(PLAIN[99:]) + index) == PLAIN


def flushing(name: str) -> tuple[Compress, bytes]:
    """A function that compresses so that all can be read at once, and how the stream begins."""
    if name == "gzip":
        deflate = zlib.compressobj(wbits=31)
        return lambda data: deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH), b""
    if name == "zstd":
        compressor = ZSTD.ZstdCompressor()
        return lambda data: cast(bytes, compressor.compress(data, compressor.FLUSH_BLOCK)), b""
    frame = LZ4.LZ4FrameCompressor(auto_flush=True)
    return lambda data: cast(bytes, frame.compress(data)), frame.begin()


def test_packets_come_while_a_compressed_pipe_pauses(kind: str) -> None:
    write_through, begin = flushing(kind)
    with pipe() as (read_end, writer), open(read_end, "rb", buffering=0, closefd=False) as file:
        writer.write(begin + write_through(PLAIN + b"a part of a rec"))
        packets = iter(cbpf.read_capture(cast(BinaryIO, file)))
        assert [next(packets).number for _ in range(4)] == [1, 2, 3, 4]
        assert not writer.closed


def test_packets_are_written_while_a_compressed_pipe_pauses(kind: str) -> None:
    write_through, begin = flushing(kind)
    process = cbpf_filter("-r", "-", "-q", "arp", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
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
    """Only one of them is open at a time, and each goes on where it stopped."""
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
    assert [one.time_ns for one in cbpf.read_capture(target)] == [1_700_000_000_123_456_789] * 200


# Damage


@pytest.mark.usefixtures("gzip_library")
def test_a_gzip_cut_at_every_byte() -> None:
    check_cuts("gzip", gzip.compress(PLAIN))


@pytest.mark.parametrize("name", ["zstd", "lz4"])
def test_frames_cut_at_every_byte(name: str) -> None:
    compress = COMPRESS[name]
    if compress is None:
        pytest.skip(f"needs a library for {name}: the extra 'compressed'")
    check_cuts(name, compress(PLAIN))


def check_cuts(name: str, capture: bytes) -> None:
    found: list[cbpf.Packet] = []
    for size in range(4, len(capture)):
        found.clear()
        with pytest.raises(cbpf.DamagedCapture, match=f"^capture: the {name} stream is cut short$"):
            found.extend(cbpf.read_capture(BytesIO(capture[:size])))
    assert len(found) == 4 or name != "gzip"  # which ends with a check sum


def test_whole_packets_of_a_cut_stream_are_kept(kind: str, tmp_path: Path) -> None:
    write_through, begin = flushing(kind)
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    source.write_bytes(begin + write_through(PLAIN[:-1]))
    with pytest.raises(cbpf.DamagedCapture, match=rf"in\.pcap: the {kind} stream is cut short") as damage:
        cbpf.filter_capture(source, target, "")
    assert damage.value.summary is not None
    assert damage.value.summary.packets_seen == 3
    assert target.read_bytes() == encoded(RECORDS[:3])


@pytest.mark.usefixtures("gzip_library")
def test_a_wrong_check_sum() -> None:
    many = encoded([Record(index, 0, 1000, os.urandom(1000)) for index in range(100)])
    wrong = bytearray(gzip.compress(many))
    wrong[-6] ^= 1
    found, complaint = numbers(bytes(wrong))
    assert 80 < len(found) <= 100
    assert complaint.startswith("capture: the gzip stream is damaged: ")


def test_what_follows_a_stream_must_be_one(kind: str, compress: Compress) -> None:
    assert numbers(compress(PLAIN) + b"text") == (
        [1, 2, 3, 4],
        f"capture: the {kind} stream is followed by 74 65 78 74, which begins no other",
    )


def test_a_compressed_capture_within_a_compressed_one_is_none(compress: Compress) -> None:
    with pytest.raises(cbpf.CaptureError, match="is not the magic number of a capture"):
        cbpf.read_capture(BytesIO(compress(compress(PLAIN))))


def test_a_compressed_text_is_no_capture(compress: Compress) -> None:
    with pytest.raises(cbpf.CaptureError, match=r"^capture: has 4 bytes; a pcap capture begins with a header of 24"):
        cbpf.read_capture(BytesIO(compress(b"text")))


@pytest.mark.fuzz
def test_damaged_streams_give_packets_and_one_clean_error(rounds: Rounds) -> None:
    for chance in rounds(60):
        for compress in filter(None, COMPRESS.values()):
            capture = bytearray(compress(PLAIN) + compress(PLAIN[24:]))
            for _ in range(chance.randrange(1, 4)):
                capture[chance.randrange(len(capture))] ^= 1 << chance.randrange(8)
            with suppress(cbpf.CaptureError):
                list(cbpf.read_capture(BytesIO(bytes(capture))))


def test_a_small_file_does_not_fill_the_memory(kind: str) -> None:
    """400 megabytes of packets, read where only 64 more than at the start may be had."""
    write_through, begin = flushing(kind)
    block = encoded([Record(0, 0, 200_000, bytes(200_000))] * 50)[24:]
    bomb = begin + write_through(encoded([])) + b"".join([write_through(block) for _ in range(40)])
    code = """if True:
        import cbpf, re, resource, sys
        list(cbpf.read_capture(sys.argv[1]))  # loads what is loaded late
        used = 1024 * int(re.search(r"VmData:\\s+(\\d+)", open("/proc/self/status").read())[1])
        resource.setrlimit(resource.RLIMIT_DATA, (used + (64 << 20),) * 2)
        try:
            cbpf.filter_capture("-", None, cbpf.parse("ret #1"), engine="python")
        except cbpf.DamagedCapture as damage:
            print(damage.summary.packets_seen, damage)
    """
    command = [sys.executable, "-c", code, str(TRAFFIC)]
    done = subprocess.run(command, input=bomb, capture_output=True, check=False)
    assert done.stdout.decode() == f"2000 standard input: the {kind} stream is cut short\n", done.stderr.decode()


# Libraries that are not there


@pytest.mark.parametrize(
    ("name", "modules"), [("zstd", ("compression.zstd", "backports.zstd")), ("lz4", ("lz4.frame",))]
)
def test_a_missing_library(name: str, modules: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    begin = {"zstd": b"\x28\xb5\x2f\xfd", "lz4": b"\x04\x22\x4d\x18"}[name]
    message = rf"^capture: a {name} stream needs a library: pip install 'cbpf\[compressed\]'$"
    with pytest.raises(cbpf.MissingLibrary, match=message):
        cbpf.read_capture(BytesIO(begin + bytes(99)))
