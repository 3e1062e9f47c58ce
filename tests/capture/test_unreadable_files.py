"""Captures whose bytes cannot be read: every command reports one line, and both engines deliver the same packets."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from cbpf.capture import mapped_file
from cbpf.capture.native import scanner
from support.captures import as_pcapng, encoded
from support.command_line import CommandLine
from support.failing_disks import fail_reads, failing_disk, forget_cached_pages
from support.hostile_captures import TRAFFIC_RECORDS
from support.project import Rounds
from support.scans import Sizes, shrink

pytest.importorskip("llvmlite", reason="the native engine needs llvmlite")

ENGINE_NAMES: Final[tuple[Any, ...]] = ("python", "llvm")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder / "in.pcap"


def run(source: Path, engine: Any, expression: str = "tcp", **options: Any) -> tuple[bytes, str]:
    """Return the bytes written and the class and message of the error, or an empty text."""
    target = BytesIO()
    try:
        cbpf.filter_capture(source, target, expression, engine=engine, **options)
    except cbpf.CbpfError as error:
        return target.getvalue(), f"{type(error).__name__}: {error}"
    return target.getvalue(), ""


# A disk that fails


@pytest.fixture
def make() -> Callable[..., bytes]:
    """Return the function that makes captures; tests may choose another."""
    return encoded


@pytest.fixture
def bad_disk(make: Callable[..., bytes], tmp_path: Path) -> Iterator[Path]:
    """A capture of 5 MB that cannot be read from a byte in its middle on."""
    capture = make(TRAFFIC_RECORDS * 30)
    with failing_disk(tmp_path, capture, len(capture) * 3 // 5) as path:
        yield path


COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "filter": ("filter", "-q", "-r", "IN", "-w", "OUT", "--engine", "llvm", "tcp"),
    "filter, no output": ("filter", "-q", "-r", "IN", "--count", "--engine", "llvm", "tcp"),
    "filter, as a socket": ("filter", "-q", "-r", "IN", "-w", "OUT", "--as-socket", "tcp"),
    "split": ("split", "-q", "-r", "IN", "--engine", "llvm", "tcp=OUT", "--rest", "OUT.rest"),
    "convert": ("filter", "-q", "-r", "IN", "-w", "OUT", "--pcapng", "tcp"),
    "info": ("info", "IN"),
    "stats": ("stats", "PROGRAM", "-r", "IN"),
    "run": ("run", "PROGRAM", "IN"),
    "trace": ("trace", "PROGRAM", "IN", "-n", "25000"),
}


def test_an_unreadable_sector_is_one_line_in_every_command(cli: CommandLine, bad_disk: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    program = tmp_path / "program"
    program.write_text("ldh [12]\njeq #0x800,0,1\nret #1\nret #0\n")
    names = {"IN": str(bad_disk), "OUT": str(out / "out"), "OUT.rest": str(out / "rest"), "PROGRAM": str(program)}
    for name, command in COMMANDS.items():
        (out / "out").write_bytes(b"what was there")
        forget_cached_pages(bad_disk)
        done = cli(*(names.get(argument, argument) for argument in command))
        assert done.exit_code == 2, (name, done.stderr)
        assert done.stderr.startswith(f"cbpf: {bad_disk}: "), name
        assert done.stderr.endswith(": Input/output error\n"), (name, done.stderr)
        assert done.stderr.count("\n") == 1, name
        assert [path.name for path in out.iterdir()] == ["out"]
        assert (out / "out").read_bytes() == b"what was there"


@pytest.mark.parametrize("make", [encoded, as_pcapng])
def test_both_engines_deliver_the_packets_before_an_unreadable_sector(bad_disk: Path) -> None:
    results = []
    for engine in ENGINE_NAMES:
        forget_cached_pages(bad_disk)
        results.append(run(bad_disk, engine))
    assert results[0] == results[1]
    written, error = results[0]
    assert len(written) > 1_000_000
    assert error.startswith(f"CaptureError: {bad_disk}: byte ")


def test_unreadable_captures_are_reported_by_the_readers(bad_disk: Path) -> None:
    for read in (list, cbpf.CaptureReader.packets):
        forget_cached_pages(bad_disk)
        with cbpf.read_capture(bad_disk) as reader:
            with pytest.raises(cbpf.CaptureError, match=r"in\.pcap: byte \d+: Input/output error$") as error:
                read(reader)
            assert type(error.value) is cbpf.CaptureError


# Simulated errors: at any byte, and for any reason not to map


@pytest.mark.parametrize("make", [encoded, as_pcapng])
@pytest.mark.parametrize("window", [4_096, 65_536, 1 << 24])
def test_engines_agree_on_files_unreadable_from_any_byte_on(
    make: Callable[..., bytes], window: int, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = make(TRAFFIC_RECORDS)
    first = len(make(TRAFFIC_RECORDS[:100]))  # the end of a record
    shrink(monkeypatch, Sizes(window, 2))
    source.write_bytes(capture)
    for bad_from in (first - 1, first, first + 1, first + 20, 4_096, 65_536, 66_000, len(capture) - 1, len(capture)):
        with pytest.MonkeyPatch.context() as patch:
            fail_reads(patch, source, bad_from)
            expected, actual = (run(source, engine, "") for engine in ENGINE_NAMES)
        assert actual == expected
        assert actual[1] == f"CaptureError: {source}: byte {bad_from}: Input/output error"
        assert capture.startswith(actual[0])
        assert bad_from - len(actual[0]) < 2_000, "complete packets before the error are delivered"


@pytest.mark.fuzz
def test_engines_agree_on_files_unreadable_at_random_bytes(rounds: Rounds, source: Path) -> None:
    for random in rounds(100, min_checked=1):
        with pytest.MonkeyPatch.context() as patch:
            shrink(patch, Sizes(random.choice((1_000, 20_001, 65_536)), random.choice((1, 2, 5))))
            capture = random.choice((encoded, as_pcapng))(random.sample(TRAFFIC_RECORDS, 300))
            source.write_bytes(capture)
            fail_reads(patch, source, random.randrange(24, len(capture) + 1))
            count = random.choice((None, None, 1, 40))
            expected, actual = (run(source, engine, count=count) for engine in ENGINE_NAMES)
            assert actual == expected
            assert actual[1].endswith("Input/output error") or (count and not actual[1])
            rounds.checked()


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress])
def test_errors_of_reading_compressed_files_name_the_byte(
    compress: Callable[[bytes], bytes], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.write_bytes(compress(encoded(TRAFFIC_RECORDS)))
    bad_from = source.stat().st_size * 3 // 4
    fail_reads(monkeypatch, source, bad_from)
    expected, actual = (run(source, engine) for engine in ENGINE_NAMES)
    assert actual == expected
    assert actual[1] == f"CaptureError: {source}: byte {bad_from}: Input/output error"
    with pytest.raises(cbpf.CaptureError, match=r"Input/output error$"):
        cbpf.capture_info(source)


def is_mapped(source: Path) -> bool:
    with source.open("rb") as file, mapped_file.MappedFile(file.fileno(), "capture") as mapped:
        return mapped.is_mapped


@pytest.mark.parametrize("name", ["file_system", "populate"])
def test_files_are_read_where_mapping_is_not_safe(name: str, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network file system another host can truncate a file; before Linux 5.14 no call tests the pages."""
    source.write_bytes(encoded(TRAFFIC_RECORDS))
    expected = run(source, "python")
    if not is_mapped(source):
        pytest.skip("this file system does not grant leases")
    answers: dict[str, Callable[..., int]] = {
        "file_system": lambda descriptor: 0x6969,  # NFS
        "populate": lambda begin, end: False,
    }
    monkeypatch.setattr(mapped_file, name, answers[name])
    assert not is_mapped(source)
    assert run(source, "llvm") == expected


