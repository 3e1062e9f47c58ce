"""The benchmarks themselves: synthetic captures, paired rounds, and documents that match their figures."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import cbpf
from support.project import ROOT

pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="this copy has no benchmarks")


def test_documents_match_the_figures() -> None:
    from benchmarks import chart, report

    docs = ROOT / "docs"
    results = report.from_json((docs / "benchmarks.json").read_text())
    assert (docs / "benchmarks.md").read_text() == report.document(results)
    assert (docs / "benchmarks.svg").read_text() == chart.svg(report.charts(results))
    assert (ROOT / "benchmarks" / "GOALS.md").read_text() == report.goals_document(results)


def test_results_survive_json_and_are_printed_completely() -> None:
    from benchmarks import chart, report

    goals = [report.at_least("speed", 2.5, 3.14, "{:.1f} times"), report.at_most("delay", 10, 11, "{:.0f} ms")]
    bars = report.Chart("A & B", "packets", [("cbpf", 3.0), ("other", 1e-6)])
    section = report.Section("One", ["contender", "ms"], [["`a|b`", "1.0"]], "A note.", goals, bars)
    results = {"whole": report.TopicResult("a machine", "0.1", 0.5, [section])}
    assert report.to_json(report.from_json(report.to_json(results))) == report.to_json(results)
    text = report.document(results)
    assert "| <code>a&#124;b</code> | 1.0 |" in text
    assert "only a trial" in text
    assert "met" not in text
    printed = section.markdown()
    assert "- met speed: 3.1 times (goal: at least 2.5 times)" in printed
    assert "- **missed** delay: 11 ms (goal: at most 10 ms)" in printed
    assert "| delay | at most 10 ms | 11 ms | **missed** |" in report.goals_document(results)
    drawn = ElementTree.fromstring(chart.svg(report.charts(results)))
    assert [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")][:3] == [
        "A & B",
        "packets",
        "cbpf",
    ]


def test_synthetic_captures_contain_the_stated_packets(tmp_path: Path) -> None:
    from benchmarks import synthetic

    path = tmp_path / "some.pcap"
    synthetic.write(path, 500)
    packets = synthetic.packets(500)
    assert packets == synthetic.packets(500)
    with cbpf.read_capture(path) as capture:
        assert [packet.data for packet in capture] == packets
    for expression in ("tcp port 443", "udp", "arp", "ip6", "vlan"):
        assert cbpf.filter_capture(path, None, expression).packets_accepted > 5


def test_rounds_are_paired() -> None:
    from benchmarks.timing import Contender, paired

    turns: list[str] = []

    def contender(name: str) -> Contender:
        return Contender(name, lambda: turns.append(name), "", 1, lambda: turns.append("before"))

    rows = paired([contender("a"), contender("b")], rounds=2)
    assert turns == ["before", "a", "before", "b"] * 3
    assert [row.contender.name for row in rows] == ["a", "b"]
    assert (rows[0].more, rows[0].ratio) == (0, 1)


def test_the_command_imports_all_topics() -> None:
    pytest.importorskip("cypcap")
    command = [sys.executable, "-m", "benchmarks.run", "--help"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "usage: ./dev bench" in result.stdout
