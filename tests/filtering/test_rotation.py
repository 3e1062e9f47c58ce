"""Rotation of the output: the files of tcpdump -C and -W, those of -G by the times of packets, each one complete."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import time
from collections.abc import Callable
from io import BytesIO
from itertools import chain, pairwise
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

import cbpf
from cbpf.filtering.divided_records import DividedRecords
from support.captures import FILE_HEADER_SIZE, TRAFFIC, VARIANTS, Pcapng, as_pcapng, decoded, encoded
from support.command_line import CommandLine
from support.hostile_captures import blocks_of_all_kinds, traffic
from support.sample_pcapng import COMMENT
from support.sample_pcapng import blocks_of_all_kinds as sample_blocks
from support.scans import SIZES, Pieces, shrink

RECORDS: Final = decoded(TRAFFIC.read_bytes())
REPEATED: Final = encoded(RECORDS * 8)
SECONDS: Final = [record.seconds for record in RECORDS]


def rotated(source: Any, target: Path, expression: str = "", **options: Any) -> dict[str, bytes]:
    """Filter a capture with a rotation, and return the content of each file in the folder of the target."""
    target.parent.mkdir(exist_ok=True)
    cbpf.filter_capture(source, target, expression, **options)
    return contents(target.parent)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def packets(captures: Any) -> list[tuple[int | None, int, bytes]]:
    """Return the packets of captures, one after another, each read as a complete capture."""
    return [
        (packet.time_ns, packet.wire_length, bytes(packet.data))
        for capture in captures
        for packet in cbpf.read_capture(capture)
    ]


@pytest.mark.parametrize(
    ("options", "expression"),
    [
        ("-C 1", ""),
        ("-C 1 -W 2", "tcp"),
        *[
            pytest.param(options, expression, marks=pytest.mark.slow)
            for options in ("-C 1", "-C 1 -W 10", "-C 1 -W 1", "-C 1 -W 12 -G 9999999")
            for expression in ("", "tcp")
        ],
    ],
)
def test_files_are_those_of_tcpdump(cli: CommandLine, tmp_path: Path, options: str, expression: str) -> None:
    if shutil.which("tcpdump") is None:
        pytest.skip("needs tcpdump")
    source = tmp_path / "in.pcap"
    source.write_bytes(REPEATED)
    folders = tmp_path / "expected", tmp_path / "actual"
    for folder in folders:
        folder.mkdir()
    arguments = [
        *options.split(),
        "-r",
        str(source),
        "-w",
        "out-%%.pcap" if "-G" in options else "out.pcap",
        expression,
    ]
    user = ["-Z", "root"] if os.geteuid() == 0 else []
    subprocess.run(["tcpdump", "-O", *user, *arguments], cwd=folders[0], check=True, capture_output=True)
    assert cli("filter", *arguments, cwd=folders[1]).exit_code == 0
    assert contents(folders[1]) == contents(folders[0])
    assert expression or len(contents(folders[0])) == min(3, int((options + " -W 9").split()[3]))


SOURCES: Final = {
    "pcap": encoded(RECORDS[:300]),
    "pcapng": as_pcapng(RECORDS[:300]),
    "big-endian pcapng": as_pcapng(RECORDS[:300], ">"),
}


@pytest.mark.parametrize("container", ["pcap", "pcapng"])
@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("size", [pytest.param(1, marks=pytest.mark.slow), 2_000])
def test_each_file_is_complete_and_ends_after_the_size(tmp_path: Path, kind: str, container: Any, size: int) -> None:
    source, plain = tmp_path / "in", tmp_path / "plain"
    source.write_bytes(SOURCES[kind])
    cbpf.filter_capture([source, source], plain, "udp or arp", container=container)
    rotation = cbpf.Rotation(size=size)
    files = rotated([source, source], tmp_path / "out" / "f", "udp or arp", container=container, rotation=rotation)
    names = sorted(files, key=lambda name: int(name[1:] or 0))
    assert names == ["f", *(f"f{number}" for number in range(1, len(files)))]
    paths = [tmp_path / "out" / name for name in names]
    assert packets(paths) == packets([plain])
    assert len(paths) == len(packets([plain])) if size == 1 else len(paths) > 1
    for path in paths[:-1]:
        *others, (_, _, last) = packets([path])
        assert path.stat().st_size > size
        blocks = 35 + 60  # bytes at most: of the last packet's block beside the packet; of a section and its interface
        assert not others or path.stat().st_size - len(last) - blocks <= size


def test_files_begin_at_whole_seconds_of_packets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        files = rotated(TRAFFIC, tmp_path / "out" / "%H.%M.%S", rotation=cbpf.Rotation(seconds=3))
        names = {time.strftime("%H.%M.%S", time.localtime(second)): second for second in SECONDS}
    finally:
        monkeypatch.undo()
        time.tzset()
    starts = [names[name] for name in files]
    assert starts[0] == SECONDS[0]
    assert len(starts) > 3
    assert [record for content in files.values() for record in decoded(content)] == RECORDS
    for (start, following), content in zip(pairwise([*starts, 2**40]), files.values(), strict=True):
        times = [record.seconds for record in decoded(content)]
        assert times[0] == start
        assert max(times) < start + 3 <= following


def test_the_run_ends_after_the_last_interval(tmp_path: Path) -> None:
    every = rotated(TRAFFIC, tmp_path / "every" / "%s", rotation=cbpf.Rotation(seconds=3))
    target = tmp_path / "some" / "%s"
    target.parent.mkdir()
    summary = cbpf.filter_capture([TRAFFIC, TRAFFIC], target, "", rotation=cbpf.Rotation(seconds=3, files=2))
    files = contents(target.parent)
    assert files == dict(list(every.items())[:2])
    assert summary.packets_accepted == sum(len(decoded(content)) for content in files.values())


def test_numbers_begin_again_with_each_interval(tmp_path: Path) -> None:
    files = rotated(TRAFFIC, tmp_path / "out" / "%s.", rotation=cbpf.Rotation(seconds=3, size=20_000))
    intervals = rotated(TRAFFIC, tmp_path / "intervals" / "%s.", rotation=cbpf.Rotation(seconds=3))
    for name, content in intervals.items():
        numbers = sorted(int(file.removeprefix(name) or 0) for file in files if file.startswith(name))
        assert numbers == list(range(len(numbers)))
        parts = [decoded(files[name + str(number or "")]) for number in numbers]
        assert list(chain.from_iterable(parts)) == decoded(content)
    assert len(files) > len(intervals)


def test_the_first_file_begins_with_the_first_packet_of_the_sources(tmp_path: Path) -> None:
    last = RECORDS[-1]._replace(seconds=SECONDS[0] + 100)
    sources = [BytesIO(encoded(records)) for records in ([], [*RECORDS[:1], last])]
    files = rotated(sources, tmp_path / "out" / "%s", f"len == {len(last.data)}", rotation=cbpf.Rotation(seconds=60))
    assert {name: decoded(content) for name, content in files.items()} == {
        str(SECONDS[0]): [],
        str(SECONDS[0] + 100): [last],
    }


def test_each_file_of_a_pcapng_describes_its_interfaces(tmp_path: Path) -> None:
    """The second section has another byte order, and describes its second interface between packets."""
    little, big = Pcapng("<"), Pcapng(">")
    source = tmp_path / "in.pcapng"
    source.write_bytes(
        b"".join([
            little.section(), little.interface(1), little.enhanced(bytes(60)),
            big.section(), big.interface(101), big.enhanced(bytes(40)), big.interface(1, options=big.resolution(9)),
            big.enhanced(bytes(61), interface=1), big.enhanced(bytes(41)),
        ])
    )  # fmt: skip
    rotated(source, tmp_path / "out" / "f", rotation=cbpf.Rotation(size=1))
    found = []
    for name in ("f", "f1", "f2", "f3"):
        with cbpf.read_capture(tmp_path / "out" / name) as capture:
            (packet,) = capture
            interface = capture.interfaces[packet.interface]
            found.append((len(packet.data), interface.link_type.name, interface.byte_order, interface.resolution))
    assert found == [
        (60, "EN10MB", "<", 10**6), (40, "RAW", ">", 10**6), (61, "EN10MB", ">", 10**9), (41, "RAW", ">", 10**6),
    ]  # fmt: skip


def several_sections() -> list[bytes]:
    """Return captures with blocks of every kind, comments, byte orders, and interfaces described between packets."""
    pcapng = b"".join(
        b"".join([
            build.section(length=2_000, options=build.options((COMMENT, b"a section"))),
            *sample_blocks(build)[1:],
            build.interface(snaplen=0, options=build.resolution(0x80 | 10)),
            build.enhanced(bytes(90), interface=2, time=99, wire_length=1_500, options=comment),
            build.obsolete(bytes(70), time=5),
        ])
        for build in map(Pcapng, "<>")
        for comment in [build.options((COMMENT, b"late"))]
    )  # fmt: skip
    return [encoded(RECORDS[:4]), pcapng, encoded(RECORDS[4:8], VARIANTS["big-endian nanoseconds"]), pcapng]


def described(capture: Any) -> list[tuple[object, ...]]:
    """Return the packets of a capture, each with its interface."""
    with cbpf.read_capture(capture) as reader:
        return [
            (packet.time_ns, packet.wire_length, bytes(packet.data), reader.interfaces[packet.interface])
            for packet in reader
        ]


@pytest.mark.parametrize("size", [1, 700])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"snaplen": 20},
        {"snaplen": 80, "sample": 2},
        {"snaplen": 262_144, "since": 0},
        {"container": "pcapng", "until": 10**10, "filter": "len >= 60"},
    ],
    ids=str,
)
def test_each_file_has_the_section_and_the_interfaces_of_its_packets(
    tmp_path: Path, size: int, options: dict[str, Any]
) -> None:
    """The packets, comments and interfaces of the files are those of one file, even if blocks are edited."""
    captures = several_sections()
    accept, keywords = options.get("filter", ""), {name: value for name, value in options.items() if name != "filter"}
    whole = BytesIO()
    cbpf.filter_capture(list(map(BytesIO, captures)), whole, accept, **keywords)
    files = rotated(
        list(map(BytesIO, captures)), tmp_path / "out" / "f", accept, rotation=cbpf.Rotation(size=size), **keywords
    )
    names = sorted(files, key=lambda name: int(name[1:] or 0))
    expected = described(BytesIO(whole.getvalue()))
    assert [packet for name in names for packet in described(BytesIO(files[name]))] == expected
    assert len(names) == len(expected) if size == 1 else 3 < len(names) < len(expected)
    for comment in (b"who has?", b"late"):
        assert b"".join(files.values()).count(comment) == whole.getvalue().count(comment) > 0
    for name in names[1:]:
        order = "<" if files[name][8:12] == b"\x4d\x3c\x2b\x1a" else ">"
        assert struct.unpack_from(f"{order}IHHq", files[name], 8) == (0x1A2B3C4D, 1, 0, -1)  # the length is unspecified
    _read_by_capinfos([tmp_path / "out" / name for name in names])


def _read_by_capinfos(paths: list[Path]) -> None:
    if shutil.which("capinfos") is None:
        pytest.skip("needs capinfos, of Wireshark")
    run = subprocess.run(["capinfos", "-rcTM", *map(str, paths)], check=True, capture_output=True, text=True)
    counts = [int(line.split("\t")[1]) for line in run.stdout.splitlines()]
    assert counts == [len(described(path)) for path in paths]


@pytest.mark.parametrize(("byte_order", "snaplen"), [("<", None), (">", 60)])
def test_tcpdump_reads_each_file_of_a_pcapng(tmp_path: Path, byte_order: str, snaplen: int | None) -> None:
    if shutil.which("tcpdump") is None:
        pytest.skip("needs tcpdump")
    capture = as_pcapng(RECORDS[:20], byte_order, snaplen=2_000) + as_pcapng(RECORDS[20:40], byte_order, snaplen=2_000)
    files = rotated(BytesIO(capture), tmp_path / "out" / "f", rotation=cbpf.Rotation(size=2_000), snaplen=snaplen)
    assert len(files) > 1
    lengths = [min(len(record.data), snaplen or 2_000) for record in RECORDS[:40]]
    found: list[int] = []
    for number in range(len(files)):
        path = tmp_path / "out" / f"f{number or ''}"
        copy = subprocess.run(["tcpdump", "-r", str(path), "-w", "-"], check=True, capture_output=True).stdout
        found += [len(record.data) for record in decoded(copy)]
    assert found == lengths


RANDOM: Final = Random(5)
PACKETS: Final = traffic(RANDOM, 600)
LARGER: Final[dict[str, bytes]] = {
    "pcap": encoded(PACKETS),
    "pcapng": as_pcapng(PACKETS[:300]) + blocks_of_all_kinds(RANDOM, ">") + as_pcapng(PACKETS[300:], ">"),
    "truncated": encoded(PACKETS, VARIANTS["big-endian nanoseconds"])[:-5],
}


DIVIDED: Final[dict[str, tuple[dict[str, Any], ...]]] = {
    "pcap": (
        {"rotation": {"size": 10_000}},
        {"rotation": {"seconds": 2}, "invert": True, "filter": "tcp"},
        {"rotation": {"size": 5_000}, "container": "pcapng", "snaplen": 60},
    ),
    "pcapng": (
        {"rotation": {"size": 1}, "filter": "arp or icmp"},
        {"rotation": {"seconds": 2, "size": 9_000}, "snaplen": 200, "count": 300},
    ),
    "truncated": (
        {"rotation": {"size": 10_000, "files": 3}, "sample": 2},
        {"rotation": {"seconds": 3, "size": 8_000}, "until": "+40s"},
    ),
}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param(kind, options, marks=() if chosen == kind else pytest.mark.slow, id=f"{kind} {options}")
        for chosen, choices in DIVIDED.items()
        for options in choices
        for kind in LARGER
    ],
)
def test_machine_code_writes_the_files_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, options: dict[str, Any]
) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    random = Random(f"{kind} {options}")
    shrink(monkeypatch, random.choice(SIZES))
    source = tmp_path / "in"
    source.write_bytes(LARGER[kind])
    rotation = cbpf.Rotation(**options["rotation"])
    target = "f" if rotation.seconds is None else "%s."
    keywords = {"filter": "", **options, "rotation": rotation}

    def run(engine: Any, name: str, make_source: Callable[[], Any]) -> tuple[dict[str, bytes], Any]:
        folder = tmp_path / name
        folder.mkdir()
        outcome: Any
        try:
            outcome = cbpf.filter_capture(make_source(), folder / target, engine=engine, **keywords)[:4]
        except cbpf.DamagedCapture as damage:
            outcome = damage.summary and damage.summary[:4]
        return contents(folder), outcome

    expected = run("python", "python", lambda: source)
    assert run("llvm", "pieces", lambda: Pieces(source.read_bytes())) == expected
    if kind == "pcap" and "count" not in options:  # without records that Python is to read
        monkeypatch.delattr(DividedRecords, "write_part")
    assert run("llvm", "file", lambda: source) == expected
    assert len(expected[0]) >= 3


@pytest.mark.parametrize("engine", ["python", "llvm"])
@pytest.mark.parametrize("rotation", [{"size": 20_000}, {"seconds": 3}, {"size": 9_000, "seconds": 5, "files": 3}])
def test_each_target_of_a_split_has_the_files_of_its_filter(
    tmp_path: Path, engine: Any, rotation: dict[str, int]
) -> None:
    if engine == "llvm":
        pytest.importorskip("llvmlite", reason="needs llvmlite")
    chosen, suffix = cbpf.Rotation(**rotation), "-%s." if "seconds" in rotation else "-"
    expressions, invert = {"a": "tcp", "b": "udp port 53", "rest": "tcp or udp port 53"}, {"rest"}
    for folder in ("split", "filter"):
        (tmp_path / folder).mkdir()
    routes: dict[str, Any] = {expressions[name]: tmp_path / "split" / (name + suffix) for name in "ab"}
    rest = tmp_path / "split" / ("rest" + suffix)
    summaries = cbpf.split_capture(TRAFFIC, {**routes, "arp": None}, rest=rest, rotation=chosen, engine=engine)
    expressions["rest"] += " or arp"
    for name, expression in expressions.items():
        target = tmp_path / "filter" / (name + suffix)
        cbpf.filter_capture(TRAFFIC, target, expression, rotation=chosen, invert=name in invert, engine="python")
    assert contents(tmp_path / "split") == contents(tmp_path / "filter")
    assert [summary.packets_accepted for summary in summaries] == [480, 18, 18, 389]


@pytest.mark.parametrize("container", ["pcap", "pcapng"])
def test_a_split_ends_when_each_target_has_its_last_file(tmp_path: Path, container: Any) -> None:
    options: dict[str, Any] = {"rotation": cbpf.Rotation(seconds=3, files=2), "container": container}
    routes: dict[str, Any] = {name: tmp_path / f"{name}-%s" for name in ("tcp", "icmp")}
    *summaries, _ = cbpf.split_capture([TRAFFIC, TRAFFIC], routes, **options)
    files = contents(tmp_path)
    for name, summary in zip(routes, summaries, strict=True):
        alone = rotated([TRAFFIC, TRAFFIC], tmp_path / f"only {name}" / f"{name}-%s", name, **options)
        assert {file: content for file, content in files.items() if file.startswith(name)} == alone
        assert len(alone) == 2
        assert summary.packets_accepted == len(packets(map(BytesIO, alone.values())))


def test_targets_of_a_split_have_no_file_in_common(tmp_path: Path) -> None:
    routes: dict[str, Any] = {"tcp": tmp_path / "f", "udp": tmp_path / "f1"}
    with pytest.raises(cbpf.CaptureError, match=r"f1: is also a file of the target .*f"):
        cbpf.split_capture(TRAFFIC, routes, rotation=cbpf.Rotation(size=20_000))


@pytest.mark.parametrize(
    ("routes", "rest", "rotation", "message"),
    [
        ({"tcp": "-"}, None, {"size": 1}, "split_capture.routes: a rotation requires a path"),
        ({"tcp": None}, None, {"size": 1}, "split_capture.routes: a rotation requires a path"),
        ({"tcp": None}, "f", {"seconds": 1}, "split_capture.rest: 'f' is not a time format"),
        ({"tcp": "/dev/null"}, None, {"size": 1}, "split_capture.routes: '/dev/null' is not a regular file"),
    ],
)
def test_invalid_rotations_of_a_split_are_rejected(routes: Any, rest: Any, rotation: Any, message: str) -> None:
    with pytest.raises(cbpf.FieldError, match=re.escape(message)):
        cbpf.split_capture(TRAFFIC, routes, rest=rest, rotation=cbpf.Rotation(**rotation))


def test_the_command_splits_into_rotated_files(cli: CommandLine, tmp_path: Path) -> None:
    folders = tmp_path / "actual", tmp_path / "expected"
    for folder in folders:
        folder.mkdir()
    arguments = ("-C", "20k", "tcp=t", "arp=a", "--rest", "r")
    assert cli("split", "-q", "-r", str(TRAFFIC), *arguments, cwd=folders[0]).exit_code == 0
    routes: dict[str, Any] = {"tcp": folders[1] / "t", "arp": folders[1] / "a"}
    cbpf.split_capture(TRAFFIC, routes, rest=folders[1] / "r", rotation=cbpf.Rotation(size=20 << 10))
    assert contents(folders[0]) == contents(folders[1])
    for wrong, message in (
        (("tcp=-", "-C", "1"), "EXPRESSION=FILE: a rotation requires a path"),
        (("tcp=%s", "-G", "1", "--rest", "r"), "--rest: 'r' is not a time format, so each file would replace the one"),
        (("tcp=t", "-W", "1"), "-W FILES requires -C SIZE or -G SECONDS"),
    ):
        code, _, err = cli("split", "-r", str(TRAFFIC), *wrong, cwd=tmp_path)
        assert (code, err.startswith(f"cbpf: {message}"), err.count("\n")) == (2, True, 1), err


@pytest.mark.parametrize(("name", "compress"), [("f.pcap.gz", None), ("f.pcap", "xz"), ("f.pcap.gz", "none")])
def test_files_are_compressed_by_the_name_of_the_target(tmp_path: Path, name: str, compress: str | None) -> None:
    files = rotated(TRAFFIC, tmp_path / "out" / name, rotation=cbpf.Rotation(size=100_000, files=20), compress=compress)
    stem, _, suffix = name.partition(".gz")
    assert list(files) == [f"{stem}{number:02}{'.gz' if name != stem else suffix}" for number in range(len(files))]
    magic = {None: b"\x1f\x8b", "xz": b"\xfd7z", "none": TRAFFIC.read_bytes()[:4]}[compress]
    assert all(content.startswith(magic) for content in files.values())
    assert packets([tmp_path / "out" / file for file in files]) == packets([TRAFFIC])


def test_damage_completes_the_last_file_and_other_errors_discard_it(tmp_path: Path) -> None:
    source, folder = tmp_path / "in.pcap", tmp_path / "out"
    source.write_bytes(encoded(RECORDS)[:-1])
    with pytest.raises(cbpf.DamagedCapture):
        rotated(source, folder / "f", rotation=cbpf.Rotation(size=100_000))
    assert packets(sorted(folder.iterdir())) == packets([TRAFFIC])[:-1]
    shutil.rmtree(folder)
    late = RECORDS[-1]._replace(seconds=2**33)
    source.write_bytes(as_pcapng([*RECORDS, late]))
    with pytest.raises(cbpf.CaptureError, match="a pcap has 32 bits for the seconds"):
        rotated(source, folder / "f", container="pcap", rotation=cbpf.Rotation(size=100_000))
    kept = packets(sorted(folder.iterdir()))
    assert kept == packets([TRAFFIC])[: len(kept)]
    assert 0 < len(kept) < len(RECORDS)


@pytest.mark.parametrize(
    ("target", "rotation", "message"),
    [
        ("-", {"size": 1}, "filter_capture.target: a rotation requires a path"),
        (None, {"size": 1}, "filter_capture.target: a rotation requires a path"),
        ("/dev/null", {"size": 1}, "'/dev/null' is not a regular file"),
        ("f", {"seconds": 1}, "'f' is not a time format"),
        ("f", {}, "Rotation: requires size or seconds"),
        ("f", {"size": 0}, "Rotation.size: 0 is not a number of bytes"),
        ("f", {"size": 1, "files": 0}, "Rotation.files: 0 is not a number of files"),
    ],
)
def test_invalid_rotations_are_rejected(target: Any, rotation: dict[str, int], message: str) -> None:
    with pytest.raises(cbpf.FieldError, match=re.escape(message)):
        cbpf.filter_capture(TRAFFIC, target, "", rotation=cbpf.Rotation(**rotation))


def test_a_rotation_replaces_neither_sources_nor_its_own_files(tmp_path: Path) -> None:
    source = tmp_path / "f2"
    source.write_bytes(TRAFFIC.read_bytes())
    with pytest.raises(cbpf.CaptureError, match="f2: is also an input"):
        rotated(source, tmp_path / "f", rotation=cbpf.Rotation(size=100_000))
    assert source.read_bytes() == TRAFFIC.read_bytes()
    with pytest.raises(cbpf.CaptureError, match="would be replaced by a later file of this run"):
        rotated(TRAFFIC, tmp_path / "out" / "%Y", rotation=cbpf.Rotation(seconds=3))


def test_the_current_file_is_unnamed_until_it_is_complete(tmp_path: Path) -> None:
    """A progress function observes the folder between chunks."""
    source, observed = tmp_path / "in.pcap", []
    source.write_bytes(REPEATED)
    rotated(
        source,
        tmp_path / "out" / "f",
        rotation=cbpf.Rotation(size=300_000),
        progress=lambda _: observed.append(contents(tmp_path / "out")),
    )
    complete = contents(tmp_path / "out")
    assert len({len(files) for files in observed}) > 2
    for files in observed:
        assert files.items() <= complete.items()
    assert sum(len(content) - FILE_HEADER_SIZE for content in complete.values()) == len(REPEATED) - FILE_HEADER_SIZE


def test_the_command_reads_sizes_in_millions_of_bytes_or_binary_units(cli: CommandLine, tmp_path: Path) -> None:
    for text, size in (("1", 1_000_000), ("100k", 102_400), ("1M", 1 << 20), ("1g", 1 << 30)):
        expected = rotated(TRAFFIC, tmp_path / f"expected-{text}" / "f", rotation=cbpf.Rotation(size=size))
        folder = tmp_path / f"actual-{text}"
        folder.mkdir()
        assert cli("filter", "-q", "-r", str(TRAFFIC), "-C", text, "-w", "f", cwd=folder).exit_code == 0
        assert contents(folder) == expected
    for arguments, message in (
        (("-C", "1t", "-w", "f"), "-C: '1t' is not a size; examples: 100 (million bytes), 512k, 64m, 1g"),
        (("-C", "1"), "-C SIZE and -G SECONDS require -w FILE"),
        (("-W", "2", "-w", "f"), "-W FILES requires -C SIZE or -G SECONDS"),
        (("-C", "0", "-w", "f"), "-C: 0 is not a number of bytes (1..9223372036854775807)"),
        (("-G", "2147483648", "-w", "%s"), "-G: 2147483648 is not a number of seconds (1..2147483647)"),
        (("-C", "1", "-w", "-"), "-w: a rotation requires a path"),
        (("-G", "1", "-w", "f"), "-w: 'f' is not a time format, so each file would replace the one before; example: "),
    ):
        code, _, err = cli("filter", "-r", str(TRAFFIC), *arguments, cwd=tmp_path)
        (line,) = err.splitlines()
        assert (code, line.startswith(f"cbpf: {message}")) == (2, True), line
