"""The effect of storage on the time: pcapng, and the number of packets."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.captures import Capture, as_pcapng, read_through, synthetic_captures
from benchmarks.processes import CBPF, process
from benchmarks.report import Section, at_least, table
from benchmarks.setting import Setting, size_text
from benchmarks.timing import paired
from benchmarks.whole import FILTER, HUGE, LARGE

_COUNTS: Final = (500_000, 1_000_000, LARGE, HUGE)


def pcapng(setting: Setting) -> Iterator[Section]:
    """Compare a pcap and a pcapng of the same packets."""
    (pcap,) = synthetic_captures(setting.scaled(LARGE))
    other = read_through(as_pcapng(pcap))
    tcpdump = shutil.which("tcpdump")
    contenders = [
        process("cbpf, pcap", _filter(pcap), units=pcap.packets),
        process("cbpf, pcapng", _filter(other), units=other.packets),
    ]
    if tcpdump:
        for name, capture in (("pcap", pcap), ("pcapng", other)):
            command = [tcpdump, "-r", capture.path, "-w", "/dev/null", FILTER]
            contenders.append(process(f"tcpdump, {name}", command, units=pcap.packets))
    rows = paired(contenders, rounds=setting.rounds(9))
    columns = {
        "packets per second": lambda row: f"{1 / row.seconds:,.0f}",
        "rate relative to the first": lambda row: f"{1 / row.ratio:.2f}",
    }
    note = (
        f"{pcap}; as pcapng {size_text(other.size)}."
        " Complete processes, captures in the page cache, output to /dev/null."
    )
    goals = [at_least("pcapng: packets per second, as a share of pcap's", 0.7, 1 / rows[1].ratio, "{:.2f}")]
    Path(other.path).unlink()
    yield Section("pcapng against pcap", *table(rows, columns), note, goals)


def linear(setting: Setting) -> Iterator[Section]:
    """Measure one process per size, and subtract the start-up."""
    captures = synthetic_captures(1, *map(setting.scaled, _COUNTS))
    names = ["one packet", *map(str, captures[1:])]
    commands = [_filter(capture, "--engine", "llvm") for capture in captures]
    rows = paired(list(map(process, names, commands)), rounds=setting.rounds(9))
    ns_per_packet = [row.more / capture.packets * 1e9 for row, capture in zip(rows, captures, strict=True)]
    lines = [
        [row.contender.name, f"{row.seconds * 1e3:,.1f}", f"{row.more * 1e3:,.1f}", f"{ns:.1f}"]
        for row, ns in zip(rows, ns_per_packet, strict=True)
    ]
    lines[0][2:] = "", ""
    spread = max(ns_per_packet[1:]) / median(ns_per_packet[1:]) - 1
    note = (
        f"`cbpf filter --engine llvm -w /dev/null '{FILTER}'`; start-up is the time for one packet."
        f" The largest time per packet is {spread:.0%} above the median."
    )
    yield Section("Time is linear in packets", ["case", "ms", "ms less start-up", "ns per packet"], lines, note)


def _filter(capture: Capture, *options: str) -> list[str]:
    return [CBPF, "filter", *options, "-r", capture.path, "-w", "/dev/null", FILTER]
