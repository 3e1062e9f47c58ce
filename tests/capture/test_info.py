"""Summaries of captures: totals checked against a plain reader and capinfos; damage, pipes, JSON, extreme times."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
import subprocess
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import pytest

import cbpf
from cbpf.capture.native import choice
from cbpf.capture.time_text import iso_time
from cbpf.engines.base import llvm_is_installed
from support.captures import TRAFFIC, VARIANTS, Pcapng, Record, as_pcapng, clipped, decoded, encoded
from support.command_line import CommandLine
from support.project import Rounds
from support.real_captures import parameters_of, real_captures
from support.sample_captures import CORRECTED_SNAPLEN, PLAIN, RECORDS, Trickle, microseconds, pipe
from support.sample_pcapng import FRAME, PACKET, SECOND, TIMES, blocks_of_all_kinds

NEEDS_CAPINFOS: Final = pytest.mark.skipif(
    shutil.which("capinfos") is None, reason="needs capinfos, of wireshark-common"
)


def info(capture: bytes) -> cbpf.CaptureInfo:
    return cbpf.capture_info(BytesIO(capture))


def command(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    exit_code, stdout, stderr = CommandLine()("info", *arguments, stdin=stdin)
    return exit_code, stdout.decode(), stderr


def totals_of(records: list[Record]) -> cbpf.PacketTotals:
    """Return the totals of packets, computed without chunks."""
    times = [record.seconds * SECOND + record.nanoseconds for record in records]
    lengths = [len(record.data) for record in records]
    return cbpf.PacketTotals(
        packets=len(records),
        captured_bytes=sum(lengths),
        wire_bytes=sum(record.wire_length for record in records),
        earliest_ns=min(times),
        latest_ns=max(times),
        smallest=min(lengths),
        largest=max(lengths),
        truncated=sum(len(record.data) < record.wire_length for record in records),
    )


# Totals


@pytest.mark.parametrize("name", VARIANTS)
def test_pcaps_of_every_variant_are_summarised(name: str) -> None:
    variant = VARIANTS[name]
    capture = encoded(RECORDS, variant)
    snaplen = CORRECTED_SNAPLEN.get(name, variant.snaplen)
    summary = info(capture)
    assert summary.totals == totals_of(clipped(decoded(capture), snaplen))
    assert (summary.container, summary.version) == ("pcap", "{}.{}".format(*variant.version))
    assert summary.variant == ("Kuznetzov" if variant.record_header_size == 24 else None)
    assert (summary.byte_orders, summary.sections, summary.out_of_order) == ((variant.byte_order,), 1, 2)
    assert (summary.capture_size, summary.file_size, summary.compression, summary.damage) == (
        len(capture),
        None,
        None,
        None,
    )
    ((interface, section, totals),) = summary.interfaces
    assert (interface.snaplen, section, totals) == (snaplen, 1, summary.totals)


PERIODS: Final[tuple[dict[str, Any], ...]] = (
    {"since": "+10s", "until": "2026-11-20T18:00:05Z"},
    {"since": 1_763_661_600},
    {"until": timedelta(seconds=3)},
    {"since": "+1d"},
    {"sample": 7, "seed": 1},
    {"sample": 2, "until": "+10s"},
)


@pytest.mark.parametrize("period", PERIODS, ids=str)
def test_packets_of_a_period_or_a_sample_are_summarised(
    period: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    selected = BytesIO()
    cbpf.filter_capture(TRAFFIC, selected, "", **period)
    copy, whole = info(selected.getvalue()), cbpf.capture_info(TRAFFIC)
    for size in (1 << 60, *([0] if llvm_is_installed() else [])):
        monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", size)
        summary = cbpf.capture_info(TRAFFIC, **period)
        assert (summary.totals, summary.out_of_order) == (copy.totals, copy.out_of_order)
        assert (summary.capture_size, summary.file_size) == (whole.capture_size, whole.file_size)
        assert [entry.interface for entry in summary.interfaces] == [entry.interface for entry in whole.interfaces]
        assert (summary.since_ns is None, summary.until_ns is None) == ("since" not in period, "until" not in period)
        seed = period.get("seed", 0) if "sample" in period else None
        assert (summary.sample, summary.seed) == (period.get("sample"), seed)


@pytest.mark.parametrize("selection", [{"since": 2**70}, {"sample": 2**32 - 1}], ids=str)
def test_other_blocks_and_sections_of_a_pcapng_are_those_of_all_packets(
    selection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = as_pcapng(RECORDS) + b"".join(blocks_of_all_kinds(Pcapng("<")))
    expected = info(capture)
    for size in (1 << 60, *([0] if llvm_is_installed() else [])):
        monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", size)
        summary = cbpf.capture_info(BytesIO(capture), **selection)
        assert (summary.totals, expected.totals.packets > 0) == (cbpf.PacketTotals(), True)
        assert (summary.other_blocks, summary.sections) == (expected.other_blocks, expected.sections)
        assert expected.other_blocks


def test_the_command_states_the_period() -> None:
    status, output, _ = command("--since", "+10s", "--until", "2026-11-20T18:00:10.5Z", str(TRAFFIC))
    assert status == 0
    assert output.splitlines()[3:6] == [
        "  since         2026-11-20T17:59:57.026394Z (packets before it are not counted)",
        "  until         2026-11-20T18:00:10.5Z (packets from then on are not counted)",
        "  packets       675",
    ]
    _, output, _ = command("--since", "+10s", "--json", str(TRAFFIC))
    assert json.loads(output)["since"] == "2026-11-20T17:59:57.026394000Z"
    assert command("--until", "soon", str(TRAFFIC))[0] == 2


def test_the_command_states_the_sample() -> None:
    status, output, _ = command("--sample", "1/10", "--seed", "3", str(TRAFFIC))
    with cbpf.read_capture(TRAFFIC, sample=10, seed=3) as capture:
        packets = len(list(capture))
    expected = ["  sample       1/10, seed 3 (other packets are not counted)", f"  packets      {packets}"]
    assert (status, output.splitlines()[3:5]) == (0, expected)
    _, output, _ = command("--sample", "1/10", "--json", str(TRAFFIC))
    assert [json.loads(output)[name] for name in ("sample", "seed")] == [10, 0]
    for options, message in (
        (("--sample", "1/0"), "--sample: 0 is not a number of packets (1..4294967295)"),
        (("--seed", "1"), "--seed INTEGER requires --sample 1/N (see cbpf info --help)"),
    ):
        assert command(*options, str(TRAFFIC)) == (2, "", f"cbpf: {message}\n")


@pytest.mark.parametrize("byte_order", "<>")
def test_a_pcapng_is_summarised(byte_order: str) -> None:
    summary = info(as_pcapng(RECORDS, byte_order))
    assert summary.totals == totals_of(RECORDS)
    assert (summary.container, summary.version, summary.byte_orders) == ("pcapng", "1.0", (byte_order,))
    assert summary.interfaces[0].interface.resolution == SECOND


def test_sections_interfaces_and_other_blocks_are_counted(build: Pcapng) -> None:
    other = Pcapng(">" if build.byte_order == "<" else "<")
    blocks = blocks_of_all_kinds(build)
    blocks += [other.section(), other.block(9, b"journal"), other.interface(147), other.interface(snaplen=40)]
    blocks += [other.enhanced(FRAME[:40], interface=1, wire_length=64)]
    summary = info(b"".join(blocks))
    assert (summary.byte_orders, summary.sections) == (("<", ">"), 2)
    assert dict(summary.other_blocks) == {
        "custom": 1,
        "decryption secrets": 1,
        "interface statistics": 1,
        "name resolution": 1,
        "systemd journal": 1,
        "unknown": 1,
    }
    described = [(item.interface.name, item.interface.link_type.linktype, item.section) for item in summary.interfaces]
    assert described == [("eth0", 1, 1), (None, 101, 1), (None, 147, 2), (None, 1, 2)]
    assert [item.totals[:3] for item in summary.interfaces] == [(3, 184, 184), (1, 20, 20), (0, 0, 0), (1, 40, 64)]
    assert summary.totals[:3] == (5, 244, 268)
    assert (summary.totals.untimed, summary.totals.truncated, summary.out_of_order) == (1, 1, 1)


@pytest.mark.fuzz
def test_totals_do_not_depend_on_chunks(rounds: Rounds) -> None:
    """A stream of single bytes makes every block a chunk; the totals equal those of the packets of a reader."""
    for random in rounds(20):
        build = Pcapng(random.choice("<>"))
        blocks = [build.section(), build.interface(), build.interface(101, options=build.resolution(9))]
        for _ in range(random.randrange(30)):
            data, time = random.randbytes(random.randrange(50)), random.randrange(2**40)
            index, more = random.randrange(2), random.randrange(2)
            blocks.append(build.enhanced(data, interface=index, time=time, wire_length=len(data) + more))
            blocks += [build.block(random.randrange(4, 12), bytes(48))] * (random.randrange(3) == 2)
            blocks += [build.section(), build.interface(), build.interface(101)] * (random.randrange(9) == 8)
        capture = b"".join(blocks)
        summary = cbpf.capture_info(cast(BinaryIO, Trickle(capture)))
        assert summary == info(capture).replace(name=summary.name)
        packets = list(cbpf.read_capture(BytesIO(capture)))
        for index, (_, _, totals) in enumerate(summary.interfaces):
            records = [
                Record(0, packet.time_ns, packet.wire_length, packet.data)
                for packet in packets
                if packet.interface == index
            ]
            assert totals == (totals_of(records) if records else cbpf.PacketTotals())
        times = [packet.time_ns for packet in packets]
        assert summary.out_of_order == sum(times[i] < times[i - 1] for i in range(1, len(times)))
        assert summary.capture_size == len(capture)


def test_captures_without_packets_have_empty_totals(build: Pcapng) -> None:
    for capture in (encoded([]), build.section(), build.section() + build.interface()):
        summary = info(capture)
        assert summary.totals == cbpf.PacketTotals()
        assert (summary.totals.mean, summary.totals.duration_ns, summary.totals.earliest) == (None, None, None)
        assert (summary.capture_size, summary.damage) == (len(capture), None)
    assert info(build.section()).interfaces == ()


def test_many_interfaces_are_summarised(build: Pcapng) -> None:
    interfaces = [build.interface()] * 20_000
    packets = [build.enhanced(b"x", interface=index) for index in range(20_000)]
    summary = info(b"".join([build.section(), *interfaces, *packets]))
    assert {item.totals.packets for item in summary.interfaces} == {1}


# Times


@pytest.mark.parametrize(("code", "offset", "units", "expected"), TIMES)
def test_times_have_the_resolution_of_their_interface(
    code: int, offset: int, units: int, expected: int, build: Pcapng, tmp_path: Path
) -> None:
    head = build.section() + build.interface(options=build.resolution(code, offset=offset))
    capture = head + build.enhanced(FRAME, time=units) + build.simple(FRAME)
    totals = info(capture).totals
    assert (totals.earliest_ns, totals.latest_ns, totals.untimed) == (expected, expected, 1)
    path = tmp_path / "in.pcapng"
    path.write_bytes(capture)
    status, output, _ = command(str(path))
    assert (status, f"  earliest      {iso_time(expected)[:-4]}" in output) == (0, True)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "1970-01-01T00:00:00"),
        (-1, "1969-12-31T23:59:59"),
        (4_294_967_296, "2106-02-07T06:28:16"),
        (951_782_400, "2000-02-29T00:00:00"),
        (253_402_300_799, "9999-12-31T23:59:59"),
        (253_402_300_800, "+10000-01-01T00:00:00"),
        (-62_167_219_200, "0000-01-01T00:00:00"),
        (-62_167_219_201, "-0001-12-31T23:59:59"),
    ],
)
def test_iso_times_have_nanoseconds_and_signed_years(seconds: int, expected: str) -> None:
    assert iso_time(seconds * SECOND) == f"{expected}.000000000Z"
    assert iso_time(seconds * SECOND + 1_234) == f"{expected}.000001234Z"


@pytest.mark.fuzz
def test_iso_times_are_those_of_datetime(rounds: Rounds) -> None:
    for random in rounds(200):
        seconds = random.randrange(-62_135_596_800, 253_402_300_800)
        assert iso_time(seconds * SECOND)[:19] == datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


# Damage


def test_records_before_the_damage_are_counted() -> None:
    for end in range(24, len(PLAIN)):
        summary = info(PLAIN[:end])
        sizes = [len(encoded(RECORDS[:count])) for count in range(len(RECORDS) + 1)]
        count = max(count for count, size in enumerate(sizes) if size <= end)
        assert summary.totals == (totals_of([*map(microseconds, RECORDS[:count])]) if count else cbpf.PacketTotals())
        assert summary.capture_size == sizes[count]
        assert (summary.damage is None) == (end in sizes)


def test_damage_of_a_pcapng_is_reported(build: Pcapng) -> None:
    head = build.section() + build.interface() + build.enhanced(FRAME)
    summary = info(head + build.enhanced(FRAME, interface=7))
    assert summary.damage == "capture: packet 2: undefined interface 7; its section has described 1, counted from 0"
    assert (summary.totals.packets, summary.capture_size) == (1, len(head))
    summary = info(build.section()[:-1])
    assert (summary.damage, summary.sections) == (
        "capture: block at byte 0: 27 of its 28 bytes are present; the capture is truncated",
        0,
    )


def test_other_files_are_rejected() -> None:
    with pytest.raises(cbpf.CaptureError, match="capture: byte 0: 6e 6f 70 65 is not the magic number of a capture"):
        info(b"nope" * 10)


# Sources


def test_compressed_files_are_summarised(tmp_path: Path) -> None:
    path = tmp_path / "in.pcap.gz"
    path.write_bytes(gzip.compress(PLAIN))
    summary = cbpf.capture_info(path)
    assert (summary.compression, summary.file_size, summary.capture_size) == ("gzip", path.stat().st_size, len(PLAIN))
    assert summary == cbpf.capture_info(str(path))
    with path.open("rb") as file:
        assert summary == cbpf.capture_info(file)
        assert not file.closed


def test_file_names_that_are_not_valid_text_are_accepted(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    Path(path).write_bytes(PLAIN[:-1])
    with open(path, "rb") as file:
        summary = cbpf.capture_info(file)
    assert (summary.name, summary.damage is None) == (path, False)
    assert cbpf.capture_info(path).name == repr(path)
    assert command("--json", path)[:2] == (2, json.dumps(cbpf.capture_info(path).as_dict()) + "\n")


def test_a_pipe_has_no_size() -> None:
    with pipe() as (read_end, writer), os.fdopen(read_end, "rb") as file:
        writer.write(gzip.compress(PLAIN))
        writer.close()
        summary = cbpf.capture_info(file)
    assert (summary.compression, summary.file_size, summary.capture_size) == ("gzip", None, len(PLAIN))


# The command


def test_the_command_prints_a_pcap() -> None:
    expected = f"""{TRAFFIC}
  format        pcap 2.4, little-endian
  size          323,559 bytes
  packets       905
  captured      309,055 bytes
  on the wire   309,055 bytes
  lengths       42 to 1,514 bytes captured, 341.5 on average
  earliest      2026-11-20T17:59:47.026394Z
  latest        2026-11-20T18:00:14.634978Z
  duration      27.608584 s
  out of order  1 packet earlier than the previous one
  interface     EN10MB (1), snapshot length 262,144, microseconds
