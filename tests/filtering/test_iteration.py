"""Iterating over a capture: machine code selects and decodes the same packets as Python, with the same errors.

Windows are small, so that small captures have many of them; `MIN_NATIVE_SIZE` decides which of the two is used.
"""

from __future__ import annotations

import gzip
import math
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, BinaryIO, Final, cast

import pytest

import cbpf
from cbpf.capture.mapped_file import MappedFile
from cbpf.capture.native import choice
from cbpf.capture.times import point_in_time
from support.captures import TRAFFIC, VARIANTS, Pcapng, as_pcapng, encoded
from support.hostile_captures import (
    SECONDS,
    TRAFFIC_RECORDS,
    blocks_of_all_kinds,
    damaged,
    traffic,
)
from support.project import Rounds
from support.real_captures import parameters_of, real_captures
from support.scans import FILTERS, SIZES, Pieces, Sizes, shrink

pytestmark = [
    pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning"),
    pytest.mark.filterwarnings("ignore::cbpf.SelectionWarning"),
]

SECOND: Final = 1_000_000_000


def outcome(packets: Callable[[], cbpf.CaptureReader]) -> tuple[list[cbpf.Packet], str]:
    """Return the packets of a reader, and its error."""
    read = []
    try:
        with packets() as reader:
            for packet in reader:
                read.append(packet)  # noqa: PERF402  # those before the error
    except cbpf.CbpfError as error:
        return read, f"{type(error).__name__}: {error}"
    return read, ""


def read(open_source: Callable[[], Any], **options: Any) -> cbpf.CaptureReader:
    return cbpf.read_capture(open_source(), **options)


def both(
    monkeypatch: pytest.MonkeyPatch, open_source: Callable[[], Any], **options: Any
) -> tuple[list[cbpf.Packet], str]:
    """Return the outcome of Python, which that of machine code must equal."""
    outcomes = []
    for engine, size in (("python", 1 << 60), ("llvm", 0)):
        monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", size)
        outcomes.append(outcome(partial(read, open_source, engine=engine, **options)))
    assert outcomes[1] == outcomes[0]
    return outcomes[0]


def odd_times(byte_order: str, random: Random) -> bytes:
    """Return a pcapng of interfaces with all resolutions and some offsets, and of packets with extreme times."""
    build = Pcapng(byte_order)
    parts = [build.section()]
    resolutions = [0, 3, 6, 9, 12, 19, 28, 29, 127, 128, 133, 137, 138, 158, 160, 191, 223, 255]
    offsets = [0, 0, 1_700_000_000, -1_700_000_000, 2**62, -(2**62)]
    parts += [build.interface(options=build.resolution(code, offset=random.choice(offsets))) for code in resolutions]
    for index in range(2_000):
        high = random.choice((64, 64, 63, 50, 32))
        time = random.randrange(1 << high) if index % 9 else random.choice((0, 2**64 - 1, 2**63))
        parts.append(build.enhanced(b"x" * (index % 70), interface=index % len(resolutions), time=time))
    parts += [build.simple(b"abc"), build.obsolete(b"abcd", interface=3)]
    return b"".join(parts)


CAPTURES: Final[dict[str, Callable[[Random], bytes]]] = {
    "odd times": lambda random: odd_times("<", random),
    "odd times, big-endian": lambda random: odd_times(">", random),
    "two sections": lambda random: odd_times("<", random) + as_pcapng(traffic(random, 300), ">"),
    "all kinds of blocks": lambda random: blocks_of_all_kinds(random, "<") + as_pcapng(traffic(random, 300), ">"),
    "truncated": lambda random: encoded(traffic(random, 300))[:-5],
}


