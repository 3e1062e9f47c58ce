"""Captures read, filtered and written: all pcap variants, all kinds of sources and targets, all errors."""

from __future__ import annotations

import gc
import io
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import pytest

import cbpf
from support.captures import (
    KUZNETZOV,
    NANOSECONDS,
    TRAFFIC,
    VARIANTS,
    Record,
    Variant,
    clipped,
    decoded,
    encoded,
)
from support.command_line import CommandLine, is_writing
from support.sample_captures import (
    ARP,
    CORRECTED_SNAPLEN,
    HEADER,
    PLAIN,
    RECORDS,
    Broken,
    Trickle,
    microseconds,
    names,
    pipe,
)

NO_SPACE: Final = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def filtered(source: bytes, expression: str = "") -> bytes:
    target = BytesIO()
    cbpf.filter_capture(BytesIO(source), target, expression)
    return target.getvalue()


def packet(number: int, record: Record) -> cbpf.Packet:
    time_ns = record.seconds * 1_000_000_000 + record.nanoseconds
    return cbpf.Packet(number, time_ns, record.wire_length, record.data)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.pcap"
    path.write_bytes(PLAIN)
    return path


# Reading


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_read(name: str) -> None:
    variant = VARIANTS[name]
    snaplen = CORRECTED_SNAPLEN.get(name, variant.snaplen)
    expected = clipped(RECORDS, snaplen)
    if variant.magic != NANOSECONDS:
        expected = [microseconds(record) for record in expected]
    reader = cbpf.read_capture(BytesIO(encoded(RECORDS, variant)))
    assert reader.snaplen == snaplen
    assert reader.link_type == cbpf.link_type(variant.linktype & 0xFFFF)
    assert list(reader) == [packet(number, record) for number, record in enumerate(expected, 1)]


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_copied_with_its_header(name: str) -> None:
    variant = VARIANTS[name]
    capture = encoded(RECORDS, variant)
    output = filtered(capture)
    snaplen = CORRECTED_SNAPLEN.get(name, variant.snaplen)
    assert output[:24] == capture[:24]
    assert decoded(output) == clipped(decoded(capture), snaplen)
    assert output == capture or snaplen < 2000


def test_captured_length_and_time() -> None:
    first, *_, last = cbpf.read_capture(BytesIO(PLAIN))
    assert (first.captured_length, first.wire_length, first.time) == (60, 60, 1_700_000_000.123456)
    assert (last.captured_length, last.wire_length, last.number) == (64, 64, 4)


def test_a_capture_without_packets() -> None:
    assert list(cbpf.read_capture(BytesIO(HEADER))) == []
    assert filtered(HEADER, "arp") == HEADER


@pytest.mark.parametrize("as_source", [str, Path, lambda path: BytesIO(path.read_bytes())])
def test_sources(as_source: Callable[[Path], str | Path | BinaryIO], source: Path) -> None:
    with cbpf.read_capture(as_source(source)) as reader:
        assert [packet.number for packet in reader] == [1, 2, 3, 4]


@pytest.mark.parametrize("buffering", [0, -1, 7])
def test_open_files_are_read_and_left_open(buffering: int, source: Path) -> None:
    with source.open("rb", buffering=buffering) as file:
        with cbpf.read_capture(file) as reader:
            assert len(list(reader)) == 4
        assert not file.closed


def test_a_stream_of_single_bytes_is_read() -> None:
    assert len(list(cbpf.read_capture(cast(BinaryIO, Trickle(PLAIN))))) == 4


def test_a_capture_of_many_chunks_is_read() -> None:
    records = [Record(index, 0, 70_000, index.to_bytes(4, "big") * 16_000) for index in range(100)]
    capture = encoded(records)
    assert [packet.data for packet in cbpf.read_capture(BytesIO(capture))] == [record.data for record in records]
    assert filtered(capture) == capture


def test_iteration_continues_where_it_stopped() -> None:
    reader = cbpf.read_capture(BytesIO(PLAIN))
    first = next(iter(reader))
    assert [first.number, *(packet.number for packet in reader)] == [1, 2, 3, 4]


def test_a_reader_that_is_not_closed_is_freed_at_once() -> None:
    gc.collect()
    gc.disable()
    try:
        with pytest.warns(ResourceWarning, match="unclosed file"):
            list(cbpf.read_capture(TRAFFIC))
    finally:
        gc.enable()


