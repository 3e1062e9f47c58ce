"""Start-up times of interpreters, imports and commands."""

import shutil
from collections.abc import Iterator
from typing import Final

from benchmarks.captures import TRAFFIC
from benchmarks.processes import CBPF, PYTHON, cold, process
from benchmarks.report import Section, at_most, table
from benchmarks.setting import Setting
from benchmarks.timing import paired
from benchmarks.whole import FILTER

_FILTER: Final = "cbpf filter, small capture"


def startup(setting: Setting) -> Iterator[Section]:
    """Measure complete processes in turn."""
    imports = ("cbpf", "scapy.all", "dpkt", "cypcap")
    tcpdump = shutil.which("tcpdump")
    small = ["-r", str(TRAFFIC), "-w", "/dev/null", FILTER]
    contenders = [
        process("empty interpreter", [PYTHON, "-c", "pass"]),
        *(process(f"import {name}", [PYTHON, "-c", f"import {name}"]) for name in imports),
        process("import cbpf's VM", [PYTHON, "-c", "from cbpf import VM"]),
        process("cbpf --help", [CBPF, "--help"]),
        process(_FILTER, [CBPF, "filter", *small]),
        cold(f"{_FILTER}, first run", [CBPF, "filter", *small]),
        *([process("tcpdump, small capture", [tcpdump, *small])] if tcpdump else []),
    ]
    columns = {
        "ms": lambda row: f"{row.seconds * 1e3:.1f}",
        "ms above empty": lambda row: f"{row.more * 1e3:+.1f}",
        "times empty": lambda row: f"{row.ratio:.1f}",
    }
    rows = paired(contenders, rounds=setting.rounds(21))
    by_name = {row.contender.name: row for row in rows}
    goals = [
        at_most("`from cbpf import VM`, above empty", 40, by_name["import cbpf's VM"].more * 1e3, "{:.0f} ms"),
        at_most("`cbpf --help`", 120, by_name["cbpf --help"].seconds * 1e3, "{:.0f} ms"),
        at_most("`cbpf filter` on a small capture", 120, by_name[_FILTER].seconds * 1e3, "{:.0f} ms"),
        at_most("`cbpf filter` on a small capture, empty interpreter", 3, by_name[_FILTER].ratio, "{:.1f} times"),
    ]
    size = TRAFFIC.stat().st_size / 1e3
    note = (
        f"Processes with warm bytecode caches; the small capture has {size:.0f} kB. After the first run, the program "
        "of the filter is in the cache on disk, so that the compiler is not imported."
    )
    yield Section("Start-up", *table(rows, columns), note, goals)
