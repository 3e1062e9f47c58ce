"""The effect of storage on the time: pcapng, conversion, and the number of packets."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.captures import Capture, as_pcapng, read_through, synthetic_captures
from benchmarks.processes import CBPF, WORKSPACE, process
from benchmarks.report import Section, at_least, at_most, table
from benchmarks.setting import Setting, require_room, size_text
from benchmarks.timing import costs_of, paired
from benchmarks.whole import FILTER, HUGE, LARGE

_CONVERTED_COUNT: Final = 700_000
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


def convert(setting: Setting) -> Iterator[Section]:
    """Compare the conversion of a capture to a file with its copy, by the time of all processors."""
    (pcap,) = synthetic_captures(setting.scaled(_CONVERTED_COUNT))
    pcapng = read_through(as_pcapng(pcap))
    require_room(WORKSPACE, 2 * pcapng.size)
    target = WORKSPACE / "converted"
    lines, goals = [], []
    for source, option in ((pcapng, "--pcap"), (pcap, "--pcapng")):
        command = [CBPF, "filter", "-q", "-r", source.path, "-w", str(target), ""]
        names = ("copied", f"with {option}")
        contenders = [process(name, [*command, *options]) for name, options in zip(names, ([], [option]), strict=True)]
        costs = costs_of(contenders, rounds=setting.rounds(9))
        ratio = median(converted.cpu_seconds / copied.cpu_seconds for copied, converted in costs)
        seconds = [median(cost.cpu_seconds for cost in column) for column in zip(*costs, strict=True)]
        kind = Path(source.path).suffix[1:]
        lines += [
            [f"{kind}, {name}", f"{cpu * 1e3:,.0f}", f"{relative:.2f}"]
            for name, cpu, relative in zip(names, seconds, (1, ratio), strict=True)
        ]
        goals.append(at_most(f"`{option}`: CPU time against the copy", 2.0, ratio, "{:.2f} times"))
    target.unlink()
    Path(pcapng.path).unlink()
    note = f"{pcap}; as pcapng {size_text(pcapng.size)}. Complete processes that write all packets to a file."
    yield Section("Conversion of captures", ["case", "CPU time in ms", "relative CPU time"], lines, note, goals)


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