"""
    assert command(str(TRAFFIC)) == (0, expected, "")


def test_the_command_prints_an_unusual_pcapng() -> None:
    build = Pcapng(">")
    options = build.options((2, b"\x1b[1mwlan0"), (9, b"\x0c"), (14, struct.pack(">q", -86_400)))
    capture = [*blocks_of_all_kinds(build), build.section(), build.interface(999, 96, options=options)]
    capture += [build.enhanced(FRAME, time=5, wire_length=1500), build.enhanced(FRAME)[:-4]]
    status, output, error = command("-", stdin=gzip.compress(b"".join(capture)))
    expected = """standard input
  format        pcapng 1.0, big-endian
  compression   gzip, 744 bytes uncompressed
  packets       5
  captured      268 bytes
  on the wire   1,704 bytes
  lengths       20 to 64 bytes captured, 53.6 on average
  truncated     1 packet
  earliest      1969-12-31T00:00:00.000000000Z
  latest        1970-01-01T00:00:00.000077000Z
  duration      86,400.000077000 s (1 d)
  out of order  2 packets earlier than the previous one
  without time  1 packet
  sections      2
  interfaces    #  section  name            link type   snapshot  resolution       offset  packets  captured
                0        1  eth0            EN10MB (1)   262,144  microseconds                   3       184
                1        1                  RAW (101)    262,144  nanoseconds                    1        20
                2        2  '\\x1b[1mwlan0'  999               96  picoseconds   -86,400 s        1        64
  other blocks  1 custom, 1 decryption secrets, 1 interface statistics, 1 name resolution, 1 unknown
  damage        packet 6: 92 of its 96 bytes are present; the capture is truncated
