"""The native scanner: for every capture, the result equals that of the python engine, which reads in sequence.

Windows are small here, so small captures have many of them, scanned by several threads.
"""

from __future__ import annotations

import fcntl
import gc
import gzip
import io
import os
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, BinaryIO, Final, NamedTuple, TypeAlias, cast

import pytest

import cbpf
from cbpf.capture.mapped_file import MappedFile
from cbpf.capture.native import scanner
from cbpf.capture.native.run import NativeRun
from support.captures import NANOSECONDS, TRAFFIC, VARIANTS, Pcapng, Record, Variant, as_pcapng, encoded
from support.hostile_captures import MISLEADING_CAPTURES, SECONDS, TRAFFIC_RECORDS, damaged, traffic
from support.project import Rounds
from support.scans import FILTERS, SIZES, Outcome, Pieces, Sizes, machine, outcome, shrink

pytest.importorskip("llvmlite", reason="the native scanner needs llvmlite")

pytestmark = pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning")  # arp, on link types that have none

NO_SPACE: Final = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
NEEDS_LEASES: Final = pytest.mark.skipif(not hasattr(fcntl, "F_SETLEASE"), reason="needs leases")

Filter: TypeAlias = str | cbpf.VM


# Sources: each is a context manager that opens a file as a source

Opened: TypeAlias = AbstractContextManager[str | Path | BinaryIO]


@contextmanager
def lease_refused(path: Path) -> Iterator[Path]:
    """Keep a file open for writing, so no read lease is granted."""
    with path.open("r+b"):
        yield path


@contextmanager
def named_pipe(path: Path) -> Iterator[Path]:
    pipe = path.with_name("pipe")
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)

    def write() -> None:
        with suppress(BrokenPipeError), pipe.open("wb") as stream:
            stream.write(path.read_bytes())

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    yield pipe
    with suppress(OSError):  # unblocks a writer whose pipe was not read
        os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
    writer.join(20)
    assert not writer.is_alive()


@contextmanager
def gzipped(path: Path) -> Iterator[Path]:
    compressed = path.with_name("in.gz")
    compressed.write_bytes(gzip.compress(path.read_bytes(), 1))
    yield compressed