def test_long_dbus_messages_are_read() -> None:
    long = Record(1, 0, 300_000, bytes(300_000))
    capture = encoded([long, *ARP], Variant(linktype=231, snaplen=0))
    assert [packet.captured_length for packet in cbpf.read_capture(BytesIO(capture))] == [300_000, 64]
    assert filtered(capture) == capture


@pytest.mark.parametrize(
    ("linktype", "longest"), [(1, 262_144), (113, 262_144), (231, 134_217_728), (249, 1_048_576), (279, 8_388_608)]
)
def test_a_snapshot_length_of_zero_means_the_maximum(linktype: int, longest: int) -> None:
    assert cbpf.read_capture(BytesIO(encoded([], Variant(snaplen=0, linktype=linktype)))).snaplen == longest


# Pipes


@pytest.mark.parametrize("buffering", [0, -1])
def test_packets_are_read_while_the_pipe_pauses(buffering: int) -> None:
    with pipe() as (read_end, writer), os.fdopen(read_end, "rb", buffering=buffering) as file:
        writer.write(encoded(RECORDS[:2]) + b"a part of a rec")
        packets = iter(cbpf.read_capture(file))
        assert [next(packets).number, next(packets).number] == [1, 2]
        assert not writer.closed


@pytest.mark.parametrize("buffering", [0, -1])
def test_packets_are_written_while_the_pipe_pauses(buffering: int) -> None:
    target = BytesIO()
    written = threading.Event()

    class Observed(BytesIO):
        def write(self, data: object) -> int:
            size = target.write(data)  # type: ignore[arg-type]
            if target.tell() == len(encoded(ARP)):
                written.set()
            return size

    with pipe() as (read_end, writer), os.fdopen(read_end, "rb", buffering=buffering) as file:
        worker = threading.Thread(target=cbpf.filter_capture, args=(file, Observed(), "arp"))
        worker.start()
        writer.write(PLAIN)
        assert written.wait(20)
        writer.write(encoded(ARP)[24:])
        writer.close()
        worker.join(20)
    assert target.getvalue() == encoded(ARP * 2)


