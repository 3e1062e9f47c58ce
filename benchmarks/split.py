"""Many filters in one pass, compared with one pass per filter."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.captures import Capture, synthetic_captures
from benchmarks.processes import CBPF, WORKSPACE, process, script
from benchmarks.report import Section, at_most, table
from benchmarks.setting import Setting, require_room
from benchmarks.timing import paired
from benchmarks.whole import LARGE

ROUTES: Final = ("tcp port 443", "port 53", "arp", "ip6 and udp")

_OUTPUTS: Final = [str(WORKSPACE / f"part{index}.pcap") for index in range(len(ROUTES) + 1)]
_NULL_DEVICES: Final = ["/dev/null"] * len(_OUTPUTS)
_COLUMNS: Final = {
    "ms": lambda row: f"{row.seconds * 1e3:,.0f}",
    "relative time": lambda row: f"{row.ratio:.2f}",
}


def split(setting: Setting) -> Iterator[Section]:
    """Measure four filters and the rest, to /dev/null and to files."""
    (capture,) = synthetic_captures(setting.scaled(LARGE))
    yield _compared(capture, _NULL_DEVICES, "to /dev/null", rounds=setting.rounds(9))
    require_room(WORKSPACE, 2 * capture.size)
    yield _compared(capture, _OUTPUTS, "to files", rounds=setting.rounds(7))


def _compared(capture: Capture, outputs: list[str], where: str, *, rounds: int) -> Section:
    routes = [f"{filter}={path}" for filter, path in zip(ROUTES, outputs, strict=False)]
    rest = " or ".join(f"({filter})" if " " in filter else filter for filter in ROUTES)
    jobs = [*([filter] for filter in ROUTES), ["--invert", rest]]
    one_by_one = [_filter(capture, job, path) for job, path in zip(jobs, outputs, strict=True)]
    contenders = [
        process("cbpf split", [CBPF, "split", "-r", capture.path, *routes, "--rest", outputs[-1]], before=_remove),
        script(
            "5 times cbpf filter", "; ".join(map(shlex.join, one_by_one)), how="one after the other", before=_remove
        ),
        process("1 time cbpf filter", one_by_one[0], before=_remove),
    ]
    rows = paired(contenders, rounds=rounds)
    _remove()
    note = f"{capture}, in the page cache. The fifth filter accepts the packets that the other four reject."
    goals = [at_most(f"Split in 5 {where}, against 5 runs of `cbpf filter`", 0.5, 1 / rows[1].ratio, "{:.2f} times")]
    return Section(f"Split in one pass, {where}", *table(rows, _COLUMNS), note, goals)


def _filter(capture: Capture, job: list[str], path: str) -> list[str]:
    return [CBPF, "filter", "-r", capture.path, "-w", path, *job]


def _remove() -> None:
    for path in _OUTPUTS:
        Path(path).unlink(missing_ok=True)
    os.sync()
