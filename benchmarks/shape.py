"""The options that select, truncate, count or divide packets: CPU time next to that of a plain copy, and to peers."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import synthetic
from benchmarks.captures import Capture, as_pcapng, read_through, synthetic_captures
from benchmarks.processes import CBPF, PYTHON, WORKSPACE, process
from benchmarks.report import Section, at_most
from benchmarks.setting import Setting, require_room
from benchmarks.timing import Contender, costs_of

_COUNT: Final = 500_000
_FILTER: Final = "udp or tcp"
_NULL: Final = "/dev/null"
_FOLDER: Final = WORKSPACE / "rotated"
_READ: Final = "import sys, cbpf; cbpf.CaptureReader(sys.argv[1]).packets()"


def shape(setting: Setting) -> Iterator[Section]:
    """Measure the options one by one."""
    (pcap,) = synthetic_captures(setting.scaled(_COUNT))
    rounds = setting.rounds(7)
    yield _selected(pcap, rounds)
    yield _truncated(pcap, rounds)
    require_room(_FOLDER.parent, 2 * pcap.size)
    yield _rotated(pcap, rounds)
    yield _counted(pcap, rounds)


def _selected(pcap: Capture, rounds: int) -> Section:
    """Copy some packets of a pcap to /dev/null."""
    start, end = (synthetic.START + share * pcap.packets * synthetic.GAP // 4 for share in (1, 3))  # microseconds
    period = ("--since", f"{start / 1e6:.6f}", "--until", f"{end / 1e6:.6f}")
    contenders = [
        process("plain copy", _filter(pcap, _NULL)),
        process("--since, --until", _filter(pcap, _NULL, *period)),
        process("--sample 1/100", _filter(pcap, _NULL, "--sample", "1/100")),
        process("--as-socket", _filter(pcap, _NULL, "--as-socket", "--dialect", "linux")),
    ]
    if tcpdump := shutil.which("tcpdump"):
        contenders.append(process("tcpdump", [tcpdump, "-r", pcap.path, "-w", _NULL, _FILTER]))
    if editcap := shutil.which("editcap"):
        times = [f"{option}{_editcap_time(time)}" for option, time in (("-A", start), ("-B", end))]
        contenders.append(process("editcap -A -B", [editcap, *times, pcap.path, _NULL]))
    note = f"{pcap}, to /dev/null. The period has half of the packets; editcap has no filter, and whole seconds only."
    return _section("Selected packets", contenders, note, rounds, limits={"--since, --until": 2, "--sample 1/100": 2})


def _truncated(pcap: Capture, rounds: int) -> Section:
    """Truncate the packets of a pcapng."""
    pcapng = read_through(as_pcapng(pcap))
    contenders = [
        process("plain copy", _filter(pcapng, _NULL)),
        process("--snaplen 60", _filter(pcapng, _NULL, "--snaplen", "60")),
        process("--snaplen 60 --pcap", _filter(pcapng, _NULL, "--snaplen", "60", "--pcap")),
    ]
    if editcap := shutil.which("editcap"):
        contenders.append(process("editcap -s 60", [editcap, "-s", "60", pcapng.path, _NULL]))
    section = _section(
        "Truncated packets", contenders, f"{pcapng}, a pcapng, to /dev/null.", rounds, limits={"--snaplen 60": 2}
    )
    Path(pcapng.path).unlink()
    return section


def _rotated(pcap: Capture, rounds: int) -> Section:
    """Write one file after another."""
    target = str(_FOLDER / "out.pcap")
    rotated = {
        "-C 100": _filter(pcap, target, "-C", "100"),
        "-G 1": _filter(pcap, str(_FOLDER / "out-%s.pcap"), "-G", "1"),
        "-C 100 --snaplen 60": _filter(pcap, target, "-C", "100", "--snaplen", "60"),
        "cbpf split -C 100": [CBPF, "split", "-q", "-r", pcap.path, "-C", "100", f"{_FILTER}={target}"],
    }
    contenders = [process("plain copy", _filter(pcap, target), before=_empty_folder)]
    contenders += [process(name, command, before=_empty_folder) for name, command in rotated.items()]
    if tcpdump := shutil.which("tcpdump"):
        user = ["-Z", "root"] if os.geteuid() == 0 else []
        command = [tcpdump, *user, "-r", pcap.path, "-C", "100", "-w", target, _FILTER]
        contenders.append(process("tcpdump -C 100", command, before=_empty_folder))
    section = _section("Rotated files", contenders, f"{pcap}, to files of 100 MB.", rounds, limits={"-C 100": 2})
    shutil.rmtree(_FOLDER)
    return section


def _counted(pcap: Capture, rounds: int) -> Section:
    """Count packets, and read them into memory."""
    contenders = [
        process("plain copy", _filter(pcap, _NULL)),
        process("cbpf count", [CBPF, "count", "-q", "-r", pcap.path, _FILTER]),
        process("cbpf count --every 100ms", [CBPF, "count", "-q", "-r", pcap.path, "--every", "100ms", _FILTER]),
        process("cbpf info", [CBPF, "info", "--no-progress", pcap.path]),
        process("cbpf info --sample 1/100", [CBPF, "info", "--no-progress", "--sample", "1/100", pcap.path]),
        process("CaptureReader.packets", [PYTHON, "-c", _READ, pcap.path]),
    ]
    if capinfos := shutil.which("capinfos"):
        contenders.append(process("capinfos", [capinfos, pcap.path]))
    note = f"{pcap}. Complete processes; `CaptureReader.packets` reads all packets into memory."
    return _section("Counts and batches", contenders, note, rounds, limits={"cbpf count": 2})


def _section(
    title: str, contenders: Sequence[Contender], note: str, rounds: int, *, limits: dict[str, float]
) -> Section:
    """Return the table of CPU times, each also relative to the plain copy in the same round."""
    costs = costs_of(contenders, rounds=rounds)
    lines, goals = [], []
    for index, contender in enumerate(contenders):
        seconds = median(round_costs[index].cpu_seconds for round_costs in costs)
        ratio = median(round_costs[index].cpu_seconds / round_costs[0].cpu_seconds for round_costs in costs)
        lines.append([contender.name, f"{seconds * 1e3:,.0f}", f"{ratio:.2f}", contender.how])
        if contender.name in limits:
            subject = f"{title}, `{contender.name}`: CPU time against a plain copy"
            goals.append(at_most(subject, limits[contender.name], ratio, "{:.2f} times"))
    return Section(title, ["contender", "CPU time in ms", "relative CPU time", "how"], lines, note, goals)


def _filter(capture: Capture, target: str, *options: str) -> list[str]:
    return [CBPF, "filter", "-q", "-r", capture.path, "-w", target, *options, _FILTER]


def _editcap_time(microseconds: int) -> str:
    """Return a time in the form of editcap: local time, in whole seconds."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(microseconds // 1_000_000))


def _empty_folder() -> None:
    """Remove the files of earlier runs, and wait for the disk."""
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir()
    os.sync()
