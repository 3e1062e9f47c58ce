"""Start-up times of interpreters, imports and commands."""

import shutil
from collections.abc import Iterator
from statistics import median
from typing import Final

from benchmarks.captures import TRAFFIC
from benchmarks.processes import CBPF, PYTHON, cold, process
from benchmarks.report import Section, at_most
from benchmarks.setting import Setting
from benchmarks.timing import costs_of
from benchmarks.whole import FILTER

_FILTER: Final = "cbpf filter, small capture"


def startup(setting: Setting) -> Iterator[Section]:
    """Measure complete processes in turn, by the time of all processors."""
    imports = ("cbpf", "scapy.all", "dpkt", "cypcap")
    tcpdump = shutil.which("tcpdump")
    small = ["-r", str(TRAFFIC), "-w", "/dev/null", FILTER]
    contenders = [
        process("empty interpreter", [PYTHON, "-c", "pass"]),
        *(process(f"import {name}", [PYTHON, "-c", f"import {name}"]) for name in imports),
        process("import cbpf's VM", [PYTHON, "-c", "from cbpf import VM"]),
        process("cbpf --help", [CBPF, "--help"]),
        process("cbpf --version", [CBPF, "--version"]),
        process(_FILTER, [CBPF, "filter", *small]),
        cold(f"{_FILTER}, first run", [CBPF, "filter", *small]),
        process("cbpf info, small capture", [CBPF, "info", str(TRAFFIC)]),
        process("cbpf count, small capture", [CBPF, "count", "-r", str(TRAFFIC), FILTER]),
        process("cbpf print, small capture", [CBPF, "print", "-r", str(TRAFFIC), FILTER]),
        process("cbpf compile", [CBPF, "compile", FILTER]),
        *([process("tcpdump, small capture", [tcpdump, *small])] if tcpdump else []),
    ]
    costs = costs_of(contenders, rounds=setting.rounds(21))
    seconds = [[cost.cpu_seconds for cost in column] for column in zip(*costs, strict=True)]
    ratios = [[own / empty for own, empty in zip(column, seconds[0], strict=True)] for column in seconds]
    names = [contender.name for contender in contenders]
    milliseconds, times = (dict(zip(names, map(median, rows), strict=True)) for rows in (seconds, ratios))
    table = [
        [contender.name, contender.how, f"{milliseconds[name] * 1e3:.1f}", f"{times[name]:.1f}"]
        for name, contender in zip(names, contenders, strict=True)
    ]
    more = milliseconds["import cbpf's VM"] - milliseconds["empty interpreter"]
    goals = [
        at_most("`from cbpf import VM`, above empty", 40, more * 1e3, "{:.0f} ms"),
        at_most("`cbpf --help`", 120, milliseconds["cbpf --help"] * 1e3, "{:.0f} ms"),
        at_most("`cbpf filter` on a small capture", 120, milliseconds[_FILTER] * 1e3, "{:.0f} ms"),
        at_most("`cbpf filter` on a small capture, empty interpreter", 3, times[_FILTER], "{:.1f} times"),
    ]
    size = TRAFFIC.stat().st_size / 1e3
    note = (
        f"Processor time of processes with warm bytecode caches; the small capture has {size:.0f} kB. After the first "
        "run, the program of the filter is in the cache on disk, so that the compiler is not imported."
    )
    yield Section("Start-up", ["contender", "how", "ms", "times empty"], table, note, goals)