"""
    assert output == expected
    damage = "cbpf: standard input: packet 6: 92 of its 96 bytes are present; the capture is truncated\n"
    assert (status, error) == (2, damage)


@pytest.mark.parametrize(
    ("code", "text"), [(0, "seconds"), (9, "nanoseconds"), (15, "10^-15 s"), (0x80, "seconds"), (0x80 | 20, "2^-20 s")]
)
def test_the_command_prints_resolutions(code: int, text: str, build: Pcapng) -> None:
    capture = build.section() + build.interface(options=build.resolution(code, offset=3))
    capture += build.simple(b"x")
    _, output, _ = command("-", stdin=capture)
    assert output.splitlines()[-1] == f"  interface     EN10MB (1), snapshot length 262,144, {text}, offset 3 s"
    assert "  lengths       1 byte captured\n" in output


def test_the_command_prints_an_old_variant() -> None:
    capture = encoded([Record(1, 2_000, 3, b"a"), Record(90_000, 0, 1, b"b")], VARIANTS["big-endian Kuznetzov"])
    lines = command("-", stdin=capture)[1].splitlines()
    assert lines[1] == "  format       pcap 2.4 (variant of Kuznetzov's libpcap), big-endian"
    assert lines[6] == "  lengths      1 byte captured of each packet"
    assert lines[10] == "  duration     89,998.999998 s (1 d 59 min 58 s)"


def test_the_command_continues_after_errors(tmp_path: Path) -> None:
    truncated = tmp_path / "truncated.pcap"
    truncated.write_bytes(PLAIN[:-1])
    status, output, error = command("nope", str(truncated), str(TRAFFIC), __file__)
    assert status == 2
    first, second = output.split("\n\n")
    assert first.startswith(f"{truncated}\n  format ")
    assert first.endswith("\n  damage        packet 4: 79 of its 80 bytes are present; the capture is truncated")
    assert second == command(str(TRAFFIC))[1]
    assert error.splitlines() == [
        "cbpf: nope: No such file or directory",
        f"cbpf: {truncated}: packet 4: 79 of its 80 bytes are present; the capture is truncated",
        f"cbpf: {__file__}: byte 0: {Path(__file__).read_bytes()[:4].hex(' ')} is not the magic number of a capture",
    ]


def test_json_has_one_line_per_capture(tmp_path: Path) -> None:
    path = tmp_path / "odd.pcapng"
    path.write_bytes(b"".join(blocks_of_all_kinds(Pcapng(">"))))
    status, output, error = command("--json", str(path), str(TRAFFIC), str(path))
    assert (status, error) == (0, "")
    summaries = [json.loads(line) for line in output.splitlines()]
    assert summaries == [cbpf.capture_info(name).as_dict() for name in (path, TRAFFIC, path)]


def test_json_has_all_fields() -> None:
    interface: dict[str, Any] = {
        "section": 1,
        "name": None,
        "link_type": "RAW",
        "linktype": 101,
        "snaplen": 96,
        "byte_order": "big",
        "resolution": 1_000_000_000,
        "offset": 0,
    }
    totals: dict[str, Any] = {
        "packets": 2,
        "captured_bytes": 25,
        "wire_bytes": 40,
        "smallest": 5,
        "mean": 12.5,
        "largest": 20,
        "truncated": 1,
        "earliest_ns": 1_000_000_007,
        "earliest": "1970-01-01T00:00:01.000000007Z",
        "latest_ns": 3_000_000_000,
        "latest": "1970-01-01T00:00:03.000000000Z",
        "duration_ns": 1_999_999_993,
        "untimed": 0,
    }
    capture = as_pcapng([Record(3, 0, 20, PACKET), Record(1, 7, 20, PACKET[:5])], ">", 101, 96)
    status, output, error = command("--json", "-", stdin=capture[:-1] + b"x")
    assert status == 2
    damage = "standard input: packet 2: block length mismatch: 40 in the header, 120 in the trailer"
    assert error == f"cbpf: {damage}\n"
    assert json.loads(output)["damage"] == damage
    status, output, error = command("--json", "-", stdin=capture)
    assert (status, error, output.count("\n")) == (0, "", 1)
    assert list(json.loads(output).items()) == list(
        {
            "name": "standard input",
            "container": "pcapng",
            "version": "1.0",
            "variant": None,
            "compression": None,
            "file_size": None,
            "capture_size": len(capture),
            **dict.fromkeys(("since_ns", "since", "until_ns", "until", "sample", "seed")),
            "byte_orders": ["big"],
            **totals,
            "out_of_order": 1,
            "sections": 1,
            "interfaces": [interface | totals],
            "other_blocks": {},
            "damage": None,
        }.items()
    )


# Comparison with capinfos


# Captures for which capinfos reports different values, and the reasons
DIFFERENT: Final = {
    "atm-oam-heapoverflow.pcap": "it does not count the pseudo-header",
    "atm-oam-loopback-print-overrun.pcap": "pseudo-header not counted; 4,294 s of microseconds overflow 32 bits",
    "olsr-oobr-2.pcap": "a time of 0 seconds counts as missing",
}


def compared_captures() -> list[object]:
    """Return a parameter for the capture of the repository, and one for each real capture."""
    captures = real_captures("*.pcap*")
    parameters = [pytest.param(path, id=path.name, marks=_marks(path)) for path in captures] or parameters_of([])
    return [pytest.param(TRAFFIC, id="traffic"), *parameters]


def _marks(path: Path) -> list[pytest.MarkDecorator]:
    return [pytest.mark.xfail(reason=DIFFERENT[path.name], strict=True)] if path.name in DIFFERENT else []


def capinfos(path: Path) -> list[str]:
    """Return name, packets, bytes in the file and on the wire, first and last time, and order; [] if capinfos fails."""
    done = subprocess.run(["capinfos", "-TMrcsdSaeo", path], capture_output=True, text=True)
    return done.stdout.rstrip("\n").split("\t") if done.returncode == 0 else []


@NEEDS_CAPINFOS
@pytest.mark.parametrize("path", compared_captures())
def test_capinfos_reports_the_same(path: Path) -> None:
    expected = capinfos(path)
    if not expected:
        pytest.skip("capinfos cannot read this capture")
    summary = cbpf.capture_info(path)
    totals = summary.totals
    sums = [str(path), str(totals.packets), str(summary.file_size), str(totals.wire_bytes)]
    digits = len(expected[4].partition(".")[2])
    times = [_seconds(time_ns, digits) for time_ns in (totals.earliest_ns, totals.latest_ns)]
    assert expected == [*sums, *times, str(not summary.out_of_order)]


def _seconds(time_ns: int | None, digits: int) -> str:
    return "n/a" if time_ns is None else f"{time_ns // SECOND}.{time_ns % SECOND:09}"[: digits - 9 or None]
