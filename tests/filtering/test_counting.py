"""Counts of packets: machine code, Python and a loop over the packets agree; text, CSV, JSON, damage and limits."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

import cbpf
from cbpf.capture.time_text import duration_text
from cbpf.engines.base import llvm_is_installed
from cbpf.filtering import counting
from support.captures import TRAFFIC, Pcapng, as_pcapng, encoded
from support.command_line import CommandLine
from support.hostile_captures import damaged, traffic
from support.project import Rounds
from support.scans import SIZES, Pieces, machine, shrink

SECOND: Final = 1_000_000_000
FILTERS: Final = ("greater 60", "arp or icmp")


def two_link_types(random: Random) -> bytes:
    """Return a pcapng whose packets alternate between link types, with times before 1970 and without time."""
    build = Pcapng("<")
    parts = [build.section(), build.interface(1), build.interface(101, options=build.resolution(9, offset=-7))]
    for index in range(600):
        data = random.randbytes(random.randrange(40, 90))
        interface = random.choice((0, 1, 1, 1))
        time = random.randrange(20 * (SECOND if interface else 1_000_000))
        parts.append(build.enhanced(data, interface=interface, time=time) if index % 50 else build.simple(data))
    return b"".join(parts)


CAPTURES: Final[dict[str, Callable[[Random], bytes]]] = {
    "pcap": lambda random: encoded(traffic(random, 300)),
    "two sections": lambda random: as_pcapng(traffic(random, 300)) + as_pcapng(traffic(random, 300), ">"),
    "two link types": two_link_types,
    "truncated": lambda random: encoded(traffic(random, 300))[:-5],
}


def expected(path: Path, every_ns: int | None, *, by_link_type: bool) -> list[dict[tuple[int | None, str | None], Any]]:
    """Return the packets, captured bytes and wire bytes by interval and link type for each filter, by a plain loop."""
    counts = []
    for text in FILTERS:
        totals: dict[tuple[int | None, str | None], Counter[str]] = {}
        try:
            with cbpf.read_capture(path, filter=machine(text, "python")) as capture:
                untimed = untimed_packets(path)
                for packet in capture:
                    interval = packet.time_ns // every_ns * every_ns if every_ns else None
                    start_ns = None if packet.number in untimed else interval
                    name = capture.interfaces[packet.interface].link_type.name if by_link_type else None
                    sums = totals.setdefault((start_ns, name), Counter())
                    sums.update(packets=1, captured=len(packet.data), wire=packet.wire_length)
        except cbpf.DamagedCapture:
            pass
        counts.append({key: (sums["packets"], sums["captured"], sums["wire"]) for key, sums in totals.items()})
    return counts


def untimed_packets(path: Path) -> set[int]:
    """Return the numbers of the packets without a time stamp, which are those of `Pcapng.simple`."""
    numbers: set[int] = set()
    number = 0
    data = path.read_bytes()
    if not data.startswith(b"\n\r\r\n"):
        return numbers
    position, order = 0, "little"
    while position < len(data):
        kind = int.from_bytes(data[position : position + 4], order)  # type: ignore[arg-type]
        if kind == 0x0A0D0D0A:
            order = "little" if data[position + 8] == 0x4D else "big"
        number += kind in (3, 6)
        if kind == 3:
            numbers.add(number)
        position += int.from_bytes(data[position + 4 : position + 8], order)  # type: ignore[arg-type]
    return numbers


@pytest.mark.parametrize("name", CAPTURES)
def test_engines_count_the_packets_of_a_plain_loop(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(name)
    shrink(monkeypatch, random.choice(SIZES))
    path = tmp_path / "in"
    path.write_bytes(CAPTURES[name](random))
    engines = ["python", "llvm"] if llvm_is_installed() else ["python"]
    for every_ns, by in ((None, None), (SECOND // 2, None), (3, "link_type"), (None, "link_type")):
        wanted = expected(path, every_ns, by_link_type=by is not None)
        every = None if every_ns is None else f"{every_ns}ns"
        for engine in engines:
            for source in (path, Pieces(path.read_bytes())):
                filters = [machine(text, engine) for text in FILTERS]
                options: dict[str, Any] = {"every": every, "by": by}
                counts = cbpf.count_packets(source, *filters, **options)
                assert bool(counts.damage) is (name == "truncated")
                for index, filter_counts in enumerate(wanted):
                    rows = {(row.start_ns, row.link_type): row[3:] for row in counts.rows[index :: len(FILTERS)]}
                    assert {key: sums for key, sums in rows.items() if any(sums)} == filter_counts


@pytest.mark.fuzz
def test_engines_count_damaged_captures_alike(rounds: Rounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    path = tmp_path / "in"
    for random in rounds(4):
        shrink(monkeypatch, random.choice(SIZES))
        path.write_bytes(damaged(random))
        results = []
        for engine in ("python", "llvm"):
            filters = [machine(text, engine) for text in FILTERS]
            counts = cbpf.count_packets(path, *filters, every="1h", by="link_type", until=2**40)
            results.append(counts)
        assert results[0] == results[1]


def test_several_sources_are_counted_together() -> None:
    once = cbpf.count_packets(TRAFFIC, "arp", "udp", every=10)
    twice = cbpf.count_packets([TRAFFIC, BytesIO(TRAFFIC.read_bytes())], "arp", "udp", every=timedelta(seconds=10))
    assert [row[:3] for row in twice.rows] == [row[:3] for row in once.rows]
    assert [row[3:] for row in twice.rows] == [tuple(2 * number for number in row[3:]) for row in once.rows]
    period = cbpf.count_packets([TRAFFIC, TRAFFIC], since="+5s", until="+10s")
    with cbpf.read_capture(TRAFFIC, since="+5s", until="+10s") as capture:
        assert period.rows[0].packets == 2 * len(list(capture)) > 0


def test_names_of_filters() -> None:
    filters: tuple[Any, ...] = ("arp", "", cbpf.Expression("tcp", ports=[443]), cbpf.compile("ip"))
    names = ("arp", "all packets", "tcp with lists", "program 4")
    assert cbpf.count_packets(BytesIO(encoded([])), *filters).filters == names


def test_the_table_has_a_sparkline_for_each_filter() -> None:
    text = str(cbpf.count_packets(TRAFFIC, "arp", "less 1", every="5s"))
    assert text.splitlines()[:3] == [
        "time (UTC)            filter  packets  captured  on the wire",
        "2026-11-20T17:59:45Z  arp           2        84           84",
        "                      less 1        0         0            0",
    ]
    assert text.splitlines()[-4:] == [
        "",
        "5 s per bar, from 2026-11-20T17:59:45Z to 2026-11-20T18:00:10Z",
        "arp     ▄▇█▅▇  at most 5 packets",
        "less 1  no packets",
    ]
    assert len(str(cbpf.count_packets(TRAFFIC, every="10ms")).splitlines()[-1].split("  at most")[0]) <= 73
    for every in (None, 1):
        assert str(cbpf.count_packets(BytesIO(encoded([])), every=every)) == "no packets"
        assert str(cbpf.count_packets(TRAFFIC, "tcp", "udp", every=every, since="+1d")) == "no packets"


def test_cells_are_repeated_where_the_time_or_the_link_type_changes() -> None:
    counts = cbpf.count_packets(BytesIO(two_link_types(Random(1))), *FILTERS, every="1h", by="link_type")
    lines = str(counts).splitlines()
    heads = [line[: lines[0].index("filter")].split() for line in lines[1 : len(counts.rows) + 1]]
    assert heads[1::2] == [[]] * (len(heads) // 2)
    assert all(len(head) >= 2 for head in heads[::2])
    assert "1 h per bar, from " in lines[-3]


@pytest.mark.parametrize(
    ("nanoseconds", "expected"),
    [
        (1, "1 ns"),
        (315_000_000, "315 ms"),
        (5_400 * SECOND, "1 h 30 min"),
        (86_461 * SECOND + 2_000, "1 d 1 min 1 s 2 us"),
    ],
)
def test_durations_have_all_their_units(nanoseconds: int, expected: str) -> None:
    assert duration_text(nanoseconds) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": "soon"}, "count_packets.every: 'soon' is not a duration; examples: 100ms, 90, 5m, 1h30m"),
        ({"every": [1]}, "count_packets.every: expected a duration, got list; examples: 100ms, 90, 5m, 1h30m"),
        ({"every": 0}, "count_packets.every: 0 is not a duration in nanoseconds (1..9223372036854775807)"),
        ({"by": "port"}, "count_packets.by: 'port' is not 'link_type'"),
        (
            {"since": "2026-11-20"},
            "count_packets.since: '2026-11-20' has no offset from UTC; write 2026-11-20T00:00:00Z, or",
        ),
    ],
)
def test_invalid_arguments_are_rejected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(cbpf.FieldError) as raised:
        cbpf.count_packets(TRAFFIC, **options)
    assert str(raised.value).startswith(message)


def test_the_number_of_intervals_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MAX_GROUPS", 3)
    assert len(cbpf.count_packets(TRAFFIC, every="10s", until="+15s").rows) == 3
    with pytest.raises(cbpf.FieldError, match="more than 3 intervals have packets"):
        cbpf.count_packets(TRAFFIC, every="1s")


def test_an_expression_that_fits_no_interface_is_an_error() -> None:
    with pytest.raises(cbpf.LinkTypeError):
        cbpf.count_packets(TRAFFIC, "inbound")


def test_the_command_prints_csv_and_json(cli: CommandLine, traffic: Path) -> None:
    counts = cbpf.count_packets(traffic, "arp", "tcp", every="5s", by="link_type")
    arguments = ("count", "-r", str(traffic), "-e", "arp", "-e", "tcp", "--every", "5s", "--by", "link_type")
    _, out, _ = cli(*arguments, "--csv")
    rows = list(csv.DictReader(StringIO(out.decode(), newline="")))
    fields = ("start", "link_type", "filter", "packets", "captured_bytes", "wire_bytes")
    assert rows == [{field: str(row.as_dict()[field]) for field in fields} for row in counts.rows]
    _, out, _ = cli(*arguments, "--json")
    assert json.loads(out) == counts.as_dict()


def test_the_command_reports_damage_and_usage_errors(cli: CommandLine, traffic: Path) -> None:
    code, out, err = cli("count", "icmp", stdin=traffic.read_bytes()[:-1])
    assert (code, out.splitlines()[1].split()[0], err[:29]) == (2, b"51", "cbpf: standard input: packet ")
    for arguments, message in (
        (("--csv", "--json"), "--csv and --json are mutually exclusive"),
        (("-e", "arp", "tcp"), "-e cannot be combined with EXPRESSION, -F, --program, --hosts or --ports"),
        (("--every", "x"), "--every: 'x' is not a duration; examples: 100ms, 90, 5m, 1h30m"),
    ):
        code, _, err = cli("count", "-r", str(traffic), *arguments)
        assert (code, err.startswith(f"cbpf: {message}")) == (2, True)
