"""Filter runs that copy the packets of a period: both engines, `read_capture` and editcap select the same packets."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

import cbpf
from cbpf.engines.base import llvm_is_installed
from support.captures import NANOSECONDS, TRAFFIC, Variant, as_pcapng, decoded, encoded
from support.command_line import CommandLine
from support.hostile_captures import SECONDS, damaged, traffic
from support.project import Rounds
from support.scans import SIZES, Outcome, Pieces, machine, outcome, shrink

pytestmark = pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning")

PERIOD: Final[dict[str, Any]] = {"since": "+1.5", "until": timedelta(seconds=9)}


def runs(open_source: Callable[[], Any], engine: Any, **options: Any) -> list[Outcome]:
    """Return the outcomes of a filter, of its inversion and of several routes with a rest."""
    first, inverted, *of_routes, rest = [BytesIO() for _ in range(5)]
    filter = machine("greater 60", engine)
    routes = [
        (machine(text, engine), target) for text, target in zip(("arp or icmp", "less 99"), of_routes, strict=True)
    ]
    calls: list[tuple[list[BytesIO], Callable[..., Any]]] = [
        ([first], partial(cbpf.filter_capture, target=first, filter=filter)),
        ([inverted], partial(cbpf.filter_capture, target=inverted, filter=filter, invert=True, count=40)),
        ([*of_routes, rest], partial(cbpf.split_capture, routes=routes, rest=rest)),
    ]
    return [
        outcome(lambda targets=targets: [target.getvalue() for target in targets], call, open_source(), **options)  # type: ignore[misc]
        for targets, call in calls
    ]


CAPTURES: Final[dict[str, Callable[[Random], bytes]]] = {
    "pcap": lambda random: encoded(traffic(random, 300)),
    "nanoseconds": lambda random: encoded(traffic(random, 300), Variant(">", NANOSECONDS)),
    "two sections": lambda random: as_pcapng(traffic(random, 300)) + as_pcapng(traffic(random, 300), ">"),
    "truncated": lambda random: encoded(traffic(random, 300))[:-5],
}


@pytest.mark.parametrize("name", CAPTURES)
def test_engines_and_the_iterator_select_the_same_packets(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(name)
    shrink(monkeypatch, random.choice(SIZES))
    path = tmp_path / "in"
    path.write_bytes(CAPTURES[name](random))
    expected = runs(lambda: path, "python", **PERIOD)
    if llvm_is_installed():
        assert runs(lambda: path, "llvm", **PERIOD) == expected
        pieces = runs(lambda: Pieces(path.read_bytes()), "llvm", **PERIOD)
        assert [run[:2] for run in pieces] == [run[:2] for run in expected]  # the names in errors differ
    (output,) = expected[0].outputs
    assert 0 < expected[0].counts[0][1] < expected[0].counts[0][0]
    assert packets(BytesIO(output or b"")) == packets(path, filter="greater 60", **PERIOD)


def packets(source: Any, **options: Any) -> list[tuple[int, bytes, int]]:
    """Return the time, the bytes and the wire length of each packet before the damage, if any."""
    read = []
    try:
        for packet in cbpf.read_capture(source, engine="python", **options):
            read.append((packet.time_ns, packet.data, packet.wire_length))  # noqa: PERF401  # those before the error
    except cbpf.DamagedCapture:
        pass
    return read


@pytest.mark.fuzz
def test_engines_agree_on_periods_of_damaged_captures(
    rounds: Rounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    path = tmp_path / "in"
    for random in rounds(4):
        shrink(monkeypatch, random.choice(SIZES))
        path.write_bytes(damaged(random))
        options: dict[str, Any] = {
            "since": random.choice((None, SECONDS, "+3s", "1.5", -(2**70), 2**70)),
            "until": random.choice((None, SECONDS + 30, "+5m", 2**70, -(2**70))),
            "container": random.choice(("same", "pcapng")),
        }
        assert runs(lambda: path, "llvm", **options) == runs(lambda: path, "python", **options)


def test_times_relative_to_the_first_packet_are_those_of_each_source() -> None:
    once, twice = BytesIO(), BytesIO()
    cbpf.filter_capture(TRAFFIC, once, "", **PERIOD)
    cbpf.filter_capture([TRAFFIC, TRAFFIC], twice, "", **PERIOD)
    assert decoded(twice.getvalue()) == 2 * decoded(once.getvalue())


@pytest.mark.parametrize("container", ["pcap", "pcapng"])
def test_editcap_selects_the_same_packets(container: Any, tmp_path: Path) -> None:
    if shutil.which("editcap") is None:
        pytest.skip("needs editcap, of Wireshark")
    source, expected = tmp_path / "in", tmp_path / "expected"
    cbpf.filter_capture(TRAFFIC, source, "", container=container)
    since, until = "2026-11-20 18:00:00", "2026-11-20 18:00:06.5"
    subprocess.run(
        ["editcap", "-F", container, "-A", since, "-B", until, str(source), str(expected)],
        check=True,
        env={**os.environ, "TZ": "UTC"},
    )
    target = BytesIO()
    summary = cbpf.filter_capture(source, target, "", since=since + "Z", until=until + "Z")
    target.seek(0)
    assert 0 < summary.packets_accepted < summary.packets_seen
    assert packets(target) == packets(expected)


def test_invalid_times_are_rejected_before_anything_is_read() -> None:
    with pytest.raises(cbpf.FieldError, match=r"^filter_capture.since: .*has no offset from UTC"):
        cbpf.filter_capture("absent.pcap", None, "", since="2026-11-20")
    with pytest.raises(cbpf.FieldError, match=r"^split_capture.until: 'soon' is not a time"):
        cbpf.split_capture("absent.pcap", {"": None}, until="soon")


@pytest.mark.parametrize(
    ("since", "until", "fact"),
    [
        ("+5m", "+300s", "'+300s' is not later than since, '+5m'"),
        ("2026-11-20T18:00:00Z", 1_763_661_600, "1763661600 is not later than since, '2026-11-20T18:00:00Z'"),
        (timedelta(seconds=9), "+8s", "'+8s' is not later than since, 0:00:09"),
    ],
)
def test_a_period_that_no_capture_can_have_is_an_error(since: Any, until: Any, fact: str) -> None:
    calls: dict[str, Callable[..., object]] = {
        "filter_capture": partial(cbpf.filter_capture, target=None, filter=""),
        "split_capture": partial(cbpf.split_capture, routes={"": None}),
        "count_packets": cbpf.count_packets,
        "read_capture": cbpf.read_capture,
        "capture_info": cbpf.capture_info,
    }
    for name, call in calls.items():
        with pytest.raises(cbpf.FieldError) as caught:
            call("absent.pcap", since=since, until=until)
        assert str(caught.value) == f"{name}.until: {fact}, so no packet would be selected"


def test_a_period_that_one_capture_cannot_have_is_a_warning(cli: CommandLine) -> None:
    """The period of the second source is empty, and that of a source without packets is unknown."""
    later = BytesIO(encoded([record._replace(seconds=record.seconds + 60) for record in decoded(TRAFFIC.read_bytes())]))
    later.name = "later.pcap"
    period: dict[str, Any] = {"since": "+5s", "until": "2026-11-20T18:00:07Z"}
    once, several = BytesIO(), BytesIO()
    cbpf.filter_capture(TRAFFIC, once, "", **period)
    with pytest.warns(cbpf.SelectionWarning) as caught:
        cbpf.filter_capture([TRAFFIC, later, BytesIO(encoded([]))], several, "", **period)
    fact = "until, 2026-11-20T18:00:07.000000000Z, is not later than since, 2026-11-20T18:00:52.026394000Z"
    assert [str(warning.message) for warning in caught] == [f"later.pcap: no packet is selected: {fact}"]
    assert several.getvalue() == once.getvalue()
    code, out, err = cli("count", "-q", "-r", str(TRAFFIC), "--since", "+1d", "--until", period["until"])
    assert (code, out, err.splitlines()[0].partition(", is not")[0]) == (
        0,
        b"no packets\n",
        f"cbpf: warning: {TRAFFIC}: no packet is selected: until, 2026-11-20T18:00:07.000000000Z",
    )


def test_the_commands_copy_a_period(cli: CommandLine, traffic: Path, tmp_path: Path) -> None:
    source, period = str(traffic), ("--since", "+5s", "--until", "2026-11-20T18:00:07Z")
    with cbpf.read_capture(traffic, since=period[1], until=period[3]) as capture:
        expected = len(list(capture))
    code, out, _ = cli("filter", "-q", "-r", source, *period, "--count")
    assert (code, int(out)) == (0, expected)
    code, _, err = cli("split", "-r", source, *period, f"tcp={tmp_path / 'tcp'}", "--rest", str(tmp_path / "rest"))
    counts = [int(line.split()[0]) for line in err.splitlines()[:2]]
    assert (code, sum(counts)) == (0, expected)
    code, _, err = cli("filter", "-r", source, "--until", "soon", "--count")
    assert (code, err.splitlines()[0][:32]) == (2, "cbpf: --until: 'soon' is not a t")