def test_the_command_writes_while_its_input_pauses(cli: CommandLine) -> None:
    process = cli.start("filter", "-r", "-", "-q", "arp", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        rescue = threading.Timer(30, process.kill)
        rescue.start()
        process.stdin.write(PLAIN)
        expected = encoded(ARP)
        output = b""
        while len(output) < len(expected) and (more := process.stdout.read(65_536)):
            output += more
        assert output == expected
        assert process.poll() is None
        process.stdin.write(encoded(ARP)[24:])
        process.stdin.close()
        assert process.stdout.read() == encoded(ARP)[24:]
        rescue.cancel()
    assert process.returncode == 0


def test_the_count_ends_the_run_while_the_pipe_pauses() -> None:
    with pipe() as (read_end, writer), os.fdopen(read_end, "rb", buffering=0) as file:
        writer.write(PLAIN)
        summary = cbpf.filter_capture(cast(BinaryIO, file), None, "", count=4)
        assert not writer.closed
    assert summary.packets_accepted == 4


def test_a_nonblocking_source_is_rejected() -> None:
    with pipe() as (read_end, writer), os.fdopen(read_end, "rb", buffering=0) as file:
        os.set_blocking(read_end, False)
        writer.write(PLAIN)
        with pytest.raises(cbpf.CaptureError, match="read would block; a capture is read from a blocking stream"):
            list(cbpf.read_capture(cast(BinaryIO, file)))


def test_standard_input_and_output(cli: CommandLine, source: Path) -> None:
    with source.open("rb") as file:
        process = cli.start("filter", "-q", "arp", stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.communicate() == (encoded(ARP), b"")
    assert process.returncode == 0


def test_a_dash_means_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(BytesIO(PLAIN[:-1])))
    with pytest.raises(cbpf.DamagedCapture, match=r"^standard input: packet 4: 79 of its 80 bytes"):
        list(cbpf.read_capture("-"))


# Filtering


def test_summary() -> None:
    summary = cbpf.filter_capture(BytesIO(PLAIN), None, "arp")
    assert summary[:4] == (4, 1, 60 + 0 + 2000 + 64, 64)
    assert summary.seconds > 0


def test_a_program_as_filter() -> None:
    target = BytesIO()
    cbpf.filter_capture(BytesIO(PLAIN), target, [cbpf.LoadExtension(cbpf.Extension.LEN), cbpf.RetA()])
    assert target.getvalue() == encoded([record for record in RECORDS if record.wire_length])


def test_invert() -> None:
    target = BytesIO()
    summary = cbpf.filter_capture(BytesIO(PLAIN), target, "arp", invert=True)
    assert target.getvalue() == encoded(RECORDS[:3])
    assert summary[:4] == (4, 3, 2124, 2060)


@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_count(count: int) -> None:
    target = BytesIO()
    summary = cbpf.filter_capture(BytesIO(PLAIN), target, "", count=count)
    assert target.getvalue() == encoded(RECORDS[:count])
    assert summary.packets_seen == summary.packets_accepted == min(count, 4)


def test_count_and_invert_over_several_sources() -> None:
    target = BytesIO()
    cbpf.filter_capture([BytesIO(PLAIN), BytesIO(PLAIN)], target, "arp", count=4, invert=True)
    assert target.getvalue() == encoded(RECORDS[:3] + RECORDS[:1])


def test_damage_after_the_last_counted_packet_is_ignored() -> None:
    summary = cbpf.filter_capture(BytesIO(PLAIN[:-1]), None, "", count=3)
    assert summary.packets_accepted == 3


@pytest.mark.parametrize("count", [0, -1, 1.0, "1", 2**63])
def test_invalid_counts_are_rejected(count: int) -> None:
    with pytest.raises(cbpf.FieldError, match=r"filter_capture\.count"):
        cbpf.filter_capture(BytesIO(PLAIN), None, "", count=count)


def test_filters_test_the_wire_length() -> None:
    assert decoded(filtered(PLAIN, "greater 60000")) == [microseconds(RECORDS[2])]


@pytest.mark.parametrize("engine", ["auto", "interpreter", "python"])
def test_engines_agree(engine: str) -> None:
    target = BytesIO()
    cbpf.filter_capture(TRAFFIC, target, "tcp port 80 or arp", engine=engine)  # type: ignore[arg-type]
    assert target.getvalue() == filtered(TRAFFIC.read_bytes(), "arp or tcp port 80")


# Several sources


def test_captures_with_equal_headers_are_joined_verbatim() -> None:
    target = BytesIO()
    capture = encoded(RECORDS, Variant(">", KUZNETZOV))
    summary = cbpf.filter_capture((BytesIO(capture), BytesIO(capture)), target, "")
    assert target.getvalue() == capture + capture[24:]
    assert summary.packets_seen == 8


@pytest.mark.parametrize("second", [name for name, variant in VARIANTS.items() if variant.linktype & 0xFFFF == 1])
@pytest.mark.parametrize("first", ["little-endian", "big-endian nanoseconds", "version 2.2 big-endian", "version 2.3"])
def test_captures_with_different_headers_are_joined_without_loss(first: str, second: str) -> None:
    captures = [encoded(RECORDS, VARIANTS[name]) for name in (first, second)]
    target = BytesIO()
    cbpf.filter_capture([BytesIO(capture) for capture in captures], target, "")
    expected = [packet[1:] for capture in captures for packet in cbpf.read_capture(BytesIO(capture))]
    target.seek(0)
    assert [packet[1:] for packet in cbpf.read_capture(target)] == expected


def test_the_largest_snapshot_length_is_written() -> None:
    target = BytesIO()
    sources = [BytesIO(encoded(RECORDS, Variant(">", snaplen=snaplen))) for snaplen in (60, 0, 70)]
    cbpf.filter_capture(sources, target, "")
    expected = [*clipped(RECORDS, 60), *RECORDS, *clipped(RECORDS, 70)]
    assert target.getvalue() == encoded(expected, Variant(">", snaplen=262_144))


def test_different_link_types_are_rejected(tmp_path: Path) -> None:
    ethernet, raw = tmp_path / "one.pcap", tmp_path / "two.pcap"
    ethernet.write_bytes(PLAIN)
    raw.write_bytes(encoded(RECORDS, Variant(linktype=101)))
    with pytest.raises(
        cbpf.CaptureError, match=r"two\.pcap: link type RAW is not EN10MB, the link type of .*one\.pcap"
    ):
        cbpf.filter_capture([ethernet, raw], tmp_path / "out.pcap", "")
    assert not (tmp_path / "out.pcap").exists()


def test_an_empty_list_of_sources_is_rejected() -> None:
    with pytest.raises(cbpf.FieldError, match="at least one capture"):
        cbpf.filter_capture([], None, "")


# Targets


@pytest.mark.parametrize("as_target", [str, Path])
def test_a_path_as_target(as_target: Callable[[Path], str | Path], source: Path) -> None:
    target = source.with_name("out.pcap")
    cbpf.filter_capture(source, as_target(target), "arp")
    assert target.read_bytes() == encoded(ARP)
    assert names(source.parent) == ["in.pcap", "out.pcap"]


def test_the_source_as_target(source: Path) -> None:
    cbpf.filter_capture([source, source], source, "arp")
    assert source.read_bytes() == encoded(ARP * 2)
    assert names(source.parent) == ["in.pcap"]


def test_a_file_object_as_target_stays_open(source: Path) -> None:
    with source.with_name("out.pcap").open("wb") as target:
        cbpf.filter_capture(source, target, "arp")
        assert source.with_name("out.pcap").read_bytes() == encoded(ARP)
        assert not target.closed


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666, 0o400])
def test_the_permissions_of_the_target_are_preserved(mode: int, source: Path) -> None:
    target = source.with_name("out.pcap")
    target.write_bytes(b"old")
    target.chmod(mode)
    cbpf.filter_capture(source, target, "arp")
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert target.read_bytes() == encoded(ARP)


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_new_target_has_the_default_permissions(mask: int, source: Path) -> None:
    target = source.with_name("out.pcap")
    before = os.umask(mask)
    try:
        cbpf.filter_capture(source, target, "arp")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask


def test_a_symbolic_link_as_target(source: Path) -> None:
    folder = source.with_name("folder")
    folder.mkdir()
    link = source.with_name("link.pcap")
    link.symlink_to(folder / "real.pcap")
    for expression, expected in (("", PLAIN), ("arp", encoded(ARP))):
        cbpf.filter_capture(source, link, expression)
        assert link.is_symlink()
        assert (folder / "real.pcap").read_bytes() == expected
    assert names(folder) == ["real.pcap"]


def test_the_null_device_as_target(source: Path) -> None:
    summary = cbpf.filter_capture(source, "/dev/null", "arp")
    assert summary.packets_accepted == 1
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_named_pipe_as_target(source: Path) -> None:
    fifo = source.with_name("fifo")
    os.mkfifo(fifo)
    outputs: list[bytes] = []
    reader = threading.Thread(target=lambda: outputs.append(fifo.read_bytes()), daemon=True)
    reader.start()
    cbpf.filter_capture(source, fifo, "arp")
    reader.join(20)
    assert outputs == [encoded(ARP)]
    assert fifo.is_fifo()


@NO_SPACE
def test_a_full_disk_is_reported() -> None:
    with pytest.raises(cbpf.CaptureError, match=r"^/dev/full: No space left on device$"):
        cbpf.filter_capture(BytesIO(PLAIN), "/dev/full", "")


@NO_SPACE
def test_a_full_disk_under_a_file_object_is_reported() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(cbpf.CaptureError, match="No space left"):
        cbpf.filter_capture(BytesIO(PLAIN), cast(BinaryIO, full), "")


