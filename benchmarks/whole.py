"""Filtering large captures, measured as complete processes."""

import filecmp
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from benchmarks import peers
from benchmarks.captures import Capture, synthetic_captures
from benchmarks.processes import CBPF, PYTHON, WORKSPACE, cold, output, process
from benchmarks.report import Chart, Goal, Section, at_least, table
from benchmarks.setting import Setting, require_room
from benchmarks.timing import Contender, Row, paired, require_agreement

PORT: Final = 443
FILTER: Final = f"tcp port {PORT}"

LARGE: Final = 2_000_000
HUGE: Final = 8_000_000
_COUNT_FOR_DPKT: Final = 100_000
_COUNT_FOR_SCAPY: Final = 20_000

_COLUMNS: Final = {
    "ms": lambda row: f"{row.seconds * row.contender.units * 1e3:,.0f}",
    "packets per second": lambda row: f"{1 / row.seconds:,.0f}",
    "relative time per packet": lambda row: f"{row.ratio:.2f}",
}


def whole(setting: Setting) -> Iterator[Section]:
    """Measure each contender as a complete process."""
    few, some, large = (setting.scaled(count) for count in (_COUNT_FOR_SCAPY, _COUNT_FOR_DPKT, LARGE))
    for_scapy, for_dpkt, capture = synthetic_captures(few, some, large)
    counts = {peer: int(output(_loop(peer, for_scapy))) for peer in peers.LOOPS}
    require_agreement(counts | {"cbpf": int(output([CBPF, "filter", "-r", for_scapy.path, "--count", FILTER]))})
    slow = [
        process("dpkt, loop in Python", _loop("dpkt", for_dpkt), units=for_dpkt.packets),
        process("scapy, loop in Python", _loop("scapy", for_scapy), units=for_scapy.packets),
    ]
    yield _to_null_device(capture, 3.0, slow, rounds=setting.rounds(9))
    yield _to_a_file(capture, rounds=setting.rounds(9))
    (capture,) = synthetic_captures(setting.scaled(HUGE))
    yield _to_null_device(capture, 6.5, [], rounds=setting.rounds(7))
    yield _to_a_file(capture, rounds=setting.rounds(7))


def _to_null_device(capture: Capture, goal: float, slow: list[Contender], *, rounds: int) -> Section:
    arguments = ["-r", capture.path, "-w", "/dev/null", FILTER]
    command, units = [CBPF, "filter", *arguments], capture.packets
    contenders = [
        process("cbpf", command, units=units),
        cold("cbpf, first run", command, units=units),
        process("cbpf, python engine", [CBPF, "filter", "--engine", "python", *arguments], units=units),
        *_tcpdump(arguments, units),
        process("cypcap, loop in Python", _loop("cypcap", capture), units=units),
        *slow,
    ]
    rows = paired(contenders, rounds=rounds)
    title = f"A whole capture to /dev/null: {capture}"
    note = (
        f"`{FILTER}`; a synthetic mix of TCP, UDP, ARP, IPv6 and VLAN in the page cache. All figures include start-up."
        " cbpf caches a filter's machine code in `$XDG_CACHE_HOME/cbpf`; the cache was empty for the first run. tcpdump"
        " ran with its defaults, including libpcap's optimiser."
    )
    if slow:
        note += f" dpkt read {slow[0].units:,} and scapy {slow[1].units:,} packets of the same kind."
    bars = [(row.contender.name.removesuffix(", loop in Python"), 1e-6 / row.seconds) for row in rows]
    chart = Chart(f"Filtering {capture}, to /dev/null", "million packets per second; more is better", bars)
    return Section(title, *table(rows, _COLUMNS), note, _goal(title, goal, rows), chart)


def _to_a_file(capture: Capture, *, rounds: int) -> Section:
    """Measure with an output file next to the capture, removed and synchronised before the next run."""
    require_room(WORKSPACE, capture.size // 2)
    ours, theirs = str(WORKSPACE / "cbpf.out"), str(WORKSPACE / "tcpdump.out")

    def remove() -> None:
        for path in (ours, theirs):
            Path(path).unlink(missing_ok=True)
        os.sync()

    units, arguments = capture.packets, ["-r", capture.path, "-w"]
    command = [CBPF, "filter", *arguments, ours, FILTER]
    contenders = [
        process("cbpf", command, units=units, before=remove),
        cold("cbpf, first run", command, units=units, before=remove),
        *_tcpdump([*arguments, theirs, FILTER], units, remove),
    ]
    accepted = _agreed_size(contenders, ours, theirs)
    rows = paired(contenders, rounds=rounds)
    remove()
    title = f"A whole capture to a file: {capture}"
    note = (
        f"`{FILTER}` accepts {accepted / 1e6:,.0f} MB; the file is on the capture's file system"
        f" ({_file_system(WORKSPACE)}) and is removed between runs. Both programs write the same bytes."
    )
    return Section(title, *table(rows, _COLUMNS), note, _goal(title, 2.0, rows))


def _agreed_size(contenders: list[Contender], ours: str, theirs: str) -> int:
    """Return the size of the output; stop the benchmark unless cbpf and tcpdump write the same bytes."""
    contenders[0].run()
    size = Path(ours).stat().st_size
    if len(contenders) > 2:
        contenders[2].run()
        require_agreement({"cbpf": size, "tcpdump": Path(theirs).stat().st_size})
        if not filecmp.cmp(ours, theirs, shallow=False):
            raise SystemExit("cbpf and tcpdump do not write the same bytes")
    return size


def _tcpdump(arguments: list[str], units: int, before: Callable[[], object] | None = None) -> list[Contender]:
    tcpdump = shutil.which("tcpdump")
    return [process("tcpdump", [tcpdump, *arguments], units=units, before=before)] if tcpdump else []


def _goal(title: str, bound: float, rows: list[Row]) -> list[Goal]:
    subject = f"{title}, against tcpdump"
    return [at_least(subject, bound, row.ratio, "{:.3g} times") for row in rows if row.contender.name == "tcpdump"]


def _file_system(directory: Path) -> str:
    """Return the type of a directory's file system."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(len(point), kind) for point, kind in mounts if directory.resolve().is_relative_to(point)]
    return max(above)[1]


def _loop(peer: str, capture: Capture) -> list[str]:
    return [PYTHON, peers.__file__, peer, capture.path, str(PORT)]