SOURCES: Final[dict[str, Callable[[Path], Opened]]] = {
    "mapped": nullcontext,
    "lease refused": lease_refused,
    "in memory": lambda path: nullcontext(BytesIO(path.read_bytes())),
    "in pieces": lambda path: nullcontext(Pieces(path.read_bytes())),
    "open file": lambda path: path.open("rb"),
    "pipe": named_pipe,
    "gzip": gzipped,
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder / "in.pcap"


def run(
    path: Path, filter: Filter, engine: Any, source: str = "mapped", target: Path | None = None, **options: Any
) -> Outcome:
    """Return the outcome of an engine; a target that is a path is read and removed."""
    memory = BytesIO()

    def outputs() -> list[bytes | None]:
        if target is None:
            return [memory.getvalue()]
        data = target.read_bytes() if target.exists() else None
        target.unlink(missing_ok=True)
        return [data]

    with SOURCES[source](path) as opened:
        return outcome(outputs, cbpf.filter_capture, opened, target or memory, filter, engine=engine, **options)


def agreed(path: Path, expression: str = "tcp", source: str = "mapped", **options: Any) -> Outcome:
    """Return the outcome of both engines, which must be equal; the Ethernet program runs on all link types."""
    expected = run(path, machine(expression, "python"), "python", source, **options)
    actual = run(path, machine(expression, "llvm"), "llvm", source, **options)
    assert actual == expected
    return actual


# Windows


def _parameter(sizes: Sizes) -> Any:
    """Return the parameter of some sizes; windows of 64 KiB have most captures in one window, and remain in --all."""
    marks = pytest.mark.slow if sizes.window == 65_536 else ()
    return pytest.param(sizes, marks=marks, id=f"{sizes.window} bytes, {sizes.processors} processors")


@pytest.fixture(params=map(_parameter, SIZES))
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Sizes:
    sizes: Sizes = request.param
    shrink(monkeypatch, sizes)
    return sizes


def test_windows_begin_at_guessed_boundaries_and_are_scanned_by_threads(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the other tests of this module would test little: Python would read the records in sequence."""
    shrink(monkeypatch, Sizes(16_384, 2))
    guesses: list[tuple[int, int | None]] = []
    threads = set()
    original: Any = scanner.Scanner.scan

    def recorded(self: scanner.Scanner, base: int, begin: int, *rest: Any, guess: bool = False, **options: Any) -> Any:
        result = original(self, base, begin, *rest, guess=guess, **options)
        guesses.append((guess, result and result.packets))
        threads.add(threading.get_ident())
        return result

    monkeypatch.setattr(scanner.Scanner, "scan", recorded)
    records = [TRAFFIC_RECORDS[index % 900] for index in range(9_000)]
    for container, capture in (("pcap", encoded(records)), ("pcapng", as_pcapng(records))):
        source.write_bytes(capture)
        guesses.clear()
        threads.clear()
        assert run(source, "tcp", "llvm").error == ""
        assert len(threads - {threading.get_ident()}) >= 2
        guessed = [packets for guess, packets in guesses if guess and packets]
        assert len(guessed) > 100, container
        assert sum(packets or 0 for _, packets in guesses) < 9_000 * 1.1, "many windows were scanned again"


@pytest.mark.parametrize("access", ["mapped", "lease refused", "in memory"])
def test_almost_all_packets_are_scanned_natively(access: str, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Link types may appear one after another; the filters have machine code for each."""
    scanned: list[int] = []
    original = NativeRun.advance

    def advance(self: NativeRun, result: scanner.ScannedRecords) -> None:
        scanned.append(result.packets)
        original(self, result)

    monkeypatch.setattr(NativeRun, "advance", advance)
    build = Pcapng()
    parts = [build.section(), *(build.interface(linktype, 60) for linktype in (1, 101, 113))]
    parts += [build.enhanced(bytes(60), interface=min(index // 500, 2)) for index in range(4_000)]
    parts += [build.enhanced(bytes(60), interface=index % 3) for index in range(4_000)]
    parts += [build.simple(bytes(60), wire_length=900) + build.obsolete(bytes(60), interface=2) for _ in range(1_000)]
    for capture in (b"".join(parts), encoded(TRAFFIC_RECORDS * 11)):
        source.write_bytes(capture)
        scanned.clear()
        with SOURCES[access](source) as opened:
            seen = cbpf.filter_capture(opened, None, "ip", engine="llvm").packets_seen
        assert seen * 0.95 < sum(scanned) <= seen


# Captures of every kind


@pytest.mark.parametrize("name", VARIANTS)
def test_engines_agree_on_pcaps_of_every_variant(name: str, small: Sizes, source: Path) -> None:
    records = traffic(Random(name), 300)
    source.write_bytes(encoded(records, VARIANTS[name]))
    result = agreed(source)
    assert result.counts[0][0] == 300
    if VARIANTS[name].linktype & 0xFFFF == 1 and VARIANTS[name].snaplen != 1:
        assert 50 < result.counts[0][1] < 290


UNUSUAL_RECORDS: Final[dict[str, list[Record]]] = {
    "none": [],
    "one record": [Record(SECONDS, 0, 60, bytes(60))],
    "one empty record": [Record(0, 0, 0, b"")],
    "all empty": [Record(SECONDS, 0, 0, b"")] * 700,
    "empty, but not on the wire": [Record(SECONDS, 0, 300, b"")] * 700,
    "every other one accepted": [Record(SECONDS + index, 0, 1 + index % 2 * 300, b"x") for index in range(3_000)],
    "longer than on the wire": [Record(SECONDS, 0, 0, bytes(99))] * 300,
    "all alike": [Record(SECONDS, 0, 60, bytes(60))] * 900,
    "from 1970": [Record(0, 0, 60, bytes(60))] * 900,
    "times without order": [Record(index * 0x9E37_79B9 % 2**32, 0, 60, bytes(60)) for index in range(900)],
    "one byte": [Record(SECONDS, 0, 1, b"x")] * 900,
    "beyond the maximum length": [
        *[Record(SECONDS, 0, 60, bytes(60))] * 300,
        Record(SECONDS, 0, 262_145, b"\xff" * 262_145),
        *[Record(SECONDS, 0, 70, bytes(70))] * 300,
    ],
}


@pytest.mark.parametrize("container", ["pcap", "pcapng"])
@pytest.mark.parametrize("name", UNUSUAL_RECORDS)
def test_engines_agree_on_unusual_records(name: str, container: str, small: Sizes, source: Path) -> None:
    source.write_bytes((encoded if container == "pcap" else as_pcapng)(UNUSUAL_RECORDS[name]))
    for expression in ("", "less 60", "tcp"):
        result = agreed(source, expression)
        assert bool(result.error) is (name == "beyond the maximum length")


@pytest.mark.slow
def test_records_may_be_longer_than_windows(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A packet of D-Bus may have 128 MiB."""
    shrink(monkeypatch, Sizes(1 << 16, 2))
    sizes = (0, 60, 400_000, 1 << 17, 9_000, (1 << 17) + 8_192, 600_000, 60, 60)
    records = [Record(SECONDS, 0, size, size.to_bytes(4, "big") * (size // 4)) for size in sizes]
    for data in (encoded(records, Variant(linktype=231, snaplen=0)), as_pcapng(records, linktype=231, snaplen=0)):
        source.write_bytes(data)
        for access in ("mapped", "lease refused", "in memory"):
            assert agreed(source, "", access).outputs == (data,)
            assert agreed(source, "greater 10000", access).counts[0][1] == 4


@pytest.mark.parametrize("make", [encoded, as_pcapng])
def test_packets_of_the_maximum_length_are_filtered(
    make: Callable[..., bytes], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, Sizes(65_536, 2))
    records = [Record(SECONDS, 0, 262_144, bytes([index]) * 262_144) for index in range(4)]
    short = [Record(SECONDS, 0, 60, bytes(60))]
    for packets in (records, short * 300 + records[2:] + short * 300 + records[:1]):
        source.write_bytes(make(packets))
        assert agreed(source, "").outputs == (make(packets),)
        assert agreed(source, "greater 61", "lease refused").counts[0][1] in (4, 3)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("name", MISLEADING_CAPTURES)
def test_misleading_boundaries_do_not_affect_the_result(
    name: str, order: str, small: Sizes, source: Path, full_length: bool
) -> None:
    for seed in range(8 if full_length else 1):
        capture = MISLEADING_CAPTURES[name](Random(f"{name} {order} {seed}"), order)
        source.write_bytes(capture)
        result = agreed(source, "")
        assert result.outputs == (capture,)
        assert result.error == ""
        agreed(source, "ether[0] & 1 = 0")
        agreed(source, "greater 200", "lease refused")


@pytest.mark.parametrize("order", "<>")
def test_misleading_boundaries_of_lanes_do_not_affect_the_result(order: str, source: Path) -> None:
    """In a window of the default size, the 16 lanes begin at guessed boundaries."""
    for name, build in MISLEADING_CAPTURES.items():
        source.write_bytes(build(Random(name), order))
        agreed(source, "greater 200")


# pcapng


def test_interfaces_may_be_described_late(small: Sizes, source: Path) -> None:
    build = Pcapng()
    parts, random = [build.section()], Random(1)
    for index in range(300):
        parts.append(build.interface(random.choice((1, 101, 113, 276)), random.choice((0, 96, 65_535))))
        parts += [build.enhanced(bytes(96), interface=random.randrange(index + 1)) for _ in range(random.randrange(9))]
    source.write_bytes(b"".join(parts))
    for expression in ("ip", "less 96", "arp"):
        expected, actual = (run(source, expression, engine) for engine in ("python", "llvm"))
        assert actual == expected
        assert actual.error == ""


def test_an_expression_is_compiled_for_each_link_type(small: Sizes, source: Path) -> None:
    """In both byte orders of sections, the loopback headers of NULL may have either order."""
    parts: list[bytes] = []
    packet = bytes.fromhex("45000014 00000000 40110000 7f000001 7f000001")
    for order in "<><<>":
        build = Pcapng(order)
        parts += [build.section(), build.interface(0), build.interface(101), build.interface(1)]
        for index in range(100):
            family = struct.pack("<>"[index % 2] + "I", 2)
            data = (family + packet, packet, bytes(12) + b"\x08\0" + packet)[index % 3]
            parts += [build.enhanced(data, interface=index % 3), build.block(4, bytes(index % 8 * 4))]
    source.write_bytes(b"".join(parts))
    expected, actual = (run(source, "ip", engine) for engine in ("python", "llvm"))
    assert actual == expected
    assert actual.counts[0][:2] == (500, 500)


def test_more_kinds_of_packets_than_the_scanner_has_classes_are_filtered(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program runs on any link type, including unnamed ones."""
    shrink(monkeypatch, Sizes(4_096, 2))
    build = Pcapng()
    parts = [build.section(), *(build.interface(1_000 + index) for index in range(600))]
    parts += [build.enhanced(bytes(60 + index % 3), interface=index % 600) for index in range(3_000)]
    source.write_bytes(b"".join(parts))
    assert agreed(source, "less 61").counts[0][:2] == (3_000, 2_000)


def test_the_maximum_number_of_interfaces_is_filtered(source: Path) -> None:
    build = Pcapng()
    source.write_bytes(build.section() + (build.interface() + build.simple(b"x")) * 65_536)
    assert run(source, "", "llvm").counts[0][:2] == (65_536, 65_536)


# Sources, targets, options


@pytest.fixture(scope="module")
def large() -> bytes:
    """Return a capture that exceeds one read of a stream."""
    return encoded([TRAFFIC_RECORDS[index % 900] for index in range(4_200)])


@pytest.mark.parametrize("access", SOURCES)
def test_engines_agree_on_every_source(
    access: str, large: bytes, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, Sizes(65_536, 2))
    late = len(large) - 300_000
    captures = (large, large[:-1], large[:late] + b"\xff" * 16 + large[late:], as_pcapng(TRAFFIC_RECORDS * 4))
    for capture, is_damaged in zip(captures, (False, True, True, False), strict=True):
        source.write_bytes(capture)
        for expression in ("tcp", ""):
            result = agreed(source, expression, access, target=tmp_path / "out.pcap")
            assert bool(result.error) is is_damaged
            assert result.counts[0][1] > 1_000


class Pair(NamedTuple):
    """A target, and a function that closes it and returns the bytes written."""

    target: Any
    written: Callable[[], bytes | None]


@contextmanager
def pipe_as_target(buffering: int) -> Iterator[Pair]:
    read_end, write_end = os.pipe()
    parts: list[bytes] = []
    with open(read_end, "rb") as reader, open(write_end, "wb", buffering=buffering) as writer:
        thread = threading.Thread(target=lambda: parts.append(reader.read()), daemon=True)
        thread.start()

        def written() -> bytes:
            writer.close()
            thread.join(20)
            return b"".join(parts)

        yield Pair(writer, written)


@contextmanager
def file_as_target(path: Path, mode: str, buffering: int = -1) -> Iterator[Pair]:
    with path.open(mode, buffering=buffering) as file:

        def written() -> bytes:
            file.close()
            return path.read_bytes()

        yield Pair(file, written)


TARGETS: Final[dict[str, Callable[[Path], AbstractContextManager[Pair]]]] = {
    "path": lambda path: nullcontext(Pair(path, path.read_bytes)),
    "file": lambda path: file_as_target(path, "wb"),
    "unbuffered file": lambda path: file_as_target(path, "wb", 0),
    "file for reading too": lambda path: file_as_target(path, "w+b"),
    "file at its end": lambda path: file_as_target(path, "ab"),
    "in memory": lambda path: nullcontext(Pair(memory := BytesIO(), memory.getvalue)),
    "pipe": lambda path: pipe_as_target(-1),
    "unbuffered pipe": lambda path: pipe_as_target(0),
    "none": lambda path: nullcontext(Pair(None, lambda: None)),
    "null device": lambda path: nullcontext(Pair(os.devnull, lambda: None)),
}


@pytest.mark.parametrize("name", TARGETS)
def test_engines_agree_on_every_target(
    name: str, large: bytes, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, Sizes(65_536, 2))
    for capture in (large, as_pcapng(TRAFFIC_RECORDS)[:-3]):
        source.write_bytes(capture)
        outcomes = []
        for engine in ("python", "llvm"):
            with TARGETS[name](tmp_path / f"{engine} {len(capture)}") as (target, written):
                outputs = partial(lambda written: [written()], written)
                outcomes.append(outcome(outputs, cbpf.filter_capture, source, target, machine("tcp", engine)))
        assert outcomes[0] == outcomes[1]
        assert outcomes[0].counts[0][1] > 300


@pytest.mark.parametrize("count", [1_023, 1_024, 1_025, 2_048, 5_000])
def test_any_number_of_ranges_is_written(count: int, source: Path, tmp_path: Path) -> None:
    """writev(2) accepts 1,024 ranges at a time; adjacent records form one range."""
    accepted, rejected = Record(SECONDS, 0, 70, bytes(70)), Record(SECONDS, 0, 60, bytes(60))
    source.write_bytes(encoded([accepted, rejected] * count))
    cbpf.filter_capture(source, tmp_path / "out.pcap", machine("greater 61", "llvm"))
    assert (tmp_path / "out.pcap").read_bytes() == encoded([accepted] * count)


def test_buffered_bytes_are_written_in_order(source: Path, tmp_path: Path) -> None:
    """Machine code writes to the file of a buffered stream, between the bytes written before and after it."""
    for make in (encoded, as_pcapng):
        source.write_bytes(make(TRAFFIC_RECORDS))
        with (tmp_path / "out").open("wb") as target:
            target.write(b"before")
            cbpf.filter_capture(source, target, "", engine="llvm")
            target.write(b"after")
        assert (tmp_path / "out").read_bytes() == b"before" + source.read_bytes() + b"after"


@pytest.mark.parametrize("count", [1, 47, "one less", "all", "one more"])
@pytest.mark.parametrize("make", [encoded, as_pcapng])
def test_engines_agree_on_the_count(count: int | str, make: Callable[..., bytes], small: Sizes, source: Path) -> None:
    source.write_bytes(make(TRAFFIC_RECORDS))
    for expression, invert in (("tcp", False), ("tcp", True), ("", False), ("less 1", False)):
        accepted = agreed(source, expression, invert=invert).counts[0][1]
        limit = {"one less": accepted - 1, "all": accepted, "one more": accepted + 1}.get(str(count), count)
        result = agreed(source, expression, invert=invert, count=max(1, int(limit)))
        assert result.counts[0][1] == min(max(1, int(limit)), accepted)
        agreed(source, expression, "in pieces", invert=invert, count=max(1, int(limit)))


def test_damage_after_the_last_packet_to_accept_is_ignored(small: Sizes, source: Path) -> None:
    source.write_bytes(encoded(TRAFFIC_RECORDS) + b"damage")
    assert agreed(source, "", count=len(TRAFFIC_RECORDS)).error == ""
    assert "6 of its 16 bytes" in agreed(source, "", count=len(TRAFFIC_RECORDS) + 1).error


@pytest.mark.parametrize("access", ["mapped", "lease refused"])
def test_accepted_and_rejected_packets_are_all_packets(access: str, small: Sizes, source: Path) -> None:
    for make in (encoded, as_pcapng):
        source.write_bytes(make(TRAFFIC_RECORDS))
        accepted, rejected = (agreed(source, "tcp", access, invert=invert).counts[0] for invert in (False, True))
        assert accepted[0] == rejected[0] == accepted[1] + rejected[1] == len(TRAFFIC_RECORDS)
        assert accepted[3] + rejected[3] == accepted[2]


@pytest.mark.parametrize("count", [None, 700, 1_300])
def test_engines_agree_on_several_sources(count: int | None, small: Sizes, tmp_path: Path) -> None:
    """Damaged captures, different layouts, and a pcapng among the sources, each read in its turn."""
    captures = {
        "a.pcap": encoded(TRAFFIC_RECORDS),
        "b.pcap": encoded(TRAFFIC_RECORDS)[:-1],
        "c.pcap": encoded([], Variant()),
        "d.pcap": encoded(TRAFFIC_RECORDS, Variant(snaplen=90)),
        "e.pcap": encoded(TRAFFIC_RECORDS, Variant(">", NANOSECONDS)),
        "f.pcapng": as_pcapng(TRAFFIC_RECORDS[:50], ">"),
        "g.pcapng": as_pcapng(TRAFFIC_RECORDS)[:-2],
    }
    for name, capture in captures.items():
        (tmp_path / name).write_bytes(capture)
    for names in ("aa", "abcab", "da", "ea", "fg", "af", "gfag"):
        sources = [path for name in names for path in tmp_path.glob(f"{name}.*")]
        outcomes = []
        for engine in ("python", "llvm"):
            target = BytesIO()
            outputs = partial(lambda target: [target.getvalue()], target)
            work = partial(cbpf.filter_capture, sources, target, machine("tcp", engine), count=count)
            outcomes.append(outcome(outputs, work))
        assert outcomes[0] == outcomes[1], names
        assert outcomes[0].counts


@pytest.mark.parametrize("access", ["mapped", "lease refused", "in pieces"])
def test_engines_agree_on_several_filters_in_one_pass(access: str, small: Sizes, source: Path) -> None:
    for make in (encoded, as_pcapng):
        source.write_bytes(make(TRAFFIC_RECORDS))
        outcomes = []
        for engine in ("python", "llvm"):
            targets = [BytesIO() for _ in range(len(FILTERS) + 1)]
            with SOURCES[access](source) as opened:
                routes = [
                    (machine(expression, engine), target) for expression, target in zip(FILTERS, targets, strict=False)
                ]
                outputs = partial(lambda targets: [target.getvalue() for target in targets], targets)
                outcomes.append(outcome(outputs, cbpf.split_capture, opened, routes, rest=targets[-1]))
        assert outcomes[0] == outcomes[1]
        assert [accepted for _, accepted, *_ in outcomes[0].counts[:2]] == [480, 905]


METADATA_PROGRAMS: Final = {
    "payload offset": "ld poff\njgt #34,0,1\nret #1\nret #0",
    "attributes": "ldi #20\nldxi #0x640\nld nla\nret a",  # fragment and TTL of TCP look like one
    "wire length": "ld #len\njgt #100,0,1\nret #1\nret #0",
    "a device": "ld ifidx\nret a",
    "protocol": "ld proto\nret #1",
    "a network header": "ld [-0x100000]\nret a",
    "a link header": "ldb [-0x200000]\nret #1",
}


@pytest.mark.parametrize("name", METADATA_PROGRAMS)
def test_engines_agree_on_programs_that_load_metadata(name: str, small: Sizes, source: Path) -> None:
    program = cbpf.parse(METADATA_PROGRAMS[name])
    for make in (encoded, as_pcapng):
        source.write_bytes(make(TRAFFIC_RECORDS))
        for access in ("mapped", "in memory"):
            names: tuple[Any, ...] = ("python", "llvm")
            machines = [cbpf.VM(program, engine=name, dialect=cbpf.LINUX) for name in names]
            expected, actual = (run(source, vm, vm.engine, access) for vm in machines)
            assert actual == expected


# Damage, and random captures


def with_words(block: bytes, order: str, words: dict[int, int]) -> bytes:
    """Return a block with replaced words; negative positions count from its end."""
    data = bytearray(block)
    for position, word in words.items():
        struct.pack_into(f"{order}I", data, position % len(data), word)
    return bytes(data)


DATA: Final = bytes(range(60))  # of a packet whose interface has a snapshot length of 64

# Small changes of a block: its kind, the replaced words by position, and whether the block is then invalid
BLOCK_CHANGES: Final[dict[str, tuple[str, dict[int, int], bool]]] = {
    "nothing": ("enhanced", {}, False),
    "a length and a packet that reach into the next block": ("enhanced", {20: 64, 4: 96}, True),
    "one byte more than its space": ("enhanced", {20: 61}, True),
    "four bytes more than its space": ("enhanced", {20: 64}, True),
    "more than the snapshot length": ("enhanced", {20: 65}, True),
    "an undefined interface": ("enhanced", {8: 1}, True),
    "the maximum interface index": ("enhanced", {8: 0xFFFF_FFFF}, True),
    "another length at its end": ("enhanced", {-4: 88}, True),
    "another length at its start": ("enhanced", {4: 96}, True),
    "a length that is too small for its kind": ("enhanced", {4: 28, 24: 28}, True),
    "a length that is not a multiple of 4": ("enhanced", {4: 90}, True),
    "a length of 0": ("enhanced", {4: 0}, True),
    "a length of 8": ("enhanced", {4: 8}, True),
    "the maximum length": ("enhanced", {4: 0xFFFF_FFFC}, True),
    "another kind": ("enhanced", {0: 0x0BAD}, False),
    "another kind, and another length at its end": ("enhanced", {0: 0x0BAD, -4: 88}, True),
    "obsolete, nothing": ("obsolete", {}, False),
    "obsolete, one byte more than its space": ("obsolete", {20: 61}, True),
    "obsolete, an undefined interface": ("obsolete", {8: 0x0001_0001}, True),
    "obsolete, another drop count": ("obsolete", {20: 60, 12: 0xFFFF_FFFF}, False),
    "simple, nothing": ("simple", {}, False),
    "simple, more than its space, truncated to the snapshot length": ("simple", {8: 900}, True),
    "simple, one byte more than its space": ("simple", {8: 61}, True),
    "simple, a length that is too small": ("simple", {4: 12, 8: 12}, True),
}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("name", BLOCK_CHANGES)
def test_slightly_invalid_blocks_are_reported(name: str, order: str, small: Sizes, source: Path) -> None:
    kind, words, is_damage = BLOCK_CHANGES[name]
    build = Pcapng(order)
    before = build.section() + build.interface(snaplen=64) + build.enhanced(DATA) * 150
    block = with_words(getattr(build, kind)(DATA), order, words)
    source.write_bytes(before + block + build.enhanced(DATA) * 150)
    for access in ("mapped", "in memory"):
        result = agreed(source, "", access)
        assert result.error.startswith("DamagedCapture") is is_damage
        assert result.outputs[0] == (before if is_damage else source.read_bytes())


def test_a_simple_packet_without_an_interface_is_rejected(small: Sizes, source: Path) -> None:
    build = Pcapng()
    source.write_bytes(build.section() + build.block(9, DATA) * 100 + build.simple(DATA) + build.interface())
    assert "interface 0" in agreed(source, "").error


@pytest.mark.parametrize("excess", [0, 4])
def test_blocks_beyond_the_maximum_length_are_reported(excess: int, source: Path) -> None:
    """A block has 16 MiB at most, unless an interface has longer packets."""
    build = Pcapng()
    block = build.block(9, bytes((16 << 20) + excess - 12))
    source.write_bytes(build.section() + build.interface() + build.enhanced(DATA) * 9 + block + build.enhanced(DATA))
    result = agreed(source, "")
    assert result.counts[0][0] == (9 if excess else 10)
    assert bool(result.error) is bool(excess)


@pytest.mark.fuzz
def test_engines_agree_on_random_captures(rounds: Rounds, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.pcap"
    for random in rounds(350, min_checked=1):
        with pytest.MonkeyPatch.context() as monkeypatch:
            shrink(monkeypatch, Sizes(random.choice((1_000, 4_096, 20_001, 65_536, 1 << 24)), random.choice((1, 2, 5))))
            source.write_bytes(damaged(random))
            agreed(
                source,
                random.choice(FILTERS),
                random.choice(("mapped", "mapped", "mapped", "lease refused", "in memory", "in pieces")),
                target=random.choice((None, target)),
                invert=random.random() < 0.2,
                count=random.choice((None, None, None, None, 1, 30, 300)),
            )
            rounds.checked()


@pytest.mark.parametrize("make", [encoded, as_pcapng])
def test_engines_agree_on_captures_truncated_near_a_window_end(make: Callable[..., bytes], source: Path) -> None:
    capture = make(TRAFFIC_RECORDS[:60])
    for size in range(4_050, 4_150):
        source.write_bytes(capture[:size])
        with pytest.MonkeyPatch.context() as monkeypatch:
            shrink(monkeypatch, Sizes(4_096, 2))
            agreed(source, "")


# Files that change while they are read

SHRUNK: Final = "while it was read; the file must not shrink"


@pytest.fixture
def long(source: Path) -> Path:
    """Return a capture of several megabytes."""
    source.write_bytes(encoded(TRAFFIC_RECORDS * 24))
    return source


@pytest.mark.parametrize("size", [0, 24, 4_000_000])
def test_truncation_of_a_file_without_a_lease_is_reported(
    size: int, long: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, Sizes(65_536, 2))
    before = long.stat().st_size
    with long.open("r+b") as file:
        truncate: Any = lambda read: file.truncate(size)  # noqa: E731
        with pytest.raises(cbpf.CaptureError) as error:
            cbpf.filter_capture(long, tmp_path / "out.pcap", "tcp", engine="llvm", progress=truncate)
    assert str(error.value) == f"{long}: truncated from {before} to {size} bytes {SHRUNK}"
    assert type(error.value) is cbpf.CaptureError
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("engine", ["python", "llvm"])
def test_appended_records_are_filtered(engine: Any, long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes appended before the end is reached belong to the capture."""
    shrink(monkeypatch, Sizes(65_536, 2))
    more = iter([encoded(TRAFFIC_RECORDS[:100])[24:]])
    before, target = long.read_bytes(), BytesIO()
    with long.open("ab", buffering=0) as file:
        append: Any = lambda read: file.write(next(more, b""))  # noqa: E731
        cbpf.filter_capture(long, target, "", engine=engine, progress=append)
    assert target.getvalue() == before + encoded(TRAFFIC_RECORDS[:100])[24:]
    assert list(more) == []


def child(code: str, *arguments: object, limit: float = 60) -> subprocess.CompletedProcess[str]:
    """Run Python code in a new process that handles SIGINT."""
    handler = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    command = [sys.executable, "-c", handler + textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)


def require_leases(path: Path) -> None:
    with path.open("rb") as file, MappedFile(file.fileno(), "capture") as mapped:
        if not mapped.is_mapped:
            pytest.skip("this file system does not grant leases")


# Another process truncates the file; the run continues once that process is blocked.
TRUNCATED_BY_ANOTHER_PROCESS: Final = """
    import os, subprocess, sys, time
    import cbpf
    from cbpf.capture.native import scanner

    scanner.WINDOW_SIZE = 65_536
    source, target, truncate = sys.argv[1:]
    inode = f":{os.stat(source).st_ino} "
    others = []

    def is_waiting():
        with open("/proc/locks") as locks:
            return any("BREAKING" in line and inode in line for line in locks)

    def progress(read):
        if not others:
            others.append(subprocess.Popen([sys.executable, "-c", truncate, source]))
            end = time.monotonic() + 20
            while not is_waiting() and time.monotonic() < end:
                time.sleep(0.01)
            assert is_waiting()

    summary = cbpf.filter_capture(source, target, "tcp", engine="llvm", progress=progress)
    print(summary.packets_seen)
    sys.exit(others[0].wait())
"""


@NEEDS_LEASES
@pytest.mark.parametrize("change", ["os.truncate(sys.argv[1], 0)", "open(sys.argv[1], 'wb').close()"])
def test_read_lease_blocks_truncation(change: str, long: Path, tmp_path: Path) -> None:
    require_leases(long)
    expected = run(long, "tcp", "python").outputs[0]
    done = child(TRUNCATED_BY_ANOTHER_PROCESS, long, tmp_path / "out.pcap", f"import os, sys; {change}")
    assert (done.returncode, done.stdout) == (0, f"{24 * len(TRAFFIC_RECORDS)}\n"), done.stderr
    assert (tmp_path / "out.pcap").read_bytes() == expected
    assert long.stat().st_size == 0


# The kernel breaks a lease after a process has waited for 45 seconds, for example while a target blocks. Then the file
# may shrink, while windows that were already scanned are still to be written.
LEASE_LOST: Final = """
    import fcntl, io, os, sys, time
    import cbpf
    from cbpf.capture.native import scanner

    scanner.WINDOW_SIZE = 65_536
    source, target = sys.argv[1:]

    lost = []

    def progress(read):
        if lost:
            return
        lost.append(read)
        time.sleep(0.3)  # until the threads have scanned all windows ahead
        for number in os.listdir("/proc/self/fd"):
            if os.path.exists(f"/proc/self/fd/{number}") and os.path.samefile(f"/proc/self/fd/{number}", source):
                fcntl.fcntl(int(number), fcntl.F_SETLEASE, fcntl.F_UNLCK)
                break  # the mapping has a second descriptor of this open file
        os.truncate(source, 100_000)

    try:
        cbpf.filter_capture(source, target or io.BytesIO(), "tcp", engine="llvm", progress=progress)
    except cbpf.CaptureError as error:
        print(error)
"""


@NEEDS_LEASES
@pytest.mark.parametrize("target", ["", "out.pcap"])
def test_truncation_after_a_broken_lease_is_reported(target: str, long: Path, tmp_path: Path) -> None:
    require_leases(long)
    before = long.stat().st_size
    done = child(LEASE_LOST, long, target and tmp_path / target)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{long}: truncated from {before} to 100000 bytes {SHRUNK}\n"
    assert not (tmp_path / "out.pcap").exists()


# The lease is broken while writev(2) waits for a pipe that is not read, in the middle of a window.
LEASE_LOST_IN_WRITING: Final = """
    import fcntl, os, sys, threading, time
    import cbpf

    source = sys.argv[1]
    read_end, write_end = os.pipe()

    def shrink():
        os.read(read_end, 24)
        time.sleep(0.5)  # all windows are scanned, and the pipe is full
        for number in os.listdir("/proc/self/fd"):
            if os.path.exists(f"/proc/self/fd/{number}") and os.path.samefile(f"/proc/self/fd/{number}", source):
                fcntl.fcntl(int(number), fcntl.F_SETLEASE, fcntl.F_UNLCK)
                break
        os.truncate(source, 0)
        while os.read(read_end, 1 << 16):
            pass

    threading.Thread(target=shrink, daemon=True).start()
    try:
        with open(write_end, "wb") as target:
            cbpf.filter_capture(source, target, "", engine="llvm")
    except cbpf.CaptureError as error:
        print(error)
"""


@NEEDS_LEASES
def test_truncation_while_a_window_is_written_is_reported(long: Path) -> None:
    require_leases(long)
    done = child(LEASE_LOST_IN_WRITING, long)
    assert done.returncode == 0, done.stderr
    assert "must not shrink" in done.stdout


# Memory


PEAK: Final = """
    import sys
    import cbpf

    def progress(read):
        global peak
        with open("/proc/self/status") as status:
            peak = max(peak, *(int(line.split()[1]) for line in status if line.startswith("RssAnon")))

    source, mode = sys.argv[1:]
    peak = 0
    with open(source, mode):
        cbpf.filter_capture(source, "/dev/null", "udp", engine="llvm", progress=progress)
    print(peak)
"""


@pytest.mark.parametrize("mode", ["rb", "r+b"])
def test_memory_does_not_grow_with_the_file(mode: str, source: Path) -> None:
    """A file open for writing is read, otherwise mapped. Every other packet is accepted, so no ranges are joined."""
    if not sys.platform.startswith("linux") or shutil.disk_usage(source.parent).free < 2 << 30:
        pytest.skip("needs Linux and 2 GiB of disk space")
    udp, tcp = (
        next(record for record in TRAFFIC_RECORDS if record.data[23:24] == protocol) for protocol in (b"\x11", b"\x06")
    )
    body = encoded([udp, tcp] * 4_000)[24:]
    peaks = []
    for megabytes in (80, 320):
        with source.open("wb") as file:
            file.write(encoded([]))
            for _ in range((megabytes << 20) // len(body)):
                file.write(body)
        done = child(PEAK, source, mode)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
    assert 0 < peaks[1] < peaks[0] + 8_000, "kilobytes"


# Early ends


def test_count_ends_the_scan(source: Path) -> None:
    with source.open("wb") as file:
        file.write(encoded([]))
        for _ in range(200):
            file.write(encoded(TRAFFIC_RECORDS)[24:])
    for access in ("mapped", "lease refused", "open file"):
        recorded: list[int] = []
        result = run(source, "tcp", "llvm", access, count=10, progress=recorded.append)
        assert result.counts[0][1] == 10
        assert max(recorded) <= 4 << 20
        assert source.stat().st_size > 60 << 20


def test_progress_never_decreases(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python truncates long packets to the snapshot length, and it reads ahead."""
    shrink(monkeypatch, Sizes(4_096, 2))
    source.write_bytes(encoded(TRAFFIC_RECORDS * 8, Variant(snaplen=1_000)))
    for access in ("mapped", "lease refused", "gzip", "in pieces"):
        recorded: list[int] = []
        run(source, "tcp", "llvm", access, progress=recorded.append)
        assert recorded == sorted(recorded)


@pytest.mark.parametrize("access", ["mapped", "lease refused"])
def test_progress_reaches_the_end(access: str, long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, Sizes(65_536, 2))
    recorded: list[int] = []
    run(long, "tcp", "llvm", access, progress=recorded.append)
    assert recorded[-1] == long.stat().st_size


@pytest.mark.parametrize("access", ["mapped", "lease refused"])
def test_records_left_to_python_do_not_cost_windows(access: str, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tenth packet exceeds the snapshot length and is left to Python."""
    scanned = []
    original = scanner.Scanner.scan

    def recorded(self: scanner.Scanner, base: int, begin: int, stop: int, *rest: Any, **options: Any) -> Any:
        scanned.append(stop - begin)
        return original(self, base, begin, stop, *rest, **options)

    monkeypatch.setattr(scanner.Scanner, "scan", recorded)
    records = [Record(SECONDS, 0, size, bytes(size)) for size in [60] * 9 + [3_000]] * 700
    source.write_bytes(encoded(records, Variant(snaplen=2_000)))
    assert agreed(source, "", access).counts[0][1] == 7_000
    assert sum(scanned) < 8 * source.stat().st_size


def test_link_types_after_the_last_packet_to_accept_are_not_compiled(source: Path) -> None:
    build = Pcapng()
    arp = bytes(12) + b"\x08\x06" + bytes(46)
    head = build.section() + build.interface() + build.interface(189)  # no expression is compiled for USB
    source.write_bytes(head + build.enhanced(arp) * 3_000 + build.enhanced(arp, interface=1))
    expected, actual = (run(source, "arp", engine, count=2_000) for engine in ("python", "llvm"))
    assert actual == expected


INTERRUPTED_COMMAND: Final = """
    import os, signal, sys
    from cbpf.capture import output
    from cbpf.capture.native import scanner
    from cbpf.cli import main

    scanner.WINDOW_SIZE = 65_536
    original = output.Output.write_ranges

    def write_ranges(self, *ranges):
        original(self, *ranges)
        os.kill(os.getpid(), signal.SIGINT)

    output.Output.write_ranges = write_ranges
    sys.argv[:1] = ["cbpf", "filter", "--engine", "llvm"]
    main()
"""


@pytest.mark.parametrize("existing", [None, b"what was there"])
@pytest.mark.parametrize("mode", ["rb", "r+b"])
def test_an_interrupted_command_leaves_files_unchanged(
    mode: str, existing: bytes | None, long: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.pcap"
    if existing is not None:
        target.write_bytes(existing)
    with long.open(mode):
        done = child(INTERRUPTED_COMMAND, "-r", long, "-w", target, "tcp")
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == (["in"] if existing is None else ["in", "out.pcap"])
    assert existing is None or target.read_bytes() == existing


INTERRUPTED_CALLBACK: Final = """
    import io, os, signal, sys
    import cbpf, cbpf.packet.skb

    calls = []
    original = cbpf.packet.skb.EXTENSIONS[cbpf.Extension.PAYLOAD_OFFSET]

    def payload_offset(buffer, a, x):
        calls.append(a)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return original(buffer, a, x)

    cbpf.packet.skb.EXTENSIONS[cbpf.Extension.PAYLOAD_OFFSET] = payload_offset
    with open(sys.argv[1], "rb") as source:
        program = cbpf.parse("ld poff\\nret a")
        print(cbpf.filter_capture(source, None, program, engine=sys.argv[2], dialect=cbpf.LINUX))
"""


@pytest.mark.parametrize("engine", ["python", "llvm"])
def test_an_interrupt_in_a_callback_of_machine_code_is_raised(engine: str, long: Path) -> None:
    done = child(INTERRUPTED_CALLBACK, long, engine)
    assert done.stdout == ""
    assert done.returncode == -signal.SIGINT
    assert done.stderr.endswith("KeyboardInterrupt\n")


@pytest.mark.parametrize("access", ["mapped", "lease refused", "in memory"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("of the caller")])
def test_an_error_of_the_progress_callback_releases_all_resources(
    error: BaseException, access: str, long: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads, mappings and descriptors are released; otherwise this process would wait for its own lease."""
    shrink(monkeypatch, Sizes(65_536, 2))
    gc.collect()  # readers of other tests, so that their descriptors are not closed during this test
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))

    def progress(read: int) -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        run(long, "tcp", "llvm", access, target=tmp_path / "out.pcap", progress=progress)
    assert raised.value is error
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    error.__traceback__ = None
    del raised
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before
    long.write_bytes(b"")


# A delay between testing whether a queue is empty and the next step would expose a race.
SLOW_QUEUES: Final = """
    import os, queue, sys, time
    import cbpf
    from cbpf.capture.native import scanner

    class Queue:
        def __init__(self):
            self.queue = queue.SimpleQueue()

        def __getattr__(self, name):
            return getattr(self.queue, name)

        def empty(self):
            was_empty = self.queue.empty()
            time.sleep(0.002)
            return was_empty

    scanner.SimpleQueue = Queue
    scanner.WINDOW_SIZE = scanner._FIRST_WINDOW_SIZE = 4_096
    os.sched_getaffinity = lambda process: {1, 2, 3}
    for count in range(1, 400, 20):
        cbpf.filter_capture(sys.argv[1], None, "tcp", engine="llvm", count=count)
    print("done")
"""


def test_threads_are_stopped_at_any_point() -> None:
    assert child(SLOW_QUEUES, TRAFFIC, limit=5).stdout == "done\n"


# Targets that fail


@NO_SPACE
@pytest.mark.parametrize("access", ["mapped", "lease refused", "in memory"])
@pytest.mark.parametrize("container", ["pcap", "pcapng"])
def test_a_full_disk_is_reported(container: str, access: str, source: Path) -> None:
    source.write_bytes((encoded if container == "pcap" else as_pcapng)(TRAFFIC_RECORDS))
    with (
        SOURCES[access](source) as opened,
        pytest.raises(cbpf.CaptureError, match=r"^/dev/full: No space left on device$"),
    ):
        cbpf.filter_capture(opened, "/dev/full", "", engine="llvm")


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs limits on file sizes")
def test_a_disk_that_fills_up_is_reported(long: Path, tmp_path: Path) -> None:
    """The disk has space for half of a window."""
    limited = """
        import resource, sys
        import cbpf

        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        try:
            cbpf.filter_capture(sys.argv[1], sys.argv[2], "tcp", engine="llvm")
        except cbpf.CaptureError as error:
            print(error)
    """
    done = child(limited, long, tmp_path / "out.pcap")
    assert done.stdout == f"{tmp_path}/out.pcap: File too large\n"
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("engine", ["python", "llvm"])
@pytest.mark.parametrize("buffering", [-1, 0])
def test_a_closed_pipe_is_reported(buffering: int, engine: Any, long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, Sizes(65_536, 2))
    read_end, write_end = os.pipe()
    with open(read_end, "rb", buffering=0) as reader, open(write_end, "wb", buffering=0) as writer:
        target = writer if not buffering else io.BufferedWriter(cast(io.RawIOBase, writer))

        def read_a_little() -> None:
            reader.read(3_000)
            reader.close()

        thread = threading.Thread(target=read_a_little, daemon=True)
        thread.start()
        with pytest.raises(BrokenPipeError):
            cbpf.filter_capture(long, cast(BinaryIO, target), "", engine=engine)
        thread.join(20)


def test_nonblocking_pipes_are_supported(long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write accepts only a part of the bytes."""
    shrink(monkeypatch, Sizes(65_536, 2))
    with pipe_as_target(0) as (target, written):
        os.set_blocking(target.fileno(), False)
        cbpf.filter_capture(long, target, "tcp", engine="llvm")
        assert written() == run(long, "tcp", "python").outputs[0]


@pytest.mark.parametrize("engine", ["python", "llvm"])
def test_a_closed_target_is_rejected(engine: Any, long: Path, tmp_path: Path) -> None:
    target = (tmp_path / "out.pcap").open("wb")
    target.close()
    with pytest.raises(cbpf.CaptureError, match=r"out\.pcap: .* closed file"):
        cbpf.filter_capture(long, target, "", engine=engine)


@pytest.mark.parametrize("make", [encoded, as_pcapng])
def test_the_source_may_be_the_target(make: Callable[..., bytes], small: Sizes, source: Path) -> None:
    capture = make(TRAFFIC_RECORDS)
    source.write_bytes(capture)
    expected = run(source, "tcp", "python").outputs[0]
    cbpf.filter_capture(source, source, "tcp", engine="llvm")
    assert source.read_bytes() == expected
    source.write_bytes(capture[:-1])
    with pytest.raises(cbpf.DamagedCapture):
        cbpf.filter_capture(source, source, "tcp", engine="llvm")
    assert source.read_bytes() == capture[:-1]
    assert [path.name for path in source.parent.iterdir()] == [source.name]