@pytest.mark.parametrize("name", CAPTURES)
def test_machine_code_decodes_the_packets_of_python(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    random = Random(name)
    shrink(monkeypatch, random.choice(SIZES))
    capture = CAPTURES[name](random)
    path = tmp_path / "in"
    path.write_bytes(capture)
    everything, error = both(monkeypatch, lambda: path)
    assert len(everything) >= 299
    assert bool(error) is (name == "truncated")
    assert [packet.number for packet in everything] == list(range(1, len(everything) + 1))
    if name == "all kinds of blocks":
        assert both(monkeypatch, lambda: Pieces(capture))[0] == everything
    summed(monkeypatch, path)
    accepted, _ = both(monkeypatch, lambda: path, filter="greater 60")
    assert accepted == [packet for packet in everything if packet.wire_length >= 60]
    times = sorted(packet.time_ns for packet in everything)
    since, until = times[len(times) // 4], times[len(times) // 2]
    timely, _ = both(
        monkeypatch, lambda: path, since=Decimal(since).scaleb(-9), until=Decimal(until).scaleb(-9), filter="greater 60"
    )
    assert timely == [packet for packet in accepted if since <= packet.time_ns < until]


PCAPS: Final = (  # each needs other machine code
    "little-endian",
    "big-endian nanoseconds",
    "big-endian Kuznetzov",
    "version 2.3",
    "snaplen 60 big-endian version 2.2",
)


def test_machine_code_decodes_variants_of_pcap_as_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    shrink(monkeypatch, Sizes(20_001, 2))
    path = tmp_path / "in"
    for name in PCAPS:
        path.write_bytes(encoded(traffic(Random(name), 100), VARIANTS[name]))
        everything, error = both(monkeypatch, lambda: path)
        assert (len(everything), error) == (100, "")
        summed(monkeypatch, path)


@pytest.mark.fuzz
def test_machine_code_decodes_damaged_captures_as_python(
    rounds: Rounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    path = tmp_path / "in"
    for random in rounds(3):
        shrink(monkeypatch, Sizes(random.choice((4_096, 20_001)), random.choice((1, 2, 5))))
        path.write_bytes(damaged(random))
        options: dict[str, Any] = {"filter": random.choice(FILTERS)} if random.random() < 0.6 else {}
        if random.random() < 0.6:
            options["since"] = random.choice((SECONDS, "+3s", Decimal("1.5"), -(2**70), 2**70))
            options["until"] = random.choice((SECONDS + 30, "+5m", 2**70, -(2**70)))
        both(monkeypatch, lambda: path, **options)
        both(monkeypatch, lambda: BytesIO(path.read_bytes()), **options)
        summed(monkeypatch, path)


def summed(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Compare the summaries and the batches of Python and machine code."""
    counted(monkeypatch, path)
    summaries: list[cbpf.CaptureInfo | str] = []
    for size in (1 << 60, 0):
        monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", size)
        try:
            summaries.append(cbpf.capture_info(path))
        except cbpf.CaptureError as error:
            summaries.append(str(error))
    assert summaries[0] == summaries[1]


def counted(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Compare the batches of Python and machine code."""
    batches = []
    for size in (1 << 60, 0):
        monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", size)
        try:
            with cbpf.read_capture(path) as capture:
                batch = capture.packets()
        except cbpf.CbpfError as error:
            batches.append(str(error))
        else:
            columns = (batch.positions, batch.lengths, batch.wire_lengths, batch.times_ns, batch.interfaces)
            batches.append(repr((bytes(batch.buffer), [column and column.tolist() for column in columns])))
    assert batches[0] == batches[1]


@pytest.mark.parametrize("path", parameters_of(real_captures("*.pcap*")))
def test_machine_code_decodes_real_captures_as_python(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both(monkeypatch, lambda: path)
    both(monkeypatch, lambda: path, filter="ip or ip6", since="+0.1")
    summed(monkeypatch, path)


def test_a_file_whose_lease_is_broken_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    path = tmp_path / "in"
    path.write_bytes(encoded(traffic(Random(5), 1_200)))
    monkeypatch.setattr(MappedFile, "address", lambda self: None)
    assert len(both(monkeypatch, lambda: path)[0]) == 1_200
    counted(monkeypatch, path)


def test_packets_are_valid_after_the_capture_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", 0)
    with cbpf.read_capture(TRAFFIC) as capture:
        packets = [next(capture), *capture]
    assert [packet.data for packet in packets] == [record.data for record in TRAFFIC_RECORDS]
    assert packets[0].datetime == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=packets[0].time_ns // 1000)
    assert set(packets) == {cbpf.Packet(*packet) for packet in packets}  # also their hashes
    with pytest.raises(StopIteration):
        next(capture)


@pytest.mark.parametrize("size", [1 << 60, 0], ids=["Python", "machine code"])
def test_a_reader_that_was_closed_before_its_end_reports_that(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", size)
    for filter in (None, "ip or ip6"):
        for source in (TRAFFIC, BytesIO(TRAFFIC.read_bytes())):
            with cbpf.read_capture(source, filter=filter) as capture:
                next(capture)
            for read_on in (lambda: next(capture), lambda: list(capture), lambda: capture.packets()):
                with pytest.raises(cbpf.CaptureError, match=r"(traffic\.pcap|capture): the reader is closed$"):
                    read_on()
                capture.close()


def test_a_source_is_not_read_to_its_end_to_find_its_size(tmp_path: Path) -> None:
    class Unseekable(BytesIO):
        def seek(self, *arguments: int) -> int:
            raise AssertionError

    class WithoutSize:
        read = BytesIO(TRAFFIC.read_bytes()).read

        def seek(self, *arguments: int) -> None:
            raise AssertionError

    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(TRAFFIC.read_bytes()))
    with gzip.open(path) as file:
        assert choice.size_of(cast(BinaryIO, file)) == path.stat().st_size
    assert choice.size_of(Unseekable(b"abc")) == 3
    source = cast(BinaryIO, WithoutSize())
    assert choice.size_of(source) == math.inf
    assert len(list(cbpf.read_capture(source))) == len(TRAFFIC_RECORDS)


def test_a_batch_begins_after_the_packets_that_were_iterated_over() -> None:
    """An iterator decodes several packets at once, and the batch has those that it did not return."""
    with cbpf.read_capture(TRAFFIC) as capture:
        first = next(capture)
        rest = capture.packets()
    assert [first.data, *map(bytes, rest)] == [record.data for record in TRAFFIC_RECORDS]


def test_a_batch_has_times_and_interfaces() -> None:
    build = Pcapng("<")
    parts = [build.section(), build.interface(), build.interface(options=build.resolution(9))]
    parts += [build.enhanced(b"ab", time=7), build.enhanced(b"c", interface=1, time=11, wire_length=90)]
    batch = cbpf.read_capture(BytesIO(b"".join(parts))).packets()
    assert batch.times_ns is not None
    assert batch.interfaces is not None
    assert (batch.times_ns.tolist(), batch.interfaces.tolist()) == ([7_000, 11], [0, 1])
    assert batch.wire_lengths.tolist() == [2, 90]
    tail = pickle.loads(pickle.dumps(batch))[1:]
    assert (tail.times_ns.tolist(), tail.interfaces.tolist(), bytes(tail[0])) == ([11], [1], b"c")
    late = b"".join([*parts, build.enhanced(b"d", time=2**63)])
    assert cbpf.read_capture(BytesIO(late)).packets().times_ns is None
    assert cbpf.Packets.of([b"a"]).times_ns is None


@pytest.mark.parametrize(
    ("value", "nanoseconds", "relative"),
    [
        (1_700_000_000, 1_700_000_000 * SECOND, False),
        (1_700_000_000.123, 1_700_000_000_123_000_000, False),
        (Decimal("-1.5"), -1_500_000_000, False),
        ("1700000000.000000001", 1_700_000_000_000_000_001, False),
        ("2023-11-14T22:13:20Z", 1_700_000_000 * SECOND, False),
        ("2023-11-14 23:13:20.123456789+01:00", 1_700_000_000_123_456_789, False),
        (datetime(2023, 11, 14, 22, 13, 20, 7, tzinfo=UTC), 1_700_000_000_000_007_000, False),
        (timedelta(minutes=5), 300 * SECOND, True),
        ("+5m", 300 * SECOND, True),
        ("+1h30m", 5_400 * SECOND, True),
        ("+2.5", 2_500_000_000, True),
        ("+10ms", 10_000_000, True),
    ],
)
def test_times_are_read(value: Any, nanoseconds: int, relative: bool) -> None:
    assert point_in_time("since", value) == (nanoseconds, relative)


@pytest.mark.parametrize(
    ("value", "fact"),
    [
        ("2023-11-14T22:13:20", "has no offset from UTC"),
        (datetime(2023, 11, 14), "has no offset from UTC"),
        ("yesterday", "is not a time"),
        ("+5 weeks", "is not a time"),
        ("", "is not a time"),
        (float("nan"), "is not a number of seconds"),
        (Decimal("1e999999"), "is not a number of seconds"),
        (True, "expected a time, got bool"),
        (b"1", "expected a time, got bytes"),
    ],
)
def test_other_times_are_errors(value: Any, fact: str) -> None:
    with pytest.raises(cbpf.FieldError, match=rf"^read_capture.since: .*{fact}"):
        cbpf.read_capture(TRAFFIC, since=value)


def test_filters_that_do_not_fit_are_errors_of_the_call() -> None:
    with pytest.raises(cbpf.ExpressionError):
        cbpf.read_capture(TRAFFIC, filter="no such thing")