@pytest.mark.parametrize("make", [encoded, as_pcapng])
def test_native_code_accesses_populated_pages_only(
    make: Callable[..., bytes], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that begin in a window may extend beyond it, and guesses look ahead."""
    shrink(monkeypatch, Sizes(65_536, 2))
    monkeypatch.setattr(mapped_file.AnonymousMapping, "slack", 4_096)
    source.write_bytes(make(TRAFFIC_RECORDS * 8))
    populated: list[range] = []
    scanned: list[range] = []
    populate, scan = mapped_file.populate, scanner.Scanner.scan

    def record_populate(begin: int, end: int) -> bool:
        populated.append(range(begin, end))
        return populate(begin, end)

    def record_scan(self: scanner.Scanner, base: int, begin: int, stop: int, end: int, **options: Any) -> Any:
        scanned.append(range(base + begin, base + end))
        return scan(self, base, begin, stop, end, **options)

    monkeypatch.setattr(mapped_file, "populate", record_populate)
    monkeypatch.setattr(scanner.Scanner, "scan", record_scan)
    if not is_mapped(source):
        pytest.skip("this file system does not grant leases")
    expected, actual = (run(source, engine) for engine in ENGINE_NAMES)
    assert actual == expected
    assert len(scanned) > 5
    assert all(
        any(pages.start <= window.start and window.stop <= pages.stop for pages in populated) for window in scanned
    )