@NO_SPACE
def test_a_full_disk_under_standard_output_is_reported(cli: CommandLine, source: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        process = cli.start("filter", "-r", str(source), "-w", "-", "arp", stdout=full, stderr=subprocess.PIPE)
        _, message = process.communicate()
    assert process.returncode == 2
    assert message.decode().splitlines() == ["cbpf: standard output: No space left on device"]


def test_a_folder_as_target_is_rejected(source: Path) -> None:
    with pytest.raises(cbpf.CaptureError, match="Is a directory"):
        cbpf.filter_capture(source, source.parent, "")
    assert names(source.parent) == ["in.pcap"]


def test_a_target_in_a_missing_folder_is_rejected(source: Path) -> None:
    with pytest.raises(cbpf.CaptureError, match=r"missing/out\.pcap: No such file or directory"):
        cbpf.filter_capture(source, source.parent / "missing" / "out.pcap", "")


# Errors, and the files they leave


# The bytes of the source, the exception raised after them, the expression, and the expected exception.
FAILURES: Final[dict[str, tuple[bytes, BaseException, str, type[BaseException]]]] = {
    "bad expression": (PLAIN, EOFError(), "no such word", cbpf.ExpressionError),
    "of a socket": (PLAIN, EOFError(), "inbound", cbpf.ExpressionError),
    "not a capture": (b"hello, world" * 9, EOFError(), "", cbpf.CaptureError),
    "unreadable": (PLAIN, OSError(5, "Input/output error"), "", cbpf.CaptureError),
    "interrupted": (PLAIN, KeyboardInterrupt(), "", KeyboardInterrupt),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("existing", [None, b"old content"])
def test_failures_change_no_file(name: str, existing: bytes | None, tmp_path: Path) -> None:
    data, cause, expression, error = FAILURES[name]
    target = tmp_path / "out.pcap"
    if existing is not None:
        target.write_bytes(existing)
    with pytest.raises(error) as failure:
        cbpf.filter_capture(cast(BinaryIO, Broken(data, cause)), target, expression)
    assert not isinstance(failure.value, cbpf.DamagedCapture)
    assert names(tmp_path) == ([] if existing is None else ["out.pcap"])
    assert existing is None or target.read_bytes() == existing


def test_an_interrupted_command_leaves_no_file(cli: CommandLine, tmp_path: Path) -> None:
    target = tmp_path / "out.pcap"
    process = cli.start("filter", "-w", str(target), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(PLAIN)
    while not is_writing(process, tmp_path):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, message = process.communicate()
    assert process.returncode in (130, -signal.SIGINT)  # the latter during the `exec` of a library or of the engine
    assert b"Traceback" not in message
    assert names(tmp_path) == []


def test_a_read_error_names_the_source() -> None:
    source = Broken(PLAIN, OSError(5, "Input/output error"))
    with pytest.raises(cbpf.CaptureError, match=rf"^capture: byte {len(PLAIN)}: Input/output error$"):
        list(cbpf.read_capture(cast(BinaryIO, source)))


def test_packets_before_the_damage_are_written(source: Path) -> None:
    target = source.with_name("out.pcap")
    target.write_bytes(b"old content")
    source.write_bytes(PLAIN[:-1])
    with pytest.raises(cbpf.DamagedCapture, match=r"in\.pcap: packet 4: 79 of its 80 bytes are present") as damage:
        cbpf.filter_capture(source, target, "")
    assert damage.value.summary is not None
    assert damage.value.summary[:4] == (3, 3, 2060, 2060)
    assert target.read_bytes() == encoded(RECORDS[:3])
    assert names(source.parent) == ["in.pcap", "out.pcap"]


def test_damage_of_the_second_source_is_reported(tmp_path: Path) -> None:
    target = tmp_path / "out.pcap"
    with pytest.raises(cbpf.DamagedCapture, match="packet 4") as damage:
        cbpf.filter_capture([BytesIO(PLAIN), BytesIO(PLAIN[:-1])], target, "less 60")
    assert damage.value.summary is not None
    assert damage.value.summary[:2] == (7, 4)
    assert target.read_bytes() == encoded([*RECORDS[:2], *RECORDS[:2]])


def test_damage_of_the_first_source_does_not_affect_the_second(tmp_path: Path) -> None:
    target = tmp_path / "out.pcap"
    with pytest.raises(cbpf.DamagedCapture, match=r"packet 4.*; .*packet 4") as damage:
        cbpf.filter_capture([BytesIO(PLAIN[:-1]), BytesIO(PLAIN), BytesIO(PLAIN[:-2])], target, "less 60")
    assert damage.value.summary is not None
    assert damage.value.summary[0] == 3 + 4 + 3
    assert target.read_bytes() == encoded([*RECORDS[:2]] * 3)


@pytest.mark.parametrize("name", ["little-endian", "big-endian Kuznetzov", "version 2.3", "snaplen 1"])
def test_captures_truncated_at_every_byte_are_reported(name: str) -> None:
    records = [RECORDS[0], RECORDS[1], RECORDS[3]]
    capture = encoded(records, VARIANTS[name])
    sizes = [len(encoded(records[:count], VARIANTS[name])) for count in range(4)]
    for size in range(24, len(capture)):
        numbers = []
        reader = iter(cbpf.read_capture(BytesIO(capture[:size])))
        if size in sizes:
            numbers = [packet.number for packet in reader]
        else:
            with pytest.raises(cbpf.DamagedCapture, match=f"packet {len([1 for end in sizes if end <= size])}: "):
                numbers.extend(packet.number for packet in reader)
        assert len(numbers) == len([1 for end in sizes[1:] if end <= size]), size


def test_a_captured_length_beyond_the_limit_is_reported() -> None:
    capture = encoded([*RECORDS, Record(1, 0, 9, bytes(262_145)), *RECORDS])
    numbers: list[int] = []
    with pytest.raises(
        cbpf.DamagedCapture, match=r"packet 5: captured length is 262145 .* maximum for EN10MB is 262144"
    ):
        numbers.extend(packet.number for packet in cbpf.read_capture(BytesIO(capture)))
    assert numbers == [1, 2, 3, 4]


# Invalid captures


@pytest.mark.parametrize("size", range(24))
def test_files_shorter_than_a_header_are_rejected(size: int) -> None:
    with pytest.raises(cbpf.CaptureError, match=rf"^capture: file too short: {size} bytes, but a pcap header has 24"):
        cbpf.read_capture(BytesIO(PLAIN[:size]))


@pytest.mark.parametrize("magic", [b"\0\0\0\0", b"\xa1\xb2\xc3\xd5", b"\xd4\xc3\xb2\xa2", b"\xb2\xa1\xd4\xc3", b"text"])
def test_unknown_magic_numbers_are_rejected(magic: bytes) -> None:
    with pytest.raises(cbpf.CaptureError, match=rf"byte 0: {magic.hex(' ')} is not the magic number"):
        cbpf.read_capture(BytesIO(magic + PLAIN[4:]))


@pytest.mark.parametrize("version", [(0, 0), (1, 9), (2, 5), (3, 0), (542, 0), (543, 1), (65_535, 65_535)])
def test_unknown_versions_are_rejected(version: tuple[int, int]) -> None:
    with pytest.raises(cbpf.CaptureError, match=rf"byte 4: unsupported pcap version {version[0]}\.{version[1]}; "):
        cbpf.read_capture(BytesIO(encoded(RECORDS, Variant(version=version))))


def test_a_missing_source_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(cbpf.CaptureError, match=r"missing\.pcap: No such file or directory$"):
        cbpf.read_capture(tmp_path / "missing.pcap")
    with pytest.raises(cbpf.CaptureError, match=r"^'': No such file or directory$"):
        cbpf.read_capture("")


def test_a_folder_as_source_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(cbpf.CaptureError, match="Is a directory"):
        cbpf.read_capture(tmp_path)


@pytest.mark.parametrize("text", ["in\0.pcap", "x" * 5000])
def test_invalid_paths_are_rejected(text: str) -> None:
    with pytest.raises(cbpf.CaptureError):
        cbpf.read_capture(text)
    with pytest.raises(cbpf.CaptureError):
        cbpf.filter_capture(BytesIO(PLAIN), text, "")


@pytest.mark.parametrize("source", [None, 3, b"in.pcap", io.StringIO("text")])
def test_sources_of_other_types_are_rejected(source: object) -> None:
    with pytest.raises(cbpf.CbpfError):
        cbpf.read_capture(source)  # type: ignore[arg-type]


def test_more_sources_than_descriptors_are_read(source: Path) -> None:
    """Only one regular file is open at a time."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        summary = cbpf.filter_capture([source] * 200, None, "arp")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert summary.packets_seen == 200 * len(RECORDS)


def test_packets_are_written_as_a_capture(tmp_path: Path) -> None:
    target = tmp_path / "written.pcap"
    cbpf.write_capture(target, [(bytes(20), 20), (b"", 1500), (bytearray(b"abc"), 3)], link_type="RAW")
    with cbpf.read_capture(target) as capture:
        packets = [(packet.data, packet.wire_length, packet.time_ns) for packet in capture]
        assert capture.interfaces[0].link_type.name == "RAW"
    assert packets == [(bytes(20), 20, 0), (b"", 1500, 1000), (b"abc", 3, 2000)]
    before = target.read_bytes()
    invalid: Any
    for invalid, error in (
        (
            [(bytes(262_145), 0)],
            "packet 1: 262145 bytes; a packet of interface 0, link type EN10MB, has at most",
        ),
        ([(b"", 0), (b"", -1)], "packet 2: wire length: -1 is not an unsigned 32-bit number"),
    ):
        with pytest.raises(cbpf.FieldError, match=error):
            cbpf.write_capture(target, invalid)
    with pytest.raises(cbpf.PacketError, match=r"^packet 1: expected a bytes-like object, got str$"):
        cbpf.write_capture(target, [("text", 4)])
    assert target.read_bytes() == before


def test_the_view_of_a_socket_does_not_change_the_records(tmp_path: Path) -> None:
    target = tmp_path / "out.pcap"
    cbpf.filter_capture(TRAFFIC, target, cbpf.parse("ret #1"), as_socket=True)
    assert target.read_bytes() == Path(TRAFFIC).read_bytes()
